/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Writing option data: an encoding in progress, and the values that several formats have.
 */
#include "base/error.h"
#include "base/ip.h"
#include "wire/fqdn.h"
#include "wire/option_internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int option_enc_fail(struct option_enc *e, int err, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!e->why)
		e->why = arena_strdup(e->arena, text);
	return err;
}

void option_enc_be(struct option_enc *e, uint64_t v, size_t width)
{
	while (width--)
		buf_char(&e->out, (char)(v >> 8 * width));
}

char *option_trim(char *s)
{
	char *end = s + strlen(s);

	while (end > s && isspace((unsigned char)end[-1]))
		*--end = '\0';
	while (isspace((unsigned char)*s))
		s++;
	return s;
}

char *option_text_split(struct arena *a, const char **text, char sep)
{
	const char *s = *text;
	size_t len = 0;
	char *out;

	if (!s)
		return NULL;
	out = arena_alloc(a, strlen(s) + 1);
	*text = NULL;
	if (!out)
		return NULL;
	for (; *s && *s != sep; s++) {
		if (s[0] == '\\' && s[1] == sep)
			s++;
		out[len++] = *s;
	}
	out[len] = '\0';
	if (*s == sep)
		*text = s + 1;
	return option_trim(out);
}

int option_enc_number(struct option_enc *e, const char *s, int64_t min, int64_t max, int64_t *ret)
{
	const char *digits = s[0] == '-' || s[0] == '+' ? s + 1 : s;
	bool prefix = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
	/* Kea: decimal; digits that are not decimal are hexadecimal */
	bool hex = prefix || digits[strspn(digits, "0123456789")];
	char *end;
	long long v;

	if (!isxdigit((unsigned char)digits[0]) || (prefix && !isxdigit((unsigned char)digits[2])))
		return option_enc_fail(e, -USHER_E_SYNTAX, "'%.100s' is not a number", s);
	errno = 0;
	v = strtoll(s, &end, hex ? 16 : 10);
	if (*end)
		return option_enc_fail(e, -USHER_E_SYNTAX, "'%.100s' is not a number", s);
	if (errno || v < min || v > max)
		return option_enc_fail(e, -USHER_E_RANGE, "%.100s is not in %lld..%lld", s,
				       (long long)min, (long long)max);
	*ret = v;
	return 0;
}

int option_enc_ipv4(struct option_enc *e, const char *s)
{
	uint32_t addr;

	if (ip_parse(s, strlen(s), &addr) < 0)
		return option_enc_fail(e, -USHER_E_SYNTAX, "'%.100s' is not an IPv4 address", s);
	option_enc_be(e, addr, 4);
	return 0;
}

int option_enc_fqdn(struct option_enc *e, const char *s)
{
	uint8_t name[FQDN_WIRE_MAX];
	int n = fqdn_parse(s, strlen(s), name);

	if (n == -USHER_E_RANGE)
		return option_enc_fail(e, n,
				       "'%.100s' has a label over 63 or a name over 255 octets", s);
	if (n < 0)
		return option_enc_fail(e, n, "'%.100s' is not a domain name", s);
	buf_add(&e->out, name, (size_t)n);
	return 0;
}

int option_enc_hex(struct option_enc *e, const char *s)
{
	size_t n = strlen(s);
	uint8_t *octets = arena_alloc(e->arena, n + 1);
	int r;

	if (!octets)
		return -USHER_E_NOMEM;
	r = hex_parse(s, n, octets, n + 1);
	if (r < 0)
		return option_enc_fail(e, -USHER_E_SYNTAX, "'%.100s' is not hexadecimal", s);
	buf_add(&e->out, octets, (size_t)r);
	return 0;
}
