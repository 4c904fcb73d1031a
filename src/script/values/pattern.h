/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Lua patterns (Lua 5.1 reference manual, 5.4.1) with a bound on the work: LuaJIT's own matcher is
 * a C function that no hook interrupts, and a pattern of a few octets can keep it busy for years. A
 * pattern is compiled into a short program; matching is backtracking over it, at most as deep as
 * the program is long, and counts its steps.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

enum { PATTERN_ITEMS = 128, PATTERN_SETS = 24, PATTERN_CAPTURES = 32 };

enum { PATTERN_POSITION = -2 }; /* the length of a position capture */

struct pattern_item {
	uint8_t kind;
	uint8_t repeat; /* 0, '*', '+', '-', '?' */
	uint8_t a, b;	/* the octet; the class; the set; the capture; the two of %b */
	uint32_t off;	/* of a literal in the pattern */
	uint32_t len;
};

struct pattern {
	const uint8_t *text;
	unsigned n_items;
	unsigned n_sets;
	unsigned n_captures;
	bool anchored;
	struct pattern_item items[PATTERN_ITEMS];
	uint8_t sets[PATTERN_SETS][32];
};

struct pattern_match {
	struct span subject;
	uint64_t steps; /* left; 0 when the search was given up */
	struct {
		const uint8_t *p;
		ptrdiff_t n;
	} captures[PATTERN_CAPTURES];
};

/* Compiles a pattern, whose text is borrowed. anchor: a '^' at the start is an anchor. Returns
 * NULL, or the error. */
const char *pattern_compile(struct pattern *p, struct span text, bool anchor) must_check;
/* Finds the first match at or behind octet `from`. The caller sets m->subject and m->steps. False:
 * there is none, or the steps are used up (m->steps is 0). */
bool pattern_search(const struct pattern *p, struct pattern_match *m, size_t from,
		    size_t *ret_start, size_t *ret_end);
