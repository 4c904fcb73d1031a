/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The state of the terminal: changed for a password or a live view, and restored at the end,
 * also by a signal that ends the program. One terminal at a time.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>

/* CTL_TERMINAL_SECRET: no echo. CTL_TERMINAL_VIEW: keys without echo and newline, a screen of its
 * own, no cursor. */
enum ctl_terminal_mode { CTL_TERMINAL_SECRET, CTL_TERMINAL_VIEW };

/* Changes the terminal fd. From then on SIGINT, SIGTERM and SIGHUP restore it and end the program:
 * a view with exit code 0, a secret with 128 and the signal. Returns 0 or -errno. */
int ctl_terminal_enter(int fd, enum ctl_terminal_mode mode) must_check;
/* Restores the terminal; without effect when it is restored. */
void ctl_terminal_leave(void);
/* Waits for a key of the terminal, or a changed size, at most ms. Returns the key; 0: none. */
int ctl_terminal_key(int ms);
/* Writes the number of lines and columns; 24 and 80 for a terminal without a size. */
void ctl_terminal_size(unsigned *ret_lines, unsigned *ret_columns);
/* Makes SIGINT and SIGTERM end the program with exit code 0. */
void ctl_terminal_end_quietly(void);
