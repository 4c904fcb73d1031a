/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Levenshtein's distance by one row of the table of distances.
 */
#include "base/nearest.h"

#include <limits.h>
#include <string.h>

enum { DIFFERENT_MAX = 2 };

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned name_distance(const char *a, const char *b)
{
	unsigned row[NEAREST_NAME_MAX + 1], n = (unsigned)strlen(b);

	if (n > NEAREST_NAME_MAX)
		return UINT_MAX;
	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned i = 0; a[i]; i++) {
		unsigned diagonal = row[0];

		row[0] = i + 1;
		for (unsigned j = 0; j < n; j++) {
			unsigned replaced = diagonal + (a[i] != b[j]);

			diagonal = row[j + 1];
			row[j + 1] = least(replaced, least(row[j], diagonal) + 1);
		}
	}
	return row[n];
}

struct nearest nearest_init(const char *name)
{
	size_t half = strlen(name) / 2;

	return (struct nearest){.name = name,
				.best = (half < DIFFERENT_MAX ? (unsigned)half : DIFFERENT_MAX) +
					1};
}

void nearest_take(struct nearest *n, const char *candidate)
{
	size_t a = strlen(n->name), b = strlen(candidate);
	unsigned d = (a < b ? b - a : a - b) < n->best ? name_distance(n->name, candidate)
						       : UINT_MAX;

	if (d < n->best) {
		n->best = d;
		n->found = candidate;
	}
}
