/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Descriptions of a command's arguments, for the check before the command runs, for
 * documentation, and for completion:
 *
 *	"ip-address:text | identifier-type:text identifier:text subnet-id:int | [limit:int]"
 *
 * name:type is required, [name:type] optional. (name:type) is required, and the command itself
 * refuses its absence or another type, with Kea's words. One of the alternatives between "|" must
 * be there as a whole. "*" in front of all: arguments that are no map are refused with the words of
 * Kea's selection tests. Types: text, int, bool, map, list, any. Names that are not described are
 * ignored, as Kea does.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>

struct json;

enum control_type {
	CONTROL_TEXT,
	CONTROL_INT,
	CONTROL_BOOL,
	CONTROL_MAP,
	CONTROL_LIST,
	CONTROL_ANY,
};

enum control_presence { CONTROL_REQUIRED, CONTROL_OPTIONAL, CONTROL_OWN_CHECK };

struct control_arg {
	struct span name;
	enum control_type type;
	enum control_presence presence;
	unsigned alternative; /* its number, from 0 */
};

/* Reads the description argument by argument: *at is 0 at first. Returns 1 and the argument; 0 at
 * the end; -USHER_E_SYNTAX. */
int control_args_next(const char *description, size_t *at, unsigned *alternative,
		      struct control_arg *ret) must_check;
/* Returns whether a description is well-formed. */
bool control_args_are_valid(const char *description);
/* Checks the arguments (a map, or NULL) against the description, which is well-formed. Returns 0,
 * or -USHER_E_TYPE with the reason in text[n], which names the argument. */
int control_args_check(const char *description, const struct json *args, char *text, size_t n)
	must_check;
/* Returns the name of a type: "text". */
const char *control_type_name(enum control_type t);
