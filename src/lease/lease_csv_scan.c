/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Reads the usual row of a lease file in one pass, as we and Kea write it: all columns, octets as
 * pairs in lower case or none, a host name without escapes, no user context. Each function returns
 * the comma or newline behind its column, or NULL where the row is another one, which
 * lease_csv_read.c then reads with care. A newline stands behind the row and ends every loop.
 */
#include "lease/lease_csv.h"

/* A hexadecimal digit in lower case, plus one; 0: another octet. */
static const uint8_t hex_digit[256] = {
	['0'] = 1,  ['1'] = 2,	['2'] = 3,  ['3'] = 4,	['4'] = 5,  ['5'] = 6,
	['6'] = 7,  ['7'] = 8,	['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
	['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

static inline bool is_digit(uint8_t c, unsigned max)
{
	return c >= '0' && c <= '0' + max;
}

/* Continues behind the comma that ends the column before. */
static inline const uint8_t *open_column(const uint8_t *p, bool *first)
{
	if (!*first)
		return *p == ',' ? p + 1 : NULL;
	*first = false;
	return p;
}

static inline const uint8_t *scan_address(const uint8_t *p, uint32_t *ret)
{
	uint32_t addr = 0;

	for (int part = 0; part < 4; part++) {
		const uint8_t *start = p;
		unsigned v = 0;

		for (; is_digit(*p, 9) && p - start < 3; p++)
			v = v * 10 + (*p - '0');
		if (p == start || v > 255 || (part < 3 && *p++ != '.'))
			return NULL;
		addr = addr << 8 | v;
	}
	*ret = addr;
	return p;
}

static inline const uint8_t *scan_pairs(const uint8_t *p, uint8_t *out, size_t cap,
					uint16_t *ret_len)
{
	uint16_t n = 0;

	*ret_len = 0;
	if (*p == ',')
		return p;
	for (;; p += 3) {
		unsigned hi = hex_digit[p[0]];
		unsigned lo = hi ? hex_digit[p[1]] : 0;

		if (!lo || n == cap)
			return NULL;
		out[n++] = (uint8_t)((hi - 1) << 4 | (lo - 1));
		if (p[2] != ':')
			break;
	}
	*ret_len = n;
	return p + 2;
}

static inline const uint8_t *scan_uint(const uint8_t *p, uint64_t max, uint64_t *ret)
{
	const uint8_t *start = p;
	uint64_t v = 0;

	for (; is_digit(*p, 9) && p - start < 18; p++)
		v = v * 10 + (*p - '0');
	*ret = v;
	return p > start && v <= max ? p : NULL;
}

static inline const uint8_t *scan_u32(const uint8_t *p, uint32_t *ret)
{
	uint64_t v;

	p = scan_uint(p, UINT32_MAX, &v);
	*ret = (uint32_t)v;
	return p;
}

/* Reads a column with the end of the lease; *ret: that end minus the lifetime, which is an earlier
 * column. */
static inline const uint8_t *scan_time(const uint8_t *p, int64_t lifetime, int64_t *ret)
{
	uint64_t v;

	p = scan_uint(p, INT64_MAX, &v);
	*ret = (int64_t)v - lifetime;
	return p;
}

static inline const uint8_t *scan_flag(const uint8_t *p, bool *ret)
{
	*ret = *p == '1';
	return is_digit(*p, 1) ? p + 1 : NULL;
}

static inline const uint8_t *scan_state(const uint8_t *p, uint8_t *ret)
{
	*ret = (uint8_t)(*p - '0');
	return is_digit(*p, LEASE_RELEASED) ? p + 1 : NULL;
}

static inline const uint8_t *scan_text(const uint8_t *p, char *out, size_t longest)
{
	size_t n = 0;

	for (; p[n] != ','; n++) {
		if (n == longest || p[n] == '\n' || p[n] == '&' || p[n] == '\0')
			return NULL;
		out[n] = (char)p[n];
	}
	out[n] = '\0';
	return p + n;
}

static inline const uint8_t *scan_no_context(const uint8_t *p, const char **ret)
{
	*ret = NULL;
	return *p == ',' || *p == '\n' ? p : NULL;
}

#define SCAN_ADDRESS(member, longest)	scan_address(p, &l->member)
#define SCAN_HARDWARE(member, longest)	scan_pairs(p, l->member, longest, &l->member##_len)
#define SCAN_CLIENT_ID(member, longest) scan_pairs(p, l->member, longest, &l->member##_len)
#define SCAN_LIFETIME(member, longest)	scan_u32(p, &l->member)
#define SCAN_TIME(member, longest)	scan_time(p, l->valid_lft, &l->member)
#define SCAN_NUMBER(member, longest)	scan_u32(p, &l->member)
#define SCAN_OPTIONAL(member, longest)	scan_u32(p, &l->member)
#define SCAN_FLAG(member, longest)	scan_flag(p, &l->member)
#define SCAN_TEXT(member, longest)	scan_text(p, l->member, longest)
#define SCAN_STATE(member, longest)	scan_state(p, &l->member)
#define SCAN_CONTEXT(member, longest)	scan_no_context(p, &l->member)

bool lease_csv_scan(const uint8_t *p, const uint8_t *end, struct lease *l)
{
	bool first = true;

#define LEASE_FIELD(member, kind, longest, ...) \
	if (p)                                  \
		p = open_column(p, &first);     \
	if (p)                                  \
		p = SCAN_##kind(member, longest);
#include "lease/lease_fields.def"
	/* a record without identity is left to lease_csv_read.c */
	return p == end && (l->hw_len || l->client_id_len);
}
