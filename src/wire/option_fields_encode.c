/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Text to the fields of a definition, by their types.
 */
#include "base/error.h"
#include "wire/option_internal.h"

#include <arpa/inet.h>
#include <strings.h>

static int int_encode(struct option_enc *e, const char *s, int64_t min, int64_t max, size_t width)
{
	int64_t v;
	int r = option_enc_number(e, s, min, max, &v);

	if (r == 0)
		option_enc_be(e, (uint64_t)v, width);
	return r;
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

/* Encodes a text behind its length of one octet, or two in the codec of such tuples. */
static int tuple_encode(struct option_enc *e, const char *s)
{
	size_t n = strlen(s);

	if (n > (e->wide_tuples ? 65535U : 255U))
		return option_enc_fail(e, -USHER_E_RANGE, "text of %zu octets is too long", n);
	option_enc_be(e, n, e->wide_tuples ? 2 : 1);
	buf_add(&e->out, s, n);
	return 0;
}

static int field_encode(struct option_enc *e, enum option_type t, const char *s)
{
	switch (t) {
	case OPTION_EMPTY:
		return *s ? option_enc_fail(e, -USHER_E_SYNTAX, "takes no value") : 0;
	case OPTION_BINARY:
		return option_enc_hex(e, s);
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
		return tuple_encode(e, s);
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
	return option_trim(out);
}

int option_fields_encode(struct option_enc *e, const struct option_def *def, const char *text)
{
	bool record = def->type == OPTION_RECORD;
	size_t n_types = record ? def->n_record : 1;
	size_t n = 0;
	char *s;

	if (def->type == OPTION_INTERNAL)
		return option_enc_fail(e, -USHER_E_SYNTAX, "has no text form");
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
		r = field_encode(e, record ? (enum option_type)def->record[at] : def->type, s);
		if (r < 0)
			return r;
		n++;
	}
	if (n < n_types && def->type != OPTION_EMPTY)
		return option_enc_fail(e, -USHER_E_SYNTAX, "%zu values expected, %zu given",
				       n_types, n);
	return 0;
}

int option_wide_tuples_encode(struct option_enc *e, const struct option_def *def, const char *text)
{
	e->wide_tuples = true;
	return option_fields_encode(e, def, text);
}
