/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Values in their many spellings (README.md, "Packets") to octets.
 */
#include "scn.h"

#include "base/ip.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int numbers(const char *p, unsigned width, uint8_t *out, size_t cap)
{
	size_t n = 0;

	for (;;) {
		char *end;
		long long v = strtoll(p, &end, 0);

		if (end == p || n + width > cap)
			return -1;
		for (unsigned i = width; i > 0; i--)
			out[n++] = (uint8_t)((unsigned long long)v >> (8 * (i - 1)));
		if (!*end)
			return (int)n;
		if (*end != ',')
			return -1;
		p = end + 1;
	}
}

static int addresses(const char *p, uint8_t *out, size_t cap)
{
	size_t n = 0;

	for (;;) {
		size_t len = strcspn(p, ",");
		uint32_t a;

		if (n + 4 > cap || ip_parse(p, len, &a) < 0)
			return -1;
		for (int i = 3; i >= 0; i--)
			out[n++] = (uint8_t)(a >> (8 * i));
		if (!p[len])
			return (int)n;
		p += len + 1;
	}
}

static int quoted(const char *p, uint8_t *out, size_t cap)
{
	size_t n = 0;

	for (p++; *p && *p != '"' && n < cap; p++) {
		unsigned v = (uint8_t)*p;

		if (*p == '\\' && p[1] == 'x' && sscanf(p + 2, "%2x", &v) == 1)
			p += 3;
		else if (*p == '\\' && *++p)
			v = *p == '0' ? 0 : *p == 'n' ? '\n' : (uint8_t)*p;
		out[n++] = (uint8_t)v;
	}
	return *p == '"' && !p[1] ? (int)n : -1;
}

static int repeated(const char *p, uint8_t *out, size_t cap)
{
	unsigned count;
	unsigned octet;

	if (sscanf(p, "%u:%x", &count, &octet) != 2 || count > cap)
		return -1;
	memset(out, (int)octet, count);
	return (int)count;
}

/* 1="x"/5=10.0.0.0: code, length, value of each. */
static int subs(const char *p, uint8_t *out, size_t cap)
{
	size_t n = 0;

	while (*p) {
		char one[1200];
		const char *v;
		int code;
		int len;

		if (n + 2 > cap)
			return -1;
		(void)snprintf(one, sizeof(one), "%.*s", (int)strcspn(p, "/"), p);
		p += strcspn(p, "/");
		p += *p == '/';
		code = scn_option_word(one, &v);
		if (code < 0)
			return -1;
		len = *v ? scn_value(v, 1, out + n + 2, cap - n - 2) : 0;
		if (len < 0 || len > 255)
			return -1;
		out[n] = (uint8_t)code;
		out[n + 1] = (uint8_t)len;
		n += (size_t)len + 2;
	}
	return (int)n;
}

static bool is_address(const char *p)
{
	unsigned dots = 0;

	for (; isdigit((unsigned char)*p) || *p == '.'; p++)
		dots += *p == '.';
	return dots == 3 && (!*p || *p == ',');
}

/* The + between two parts, outside of quotes. */
static const char *find_plus(const char *p)
{
	bool in = false;

	for (; *p && (in || *p != '+'); p++) {
		if (in && *p == '\\' && p[1])
			p++;
		else if (*p == '"')
			in = !in;
	}
	return *p ? p : NULL;
}

static int joined(const char *text, const char *plus, unsigned width, uint8_t *out, size_t cap)
{
	char first[3000];
	int a;
	int b;

	(void)snprintf(first, sizeof(first), "%.*s", (int)(plus - text), text);
	a = scn_value(first, width, out, cap);
	b = a < 0 ? -1 : scn_value(plus + 1, width, out + a, cap - (size_t)a);
	return b < 0 ? -1 : a + b;
}

int scn_value(const char *text, unsigned width, uint8_t *out, size_t cap)
{
	const char *plus = strncmp(text, "sub:", 4) == 0 ? NULL : find_plus(text);

	if (plus)
		return joined(text, plus, width, out, cap);
	if (text[0] == '"')
		return quoted(text, out, cap);
	if (strcmp(text, "hex:") == 0 || !text[0])
		return 0;
	if (strncmp(text, "hex:", 4) == 0)
		return hex_parse(text + 4, strlen(text + 4), out, cap);
	if (strncmp(text, "rep:", 4) == 0)
		return repeated(text + 4, out, cap);
	if (strncmp(text, "sub:", 4) == 0)
		return subs(text + 4, out, cap);
	if (strncmp(text, "u8:", 3) == 0)
		return numbers(text + 3, 1, out, cap);
	if (strncmp(text, "u16:", 4) == 0)
		return numbers(text + 4, 2, out, cap);
	if (strncmp(text, "u32:", 4) == 0)
		return numbers(text + 4, 4, out, cap);
	if (is_address(text))
		return addresses(text, out, cap);
	if (strchr(text, ':'))
		return hex_parse(text, strlen(text), out, cap);
	return numbers(text, width, out, cap);
}

int scn_mac(const char *text, uint8_t out[6])
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end)
		return hex_parse(text, strlen(text), out, 6) == 6 ? 0 : -1;
	memcpy(out, (const uint8_t[]){2, 0, 0, 0, (uint8_t)(n >> 8), (uint8_t)n}, 6);
	return 0;
}
