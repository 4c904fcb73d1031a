/* SPDX-License-Identifier: MPL-2.0 */
/* Numbers of JSON (RFC 8259 6), and the additional spellings of Kea's dialect. */
#include "config/json/json_lex.h"

#include "base/error.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t digits(const char *p, const char *end)
{
	size_t n = 0;

	while (p + n < end && p[n] >= '0' && p[n] <= '9')
		n++;
	return n;
}

/*
 * Returns the length of the number at p by RFC 8259 section 6, 0 if there is none; sets *ret_real.
 * Kea's dialect also has leading zeros, ".5" and "5.".
 */
static size_t number_len(const char *p, const char *end, bool dialect, bool *ret_real)
{
	const char *q = p + (p < end && *p == '-');
	size_t whole = digits(q, end);
	size_t part = 0;

	*ret_real = false;
	if (!dialect && (!whole || (whole > 1 && *q == '0')))
		return 0;
	q += whole;
	if (q < end && *q == '.') {
		part = digits(q + 1, end);
		if (!part && !dialect)
			return 0;
		q += part + 1;
		*ret_real = true;
	}
	if (!whole && !part)
		return 0;
	if (q < end && (*q == 'e' || *q == 'E')) {
		size_t n;

		q++;
		q += q < end && (*q == '+' || *q == '-');
		n = digits(q, end);
		if (!n)
			return 0;
		q += n;
		*ret_real = true;
	}
	return (size_t)(q - p);
}

static bool parse_int(const char *p, size_t n, int64_t *ret)
{
	bool neg = *p == '-';
	int64_t v = 0;

	for (size_t i = neg; i < n; i++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_sub_overflow(v, (int64_t)(p[i] - '0'), &v))
			return false;
	if (!neg && v == INT64_MIN)
		return false;
	*ret = neg ? v : -v;
	return true;
}

/* Steps over a number that was refused. */
static int refuse_number(struct json_lex *x, struct json *ret, const char *text)
{
	struct json_source *s = json_lex_top(x);
	int r = json_lex_fail(x, text);

	ret->type = JSON_NULL;
	ret->refused = true;
	while (s->p < s->end && *s->p && strchr("0123456789.eE+-", *s->p))
		s->p++;
	return r;
}

/* Warns of leading zeros: Kea reads "010" as ten. */
static void warn_zeros(struct json_lex *x, const char *p, size_t n)
{
	struct json_pos pos = json_lex_pos(x);

	if (n && *p == '-') {
		p++;
		n--;
	}
	if (n > 1 && p[0] == '0' && p[1] >= '0' && p[1] <= '9')
		json_lex_warn(x, &pos, "leading zeros of a number are ignored: it is decimal");
}

int json_lex_number(struct json_lex *x, struct json *ret)
{
	struct json_source *s = json_lex_top(x);
	bool real;
	size_t n = number_len(s->p, s->end, x->o->dialect, &real);
	char text[400];

	if (!n)
		return refuse_number(x, ret, "a number is written like 0, -12, 1.5 or 1e3");
	warn_zeros(x, s->p, n);
	if (!real) {
		ret->type = JSON_INT;
		if (!parse_int(s->p, n, &ret->i))
			return refuse_number(x, ret, "the integer does not fit into 64 bits");
		s->p += n;
		return 0;
	}
	if (n >= sizeof(text))
		return refuse_number(x, ret, "the number has too many digits");
	memcpy(text, s->p, n);
	text[n] = '\0';
	ret->type = JSON_REAL;
	ret->r = strtod(text, NULL);
	if (!isfinite(ret->r))
		return refuse_number(x, ret, "the number is out of range");
	s->p += n;
	return 0;
}
