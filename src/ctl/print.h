/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Answers of the command channel for people: tables where the answer has rows, indented lines else.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

struct json;

/* Writes a time as ISO 8601, local time with its offset: the form of all times that people read. */
void ctl_time_text(time_t at, char *out, size_t cap);
/* Returns the heading of a column of the table of leases, from 0; NULL: there are fewer. */
const char *ctl_lease_heading(unsigned i);
/* Writes the cell of a lease in column i. Returns false: there are fewer columns. */
bool ctl_lease_cell(const struct json *lease, unsigned i, char *out, size_t cap);
/* Prints the text of an answer. */
void ctl_print_text(const struct json *answer, FILE *out);
/* Prints the answer of a command. */
void ctl_print(const char *command, const struct json *answer, FILE *out);
