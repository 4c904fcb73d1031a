/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Regular expressions: PCRE2 compiles and matches them (pcre2api(3), pcre2partial(3)). Its memory
 * comes from the state's allocator, so the cap holds for it; JIT code is bounded by the number of
 * patterns. A stream is matched with PCRE2_PARTIAL_HARD: a match that could continue waits for more
 * octets.
 */
#include "script/regexp/regexp_impl.h"
#include "script/state/script_impl.h"

#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEPTH_LIMIT = 10000, HEAP_KIB = 4096, JIT_STACK = 512 * 1024, HEADER = 16 };

struct regexp {
	struct regexp_lib *lib;
	pcre2_code *code;
	size_t behind; /* octets before a position that a match there may look at */
};

void *regexp_alloc(struct regexp_lib *lib, size_t n)
{
	uint8_t *p = n < SIZE_MAX - HEADER ? script_alloc(lib->s, NULL, 0, n + HEADER) : NULL;

	if (!p)
		return NULL;
	memcpy(p, &n, sizeof(n));
	return p + HEADER;
}

void regexp_release(struct regexp_lib *lib, void *p)
{
	size_t n;

	if (!p)
		return;
	memcpy(&n, (uint8_t *)p - HEADER, sizeof(n));
	(void)script_alloc(lib->s, (uint8_t *)p - HEADER, n + HEADER, 0);
}

static void *pcre_alloc(size_t n, void *lib)
{
	return regexp_alloc(lib, n);
}

static void pcre_free(void *p, void *lib)
{
	regexp_release(lib, p);
}

void regexp_lib_free(struct regexp_lib *lib)
{
	if (!lib)
		return;
	pcre2_jit_stack_free(lib->stack);
	pcre2_match_data_free(lib->data);
	pcre2_match_context_free(lib->match);
	pcre2_compile_context_free(lib->compile);
	pcre2_general_context_free(lib->general);
	free(lib);
}

static struct regexp_lib *make_lib(struct script *s)
{
	struct regexp_lib *lib = calloc(1, sizeof(*lib));

	if (!lib)
		return NULL;
	lib->s = s;
	lib->general = pcre2_general_context_create(pcre_alloc, pcre_free, lib);
	lib->compile = lib->general ? pcre2_compile_context_create(lib->general) : NULL;
	lib->match = lib->general ? pcre2_match_context_create(lib->general) : NULL;
	lib->data = lib->general ? pcre2_match_data_create(1, lib->general) : NULL;
	if (!lib->compile || !lib->match || !lib->data) {
		regexp_lib_free(lib);
		return NULL;
	}
	lib->stack = pcre2_jit_stack_create(32 * 1024, JIT_STACK, lib->general);
	if (lib->stack) /* without: 32 KiB of the machine's */
		pcre2_jit_stack_assign(lib->match, NULL, lib->stack);
	(void)pcre2_set_max_pattern_length(lib->compile, REGEXP_PATTERN_MAX);
	(void)pcre2_set_depth_limit(lib->match, DEPTH_LIMIT);
	(void)pcre2_set_heap_limit(lib->match, HEAP_KIB);
	return lib;
}

struct regexp_lib *regexp_lib_of(struct script *s)
{
	if (!s->regexp)
		s->regexp = make_lib(s);
	return s->regexp;
}

size_t regexp_translate(struct span pattern, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < pattern.n; i++) {
		if (pattern.p[i] == '%' && i + 1 < pattern.n && pattern.p[i + 1] == '%')
			out[n++] = (char)pattern.p[i++];
		else if (pattern.p[i] == '\\' && i + 1 < pattern.n && pattern.p[i + 1] == '%') {
			out[n++] = (char)pattern.p[i++];
			out[n++] = (char)pattern.p[i];
		} else
			out[n++] = pattern.p[i] == '%' ? '\\' : (char)pattern.p[i];
	}
	return n;
}

static pcre2_code *compile_pattern(struct regexp_lib *lib, struct span pattern, unsigned options,
				   struct regexp_error *err)
{
	uint32_t flags = (options & REGEXP_CASE_INSENSITIVE ? PCRE2_CASELESS : 0) |
			 (options & REGEXP_EXTENDED ? PCRE2_EXTENDED : 0) |
			 PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UTF;
	char *text = regexp_alloc(lib, pattern.n + 1);
	pcre2_code *code;
	PCRE2_SIZE offset = 0;
	int why = 0;

	if (!text)
		return NULL;
	code = pcre2_compile((PCRE2_SPTR)text, regexp_translate(pattern, text), flags, &why,
			     &offset, lib->compile);
	regexp_release(lib, text);
	if (!code && why != PCRE2_ERROR_NOMEMORY && why != 121 /* heap of the compiler */) {
		err->offset = offset;
		(void)pcre2_get_error_message(why, (PCRE2_UCHAR *)err->text, sizeof(err->text));
	}
	return code;
}

int regexp_compile(struct regexp_lib *lib, struct span pattern, unsigned options,
		   struct regexp **ret, struct regexp_error *err)
{
	struct regexp *re;
	uint32_t behind = 0;

	*err = (struct regexp_error){0};
	if (lib->n_patterns == REGEXP_PATTERNS_MAX)
		return -USHER_E_LIMIT;
	re = regexp_alloc(lib, sizeof(*re));
	if (!re)
		return -ENOMEM;
	*re = (struct regexp){.lib = lib};
	re->code = compile_pattern(lib, pattern, options, err);
	if (!re->code) {
		regexp_release(lib, re);
		return err->text[0] ? -USHER_E_SYNTAX : -ENOMEM;
	}
	/* fails where memory may not become executable: then the interpreter matches */
	(void)pcre2_jit_compile(re->code, PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD);
	(void)pcre2_pattern_info(re->code, PCRE2_INFO_MAXLOOKBEHIND, &behind);
	re->behind = behind ? behind
			    : 1; /* an octet before it shows '^' that this is not the start */
	lib->n_patterns++;
	*ret = re;
	return 0;
}

void regexp_free(struct regexp *re)
{
	if (!re)
		return;
	re->lib->n_patterns--;
	pcre2_code_free(re->code);
	regexp_release(re->lib, re);
}

/* Runs a pattern over `subject`. Returns 1, 0, 2 (partial), or an error. The place of the match is
 * in the lib's match data. */
static int run_pattern(const struct regexp *re, struct span subject, size_t from, uint32_t flags,
		       uint32_t steps)
{
	struct regexp_lib *lib = re->lib;
	int r;

	(void)pcre2_set_match_limit(lib->match, steps ? steps : REGEXP_STEPS);
	r = pcre2_match(re->code, subject.n ? subject.p : (PCRE2_SPTR) "", subject.n, from, flags,
			lib->data, lib->match);
	switch (r) {
	case PCRE2_ERROR_NOMATCH:
		return 0;
	case PCRE2_ERROR_PARTIAL:
		return 2;
	case PCRE2_ERROR_NOMEMORY:
		return -ENOMEM;
	case PCRE2_ERROR_MATCHLIMIT:
	case PCRE2_ERROR_DEPTHLIMIT:
	case PCRE2_ERROR_HEAPLIMIT:
	case PCRE2_ERROR_JIT_STACKLIMIT:
		return -USHER_E_LIMIT;
	default:
		return r >= 0 ? 1 : -USHER_E_EVAL;
	}
}

int regexp_match(const struct regexp *re, struct span subject, size_t from, uint32_t steps,
		 struct regexp_result *ret)
{
	const PCRE2_SIZE *where = pcre2_get_ovector_pointer(re->lib->data);
	int r = run_pattern(re, subject, from, 0, steps);

	if (r == 1)
		*ret = (struct regexp_result){where[0], where[1] < where[0] ? where[0] : where[1]};
	return r;
}

void regexp_sink_init(struct regexp_sink *k, const struct regexp *re)
{
	*k = (struct regexp_sink){.re = re, .lib = re->lib};
}

void regexp_sink_fini(struct regexp_sink *k)
{
	if (k->lib)
		(void)script_alloc(k->lib->s, k->tail, k->cap, 0);
	*k = (struct regexp_sink){.re = NULL};
}

static bool append_piece(struct regexp_sink *k, struct span piece)
{
	size_t cap = k->cap ? k->cap : 256;
	uint8_t *p;

	while (cap - k->len < piece.n) {
		if (cap > SIZE_MAX / 4)
			return false;
		cap *= 2;
	}
	if (cap != k->cap) {
		p = script_alloc(k->lib->s, k->tail, k->cap, cap);
		if (!p)
			return false;
		k->tail = p;
		k->cap = cap;
	}
	if (piece.n)
		memcpy(k->tail + k->len, piece.p, piece.n);
	k->len += piece.n;
	return true;
}

/* Moves to `from` and discards octets further back than the longest look-behind. */
static void move_sink(struct regexp_sink *k, size_t from)
{
	size_t drop = from > k->re->behind ? from - k->re->behind : 0;

	if (from - drop + (k->len - from) > REGEXP_TAIL_MAX) {
		drop = k->len - REGEXP_TAIL_MAX / 2;
		from = drop + k->re->behind < k->len ? drop + k->re->behind : k->len;
		k->truncated = true;
	}
	memmove(k->tail, k->tail + drop, k->len - drop);
	k->len -= drop;
	k->base += drop;
	k->from = from - drop;
}

int regexp_feed(struct regexp_sink *k, struct span piece, bool eof, uint32_t steps,
		struct regexp_result *ret)
{
	const PCRE2_SIZE *where = pcre2_get_ovector_pointer(k->re->lib->data);
	size_t end;
	int r;

	if (!append_piece(k, piece))
		return -ENOMEM;
	k->partial = false;
	if (k->from > k->len) /* behind an empty match at the end */
		return 0;
	r = run_pattern(k->re, span_of(k->tail, k->len), k->from, eof ? 0 : PCRE2_PARTIAL_HARD,
			steps);
	if (r == 0 && eof) /* had one begun? */
		k->partial = run_pattern(k->re, span_of(k->tail, k->len), k->from,
					 PCRE2_PARTIAL_HARD, steps) == 2;
	if (r < 0)
		return r;
	if (r == 1) {
		end = where[1] > where[0] ? where[1] : where[0] + 1;
		*ret = (struct regexp_result){k->base + where[0],
					      k->base +
						      (where[1] > where[0] ? where[1] : where[0])};
		if (end > k->len)
			k->from = end;
		else
			move_sink(k, end);
		return 1;
	}
	k->partial = k->partial || r == 2;
	move_sink(k, r == 2 ? where[0] : k->len);
	return 0;
}
