/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Reads any row of Kea's lease file, schema 3.0 and older: newer schemas only add columns at the
 * end. A good row has no NUL: a NUL is part of a block that did not reach the disk. The usual rows
 * are read by lease_csv_scan.c.
 */
#include "lease/lease_csv.h"

#include "base/error.h"
#include "base/ip.h"

static bool get_uint(struct span s, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (s.n == 0 || s.n > 18)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (s.p[i] - '0');
	}
	*ret = v;
	return v <= max;
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes the escapes in place. Returns the new length, or -1: a NUL. */
static int64_t undo_escapes(char *s, size_t n)
{
	size_t out = 0;

	if (memchr(s, '\0', n))
		return -1;
	if (!memchr(s, '&', n))
		return (int64_t)n;
	for (size_t i = 0; i < n; i++) {
		char c = s[i];

		if (c == '&' && n - i >= 5 && s[i + 1] == '#' && s[i + 2] == 'x' &&
		    digit_value(s[i + 3]) >= 0 && digit_value(s[i + 4]) >= 0) {
			c = (char)(digit_value(s[i + 3]) << 4 | digit_value(s[i + 4]));
			i += 4;
			if (c == '\0')
				return -1;
		}
		s[out++] = c;
	}
	return (int64_t)out;
}

/* A state of DHCPv6 that lease4-add and lease4-update of Kea 3.x accept too; Kea treats such a
 * lease as assigned. */
enum { KEA_REGISTERED = 4 };

/* " and a and b are 0 or 1": of all flags, with one " and " too many. */
static const char bad_flags[] =
#define LEASE_FIELD(member, kind, longest, csv, ...) LEASE_PICK_##kind(, , " and " csv, , , )
#include "lease/lease_fields.def"
	" are 0 or 1";

#define BAD_ADDRESS(csv)   csv " is not a dotted quad"
#define BAD_HARDWARE(csv)  csv " is not hexadecimal or too long"
#define BAD_CLIENT_ID(csv) csv " is not hexadecimal or too long"
#define BAD_LIFETIME(csv)  csv " is not a number"
#define BAD_TIME(csv)	   csv " is not a number"
#define BAD_NUMBER(csv)	   csv " is not a number"
#define BAD_OPTIONAL(csv)  csv " is not a number"
#define BAD_FLAG(csv)	   &bad_flags[sizeof(" and ") - 1]
#define BAD_TEXT(csv)	   csv " has a NUL or is too long"
#define BAD_STATE(csv)	   csv " is not 0 to 4"
#define BAD_CONTEXT(csv)   csv " has a NUL"
static const char *const complaints[LEASE_CSV_COLUMNS] = {
#define LEASE_FIELD(member, kind, longest, csv, ...) BAD_##kind(csv),
#include "lease/lease_fields.def"
};

/* Reads pairs of digits into out[cap] and *ret_len. */
static bool get_pairs(struct span s, uint8_t *out, size_t cap, uint16_t *ret_len)
{
	int n = s.n ? hex_parse((const char *)s.p, s.n, out, cap) : 0;

	*ret_len = (uint16_t)(n < 0 ? 0 : n);
	return n >= 0;
}

static bool get_number(const struct lease_field *f, struct span s, struct lease *l)
{
	bool time = f->kind == LEASE_KIND_TIME;
	uint64_t v;

	if (!get_uint(s, time ? INT64_MAX : UINT32_MAX, &v))
		return false;
	/* the column of a time has the end of the lease; the lifetime was read before */
	lease_field_set_number(f, l, (int64_t)v - (time ? (int64_t)l->valid_lft : 0));
	return true;
}

static bool get_state(const struct lease_field *f, struct span s, struct lease *l)
{
	uint64_t v;

	if (!get_uint(s, KEA_REGISTERED, &v))
		return false;
	lease_field_set_number(f, l, v == KEA_REGISTERED ? LEASE_ASSIGNED : (int64_t)v);
	return true;
}

static bool get_flag(const struct lease_field *f, struct span s, struct lease *l)
{
	lease_field_set_number(f, l, s.n == 1 && s.p[0] == '1');
	return s.n == 1 && (s.p[0] == '0' || s.p[0] == '1');
}

/* Decodes the escapes in the line that s[n] is a part of. */
static bool get_text(const struct lease_field *f, char *s, size_t n, struct lease *l)
{
	int64_t len = undo_escapes(s, n);

	if (len < 0 || len >= f->size)
		return false;
	lease_field_set_text(f, l, s, (size_t)len);
	return true;
}

/* Leaves the context in the line, without its escapes. */
static bool get_context(const struct lease_field *f, char *s, size_t n, struct lease *l)
{
	int64_t len = n ? undo_escapes(s, n) : 0;

	lease_field_set_context(f, l, n ? s : NULL);
	if (len < 0)
		return false;
	if (n)
		s[len] = '\0'; /* on the comma or the newline */
	return true;
}

/* Reads a column that is not a text. */
static bool get_value(const struct lease_field *f, struct span s, struct lease *l)
{
	switch (f->kind) {
	case LEASE_KIND_ADDRESS:
		return ip_parse((const char *)s.p, s.n, &l->addr) >= 0;
	case LEASE_KIND_HARDWARE:
		return get_pairs(s, l->hw, sizeof(l->hw), &l->hw_len);
	case LEASE_KIND_CLIENT_ID:
		return get_pairs(s, l->client_id, sizeof(l->client_id), &l->client_id_len);
	case LEASE_KIND_LIFETIME:
	case LEASE_KIND_TIME:
	case LEASE_KIND_NUMBER:
		return get_number(f, s, l);
	case LEASE_KIND_OPTIONAL:
		lease_field_set_number(f, l, 0);
		return s.n == 0 || get_number(f, s, l);
	case LEASE_KIND_FLAG:
		return get_flag(f, s, l);
	case LEASE_KIND_STATE:
		return get_state(f, s, l);
	case LEASE_KIND_TEXT:
	case LEASE_KIND_CONTEXT:
		break;
	}
	return true;
}

static bool is_text(const struct lease_field *f)
{
	return f->kind == LEASE_KIND_TEXT || f->kind == LEASE_KIND_CONTEXT;
}

/* Sets a field whose column is beyond the end of a row of fewer columns. */
static void clear_value(const struct lease_field *f, struct lease *l)
{
	if (f->kind == LEASE_KIND_TEXT)
		lease_field_set_text(f, l, "", 0);
	else if (f->kind == LEASE_KIND_CONTEXT)
		lease_field_set_context(f, l, NULL);
	else
		lease_field_set_number(f, l, 0);
}

/* Reads the columns of a row, texts or all others. Returns NULL, or the error text of the first bad
 * one. */
static const char *get_columns(char *line, const struct span *columns, bool texts, struct lease *l)
{
	for (size_t i = 0; i < LEASE_CSV_COLUMNS; i++) {
		const struct lease_field *f = &lease_fields[i];
		struct span s = columns[i];
		char *text = s.p ? line + (s.p - (const uint8_t *)line) : NULL;
		bool good = true;

		if (is_text(f) != texts)
			continue;
		if (!s.p)
			clear_value(f, l);
		else if (f->kind == LEASE_KIND_TEXT)
			good = get_text(f, text, s.n, l);
		else if (f->kind == LEASE_KIND_CONTEXT)
			good = get_context(f, text, s.n, l);
		else
			good = get_value(f, s, l);
		if (!good)
			return complaints[i];
	}
	return NULL;
}

static bool lacks_identity(const struct lease *l)
{
	return !l->hw_len && !l->client_id_len && l->state != LEASE_DECLINED && l->valid_lft;
}

/* Finds the known columns, and returns the number of all columns of the line. */
static int split_line(char *line, size_t n, struct span *f)
{
	char *end = line + n;

	for (int k = 0;; k++) {
		char *comma = memchr(line, ',', (size_t)(end - line));

		if (k < LEASE_CSV_COLUMNS)
			f[k] = span_of(line, (size_t)((comma ? comma : end) - line));
		if (!comma)
			return k + 1;
		line = comma + 1;
	}
}

/* Returns whether a row has a valid length, as Kea reads them: the header's columns, ours, or any
 * number between. */
static bool is_row_length(int k, int columns)
{
	if (columns < LEASE_CSV_COLUMNS)
		return k >= columns && k <= LEASE_CSV_COLUMNS;
	return k >= LEASE_CSV_COLUMNS && k <= columns;
}

int lease_csv_parse_any(char *line, size_t n, int columns, struct lease *ret, const char **ret_why)
{
	struct span f[LEASE_CSV_COLUMNS] = {{NULL, 0}};
	const char *why = NULL;
	int k;

	if (n > 0 && line[n - 1] == '\r')
		n--;
	k = split_line(line, n, f);
	if (!is_row_length(k, columns))
		why = "wrong number of columns";
	if (!why)
		why = get_columns(line, f, false, ret);
	if (!why && lacks_identity(ret))
		why = "neither hwaddr nor client_id";
	if (!why)
		why = get_columns(line, f, true, ret);
	if (!why)
		return 0;
	*ret_why = why;
	return -USHER_E_SYNTAX;
}

int lease_csv_parse(char *line, size_t n, int columns, struct lease *ret, const char **ret_why)
{
	char behind = line[n];
	bool usual;

	line[n] = '\n';
	usual = lease_csv_scan((const uint8_t *)line, (const uint8_t *)line + n, ret);
	line[n] = behind;
	return usual ? 0 : lease_csv_parse_any(line, n, columns, ret, ret_why);
}
