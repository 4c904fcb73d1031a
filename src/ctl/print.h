/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Answers of the command channel for people: tables where the answer has rows, indented lines else.
 */
#pragma once

#include <stdio.h>
#include <time.h>

struct json;

/* Writes a time as ISO 8601, local time with its offset: the form of all times that people read. */
void ctl_time_text(time_t at, char *out, size_t cap);
/* Prints the answer of a command. */
void ctl_print(const char *command, const struct json *answer, FILE *out);
