/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Answers of the command channel for people: tables where the answer has rows, indented lines else.
 */
#pragma once

#include <stdio.h>

struct json;

void ctl_print(const char *command, const struct json *answer, FILE *out);
