/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Trees built by hand, and trees to text. Writing a parsed tree and parsing it again gives an equal
 * tree: integers stay integers, a number with a fraction keeps one, and every double is written
 * with as many digits as it needs.
 *
 * Libraries were rejected: json-c and Jansson have trees of their own on the heap, without places
 * in a file and without Kea's order of keys; to write with one, each answer would be copied node by
 * node first. usher-client, which is static with musl, also writes its answers with this file.
 */
#include "config/json/json.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static struct json *make_node(struct arena *a, enum json_type type)
{
	struct json *v = arena_new(a, struct json);

	if (v) {
		v->type = type;
		v->pos.file = "";
		v->key_pos.file = "";
	}
	return v;
}

struct json *json_map(struct arena *a)
{
	return make_node(a, JSON_MAP);
}

struct json *json_list(struct arena *a)
{
	return make_node(a, JSON_LIST);
}

struct json *json_int(struct arena *a, int64_t i)
{
	struct json *v = make_node(a, JSON_INT);

	if (v)
		v->i = i;
	return v;
}

struct json *json_real(struct arena *a, double r)
{
	struct json *v = make_node(a, JSON_REAL);

	if (v)
		v->r = r;
	return v;
}

struct json *json_bool(struct arena *a, bool b)
{
	struct json *v = make_node(a, JSON_BOOL);

	if (v)
		v->b = b;
	return v;
}

struct json *json_strn(struct arena *a, const char *s, size_t n)
{
	struct json *v = s ? make_node(a, JSON_STRING) : NULL;

	if (!v)
		return NULL;
	v->s = arena_strndup(a, s, n);
	v->n = n;
	return v->s ? v : NULL;
}

struct json *json_str(struct arena *a, const char *s)
{
	return s ? json_strn(a, s, strlen(s)) : NULL;
}

struct json *json_printf(struct arena *a, const char *fmt, ...)
{
	char *text = NULL;
	struct json *v;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return NULL;
	v = json_strn(a, text, (size_t)n);
	free(text);
	return v;
}

struct json *json_add(struct arena *a, struct json *to, const char *key, struct json *v)
{
	if (!to || !v)
		return NULL;
	if (to->type == JSON_MAP) {
		v->key = key ? arena_strdup(a, key) : NULL;
		if (!v->key)
			return NULL;
	}
	json_append(to, v);
	return v;
}

struct json *json_copy(struct arena *a, const struct json *v)
{
	struct json *c;

	if (!v)
		return NULL;
	if (v->type == JSON_STRING) {
		c = json_strn(a, v->s, v->n);
	} else {
		c = make_node(a, v->type);
		if (c && v->type == JSON_INT)
			c->i = v->i;
		if (c && v->type == JSON_REAL)
			c->r = v->r;
		if (c && v->type == JSON_BOOL)
			c->b = v->b;
	}
	if (!c)
		return NULL;
	c->pos = v->pos;
	c->key_pos = v->key_pos;
	if (v->type != JSON_LIST && v->type != JSON_MAP)
		return c;
	for (const struct json *m = v->first; m; m = m->next)
		if (!json_add(a, c, m->key, json_copy(a, m)))
			return NULL;
	return c;
}

/* --- text ------------------------------------------------------------------------------------- */

static void write_escape(char c, struct buf *out)
{
	static const char from[] = "\"\\\b\f\n\r\t";
	static const char to[] = "\"\\bfnrt";
	const char *at = c ? strchr(from, c) : NULL;

	if (at)
		buf_printf(out, "\\%c", to[at - from]);
	else
		buf_printf(out, "\\u%04x", (unsigned)(unsigned char)c);
}

/* Returns the octets of the character that s[n] begins with; 0: it is not UTF-8 (RFC 3629 4). */
static size_t utf8_len(const char *s, size_t n)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const uint8_t *p = (const uint8_t *)s;
	size_t len = p[0] < 0x80	     ? 1
		     : (p[0] & 0xe0) == 0xc0 ? 2
		     : (p[0] & 0xf0) == 0xe0 ? 3
		     : (p[0] & 0xf8) == 0xf0 ? 4
					     : 0;
	uint32_t c = len ? p[0] & (0xffU >> (len + (len > 1))) : 0;

	if (!len || len > n)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	return c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : len;
}

/* Writes a string. Octets that are not UTF-8, as a client may send, become the characters U+0080 to
 * U+00FF: the text stays JSON. */
static void write_string(const char *s, size_t n, struct buf *out)
{
	size_t from = 0;

	buf_char(out, '"');
	for (size_t i = 0; i < n; i++) {
		size_t len = utf8_len(s + i, n - i);

		if (len > 1)
			i += len - 1;
		if (len && (unsigned char)s[i] >= 0x20 && s[i] != '"' && s[i] != '\\' &&
		    s[i] != 0x7f)
			continue;
		buf_add(out, s + from, i - from);
		write_escape(s[i], out);
		from = i + 1;
	}
	buf_add(out, s + from, n - from);
	buf_char(out, '"');
}

static void write_real(double r, struct buf *out)
{
	char text[40];

	if (!isfinite(r)) {
		buf_str(out, "null");
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(text, sizeof(text), "%.*g", digits, r);
		if (fabs(strtod(text, NULL) - r) <= 0.0)
			break;
	}
	buf_str(out, text);
	if (!strpbrk(text, ".e"))
		buf_str(out, ".0");
}

/* COMPACT: without blanks. PRETTY: in lines. SPACED: in one line, with blanks as in Kea's answers.
 */
enum form { COMPACT, PRETTY, SPACED };

static void indent(enum form form, unsigned level, struct buf *out)
{
	if (form == SPACED)
		buf_char(out, ' ');
	if (form != PRETTY)
		return;
	buf_char(out, '\n');
	for (unsigned i = 0; i < level; i++)
		buf_add(out, "  ", 2);
}

static void write_value(const struct json *v, enum form form, unsigned level, struct buf *out);

static void write_container(const struct json *v, enum form form, unsigned level, struct buf *out)
{
	bool map = v->type == JSON_MAP;

	buf_char(out, map ? '{' : '[');
	for (const struct json *m = v->first; m; m = m->next) {
		if (m != v->first)
			buf_char(out, ',');
		indent(form, level + 1, out);
		if (map) {
			write_string(m->key, strlen(m->key), out);
			buf_str(out, form == COMPACT ? ":" : ": ");
		}
		write_value(m, form, level + 1, out);
	}
	if (v->first)
		indent(form, level, out);
	buf_char(out, map ? '}' : ']');
}

static void write_value(const struct json *v, enum form form, unsigned level, struct buf *out)
{
	switch (v->type) {
	case JSON_NULL:
		buf_str(out, "null");
		break;
	case JSON_BOOL:
		buf_str(out, v->b ? "true" : "false");
		break;
	case JSON_INT:
		buf_printf(out, "%lld", (long long)v->i);
		break;
	case JSON_REAL:
		write_real(v->r, out);
		break;
	case JSON_STRING:
		write_string(v->s, v->n, out);
		break;
	case JSON_LIST:
	case JSON_MAP:
		write_container(v, form, level, out);
		break;
	}
}

void json_write(const struct json *v, bool pretty, struct buf *out)
{
	if (v)
		write_value(v, pretty ? PRETTY : COMPACT, 0, out);
	else
		buf_str(out, "null");
}

void json_write_spaced(const struct json *v, struct buf *out)
{
	if (v)
		write_value(v, SPACED, 0, out);
	else
		buf_str(out, "null");
}

bool json_equal(const struct json *a, const struct json *b)
{
	struct buf x, y;
	bool equal;

	if (!a || !b)
		return a == b;
	buf_init(&x);
	buf_init(&y);
	json_write(a, false, &x);
	json_write(b, false, &y);
	equal = !x.failed && !y.failed && x.len == y.len && memcmp(x.p, y.p, x.len) == 0;
	buf_fini(&x);
	buf_fini(&y);
	return equal;
}
