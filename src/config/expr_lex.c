/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Words, numbers and literals of class expressions, and the compiler's error. Invariant:
 * start <= p <= end; a column is the distance from start added to the text's own place.
 */
#include "config/expr_lex.h"

#include "base/error.h"
#include "base/ip.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

enum { INT_DIGITS = 11 };

struct expr_node *expr_fail(struct expr_parser *x, const uint8_t *at, int result, const char *fmt,
			    ...)
{
	struct json_pos pos = *x->at;
	char text[256];
	va_list ap;

	if (x->result < 0)
		return NULL;
	pos.col += (uint32_t)(at - x->start);
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	x->result = config_error_set(x->err, &pos, result, "%s", text);
	return NULL;
}

static void skip_blanks(struct expr_parser *x)
{
	while (x->p < x->end && isspace(*x->p))
		x->p++;
}

struct expr_node *expr_expected(struct expr_parser *x, const char *what)
{
	struct span w = expr_word(x);

	if (w.n > 32)
		w.n = 32;
	if (x->p == x->end)
		return expr_fail(x, x->p, -USHER_E_SYNTAX,
				 "found the end of the expression, expected %s", what);
	if (!w.n && isprint(*x->p))
		w = span_of(x->p, 1);
	if (!w.n)
		return expr_fail(x, x->p, -USHER_E_SYNTAX, "found octet 0x%02x, expected %s", *x->p,
				 what);
	return expr_fail(x, x->p, -USHER_E_SYNTAX, "found '%.*s', expected %s", (int)w.n,
			 (const char *)w.p, what);
}

struct expr_node *expr_node_new(struct expr_parser *x, enum expr_op op, bool is_bool)
{
	struct expr_node *e;

	if (++x->n_nodes > EXPR_MAX_NODES)
		return expr_fail(x, x->p, -USHER_E_DEPTH, "the expression has more than %d parts",
				 EXPR_MAX_NODES);
	e = arena_new(x->arena, struct expr_node);
	if (!e)
		return expr_fail(x, x->p, -USHER_E_NOMEM, "out of memory");
	e->op = op;
	e->is_bool = is_bool;
	return e;
}

bool expr_take(struct expr_parser *x, char c)
{
	skip_blanks(x);
	if (x->result < 0 || x->p == x->end || *x->p != (uint8_t)c)
		return false;
	x->p++;
	return true;
}

bool expr_need(struct expr_parser *x, char c)
{
	const char what[] = {'\'', c, '\'', '\0'};

	if (expr_take(x, c))
		return true;
	(void)expr_expected(x, what);
	return false;
}

struct span expr_word(struct expr_parser *x)
{
	size_t n = 0;

	skip_blanks(x);
	if (x->p == x->end || !isalpha(*x->p))
		return SPAN_NULL;
	while (x->p + n < x->end && (isalnum(x->p[n]) || x->p[n] == '-' || x->p[n] == '_'))
		n++;
	return span_of(x->p, n);
}

bool expr_take_word(struct expr_parser *x, const char *word)
{
	struct span w = expr_word(x);

	if (x->result < 0 || !span_eq(w, span_str(word)))
		return false;
	x->p += w.n;
	return true;
}

bool expr_int(struct expr_parser *x, int64_t min, int64_t max, int64_t *ret)
{
	const uint8_t *from;
	int64_t v = 0;
	size_t n = 0;
	bool neg;

	skip_blanks(x);
	from = x->p;
	neg = x->p < x->end && *x->p == '-';
	for (x->p += neg; x->p < x->end && isdigit(*x->p); x->p++)
		if (n++ < INT_DIGITS)
			v = v * 10 + (*x->p - '0');
	if (n == 0) {
		x->p = from;
		(void)expr_expected(x, "an integer");
		return false;
	}
	v = neg ? -v : v;
	if (n >= INT_DIGITS || v < min || v > max) {
		(void)expr_fail(x, from, -USHER_E_SYNTAX,
				"the integer is not between %lld and %lld", (long long)min,
				(long long)max);
		return false;
	}
	*ret = v;
	return x->result == 0;
}

bool expr_quoted(struct expr_parser *x, struct span *ret)
{
	const uint8_t *from;

	skip_blanks(x);
	from = x->p;
	if (x->p == x->end || *x->p != '\'') {
		(void)expr_expected(x, "a string in single quotes");
		return false;
	}
	for (x->p++; x->p < x->end && *x->p != '\''; x->p++)
		if (*x->p == '\n')
			break;
	if (x->p == x->end || *x->p != '\'') {
		x->p = from;
		(void)expr_fail(x, from, -USHER_E_SYNTAX,
				"the string that begins here is not closed");
		return false;
	}
	*ret = span_of(from + 1, (size_t)(x->p - from - 1));
	x->p++;
	return x->result == 0;
}

/* --- literals --------------------------------------------------------------------------------- */

static struct expr_node *literal_new(struct expr_parser *x, const void *p, size_t n)
{
	struct expr_node *e = expr_node_new(x, OP_LITERAL, false);

	if (!e)
		return NULL;
	/* with a NUL behind it: member() hands names on as C strings */
	e->lit = span_of(arena_strndup(x->arena, p, n), n);
	return e->lit.p ? e : expr_fail(x, x->p, -USHER_E_NOMEM, "out of memory");
}

static struct expr_node *literal_hex(struct expr_parser *x)
{
	const uint8_t *from = x->p;
	uint8_t *out;
	int n;

	for (x->p += 2; x->p < x->end && isxdigit(*x->p); x->p++)
		;
	if (x->p - from == 2)
		return expr_expected(x, "hexadecimal digits after 0x");
	out = arena_alloc(x->arena, (size_t)(x->p - from));
	if (!out)
		return expr_fail(x, from, -USHER_E_NOMEM, "out of memory");
	n = hex_parse((const char *)from, (size_t)(x->p - from), out, (size_t)(x->p - from));
	return n < 0 ? expr_fail(x, from, -USHER_E_SYNTAX, "not hexadecimal")
		     : literal_new(x, out, (size_t)n);
}

/* Parses an address of n characters at the cursor, which hold a '.' or a ':'. */
static struct expr_node *literal_addr(struct expr_parser *x, size_t n)
{
	char text[INET6_ADDRSTRLEN + 1];
	uint8_t addr[16];
	int family = memchr(x->p, ':', n) ? AF_INET6 : AF_INET;

	if (n >= sizeof(text))
		return expr_fail(x, x->p, -USHER_E_SYNTAX, "not an IP address");
	memcpy(text, x->p, n);
	text[n] = '\0';
	if (inet_pton(family, text, addr) != 1)
		return expr_fail(x, x->p, -USHER_E_SYNTAX, "'%s' is not an IP address", text);
	x->p += n;
	return literal_new(x, addr, family == AF_INET ? 4 : 16);
}

static struct expr_node *literal_int(struct expr_parser *x)
{
	uint8_t be[4];
	int64_t v;

	if (!expr_int(x, INT32_MIN, UINT32_MAX, &v))
		return NULL;
	for (int i = 0; i < 4; i++)
		be[i] = (uint8_t)((uint64_t)v >> (24 - 8 * i));
	return literal_new(x, be, sizeof(be));
}

struct expr_node *expr_literal(struct expr_parser *x)
{
	struct span s;
	size_t n = 0;

	skip_blanks(x);
	if (x->result < 0 || x->p == x->end)
		return NULL;
	if (*x->p == '\'')
		return expr_quoted(x, &s) ? literal_new(x, s.p, s.n) : NULL;
	if (x->end - x->p >= 2 && x->p[0] == '0' && (x->p[1] == 'x' || x->p[1] == 'X'))
		return literal_hex(x);
	while (x->p + n < x->end && (isxdigit(x->p[n]) || x->p[n] == '.' || x->p[n] == ':'))
		n++;
	if (memchr(x->p, ':', n) || (n && isdigit(*x->p) && memchr(x->p, '.', n)))
		return literal_addr(x, n);
	if (*x->p == '-' || isdigit(*x->p))
		return literal_int(x);
	return NULL;
}
