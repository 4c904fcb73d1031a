/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Compiling and matching Lua patterns. This is our own code: LuaJIT's matcher can be interrupted by
 * no hook, and PCRE2 has another language of patterns. The number of a capture is known from the
 * pattern's text, and a program has no branches: so captures need no undoing when the matcher goes
 * back, since every item before the end is passed again.
 */
#include "script/values/pattern.h"

enum kind {
	K_LITERAL,
	K_OCTET,
	K_ANY,
	K_CLASS,
	K_SET,
	K_OPEN,
	K_POSITION,
	K_CLOSE,
	K_BACK,
	K_BALANCE,
	K_FRONTIER,
	K_END,
	K_MATCH
};

/* Returns whether c is of the class, a letter as behind '%'. Of ASCII, in every locale. */
static bool in_class(uint8_t letter, uint8_t c)
{
	bool upper = c >= 'A' && c <= 'Z';
	bool lower = c >= 'a' && c <= 'z';
	bool digit = c >= '0' && c <= '9';
	bool in;

	switch (letter | 0x20) {
	case 'a':
		in = upper || lower;
		break;
	case 'c':
		in = c < 0x20 || c == 0x7f;
		break;
	case 'd':
		in = digit;
		break;
	case 'l':
		in = lower;
		break;
	case 'p':
		in = c > 0x20 && c < 0x7f && !upper && !lower && !digit;
		break;
	case 's':
		in = c == ' ' || (c >= '\t' && c <= '\r');
		break;
	case 'u':
		in = upper;
		break;
	case 'w':
		in = upper || lower || digit;
		break;
	case 'x':
		in = digit || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
		break;
	default: /* 'z' */
		in = c == 0;
		break;
	}
	return in != ((letter & 0x20) == 0);
}

static bool is_class(uint8_t letter)
{
	uint8_t l = letter | 0x20;

	return l >= 'a' && l <= 'z' && strchr("acdlpsuwxz", l);
}

static void add_to_set(uint8_t *set, uint8_t c)
{
	set[c >> 3] |= (uint8_t)(1U << (c & 7));
}

struct compiler {
	struct pattern *p;
	struct span t;
	size_t i;
	uint8_t open[PATTERN_CAPTURES]; /* captures not closed yet */
	unsigned n_open;
	uint32_t closed; /* bit set */
};

/* Reads one member of a set, "%x", "a" or "a-z". Returns NULL or the error. */
static const char *compile_member(struct compiler *c, uint8_t *set)
{
	uint8_t from = c->t.p[c->i++];

	if (from == '%') {
		if (c->i == c->t.n)
			return "malformed pattern (ends with '%')";
		from = c->t.p[c->i++];
		for (unsigned o = 0; o < 256; o++)
			if (is_class(from) ? in_class(from, (uint8_t)o) : o == from)
				add_to_set(set, (uint8_t)o);
		return NULL;
	}
	if (c->i + 1 < c->t.n && c->t.p[c->i] == '-' && c->t.p[c->i + 1] != ']') {
		for (unsigned o = from; o <= c->t.p[c->i + 1]; o++)
			add_to_set(set, (uint8_t)o);
		c->i += 2;
		return NULL;
	}
	add_to_set(set, from);
	return NULL;
}

/* Compiles a set, from behind its '['. */
static const char *compile_set(struct compiler *c, uint8_t *ret_set)
{
	const char *wrong;
	bool negate = false;
	uint8_t *set;
	size_t start;

	if (c->p->n_sets == PATTERN_SETS)
		return "pattern too complex (sets)";
	*ret_set = (uint8_t)c->p->n_sets;
	set = c->p->sets[c->p->n_sets++];
	memset(set, 0, 32);
	if (c->i < c->t.n && c->t.p[c->i] == '^') {
		negate = true;
		c->i++;
	}
	start = c->i;
	/* a ']' that comes first is a member */
	while (c->i < c->t.n && (c->t.p[c->i] != ']' || c->i == start)) {
		wrong = compile_member(c, set);
		if (wrong)
			return wrong;
	}
	if (c->i++ >= c->t.n)
		return "malformed pattern (missing ']')";
	for (unsigned k = 0; negate && k < 32; k++)
		set[k] = (uint8_t)~set[k];
	return NULL;
}

/* Compiles the part behind '%'; an item that matches no single octet sets *ret_single to false. */
static const char *compile_percent(struct compiler *c, struct pattern_item *it, bool *ret_single)
{
	uint8_t letter;

	if (c->i == c->t.n)
		return "malformed pattern (ends with '%')";
	letter = c->t.p[c->i++];
	if (letter == 'b') {
		if (c->t.n - c->i < 2)
			return "malformed pattern (missing arguments to '%b')";
		*it = (struct pattern_item){.kind = K_BALANCE,
					    .a = c->t.p[c->i],
					    .b = c->t.p[c->i + 1]};
		c->i += 2;
		*ret_single = false;
	} else if (letter == 'f') {
		if (c->i == c->t.n || c->t.p[c->i++] != '[')
			return "malformed pattern (missing '[' after '%f')";
		it->kind = K_FRONTIER;
		*ret_single = false;
		return compile_set(c, &it->a);
	} else if (letter >= '0' && letter <= '9') {
		*it = (struct pattern_item){.kind = K_BACK, .a = (uint8_t)(letter - '1')};
		if (letter == '0' || !(c->closed & 1U << it->a))
			return "invalid capture index";
		*ret_single = false;
	} else {
		*it = (struct pattern_item){.kind = is_class(letter) ? K_CLASS : K_OCTET,
					    .a = letter};
	}
	return NULL;
}

/* Compiles '(', '()' or ')'. */
static const char *compile_capture(struct compiler *c, struct pattern_item *it, uint8_t o)
{
	if (o == ')') {
		if (c->n_open == 0)
			return "invalid pattern capture";
		*it = (struct pattern_item){.kind = K_CLOSE, .a = c->open[--c->n_open]};
		c->closed |= 1U << it->a;
		return NULL;
	}
	if (c->p->n_captures == PATTERN_CAPTURES)
		return "too many captures";
	*it = (struct pattern_item){.kind = K_OPEN, .a = (uint8_t)c->p->n_captures++};
	if (c->i < c->t.n && c->t.p[c->i] == ')') {
		it->kind = K_POSITION;
		c->i++;
	} else {
		c->open[c->n_open++] = it->a;
	}
	return NULL;
}

static bool is_repeat(uint8_t o)
{
	return o == '*' || o == '+' || o == '-' || o == '?';
}

static const char *compile_item(struct compiler *c, struct pattern_item *it)
{
	uint8_t o = c->t.p[c->i++];
	const char *wrong = NULL;
	bool single = true;

	*it = (struct pattern_item){.kind = K_OCTET, .a = o, .off = (uint32_t)(c->i - 1)};
	if (o == '(' || o == ')') {
		return compile_capture(c, it, o);
	} else if (o == '$' && c->i == c->t.n) {
		it->kind = K_END;
		return NULL;
	} else if (o == '%') {
		wrong = compile_percent(c, it, &single);
	} else if (o == '[') {
		it->kind = K_SET;
		wrong = compile_set(c, &it->a);
	} else if (o == '.') {
		it->kind = K_ANY;
	}
	if (!wrong && single && c->i < c->t.n && is_repeat(c->t.p[c->i]))
		it->repeat = c->t.p[c->i++];
	return wrong;
}

/* Merges plain octets that follow each other into one literal. */
static bool merge_literal(struct pattern *p, const struct pattern_item *it,
			  const struct compiler *c)
{
	struct pattern_item *last = p->n_items ? &p->items[p->n_items - 1] : NULL;

	if (!last || it->kind != K_OCTET || it->repeat || it->off + 1 != c->i ||
	    c->t.p[it->off] != it->a)
		return false;
	if (last->kind == K_OCTET && !last->repeat && last->off + 1 == it->off &&
	    c->t.p[last->off] == last->a) {
		last->kind = K_LITERAL;
		last->len = 2;
		return true;
	}
	if (last->kind == K_LITERAL && last->off + last->len == it->off) {
		last->len++;
		return true;
	}
	return false;
}

const char *pattern_compile(struct pattern *p, struct span text, bool anchor)
{
	struct compiler c = {.p = p, .t = text};

	p->text = text.p;
	p->n_items = p->n_sets = p->n_captures = 0;
	p->anchored = anchor && text.n && text.p[0] == '^';
	c.i = p->anchored;
	while (c.i < text.n) {
		struct pattern_item it;
		const char *wrong = compile_item(&c, &it);

		if (wrong)
			return wrong;
		if (merge_literal(p, &it, &c))
			continue;
		if (p->n_items == PATTERN_ITEMS - 1)
			return "pattern too complex";
		p->items[p->n_items++] = it;
	}
	if (c.n_open)
		return "unfinished capture";
	p->items[p->n_items++] = (struct pattern_item){.kind = K_MATCH};
	return NULL;
}

static bool in_set(const struct pattern *p, uint8_t set, uint8_t o)
{
	return p->sets[set][o >> 3] >> (o & 7) & 1;
}

static bool match_one(const struct pattern *p, const struct pattern_item *it, uint8_t o)
{
	switch (it->kind) {
	case K_ANY:
		return true;
	case K_CLASS:
		return in_class(it->a, o);
	case K_SET:
		return in_set(p, it->a, o);
	default:
		return it->a == o;
	}
}

/* Counts n steps. False when they are used up. */
static bool count_step(struct pattern_match *m, uint64_t n)
{
	m->steps = n < m->steps ? m->steps - n : 0;
	return m->steps > 0;
}

static const uint8_t *run_items(const struct pattern *p, struct pattern_match *m, unsigned i,
				const uint8_t *s);

static const uint8_t *run_repeat(const struct pattern *p, struct pattern_match *m, unsigned i,
				 const uint8_t *s)
{
	const struct pattern_item *it = &p->items[i];
	const uint8_t *end = m->subject.p + m->subject.n;
	const uint8_t *first = it->repeat == '+' ? s + 1 : s;
	const uint8_t *max = it->repeat == '?' && end > s ? s + 1 : end;
	const uint8_t *r;
	const uint8_t *q = s;

	if (it->repeat == '-') {
		for (;; q++) {
			r = run_items(p, m, i + 1, q);
			if (r || !count_step(m, 1) || q == end || !match_one(p, it, *q))
				return r;
		}
	}
	while (q < max && match_one(p, it, *q))
		q++;
	if (!count_step(m, (uint64_t)(q - s) + 1))
		return NULL;
	for (; q >= first; q--) {
		r = run_items(p, m, i + 1, q);
		if (r || m->steps == 0)
			return r;
		if (q == s)
			break;
	}
	return NULL;
}

/* Matches "%bxy": returns the place behind the y that closes the x at s, or NULL. */
static const uint8_t *match_balanced(const struct pattern_item *it, struct pattern_match *m,
				     const uint8_t *s)
{
	const uint8_t *end = m->subject.p + m->subject.n;
	const uint8_t *q = s;
	size_t depth = 1;

	if (s == end || *s != it->a)
		return NULL;
	while (depth && ++q < end) {
		if (*q == it->b)
			depth--;
		else if (*q == it->a)
			depth++;
	}
	(void)count_step(m, (uint64_t)(q - s));
	return depth ? NULL : q + 1;
}

static bool at_frontier(const struct pattern *p, const struct pattern_item *it,
			const struct pattern_match *m, const uint8_t *s)
{
	uint8_t before = s == m->subject.p ? 0 : s[-1];
	uint8_t here = s == m->subject.p + m->subject.n ? 0 : *s;

	return !in_set(p, it->a, before) && in_set(p, it->a, here);
}

/* Matches an item that matches a run of octets at most one way. Returns the place behind it, or
 * NULL. */
static const uint8_t *run_fixed(const struct pattern *p, struct pattern_match *m,
				const struct pattern_item *it, const uint8_t *s)
{
	size_t left = (size_t)(m->subject.p + m->subject.n - s);
	ptrdiff_t n;

	switch (it->kind) {
	case K_LITERAL:
		return left >= it->len && memcmp(s, p->text + it->off, it->len) == 0 ? s + it->len
										     : NULL;
	case K_OPEN:
	case K_POSITION:
		m->captures[it->a].p = s;
		m->captures[it->a].n = it->kind == K_POSITION ? PATTERN_POSITION : 0;
		return s;
	case K_CLOSE:
		m->captures[it->a].n = s - m->captures[it->a].p;
		return s;
	case K_BACK:
		n = m->captures[it->a].n;
		if (n < 0 || (size_t)n > left || !count_step(m, (uint64_t)n / 16))
			return NULL;
		return n == 0 || memcmp(s, m->captures[it->a].p, (size_t)n) == 0 ? s + n : NULL;
	case K_BALANCE:
		return match_balanced(it, m, s);
	case K_FRONTIER:
		return at_frontier(p, it, m, s) ? s : NULL;
	case K_END:
		return left == 0 ? s : NULL;
	default:
		return left && match_one(p, it, *s) ? s + 1 : NULL;
	}
}

static const uint8_t *run_items(const struct pattern *p, struct pattern_match *m, unsigned i,
				const uint8_t *s)
{
	for (; p->items[i].kind != K_MATCH; i++) {
		if (!count_step(m, 1))
			return NULL;
		if (p->items[i].repeat)
			return run_repeat(p, m, i, s);
		s = run_fixed(p, m, &p->items[i], s);
		if (!s)
			return NULL;
	}
	return s;
}

bool pattern_search(const struct pattern *p, struct pattern_match *m, size_t from,
		    size_t *ret_start, size_t *ret_end)
{
	const uint8_t *base = m->subject.p;

	for (size_t at = from; at <= m->subject.n; at++) {
		const uint8_t *end = run_items(p, m, 0, base + at);

		if (end) {
			*ret_start = at;
			*ret_end = (size_t)(end - base);
			return true;
		}
		if (!count_step(m, 1) || p->anchored)
			return false;
	}
	return false;
}
