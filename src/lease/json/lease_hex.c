/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Identifiers in hex. The texts are Kea's, because programs compare them.
 */
#include "lease/json/lease_hex.h"

#include "base/error.h"
#include "lease/json/lease_json.h"

#include <stdio.h>
#include <stdbool.h>
#include <string.h>

#define TEXT_SHOWN ((int)(sizeof(((struct lease_json_problem *)0)->text) / 2))

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Octets that are read; those beyond cap are counted only. */
struct octets {
	uint8_t *out;
	size_t cap, n;
};

static void put_octet(struct octets *o, unsigned v)
{
	if (o->n < o->cap)
		o->out[o->n] = (uint8_t)v;
	o->n++;
}

/* Reads one group of n digits. 0, or -USHER_E_SYNTAX and the reason. */
static int read_group(const char *text, const char *group, size_t n, struct octets *o,
		      struct lease_json_problem *problem)
{
	unsigned v = 0;

	if (n > 2) {
		(void)snprintf(problem->text, sizeof(problem->text),
			       "invalid format of the decoded string '%.*s'", TEXT_SHOWN, text);
		return -USHER_E_SYNTAX;
	}
	for (size_t i = 0; i < n; i++) {
		int digit = digit_of(group[i]);

		if (digit < 0) {
			(void)snprintf(
				problem->text, sizeof(problem->text),
				"'%c' is not a valid hexadecimal digit in decoded string '%.*s'",
				group[i], TEXT_SHOWN, text);
			return -USHER_E_SYNTAX;
		}
		v = v * 16 + (unsigned)digit;
	}
	if (n)
		put_octet(o, v);
	return 0;
}

/* Reads groups with a separator between them. */
static int read_groups(const char *text, char separator, struct octets *o,
		       struct lease_json_problem *problem)
{
	bool several = strchr(text, separator) != NULL;
	const char *p = text;

	for (;;) {
		const char *end = strchr(p, separator);
		size_t n = end ? (size_t)(end - p) : strlen(p);
		int r;

		if (several && !n) {
			(void)snprintf(problem->text, sizeof(problem->text),
				       "two consecutive separators ('%c') specified in a decoded "
				       "string '%.*s'",
				       separator, TEXT_SHOWN, text);
			return -USHER_E_SYNTAX;
		}
		r = read_group(text, p, n, o, problem);
		if (r < 0 || !end)
			return r;
		p = end + 1;
	}
}

/* Reads digits without separators; an odd number of them begins with half an octet. */
static int read_digits(const char *text, struct octets *o, struct lease_json_problem *problem)
{
	const char *p = strncmp(text, "0x", 2) == 0 && text[2] ? text + 2 : text;
	size_t n = strlen(p);
	size_t half = n % 2;
	unsigned v = 0;

	for (size_t i = 0; i < n; i++) {
		int digit = digit_of(p[i]);

		if (digit < 0) {
			(void)snprintf(problem->text, sizeof(problem->text),
				       "'%.*s' is not a valid string of hexadecimal digits",
				       TEXT_SHOWN, text);
			return -USHER_E_SYNTAX;
		}
		v = v << 4 | (unsigned)digit;
		if ((i + half) % 2)
			put_octet(o, v & 0xff);
	}
	return 0;
}

int lease_hex_hardware(const char *text, uint8_t *out, size_t cap,
		       struct lease_json_problem *ret_problem)
{
	enum { ETHERNET_DIGITS = 12 };
	struct octets o = {out, cap, 0};
	int r = strlen(text) == ETHERNET_DIGITS && !strchr(text, ':')
			? read_digits(text, &o, ret_problem)
			: read_groups(text, ':', &o, ret_problem);

	if (r < 0)
		return r;
	if (o.n <= cap)
		return (int)o.n;
	(void)snprintf(ret_problem->text, sizeof(ret_problem->text),
		       "hardware address is too large (%zu), at most %zu is required", o.n, cap);
	return -USHER_E_SYNTAX;
}

int lease_hex_client_id(const char *text, uint8_t *out, size_t cap,
			struct lease_json_problem *ret_problem)
{
	enum { SHORTEST = 2 };
	struct octets o = {out, cap, 0};
	int r = strchr(text, ':')   ? read_groups(text, ':', &o, ret_problem)
		: strchr(text, ' ') ? read_groups(text, ' ', &o, ret_problem)
				    : read_digits(text, &o, ret_problem);

	if (r < 0)
		return r;
	if (o.n >= SHORTEST && o.n <= cap)
		return (int)o.n;
	if (o.n < SHORTEST)
		(void)snprintf(ret_problem->text, sizeof(ret_problem->text),
			       "identifier is too short (%zu), at least %d is required", o.n,
			       SHORTEST);
	else
		(void)snprintf(ret_problem->text, sizeof(ret_problem->text),
			       "identifier is too large (%zu), at most %zu is required", o.n, cap);
	return -USHER_E_SYNTAX;
}
