/* SPDX-License-Identifier: MPL-2.0 */
/*
 * How far apart two names are: for suggestions after a misspelled key, command or method.
 */
#pragma once

enum { NEAREST_NAME_MAX = 64 };

/* Returns Levenshtein's distance of two names; UINT_MAX if b has more than NEAREST_NAME_MAX
 * octets. */
unsigned name_distance(const char *a, const char *b);

/* The nearest of many names: two letters may differ, of short names half of them. */
struct nearest {
	const char *name;
	const char *found; /* NULL: none is near; borrowed from nearest_take() */
	unsigned best;
};

struct nearest nearest_init(const char *name);
void nearest_take(struct nearest *n, const char *candidate);
