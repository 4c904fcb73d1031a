/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The functions of class expressions, from strings of octets to a string of octets. An empty
 * argument gives an empty result; octets that have the wrong length for a number or an address are
 * an error of evaluation, which makes the condition fail.
 */
#include "config/expr_node.h"

#include "base/error.h"
#include "base/ip.h"

#include <arpa/inet.h>
#include <stdio.h>

static int out_of_memory(const char **why)
{
	*why = "the memory of the evaluation is exhausted";
	return -USHER_E_EVAL;
}

static int text_result(const char *text, struct arena *scratch, struct span *ret, const char **why)
{
	char *copy = arena_strdup(scratch, text);

	if (!copy)
		return out_of_memory(why);
	*ret = span_str(copy);
	return 0;
}

/* Returns a part of s. start counts from the end when negative; a negative length reaches back from
 * start. */
static struct span fn_substring(const struct expr_node *e, struct span s)
{
	int64_t n = (int64_t)s.n;
	int64_t start = e->a;
	int64_t len = e->all ? n : e->b;

	if (start < -n || start >= n)
		return SPAN_NULL;
	if (start < 0)
		start += n;
	if (len < 0) {
		len = -len < start ? -len : start;
		start -= len;
	}
	return span_sub(s, (size_t)start, (size_t)len);
}

/* Returns field e->a, from 1. Every octet of sep separates; two in a row enclose an empty field. */
static struct span fn_split(const struct expr_node *e, struct span s, struct span sep)
{
	int64_t field = e->a;
	size_t from = 0;

	if (field < 1)
		return SPAN_NULL;
	for (size_t i = 0; i < s.n; i++) {
		if (!sep.n || !memchr(sep.p, s.p[i], sep.n))
			continue;
		if (--field == 0)
			return span_sub(s, from, i - from);
		from = i + 1;
	}
	return field == 1 ? span_sub(s, from, s.n) : SPAN_NULL;
}

static int fn_case(const struct expr_node *e, struct span s, struct arena *scratch,
		   struct span *ret, const char **why)
{
	uint8_t *copy = arena_memdup(scratch, s.p, s.n);
	uint8_t from = e->op == OP_LCASE ? 'A' : 'a';

	if (!copy)
		return out_of_memory(why);
	for (size_t i = 0; i < s.n; i++)
		if (copy[i] >= from && copy[i] <= from + 25)
			copy[i] ^= 0x20;
	*ret = span_of(copy, s.n);
	return 0;
}

static int fn_hexstring(struct span s, struct span sep, struct arena *scratch, struct span *ret,
			const char **why)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = s.n * 2 + (s.n ? s.n - 1 : 0) * sep.n;
	char *out = arena_alloc(scratch, n ? n : 1);
	char *p = out;

	if (!out)
		return out_of_memory(why);
	for (size_t i = 0; i < s.n; i++) {
		if (i && sep.n) {
			memcpy(p, sep.p, sep.n);
			p += sep.n;
		}
		*p++ = digits[s.p[i] >> 4];
		*p++ = digits[s.p[i] & 15];
	}
	*ret = span_of(out, n);
	return 0;
}

static int fn_addrtotext(struct span s, struct arena *scratch, struct span *ret, const char **why)
{
	char text[INET6_ADDRSTRLEN];

	if (s.n == 0) {
		*ret = SPAN_NULL;
		return 0;
	}
	if (s.n != 4 && s.n != 16) {
		*why = "addrtotext needs 4 or 16 octets";
		return -USHER_E_EVAL;
	}
	if (!inet_ntop(s.n == 4 ? AF_INET : AF_INET6, s.p, text, sizeof(text)))
		return out_of_memory(why);
	return text_result(text, scratch, ret, why);
}

static const struct int_fn {
	enum expr_op op;
	uint8_t n;
	bool is_signed;
	const char *why;
} int_fns[] = {
	{OP_INT8TOTEXT, 1, true, "int8totext needs 1 octet"},
	{OP_INT16TOTEXT, 2, true, "int16totext needs 2 octets"},
	{OP_INT32TOTEXT, 4, true, "int32totext needs 4 octets"},
	{OP_UINT8TOTEXT, 1, false, "uint8totext needs 1 octet"},
	{OP_UINT16TOTEXT, 2, false, "uint16totext needs 2 octets"},
	{OP_UINT32TOTEXT, 4, false, "uint32totext needs 4 octets"},
};

static int fn_inttotext(const struct int_fn *f, struct span s, struct arena *scratch,
			struct span *ret, const char **why)
{
	int64_t v = 0;
	char text[16];

	if (s.n == 0) {
		*ret = SPAN_NULL;
		return 0;
	}
	if (s.n != f->n) {
		*why = f->why;
		return -USHER_E_EVAL;
	}
	for (size_t i = 0; i < s.n; i++)
		v = v << 8 | s.p[i];
	if (f->is_signed && s.p[0] & 0x80)
		v -= (int64_t)1 << (8 * f->n);
	(void)snprintf(text, sizeof(text), "%lld", (long long)v);
	return text_result(text, scratch, ret, why);
}

static int fn_concat(struct span a, struct span b, struct arena *scratch, struct span *ret,
		     const char **why)
{
	uint8_t *out = arena_alloc(scratch, a.n + b.n ? a.n + b.n : 1);

	if (!out)
		return out_of_memory(why);
	if (a.n)
		memcpy(out, a.p, a.n);
	if (b.n)
		memcpy(out + a.n, b.p, b.n);
	*ret = span_of(out, a.n + b.n);
	return 0;
}

int expr_func_string(const struct expr_node *e, struct span *args, struct arena *scratch,
		     struct span *ret, const char **why)
{
	for (size_t i = 0; i < ARRAY_LEN(int_fns); i++)
		if (int_fns[i].op == e->op)
			return fn_inttotext(&int_fns[i], args[0], scratch, ret, why);
	if (e->op == OP_LCASE || e->op == OP_UCASE)
		return fn_case(e, args[0], scratch, ret, why);
	if (e->op == OP_HEXSTRING)
		return fn_hexstring(args[0], args[1], scratch, ret, why);
	if (e->op == OP_ADDRTOTEXT)
		return fn_addrtotext(args[0], scratch, ret, why);
	if (e->op == OP_CONCAT2)
		return fn_concat(args[0], args[1], scratch, ret, why);
	*ret = e->op == OP_SPLIT ? fn_split(e, args[0], args[1]) : fn_substring(e, args[0]);
	return 0;
}
