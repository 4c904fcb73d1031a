/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Patterns of match(): the regular part of ECMAScript's syntax (the syntax of Kea's std::regex):
 * alternation, groups, classes, \d \w \s, * + ? {m,n}, ^ and $. The whole string must match. Back
 * references and look-ahead are refused. A pattern is compiled to a program of at most MAX_OPS
 * steps, all threads of which run side by side. Time is steps times length, for any pattern, and
 * octet NUL is a character like any other.
 *
 * Libraries were rejected. POSIX regcomp has neither bound, and takes heap memory that an arena
 * cannot give back. PCRE2 matches by backtracking: a bound on its steps makes a test fail instead
 * of answering it, and (a*)*b is such a pattern. Its syntax is Perl's and not ECMAScript's ($
 * matches before a last newline, \s and classes differ), and usher-server links it with Lua only.
 */
#include "config/expr_regex_impl.h"

#include "base/error.h"

#include <ctype.h>
#include <stdlib.h>

enum { MAX_OPS = 4000, MAX_REPEAT = 255, MAX_GROUPS = 24 };

struct re_parser {
	struct rd_text {
		const uint8_t *p, *end;
	} in;
	const uint8_t *start;
	struct arena *arena;
	struct re_step *steps;
	unsigned n, depth;
	const char *why; /* sticky */
	size_t at;
};

static void re_fail(struct re_parser *r, const char *why)
{
	if (r->why)
		return;
	r->why = why;
	r->at = (size_t)(r->in.p - r->start);
}

static bool re_more(const struct re_parser *r)
{
	return !r->why && r->in.p < r->in.end;
}

static bool re_take(struct re_parser *r, char c)
{
	if (!re_more(r) || *r->in.p != (uint8_t)c)
		return false;
	r->in.p++;
	return true;
}

/* Opens a gap of one step at index at. */
static struct re_step *re_insert(struct re_parser *r, unsigned at)
{
	if (r->why || r->n >= MAX_OPS) {
		re_fail(r, "the pattern is too large");
		return NULL;
	}
	memmove(r->steps + at + 1, r->steps + at, (r->n - at) * sizeof(*r->steps));
	r->n++;
	r->steps[at] = (struct re_step){0};
	return &r->steps[at];
}

static struct re_step *re_emit(struct re_parser *r, enum re_op op)
{
	struct re_step *s = re_insert(r, r->n);

	if (s)
		s->op = (uint8_t)op;
	return s;
}

/* --- sets ------------------------------------------------------------------------------------- */

static void set_add(struct re_set *s, unsigned from, unsigned to)
{
	for (unsigned c = from; c <= to; c++)
		s->bits[c / 8] |= (uint8_t)(1u << c % 8);
}

static void set_invert(struct re_set *s)
{
	for (size_t i = 0; i < sizeof(s->bits); i++)
		s->bits[i] = (uint8_t)~s->bits[i];
}

static void set_merge(struct re_set *to, const struct re_set *from)
{
	for (size_t i = 0; i < sizeof(to->bits); i++)
		to->bits[i] |= from->bits[i];
}

/* Adds \d \D \w \W \s \S to a set; false if c is none of them. */
static bool set_escape(struct re_set *s, uint8_t c)
{
	struct re_set k = {0};

	switch (c | 0x20) {
	case 'd':
		set_add(&k, '0', '9');
		break;
	case 'w':
		set_add(&k, '0', '9');
		set_add(&k, 'a', 'z');
		set_add(&k, 'A', 'Z');
		set_add(&k, '_', '_');
		break;
	case 's':
		set_add(&k, '\t', '\r');
		set_add(&k, ' ', ' ');
		break;
	default:
		return false;
	}
	if (!(c & 0x20))
		set_invert(&k);
	set_merge(s, &k);
	return true;
}

static const struct {
	const char *name;
	int (*is)(int c);
} set_names[] = {
	{"alnum", isalnum}, {"alpha", isalpha}, {"blank", isblank}, {"cntrl", iscntrl},
	{"digit", isdigit}, {"graph", isgraph}, {"lower", islower}, {"print", isprint},
	{"punct", ispunct}, {"space", isspace}, {"upper", isupper}, {"xdigit", isxdigit},
};

/* Reads [:name:] inside a class; the cursor is at "[:". */
static bool set_named(struct re_parser *r, struct re_set *s)
{
	size_t left = (size_t)(r->in.end - r->in.p);

	for (size_t i = 0; i < ARRAY_LEN(set_names); i++) {
		size_t n = strlen(set_names[i].name);

		if (left < n + 4 || memcmp(r->in.p + 2, set_names[i].name, n) != 0 ||
		    memcmp(r->in.p + 2 + n, ":]", 2) != 0)
			continue;
		for (int c = 0; c < 128; c++)
			if (set_names[i].is(c))
				set_add(s, (unsigned)c, (unsigned)c);
		r->in.p += n + 4;
		return true;
	}
	re_fail(r, "unknown class of characters");
	return false;
}

static int hex_value(uint8_t c)
{
	return isdigit(c) ? c - '0' : isxdigit(c) ? (c | 0x20) - 'a' + 10 : -1;
}

/* Reads an escape that stands for one octet; the cursor is behind the backslash. */
static uint8_t re_escape_char(struct re_parser *r)
{
	static const char from[] = "tnrfv0";
	static const char to[] = "\t\n\r\f\v";
	const char *at;
	uint8_t c;

	if (!re_more(r)) {
		re_fail(r, "the pattern ends behind a backslash");
		return 0;
	}
	c = *r->in.p++;
	at = strchr(from, c);
	if (c && at)
		return (uint8_t)to[at - from];
	if (c == 'x' && r->in.end - r->in.p >= 2 && isxdigit(r->in.p[0]) && isxdigit(r->in.p[1])) {
		r->in.p += 2;
		return (uint8_t)(hex_value(r->in.p[-2]) << 4 | hex_value(r->in.p[-1]));
	}
	if (isalnum(c)) {
		r->in.p--;
		re_fail(r, "this escape is not supported");
	}
	return c;
}

/* Reads one member of a class, perhaps a range. */
static void set_member(struct re_parser *r, struct re_set *s)
{
	uint8_t from = *r->in.p++;
	uint8_t to;

	if (from == '\\') {
		if (re_more(r) && set_escape(s, *r->in.p)) {
			r->in.p++;
			return;
		}
		from = re_escape_char(r);
	}
	to = from;
	if (r->in.end - r->in.p >= 2 && r->in.p[0] == '-' && r->in.p[1] != ']') {
		r->in.p++;
		to = *r->in.p++;
		if (to == '\\')
			to = re_escape_char(r);
	}
	if (to < from)
		re_fail(r, "the range runs backwards");
	else
		set_add(s, from, to);
}

/* Compiles a class; the cursor is behind '['. */
static void re_class(struct re_parser *r)
{
	struct re_set *s = arena_new(r->arena, struct re_set);
	bool invert = re_take(r, '^');
	struct re_step *step;

	if (!s) {
		re_fail(r, "out of memory");
		return;
	}
	while (re_more(r) && *r->in.p != ']') {
		if (r->in.p[0] == '[' && r->in.end - r->in.p >= 2 && r->in.p[1] == ':')
			(void)set_named(r, s);
		else
			set_member(r, s);
	}
	if (!re_take(r, ']'))
		re_fail(r, "the class is not closed by ']'");
	if (invert)
		set_invert(s);
	step = re_emit(r, RE_SET);
	if (step)
		step->set = s;
}

static void re_emit_set(struct re_parser *r, const struct re_set *k)
{
	struct re_step *step = re_emit(r, RE_SET);

	if (!step)
		return;
	step->set = arena_memdup(r->arena, k, sizeof(*k));
	if (!step->set)
		re_fail(r, "out of memory");
}

/* --- the grammar ------------------------------------------------------------------------------ */

static void re_alternatives(struct re_parser *r);

/* Compiles a group; the cursor is behind '('. */
static void re_group(struct re_parser *r)
{
	if (re_take(r, '?') && !re_take(r, ':'))
		re_fail(r, "of the (? groups only (?: is supported");
	if (++r->depth > MAX_GROUPS)
		re_fail(r, "groups are nested too deeply");
	else
		re_alternatives(r);
	r->depth--;
	if (!re_take(r, ')'))
		re_fail(r, "the group is not closed by ')'");
}

static void re_char(struct re_parser *r, uint8_t c)
{
	struct re_step *s = re_emit(r, RE_CHAR);

	if (s)
		s->c = c;
}

static void re_escape(struct re_parser *r)
{
	struct re_set k = {0};

	if (re_more(r) && set_escape(&k, *r->in.p)) {
		r->in.p++;
		re_emit_set(r, &k);
		return;
	}
	re_char(r, re_escape_char(r));
}

static void re_dot(struct re_parser *r)
{
	struct re_set k = {0};

	set_add(&k, '\n', '\n');
	set_add(&k, '\r', '\r');
	set_invert(&k);
	re_emit_set(r, &k);
}

static void re_atom(struct re_parser *r)
{
	uint8_t c = *r->in.p++;

	if (c == '(')
		re_group(r);
	else if (c == '[')
		re_class(r);
	else if (c == '.')
		re_dot(r);
	else if (c == '\\')
		re_escape(r);
	else if (c == '^')
		(void)re_emit(r, RE_BOL);
	else if (c == '$')
		(void)re_emit(r, RE_EOL);
	else if (strchr("*+?{", c) && c)
		re_fail(r, "there is nothing to repeat");
	else
		re_char(r, c);
}

static unsigned re_number(struct re_parser *r)
{
	unsigned v = 0;

	if (!re_more(r) || !isdigit(*r->in.p))
		re_fail(r, "a repetition is written {m}, {m,} or {m,n}");
	while (re_more(r) && isdigit(*r->in.p) && v <= MAX_REPEAT)
		v = v * 10 + (unsigned)(*r->in.p++ - '0');
	if (v > MAX_REPEAT)
		re_fail(r, "a repetition counts at most 255");
	return v;
}

/* Makes steps [at, n) optional, or repeats them without bound. */
static void re_optional(struct re_parser *r, unsigned at, bool repeat)
{
	int len = (int)(r->n - at);
	struct re_step *split = re_insert(r, at);
	struct re_step *jump;

	if (!split)
		return;
	split->op = RE_SPLIT;
	split->x = 1;
	split->y = (int16_t)(len + (repeat ? 2 : 1));
	if (!repeat)
		return;
	jump = re_emit(r, RE_JUMP);
	if (jump)
		jump->x = (int16_t) - (len + 1);
}

static void re_append(struct re_parser *r, const struct re_step *from, unsigned n)
{
	if (r->why || n > MAX_OPS - r->n) {
		re_fail(r, "the pattern is too large");
		return;
	}
	memcpy(r->steps + r->n, from, n * sizeof(*from));
	r->n += n;
}

/* Repeats steps [at, n) min to max times; max 0: without bound. */
static void re_repeat(struct re_parser *r, unsigned at, unsigned min, unsigned max, bool bounded)
{
	unsigned len = r->n - at;
	const struct re_step *one = arena_memdup(r->arena, r->steps + at, len * sizeof(*one));

	if (!one) {
		re_fail(r, "out of memory");
		return;
	}
	r->n = at;
	for (unsigned i = 0; i < min; i++)
		re_append(r, one, len);
	for (unsigned i = min; !r->why && i < (bounded ? max : min + 1); i++) {
		unsigned from = r->n;

		re_append(r, one, len);
		re_optional(r, from, !bounded);
	}
}

/* Reads a counted repetition; the cursor is behind '{'. */
static void re_counted(struct re_parser *r, unsigned at)
{
	unsigned min = re_number(r);
	unsigned max = min;
	bool bounded = true;

	if (re_take(r, ',')) {
		bounded = !(re_more(r) && *r->in.p == '}');
		max = bounded ? re_number(r) : 0;
	}
	if (!re_take(r, '}') || (bounded && max < min))
		re_fail(r, "a repetition is written {m}, {m,} or {m,n}");
	else
		re_repeat(r, at, min, max, bounded);
}

static void re_quantified(struct re_parser *r)
{
	unsigned at = r->n;

	re_atom(r);
	if (re_take(r, '*'))
		re_repeat(r, at, 0, 0, false);
	else if (re_take(r, '+'))
		re_repeat(r, at, 1, 0, false);
	else if (re_take(r, '?'))
		re_optional(r, at, false);
	else if (re_take(r, '{'))
		re_counted(r, at);
	else
		return;
	(void)re_take(r, '?'); /* lazy or not: the same strings match */
}

static void re_sequence(struct re_parser *r)
{
	while (re_more(r) && *r->in.p != '|' && *r->in.p != ')')
		re_quantified(r);
}

static void re_alternatives(struct re_parser *r)
{
	unsigned at = r->n;

	re_sequence(r);
	while (re_take(r, '|')) {
		int len = (int)(r->n - at);
		struct re_step *split = re_insert(r, at);
		unsigned jump;

		if (!split)
			return;
		split->op = RE_SPLIT;
		split->x = 1;
		split->y = (int16_t)(len + 2);
		jump = r->n;
		if (!re_emit(r, RE_JUMP))
			return;
		re_sequence(r);
		r->steps[jump].x = (int16_t)(r->n - jump);
	}
}

int expr_regex_compile(struct span pattern, struct arena *arena, const struct expr_regex **ret,
		       size_t *ret_at, const char **ret_why)
{
	struct re_parser r = {.arena = arena};
	struct expr_regex *re = arena_new(arena, struct expr_regex);

	r.in.p = r.start = pattern.p;
	r.in.end = pattern.p + pattern.n;
	r.steps = calloc(MAX_OPS + 1, sizeof(*r.steps));
	if (r.steps) {
		re_alternatives(&r);
		if (re_more(&r))
			re_fail(&r, "')' without '('");
		(void)re_emit(&r, RE_MATCH);
	}
	if (re && r.steps && !r.why) {
		re->n = r.n;
		re->steps = arena_memdup(arena, r.steps, r.n * sizeof(*r.steps));
	}
	free(r.steps);
	if (re && re->steps) {
		*ret = re;
		return 0;
	}
	*ret_at = r.at;
	*ret_why = r.why ? r.why : "out of memory";
	return -USHER_E_SYNTAX;
}
