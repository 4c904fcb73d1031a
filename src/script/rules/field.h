/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Fields of events and decisions: values of a host that rules and policies compare without Lua.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The type of a value. Addresses are in host order, booleans 0 and 1. */
enum script_field_kind {
	SCRIPT_FIELD_NUMBER,
	SCRIPT_FIELD_ADDRESS,
	SCRIPT_FIELD_BOOLEAN,
	SCRIPT_FIELD_TEXT
};

struct script_filter_field {
	const char *name;
	uint64_t (*get)(const void *ctx);
	bool (*present)(
		const void *ctx); /* NULL: always. An absent field matches nothing but absent() */
	int (*parse)(const char *text,
		     uint64_t *ret); /* a value given as text; negative: unknown. NULL: refused */
	enum script_field_kind kind; /* its type in Lua, for policies */
	const char *(*text)(uint64_t value); /* of SCRIPT_FIELD_TEXT; NULL counts as nil */
};
