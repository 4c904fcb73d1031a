/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Sets of patterns: Vectorscan or PCRE2 match them. Only the estimate of the work of a pattern is
 * our own code, because Vectorscan compiles without a bound. Those the scanning engine takes go to
 * it together; the others (back references, look-around), or all when there is no engine or few
 * patterns, are matched one by one with PCRE2. A stream reports each pattern once.
 */
#include "script/regexp/regexp_impl.h"

#include "base/error.h"

#include <errno.h>
#include <stdlib.h>

enum {
	SCAN_FROM = 2, /* patterns; a single one PCRE2 has done sooner */
	/* Weight that the scanner takes, of a pattern and of all: heavier ones compile for seconds
	   or minutes. */
	SCAN_WEIGHT = 64,
	SCAN_WEIGHT_ALL = 40000,
	WEIGHT_MAX = 1 << 20,
	WEIGHT_DEPTH = 64,
};

struct regexp_set {
	struct regexp_lib *lib;
	size_t n;
	struct regexp **loop; /* [n]; NULL: the scanner has it */
	struct scan *scan;
};

struct regexp_set_sink {
	struct regexp_set *set; /* borrowed; freeing does without */
	struct regexp_lib *lib;
	size_t n;
	struct scan_stream *scan;
	bool *done;		    /* [n] reported */
	struct regexp_sink sinks[]; /* [n] */
};

void regexp_set_free(struct regexp_set *set)
{
	if (!set)
		return;
	for (size_t i = 0; set->loop && i < set->n; i++)
		regexp_free(set->loop[i]);
	scan_free(set->scan);
	regexp_release(set->lib, set->loop);
	regexp_release(set->lib, set);
}

size_t regexp_set_size(const struct regexp_set *set)
{
	return set->n;
}

const char *regexp_set_engine(const struct regexp_set *set)
{
	return set->scan ? "vectorscan" : "pcre2";
}

static char *translate_pattern(struct regexp_lib *lib, struct span pattern)
{
	char *text = regexp_alloc(lib, pattern.n + 1);

	if (text)
		text[regexp_translate(pattern, text)] = '\0';
	return text;
}

/* Reads {m}, {m,} or {m,n} at text[*i]: the larger number, 0: it is no quantifier. */
static size_t read_repeats(const char *text, size_t *i)
{
	char *end;
	size_t n;

	if (text[*i] != '{' || text[*i + 1] < '0' || text[*i + 1] > '9')
		return 0;
	n = strtoul(text + *i + 1, &end, 10);
	if (*end == ',' && end[1] >= '0' && end[1] <= '9')
		n = strtoul(end + 1, &end, 10);
	else if (*end == ',')
		end++;
	if (*end != '}')
		return 0;
	*i = (size_t)(end - text) + 1;
	return n ? n : 1;
}

static bool is_escape(char c)
{
	return c == '\\' || c == '%';
}

/* Returns the place behind the class that begins at text[i]. */
static size_t skip_class(const char *text, size_t i)
{
	size_t k = i + 1;

	k += text[k] == '^';
	k += text[k] == ']';
	for (; text[k] && text[k] != ']'; k++)
		k += is_escape(text[k]) && text[k + 1];
	return text[k] ? k + 1 : k;
}

size_t regexp_weight(const char *text)
{
	size_t sums[WEIGHT_DEPTH] = {0}, last = 0, n = 0, i = 0;
	unsigned depth = 0;

	while (text[i]) {
		size_t times = read_repeats(text, &i);

		if (times) {
			sums[depth] += last * (times - 1);
			last *= times;
		} else if (text[i] == '(' && depth + 1 < WEIGHT_DEPTH) {
			sums[++depth] = 0, i++;
		} else if (text[i] == ')' && depth > 0) {
			last = sums[depth--] + 1, sums[depth] += last, i++;
		} else {
			i = text[i] == '[' ? skip_class(text, i)
					   : i + 1 + (is_escape(text[i]) && text[i + 1]);
			last = 1, sums[depth]++;
		}
		if (sums[depth] > WEIGHT_MAX || last > WEIGHT_MAX)
			return WEIGHT_MAX;
	}
	for (unsigned d = 0; d <= depth; d++)
		n += sums[d];
	return n < WEIGHT_MAX ? n : WEIGHT_MAX;
}

/* Gives the scanner the patterns that it accepts; those leave the loop, but stay checked by
 * PCRE2's compiler. */
static int make_scanner(struct regexp_set *set, const struct span *patterns, unsigned options)
{
	const char **texts = calloc(set->n, sizeof(*texts));
	unsigned *ids = calloc(set->n, sizeof(*ids));
	size_t weight = 0, left = SCAN_WEIGHT_ALL;
	unsigned n = 0;
	int r = texts && ids ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < set->n; i++) {
		char *text = translate_pattern(set->lib, patterns[i]);

		weight = regexp_weight((const char *)patterns[i].p);
		if (!text)
			r = -ENOMEM;
		else if (strlen(text) == 0 || memchr(patterns[i].p, 0, patterns[i].n) ||
			 weight > SCAN_WEIGHT || left < weight || !scan_takes(text, options))
			regexp_release(set->lib, text);
		else
			texts[n] = text, ids[n++] = (unsigned)i, left -= weight;
	}
	if (r == 0 && n >= SCAN_FROM)
		set->scan = scan_new(texts, ids, n, options);
	for (unsigned i = 0; i < n; i++) {
		regexp_release(set->lib, (void *)(uintptr_t)texts[i]);
		if (set->scan) {
			regexp_free(set->loop[ids[i]]);
			set->loop[ids[i]] = NULL;
		}
	}
	free(texts);
	free(ids);
	return r;
}

int regexp_set_new(struct regexp_lib *lib, const struct span *patterns, size_t n, unsigned options,
		   bool loop, struct regexp_set **ret, struct regexp_error *err, size_t *ret_which)
{
	struct regexp_set *set = regexp_alloc(lib, sizeof(*set));
	int r = 0;

	if (!set)
		return -ENOMEM;
	*set = (struct regexp_set){.lib = lib,
				   .n = n,
				   .loop = regexp_alloc(lib, (n + 1) * sizeof(*set->loop))};
	if (!set->loop) {
		regexp_set_free(set);
		return -ENOMEM;
	}
	memset(set->loop, 0, (n + 1) * sizeof(*set->loop));
	for (size_t i = 0; r == 0 && i < n; i++) {
		*ret_which = i;
		r = regexp_compile(lib, patterns[i], options, &set->loop[i], err);
	}
	if (r == 0 && !loop)
		r = make_scanner(set, patterns, options);
	if (r < 0) {
		regexp_set_free(set);
		return r;
	}
	*ret = set;
	return 0;
}

static int count_hits(const bool *hits, size_t n)
{
	int k = 0;

	for (size_t i = 0; i < n; i++)
		k += hits[i];
	return k;
}

int regexp_set_match(struct regexp_set *set, struct span subject, uint32_t steps, bool *hits)
{
	struct regexp_result where;
	int before = count_hits(hits, set->n);
	int r = set->scan ? scan_block(set->scan, subject, hits) : 0;

	for (size_t i = 0; r >= 0 && i < set->n; i++) {
		if (!set->loop[i] || hits[i])
			continue;
		r = regexp_match(set->loop[i], subject, 0, steps, &where);
		hits[i] = r == 1;
	}
	return r < 0 ? r : count_hits(hits, set->n) - before;
}

void regexp_set_sink_free(struct regexp_set_sink *k)
{
	if (!k)
		return;
	for (size_t i = 0; i < k->n; i++)
		regexp_sink_fini(&k->sinks[i]);
	scan_close(k->scan);
	regexp_release(k->lib, k->done);
	regexp_release(k->lib, k);
}

size_t regexp_set_sink_size(const struct regexp_set_sink *k)
{
	return k->n;
}

int regexp_set_sink_new(struct regexp_set *set, struct regexp_set_sink **ret)
{
	size_t size = sizeof(struct regexp_set_sink) + set->n * sizeof(struct regexp_sink);
	struct regexp_set_sink *k = regexp_alloc(set->lib, size);

	if (!k)
		return -ENOMEM;
	memset(k, 0, size);
	k->set = set;
	k->lib = set->lib;
	k->n = set->n;
	k->done = regexp_alloc(set->lib, set->n + 1);
	k->scan = set->scan ? scan_open(set->scan) : NULL;
	if (!k->done || (set->scan && !k->scan)) {
		regexp_set_sink_free(k);
		return -ENOMEM;
	}
	memset(k->done, 0, set->n + 1);
	for (size_t i = 0; i < set->n; i++)
		if (set->loop[i])
			regexp_sink_init(&k->sinks[i], set->loop[i]);
	*ret = k;
	return 0;
}

int regexp_set_feed(struct regexp_set_sink *k, struct span piece, bool eof, uint32_t steps,
		    bool *hits)
{
	size_t n = k->n;
	struct regexp_result where;
	int found = 0;
	int r;

	memcpy(hits, k->done, n * sizeof(*hits));
	r = k->scan ? scan_feed(k->scan, piece, eof, k->done) : 0;
	for (size_t i = 0; r >= 0 && i < n; i++) {
		if (!k->set->loop[i] || k->done[i])
			continue;
		r = regexp_feed(&k->sinks[i], piece, eof, steps, &where);
		k->done[i] = r == 1;
	}
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		hits[i] = k->done[i] && !hits[i];
		found += hits[i];
	}
	return found;
}
