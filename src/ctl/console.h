/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For usherctl: the console of a gate. Each line is run by the workers' rules.
 */
#pragma once

struct json;

/* Runs one line. Returns its exit code. */
typedef int (*ctl_line_fn)(void *ctx, const char *line);

/* Reads lines from stdin until its end. Returns the exit codes, combined. */
int ctl_console(ctl_line_fn run, void *ctx);
/* Prints the text and the errors of each worker. */
void ctl_show_workers(const struct json *answer);
