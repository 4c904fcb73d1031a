/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DNS names as text and back (RFC 1035 5.1, RFC 4343 2.1): \. and \\ are the character, \ddd is any
 * octet.
 */
#include "base/error.h"
#include "wire/dns.h"

#include <ctype.h>

static size_t put_octet(char *to, uint8_t c)
{
	if (c == '.' || c == '\\' || c == '"' || c == '(' || c == ')' || c == ';' || c == '@' ||
	    c == '$') {
		to[0] = '\\';
		to[1] = (char)c;
		return 2;
	}
	if (c > ' ' && c < 0x7f) {
		to[0] = (char)c;
		return 1;
	}
	to[0] = '\\';
	to[1] = (char)('0' + c / 100);
	to[2] = (char)('0' + c / 10 % 10);
	to[3] = (char)('0' + c % 10);
	return 4;
}

size_t dns_name_text(const struct dns_name *n, char ret[DNS_TEXT_MAX])
{
	struct rd r = rd_init(span_of(n->octets, n->len));
	size_t at = 0;
	struct span label;

	/* 255 octets are 4 lengths, 250 characters and the root: 4 dots and 4 * 250 at most */
	for (label = rd_bytes(&r, rd_u8(&r)); label.n; label = rd_bytes(&r, rd_u8(&r))) {
		for (size_t i = 0; i < label.n; i++)
			at += put_octet(ret + at, label.p[i]);
		ret[at++] = '.';
	}
	if (at == 0)
		ret[at++] = '.';
	ret[at] = '\0';
	return at;
}

/* Reads the octet that an escape stands for; negative: none. */
static int escaped(struct rd *r)
{
	uint8_t c = rd_u8(r);
	int v = c - '0';

	if (!rd_ok(r))
		return -1;
	if (!isdigit(c))
		return c;
	for (int i = 0; i < 2; i++) {
		c = rd_u8(r);
		if (!isdigit(c))
			return -1;
		v = v * 10 + (c - '0');
	}
	return v <= UINT8_MAX ? v : -1;
}

/* Parses one label, up to its dot or the end. Returns its length, or an error. */
static int parse_label(struct rd *r, uint8_t *to, size_t room)
{
	size_t n = 0;

	while (rd_left(r)) {
		int c = rd_u8(r);

		if (c == '.')
			break;
		if (c == '\\')
			c = escaped(r);
		if (c < 0)
			return -USHER_E_MALFORMED;
		if (n == DNS_LABEL_MAX || n == room)
			return -USHER_E_RANGE;
		to[n++] = (uint8_t)c;
	}
	return n ? (int)n : -USHER_E_MALFORMED;
}

int dns_name_parse(struct span text, struct dns_name *ret)
{
	struct rd r = rd_init(text.n == 1 && text.p[0] == '.' ? SPAN_NULL : text);
	struct dns_name name;
	uint32_t len = 0;

	if (!text.n)
		return -USHER_E_MALFORMED;
	while (rd_left(&r)) {
		int n;

		/* a length, a label's first octet and the root have to fit */
		if (len + 3 > DNS_NAME_MAX)
			return -USHER_E_RANGE;
		n = parse_label(&r, name.octets + len + 1, DNS_NAME_MAX - len - 2);
		if (n < 0)
			return n;
		name.octets[len] = (uint8_t)n;
		len += 1U + (uint32_t)n;
	}
	name.octets[len++] = 0;
	name.len = (uint8_t)len;
	*ret = name;
	return 0;
}

bool dns_name_eq(const struct dns_name *a, const struct dns_name *b)
{
	if (a->len != b->len)
		return false;
	/* lengths are below the letters, so they need no care */
	for (unsigned i = 0; i < a->len; i++)
		if (tolower(a->octets[i]) != tolower(b->octets[i]))
			return false;
	return true;
}
