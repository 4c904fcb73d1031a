/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The commands of the three programs, from the rows that the programs themselves are built from:
 * help without a running program, and suggestions for misspelled commands. Pure.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stdio.h>

enum ctl_program { CTL_SERVER, CTL_CLIENT, CTL_GATE };

/* Returns the name of a program, such as "usher-server". */
const char *ctl_program_name(enum ctl_program p);
/* Prints one command, or all of the program (name NULL), with arguments and purpose. Returns false:
 * no such command. */
bool ctl_help(enum ctl_program p, const char *name, FILE *out);
/* Returns the command whose name is nearest to a misspelled one, or NULL when none is near. */
const char *ctl_nearest(enum ctl_program p, const char *name);

enum ctl_argument { CTL_TEXT, CTL_INT, CTL_BOOL };

/* Returns the type of the argument NAME of any command: text unless a row declares another type. */
enum ctl_argument ctl_argument_kind(const char *name) must_check;
