/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Built without Vectorscan: no engine takes any pattern, and PCRE2 has them all.
 */
#include "script/regexp/regexp_impl.h"

bool scan_takes(const char *pattern, unsigned options)
{
	(void)pattern, (void)options;
	return false;
}

struct scan *scan_new(const char *const *patterns, const unsigned *ids, unsigned n,
		      unsigned options)
{
	(void)patterns, (void)ids, (void)n, (void)options;
	return NULL;
}

void scan_free(struct scan *s)
{
	(void)s;
}

int scan_block(struct scan *s, struct span subject, bool *hits)
{
	(void)s, (void)subject, (void)hits;
	return 0;
}

struct scan_stream *scan_open(struct scan *s)
{
	(void)s;
	return NULL;
}

int scan_feed(struct scan_stream *st, struct span piece, bool eof, bool *hits)
{
	(void)st, (void)piece, (void)eof, (void)hits;
	return 0;
}

void scan_close(struct scan_stream *st)
{
	(void)st;
}
