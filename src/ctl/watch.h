/* SPDX-License-Identifier: MPL-2.0 */
/*
 * --watch: repeats a command that only reads, until a signal ends the program.
 */
#pragma once

#include "base/attr.h"
#include "ctl/commands.h"

#include <stdbool.h>

/* Checks whether a command may be repeated: its row says that it reads. Returns 0, or -1 with the
 * reason printed. */
int ctl_watch_check(enum ctl_program p, const char *command) must_check;
/*
 * Calls `run` every `seconds`. On a terminal the screen is cleared before each answer. Otherwise a
 * line with the time separates the answers, unless they are JSON, one a line. SIGINT and SIGTERM
 * end the program with exit code 0; also a failed command is repeated.
 */
_Noreturn void ctl_watch(int (*run)(void *ctx), void *ctx, int seconds, bool json);
