/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Sets of patterns on Vectorscan. Each pattern is reported once (HS_FLAG_SINGLEMATCH); a database
 * for blocks and one for streams, both made with the set, so that no packet waits for a compiler.
 * Memory is Vectorscan's own: the number of patterns bounds it.
 */
#include "script/regexp/regexp_impl.h"

#include "base/error.h"

#include <errno.h>
#include <hs/hs.h>
#include <stdlib.h>

struct scan {
	hs_database_t *block;
	hs_database_t *stream;
	hs_scratch_t *scratch;
};

struct scan_stream {
	struct scan *scan;
	hs_stream_t *stream; /* NULL: ended */
};

static unsigned flags_of(unsigned options)
{
	return HS_FLAG_SINGLEMATCH | HS_FLAG_ALLOWEMPTY |
	       (options & REGEXP_CASE_INSENSITIVE ? HS_FLAG_CASELESS : 0);
}

/* Returns the pattern with its options in the text: the engine has no flag for EXTENDED. */
static char *with_options(const char *pattern, unsigned options)
{
	size_t n = strlen(pattern) + 5;
	char *text = malloc(n);

	if (text) {
		(void)strcpy(text, options & REGEXP_EXTENDED ? "(?x)" : "");
		(void)strcat(text, pattern);
	}
	return text;
}

bool scan_takes(const char *pattern, unsigned options)
{
	char *text = with_options(pattern, options);
	hs_expr_info_t *info = NULL;
	hs_compile_error_t *err = NULL;
	bool takes = text && hs_expression_info(text, flags_of(options), &info, &err) == HS_SUCCESS;

	(void)hs_free_compile_error(err);
	free(info);
	free(text);
	return takes;
}

static hs_database_t *database(const char *const *patterns, const unsigned *ids, unsigned n,
			       unsigned options, unsigned mode)
{
	unsigned *flags = calloc(n, sizeof(*flags));
	char **texts = calloc(n, sizeof(*texts));
	hs_compile_error_t *err = NULL;
	hs_database_t *db = NULL;
	bool all = flags && texts;

	for (unsigned i = 0; all && i < n; i++) {
		flags[i] = flags_of(options);
		texts[i] = with_options(patterns[i], options);
		all = texts[i] != NULL;
	}
	if (all && hs_compile_multi((const char *const *)texts, flags, ids, n, mode, NULL, &db,
				    &err) != HS_SUCCESS)
		db = NULL;
	(void)hs_free_compile_error(err);
	for (unsigned i = 0; texts && i < n; i++)
		free(texts[i]);
	free(texts);
	free(flags);
	return db;
}

void scan_free(struct scan *s)
{
	if (!s)
		return;
	(void)hs_free_database(s->block);
	(void)hs_free_database(s->stream);
	(void)hs_free_scratch(s->scratch);
	free(s);
}

struct scan *scan_new(const char *const *patterns, const unsigned *ids, unsigned n,
		      unsigned options)
{
	struct scan *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->block = database(patterns, ids, n, options, HS_MODE_BLOCK);
	s->stream = s->block ? database(patterns, ids, n, options, HS_MODE_STREAM) : NULL;
	if (!s->stream || hs_alloc_scratch(s->block, &s->scratch) != HS_SUCCESS ||
	    hs_alloc_scratch(s->stream, &s->scratch) != HS_SUCCESS) {
		scan_free(s);
		return NULL;
	}
	return s;
}

static int on_hit(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
		  void *hits)
{
	(void)from, (void)to, (void)flags;
	((bool *)hits)[id] = true;
	return 0;
}

int scan_block(struct scan *s, struct span subject, bool *hits)
{
	if (subject.n > UINT32_MAX)
		return -USHER_E_LIMIT;
	return hs_scan(s->block, subject.n ? (const char *)subject.p : "", (unsigned)subject.n, 0,
		       s->scratch, on_hit, hits) == HS_SUCCESS
		       ? 0
		       : -USHER_E_EVAL;
}

struct scan_stream *scan_open(struct scan *s)
{
	struct scan_stream *st = calloc(1, sizeof(*st));

	if (st && hs_open_stream(s->stream, 0, &st->stream) != HS_SUCCESS) {
		free(st);
		return NULL;
	}
	if (st)
		st->scan = s;
	return st;
}

int scan_feed(struct scan_stream *st, struct span piece, bool eof, bool *hits)
{
	hs_error_t r = HS_SUCCESS;

	if (!st->stream)
		return 0;
	if (piece.n > UINT32_MAX)
		return -USHER_E_LIMIT;
	if (piece.n)
		r = hs_scan_stream(st->stream, (const char *)piece.p, (unsigned)piece.n, 0,
				   st->scan->scratch, on_hit, hits);
	if (r == HS_SUCCESS && eof) {
		r = hs_close_stream(st->stream, st->scan->scratch, on_hit, hits);
		st->stream = NULL;
	}
	return r == HS_SUCCESS ? 0 : -USHER_E_EVAL;
}

void scan_close(struct scan_stream *st)
{
	if (!st)
		return;
	if (st->stream)
		(void)hs_close_stream(st->stream, NULL, NULL, NULL);
	free(st);
}
