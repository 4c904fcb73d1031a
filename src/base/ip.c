/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Text forms of addresses and octet strings.
 */
#include "base/ip.h"

#include "base/error.h"

int ip_parse(const char *s, size_t n, uint32_t *ret_addr)
{
	uint32_t addr = 0;
	size_t i = 0;

	for (int part = 0; part < 4; part++) {
		unsigned v = 0;
		size_t start = i;

		while (i < n && s[i] >= '0' && s[i] <= '9' && i - start < 3)
			v = v * 10 + (unsigned)(s[i++] - '0');
		if (i == start || v > 255)
			return -USHER_E_SYNTAX;
		addr = addr << 8 | v;
		if (part < 3 && (i >= n || s[i++] != '.'))
			return -USHER_E_SYNTAX;
	}
	if (i != n)
		return -USHER_E_SYNTAX;
	*ret_addr = addr;
	return 0;
}

char *ip_text(uint32_t a, char out[IP_TEXT_LEN])
{
	char *p = out;

	for (int shift = 24; shift >= 0; shift -= 8) {
		unsigned v = a >> shift & 255;

		if (v >= 100)
			*p++ = (char)('0' + v / 100);
		if (v >= 10)
			*p++ = (char)('0' + v / 10 % 10);
		*p++ = (char)('0' + v % 10);
		*p++ = shift ? '.' : '\0';
	}
	return out;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Parses groups of one or two digits with separators between them. */
static int hex_parse_groups(const char *s, size_t n, char sep, uint8_t *out, size_t cap)
{
	size_t len = 0;
	size_t i = 0;

	while (i < n) {
		int v = hex_digit(s[i++]);

		if (v < 0)
			return -USHER_E_SYNTAX;
		if (i < n && s[i] != sep) {
			int lo = hex_digit(s[i++]);

			if (lo < 0)
				return -USHER_E_SYNTAX;
			v = v << 4 | lo;
		}
		if (i < n && (s[i++] != sep || i == n))
			return -USHER_E_SYNTAX;
		if (len == cap)
			return -USHER_E_NOSPACE;
		out[len++] = (uint8_t)v;
	}
	return (int)len;
}

int hex_parse(const char *s, size_t n, uint8_t *out, size_t cap)
{
	size_t len = 0;
	size_t i = 0;

	if (n >= 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		s += 2;
		n -= 2;
	}
	if (n && memchr(s, ':', n))
		return hex_parse_groups(s, n, ':', out, cap);
	if (n && memchr(s, ' ', n))
		return hex_parse_groups(s, n, ' ', out, cap);
	/* an odd count of digits has a zero put in front, as Kea reads it */
	if (n % 2) {
		int v = hex_digit(s[i++]);

		if (v < 0)
			return -USHER_E_SYNTAX;
		if (cap == 0)
			return -USHER_E_NOSPACE;
		out[len++] = (uint8_t)v;
	}
	while (i < n) {
		int hi = hex_digit(s[i]);
		int lo = hex_digit(s[i + 1]);

		if (hi < 0 || lo < 0)
			return -USHER_E_SYNTAX;
		if (len == cap)
			return -USHER_E_NOSPACE;
		out[len++] = (uint8_t)(hi << 4 | lo);
		i += 2;
	}
	return (int)len;
}
