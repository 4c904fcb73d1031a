/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Configuration text to option data. It works on the heap (configurations are not the packet path)
 * and moves the finished octets into the arena. The result is checked once more as data, so
 * that no option can be configured that we would refuse to read.
 */
#include "wire/option_def.h"

#include "base/error.h"
#include "base/ip.h"
#include "wire/fqdn.h"
#include "wire/option_codes.h"
#include "wire/option_internal.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

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

static char *trim(char *s)
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
	return trim(out);
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

static int int_encode(struct option_enc *e, const char *s, int64_t min, int64_t max, size_t width)
{
	int64_t v;
	int r = option_enc_number(e, s, min, max, &v);

	if (r == 0)
		option_enc_be(e, (uint64_t)v, width);
	return r;
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

static int ipv6_encode(struct option_enc *e, const char *s)
{
	uint8_t addr[16];

	if (inet_pton(AF_INET6, s, addr) != 1)
		return option_enc_fail(e, -USHER_E_SYNTAX, "'%.100s' is not an IPv6 address", s);
	buf_add(&e->out, addr, sizeof(addr));
	return 0;
}

/* Splits "a/b" into a and b, both trimmed. */
static int pair_split(struct option_enc *e, const char *s, char **ret_a, char **ret_b)
{
	const char *rest = s;

	*ret_a = option_text_split(e->arena, &rest, '/');
	*ret_b = option_text_split(e->arena, &rest, '/');
	if (!*ret_a || !*ret_b || rest)
		return option_enc_fail(e, -USHER_E_SYNTAX, "'%.100s' is not of the form a/b", s);
	return 0;
}

static int ipv6_prefix_encode(struct option_enc *e, const char *s)
{
	uint8_t addr[16];
	char *a, *b;
	int64_t bits;
	int r = pair_split(e, s, &a, &b);

	if (r == 0)
		r = option_enc_number(e, b, 0, 128, &bits);
	if (r < 0)
		return r;
	if (inet_pton(AF_INET6, a, addr) != 1)
		return option_enc_fail(e, -USHER_E_SYNTAX, "'%.100s' is not an IPv6 address", a);
	if (bits % 8)
		addr[bits / 8] &= (uint8_t)(0xff00 >> bits % 8);
	option_enc_be(e, (uint64_t)bits, 1);
	buf_add(&e->out, addr, (size_t)(bits + 7) / 8);
	return 0;
}

static int psid_encode(struct option_enc *e, const char *s)
{
	char *a, *b;
	int64_t bits, v;
	int r = pair_split(e, s, &a, &b);

	if (r == 0)
		r = option_enc_number(e, b, 0, 16, &bits);
	if (r == 0)
		r = option_enc_number(e, a, 0, (1LL << bits) - 1, &v);
	if (r < 0)
		return r;
	option_enc_be(e, (uint64_t)bits, 1);
	option_enc_be(e, (uint64_t)v << (16 - bits), 2);
	return 0;
}

static int boolean_encode(struct option_enc *e, const char *s)
{
	const char *digit = s + strspn(s, "0"); /* "01" is a boolean in Kea, too */
	bool yes = strcasecmp(s, "true") == 0 || strcmp(digit, "1") == 0;

	if (!yes && strcasecmp(s, "false") != 0 && (digit == s || *digit))
		return option_enc_fail(e, -USHER_E_SYNTAX, "'%.100s' is not true or false", s);
	option_enc_be(e, yes, 1);
	return 0;
}

static int hex_encode(struct option_enc *e, const char *s)
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

static int tuple_encode(struct option_enc *e, const struct option_def *def, const char *s)
{
	/* RFC 8572 8.3: two octets of length; all others of DHCPv4 have one */
	bool wide = def->code == DHCP4_OPT_V4_SZTP_REDIRECT &&
		    strcmp(def->space, OPTION_SPACE_DHCP4) == 0;
	size_t n = strlen(s);

	if (n > (wide ? 65535U : 255U))
		return option_enc_fail(e, -USHER_E_RANGE, "text of %zu octets is too long", n);
	option_enc_be(e, n, wide ? 2 : 1);
	buf_add(&e->out, s, n);
	return 0;
}

static int field_encode(struct option_enc *e, const struct option_def *def, enum option_type t,
			const char *s)
{
	switch (t) {
	case OPTION_EMPTY:
		return *s ? option_enc_fail(e, -USHER_E_SYNTAX, "takes no value") : 0;
	case OPTION_BINARY:
		return hex_encode(e, s);
	case OPTION_BOOLEAN:
		return boolean_encode(e, s);
	case OPTION_INT8:
		return int_encode(e, s, INT8_MIN, INT8_MAX, 1);
	case OPTION_INT16:
		return int_encode(e, s, INT16_MIN, INT16_MAX, 2);
	case OPTION_INT32:
		return int_encode(e, s, INT32_MIN, INT32_MAX, 4);
	case OPTION_UINT8:
		return int_encode(e, s, 0, UINT8_MAX, 1);
	case OPTION_UINT16:
		return int_encode(e, s, 0, UINT16_MAX, 2);
	case OPTION_UINT32:
		return int_encode(e, s, 0, UINT32_MAX, 4);
	case OPTION_IPV4:
		return option_enc_ipv4(e, s);
	case OPTION_IPV6:
		return ipv6_encode(e, s);
	case OPTION_IPV6_PREFIX:
		return ipv6_prefix_encode(e, s);
	case OPTION_PSID:
		return psid_encode(e, s);
	case OPTION_STRING:
		buf_str(&e->out, s);
		return 0;
	case OPTION_TUPLE:
		return tuple_encode(e, def, s);
	case OPTION_FQDN:
		return option_enc_fqdn(e, s);
	case OPTION_RECORD:
	case OPTION_INTERNAL:
	case OPTION_N_TYPES:
		break;
	}
	return option_enc_fail(e, -USHER_E_SYNTAX, "has no text form");
}

/*
 * Takes the next value of a list, as Kea's lists are split: empty values are left out, a backslash
 * keeps a comma or a backslash, and otherwise stands for itself. NULL: *text is used up.
 */
static char *take_value(struct arena *a, const char **text)
{
	const char *s = *text;
	size_t len = 0;
	char *out;

	while (*s == ',')
		s++;
	out = *s ? arena_alloc(a, strlen(s) + 1) : NULL;
	if (!out)
		return NULL;
	for (; *s && *s != ','; s++) {
		if (s[0] == '\\' && (s[1] == ',' || s[1] == '\\'))
			s++;
		out[len++] = *s;
	}
	out[len] = '\0';
	*text = s;
	return trim(out);
}

/* Comma separated fields; the last type repeats if the definition says so. */
static int csv_encode(struct option_enc *e, const struct option_def *def, const char *text)
{
	bool record = def->type == OPTION_RECORD;
	size_t n_types = record ? def->n_record : 1;
	size_t n = 0;
	char *s;

	while ((s = take_value(e->arena, &text)) != NULL) {
		size_t at = n < n_types ? n : n_types - 1;
		int r;

		if (n >= n_types && !(def->flags & OPTION_F_ARRAY)) {
			e->unused = arena_printf(
				e->arena,
				"only the first %zu value%s of the list counts (a comma inside one is \"\\,\")",
				n_types, n_types == 1 ? "" : "s");
			break;
		}
		r = field_encode(e, def, record ? (enum option_type)def->record[at] : def->type, s);
		if (r < 0)
			return r;
		n++;
	}
	if (n < n_types && def->type != OPTION_EMPTY)
		return option_enc_fail(e, -USHER_E_SYNTAX, "%zu values expected, %zu given",
				       n_types, n);
	return 0;
}

static int internal_encode(struct option_enc *e, const struct option_def *def, const char *text)
{
	if (strcmp(def->space, OPTION_SPACE_DHCP4) == 0) {
		if (def->code == DHCP4_OPT_CLASSLESS_STATIC_ROUTE)
			return option_route_encode(e, text);
		if (def->code == DHCP4_OPT_V4_DNR)
			return option_dnr_encode(e, text);
	}
	return option_enc_fail(e, -USHER_E_SYNTAX, "has no text form");
}

/* Not csv: hex digits, or a text in single quotes. */
static int raw_encode(struct option_enc *e, const char *text)
{
	char *s = arena_strdup(e->arena, text);
	size_t n;

	if (!s)
		return -USHER_E_NOMEM;
	s = trim(s);
	n = strlen(s);
	if (n >= 2 && s[0] == '\'' && s[n - 1] == '\'') {
		buf_add(&e->out, s + 1, n - 2);
		return 0;
	}
	return hex_encode(e, s);
}

static int text_encode(struct option_enc *e, const struct option_def *def, const char *text,
		       bool csv)
{
	if (!csv)
		return raw_encode(e, text);
	if (def->type == OPTION_INTERNAL)
		return internal_encode(e, def, text);
	return csv_encode(e, def, text);
}

int option_encode_text(const struct option_def *def, const char *text, bool csv,
		       struct arena *arena, struct span *ret, const char **ret_why)
{
	struct option_enc e = {.arena = arena};
	void *copy = NULL;
	int r = text_encode(&e, def, text, csv);

	*ret_why = NULL;
	if (r == 0 && !e.out.failed)
		copy = arena_memdup(arena, e.out.p, e.out.len);
	if (r == 0 && !copy)
		r = -USHER_E_NOMEM;
	if (r == 0 && !option_data_valid(def, span_of(copy, e.out.len)))
		r = option_enc_fail(&e, -USHER_E_RANGE, "%zu octets do not fit type %s", e.out.len,
				    option_type_name(def->type));
	if (r == 0) {
		*ret = span_of(copy, e.out.len);
		*ret_why = e.unused;
	} else {
		*ret_why = e.why ? e.why : usher_strerror(r);
	}
	buf_fini(&e.out);
	return r;
}

int option_encode_raw(const char *text, struct arena *arena, struct span *ret, const char **ret_why)
{
	static const struct option_def binary = {.name = "",
						 .space = "",
						 .type = OPTION_BINARY,
						 .encapsulate = "",
						 .rfc = ""};

	return option_encode_text(&binary, text, false, arena, ret, ret_why);
}
