/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Strings of JSON (RFC 8259 7): escapes are decoded, and the octets are valid UTF-8.
 */
#include "config/json/json_lex.h"

#include "base/error.h"

static int parse_hex4(const char *p, const char *end)
{
	int v = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = p[i];

		v <<= 4;
		if (c >= '0' && c <= '9')
			v |= c - '0';
		else if (c >= 'a' && c <= 'f')
			v |= c - 'a' + 10;
		else if (c >= 'A' && c <= 'F')
			v |= c - 'A' + 10;
		else
			return -1;
	}
	return v;
}

static size_t utf8_put(char *out, uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 63));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 63));
		out[2] = (char)(0x80 | (c & 63));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 63));
	out[2] = (char)(0x80 | (c >> 6 & 63));
	out[3] = (char)(0x80 | (c & 63));
	return 4;
}

/* Returns the length of the UTF-8 sequence at p, or 0 (RFC 3629: no overlong forms, no
 * surrogates). */
static size_t read_utf8_len(const char *p, const char *end)
{
	const uint8_t *u = (const uint8_t *)p;
	size_t left = (size_t)(end - p);
	size_t n = u[0] < 0x80	 ? 1
		   : u[0] < 0xc2 ? 0
		   : u[0] < 0xe0 ? 2
		   : u[0] < 0xf0 ? 3
		   : u[0] < 0xf5 ? 4
				 : 0;

	if (!n || n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	if ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f) ||
	    (u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f))
		return 0;
	return n;
}

/* Decodes one code point, the cursor at the 'u' of an escape; two escapes make a surrogate pair. */
static int lex_unicode(struct json_lex *x, char *out, size_t *n)
{
	struct json_source *s = json_lex_top(x);
	int hi = parse_hex4(s->p + 1, s->end);
	int lo;

	if (hi <= 0 || (hi >= 0xdc00 && hi <= 0xdfff)) {
		/* names, paths and option texts end at a NUL everywhere else */
		int r = json_lex_fail(
			x, hi < 0    ? "\\u is not followed by four hexadecimal digits"
			   : hi == 0 ? "\\u0000 cannot stand in a string"
				     : "\\u escape is the second half of a pair without the first");

		s->p += hi < 0 ? 1 : 5;
		return r;
	}
	s->p += 5;
	if (hi < 0xd800 || hi > 0xdbff) {
		*n += utf8_put(out + *n, (uint32_t)hi);
		return 0;
	}
	lo = s->end - s->p >= 2 && s->p[0] == '\\' && s->p[1] == 'u' ? parse_hex4(s->p + 2, s->end)
								     : -1;
	if (lo < 0xdc00 || lo > 0xdfff)
		return json_lex_fail(x,
				     "\\u escape is the first half of a pair without the second");
	s->p += 6;
	*n += utf8_put(out + *n, 0x10000 + (((uint32_t)hi & 0x3ff) << 10) + ((uint32_t)lo & 0x3ff));
	return 0;
}

/* Decodes an escape; the cursor is at its backslash. */
static int lex_escape(struct json_lex *x, char *out, size_t *n)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	struct json_source *s = json_lex_top(x);
	const char *at;

	s->p++;
	if (s->p == s->end)
		return json_lex_expected(x, "the rest of a string");
	if (*s->p == 'u')
		return lex_unicode(x, out, n);
	at = *s->p ? strchr(from, *s->p) : NULL;
	if (!at)
		return json_lex_unexpected(x, "one of \" \\ / b f n r t u after a backslash");
	out[(*n)++] = to[at - from];
	s->p++;
	return 0;
}

/* Reads one character of a string, not the closing quote. */
static int lex_char(struct json_lex *x, char *out, size_t *n)
{
	struct json_source *s = json_lex_top(x);
	struct json_pos pos;
	size_t len;

	if (*s->p == '\\')
		return lex_escape(x, out, n);
	if (*s->p == '\n') {
		pos = json_lex_pos(x);
		return config_error_set(x->err, &pos, -USHER_E_SYNTAX,
					"the string is not closed on its line");
	}
	if ((unsigned char)*s->p < 0x20) {
		int r = json_lex_fail(x, "a control character in a string must be escaped");

		s->p++;
		return r;
	}
	len = read_utf8_len(s->p, s->end);
	if (!len && x->o->dialect)
		len = 1; /* Kea takes any octet */
	if (!len)
		return json_lex_fail(x, "the string is not valid UTF-8");
	memcpy(out + *n, s->p, len);
	*n += len;
	s->p += len;
	return 0;
}

/* Returns an upper bound of the decoded length: the octets before the closing quote. */
static size_t raw_len(const struct json_source *s)
{
	const char *p = s->p + 1;

	while (p < s->end && *p != '"' && *p != '\n')
		p += *p == '\\' && p + 1 < s->end ? 2 : 1;
	return (size_t)(p - s->p);
}

int json_lex_string(struct json_lex *x, const char **ret, size_t *ret_n)
{
	struct json_source *s = json_lex_top(x);
	struct json_pos pos = json_lex_pos(x);
	char *out = arena_alloc(x->arena, raw_len(s) + 4);
	size_t n = 0;

	if (!out)
		return config_error_set(x->err, &pos, -USHER_E_NOMEM, "out of memory");
	s->p++;
	for (;;) {
		int r;

		if (s->p == s->end)
			return config_error_set(x->err, &pos, -USHER_E_SYNTAX,
						"the string that begins here is not closed");
		if (*s->p == '"')
			break;
		r = lex_char(x, out, &n);
		if (r < 0)
			return r;
	}
	s->p++;
	out[n] = '\0';
	*ret = out;
	*ret_n = n;
	return 0;
}
