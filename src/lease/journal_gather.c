/* SPDX-License-Identifier: MPL-2.0 */
/*
 * How long to gather a group. While one group is synced the next one gathers by itself, which is
 * all that light load needs: a lone row is synced at once. Under heavy load a sync (some 90 us of
 * CPU time in the kernel) would still be shared by a few dozen rows only; then the group waits on,
 * in quarters of the longest delay, as long as rows keep coming at the rate that was seen. When
 * they do not (a load generator that waits for its answers), the group goes, and the next groups,
 * ever more of them, go without waiting.
 */
#include "lease/journal_impl.h"

enum {
	GROUP_ROWS = 512,	/* share a sync well enough */
	WORTH_ROWS = 32,	/* fewer than these in a quarter of the delay: not heavy */
	PENALTY_MAX = 63,
};

static int64_t go(struct gather *g, int64_t now, uint64_t rows)
{
	int64_t since = now - g->last_ns;

	if (since > 0)
		g->rate = (double)rows / (double)since;
	g->last_ns = now;
	g->began_ns = 0;
	return 0;
}

int64_t gather_step(struct gather *g, int64_t now, uint64_t rows)
{
	int64_t quarter = g->max_ns / 4;
	double expected = g->rate * (double)quarter;
	uint64_t came = rows - g->seen;
	bool first = g->began_ns == 0;

	if (g->max_ns == 0 || rows >= GROUP_ROWS)
		return go(g, now, rows);
	g->seen = rows;
	if (first) {
		if (g->skip > 0 || expected < WORTH_ROWS) {
			g->skip -= g->skip > 0;
			return go(g, now, rows);
		}
		g->began_ns = now;
		return quarter;
	}
	if ((double)came * 2 < expected) {
		g->penalty = g->penalty * 2 + 1 < PENALTY_MAX ? g->penalty * 2 + 1 : PENALTY_MAX;
		g->skip = g->penalty;
		return go(g, now, rows);
	}
	g->penalty = 0;
	if (now - g->began_ns >= g->max_ns)
		return go(g, now, rows);
	return g->began_ns + g->max_ns - now < quarter ? g->began_ns + g->max_ns - now : quarter;
}
