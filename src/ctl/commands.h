/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The commands of the three programs, from the rows that the programs themselves are built from:
 * help without a running program, suggestions for misspelled commands, types of arguments. Pure.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stdio.h>

enum ctl_program { CTL_SERVER, CTL_CLIENT, CTL_GATE };

/* CTL_LOCAL: usherctl itself carries it out. CTL_UNKNOWN: no row of this build. */
enum ctl_access { CTL_READS, CTL_WRITES, CTL_LOCAL, CTL_UNKNOWN };

enum ctl_argument { CTL_TEXT, CTL_INT, CTL_BOOL };

/* Returns the name of a program, such as "usher-server". */
const char *ctl_program_name(enum ctl_program p);
/* Prints one command, or all of the program (name NULL), with arguments and purpose. Returns false:
 * no such command. */
bool ctl_help(enum ctl_program p, const char *name, FILE *out);
/* Returns the command whose name is nearest to a misspelled one, or NULL when none is near. */
const char *ctl_nearest(enum ctl_program p, const char *name);
/* Returns the access that a command needs. */
enum ctl_access ctl_command_access(enum ctl_program p, const char *name) must_check;
/* Returns the type of the argument NAME of any command: text unless a row declares another type. */
enum ctl_argument ctl_argument_kind(const char *name) must_check;
/* Returns the sentence of a drop reason: "no subnet for this client" of "drop-no-subnet" or
 * "NO_SUBNET"; "" for an unknown name. */
const char *ctl_drop_sentence(enum ctl_program p, const char *name);
