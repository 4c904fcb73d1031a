/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Domain names: RFC 1035 3.1, 4.1.4 (compression), 5.1 (text). Reading is bounded twice: every
 * pointer leads before the place where the labels it continues began, and a name has 255 octets at
 * most. All names of an option share a third bound.
 */
#include "wire/fqdn.h"

#include "base/cursor.h"
#include "base/error.h"

#include <ctype.h>

enum { POINTER_BITS = 0xc0 };

/* Reads one character of a label, escapes resolved. Returns its value, or -USHER_E_SYNTAX. */
static int char_parse(const char *s, size_t n, size_t *i)
{
	int v = 0;

	if (s[*i] != '\\')
		return (uint8_t)s[(*i)++];
	if (++*i >= n)
		return -USHER_E_SYNTAX;
	if (!isdigit((unsigned char)s[*i]))
		return (uint8_t)s[(*i)++];
	for (int d = 0; d < 3; d++, ++*i) {
		if (*i >= n || !isdigit((unsigned char)s[*i]))
			return -USHER_E_SYNTAX;
		v = v * 10 + (s[*i] - '0');
	}
	return v > 255 ? -USHER_E_SYNTAX : v;
}

/* Parses one label, up to the dot or the end, and writes it behind its length octet. */
static int label_parse(const char *s, size_t n, size_t *i, struct wr *w)
{
	size_t at = w->len;
	size_t len;

	wr_u8(w, 0);
	while (*i < n && s[*i] != '.') {
		int c = char_parse(s, n, i);

		if (c < 0)
			return c;
		wr_u8(w, (uint8_t)c);
	}
	if (!wr_ok(w))
		return -USHER_E_RANGE;
	len = w->len - at - 1;
	if (len == 0)
		return -USHER_E_SYNTAX;
	if (len > FQDN_LABEL_MAX)
		return -USHER_E_RANGE;
	w->base[at] = (uint8_t)len;
	return 0;
}

int fqdn_parse(const char *s, size_t n, uint8_t out[FQDN_WIRE_MAX])
{
	struct wr w = wr_init(out, FQDN_WIRE_MAX);
	size_t i = 0;

	if (n == 0)
		return -USHER_E_SYNTAX;
	if (n == 1 && s[0] == '.')
		i = n;
	while (i < n) {
		int r = label_parse(s, n, &i, &w);

		if (r < 0)
			return r;
		i++; /* the dot, or past the end */
	}
	wr_u8(&w, 0);
	return wr_ok(&w) ? (int)w.len : -USHER_E_RANGE;
}

static void label_text(struct buf *out, struct span label)
{
	for (size_t i = 0; i < label.n; i++) {
		char c = (char)label.p[i];

		/* characters with a meaning in a name, a list or a DNR text are written as
		 * numbers */
		if (isgraph((unsigned char)c) && !strchr(".,\\|", c))
			buf_char(out, c);
		else
			buf_add(out,
				(const char[]){'\\', (char)('0' + label.p[i] / 100),
					       (char)('0' + label.p[i] / 10 % 10),
					       (char)('0' + label.p[i] % 10)},
				4);
	}
}

/* The state of reading a name. */
struct walk {
	struct span whole;
	struct rd r;
	size_t start;	 /* of the current run of labels: pointers must lead before it */
	size_t end;	 /* behind the name in the data; known once it ends or first jumps */
	size_t wire_len; /* of the name without compression */
	bool jumped;
	size_t *left; /* octets and pointers that may still be read */
};

static bool walk_spend(const struct walk *w, size_t n)
{
	if (*w->left < n)
		return false;
	*w->left -= n;
	return true;
}

static size_t walk_off(const struct walk *w)
{
	return w->whole.n - rd_left(&w->r);
}

static bool walk_pointer(struct walk *w, uint8_t high)
{
	size_t to = (size_t)(high & ~POINTER_BITS) << 8 | rd_u8(&w->r);

	if (!rd_ok(&w->r) || to >= w->start || !walk_spend(w, 1))
		return false;
	if (!w->jumped)
		w->end = walk_off(w);
	w->jumped = true;
	w->start = to;
	w->r = rd_init(span_sub(w->whole, to, w->whole.n));
	return true;
}

/* Reads the next label; empty for the root. False: malformed. */
static bool walk_label(struct walk *w, struct span *ret)
{
	uint8_t len = rd_u8(&w->r);

	while ((len & POINTER_BITS) == POINTER_BITS) {
		if (!walk_pointer(w, len))
			return false;
		len = rd_u8(&w->r);
	}
	w->wire_len += (size_t)len + 1;
	*ret = rd_bytes(&w->r, len);
	return rd_ok(&w->r) && len <= FQDN_LABEL_MAX && w->wire_len <= FQDN_WIRE_MAX &&
	       walk_spend(w, (size_t)len + 1);
}

bool fqdn_read(struct span whole, size_t *off, bool partial, struct buf *out)
{
	size_t left = fqdn_budget(whole);

	return fqdn_read_within(whole, off, partial, &left, out);
}

bool fqdn_read_within(struct span whole, size_t *off, bool partial, size_t *left, struct buf *out)
{
	struct walk w = {.whole = whole, .start = *off, .left = left};
	struct span label = SPAN_NULL;
	bool first = true;

	w.r = rd_init(span_sub(whole, *off, whole.n));
	do {
		if (partial && !first && !w.jumped && !rd_left(&w.r))
			break;
		if (!walk_label(&w, &label))
			return false;
		if (out && (!first || !label.n))
			buf_char(out, '.');
		if (out)
			label_text(out, label);
		first = false;
	} while (label.n);
	*off = w.jumped ? w.end : walk_off(&w);
	return true;
}
