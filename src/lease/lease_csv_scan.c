/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The usual row of a lease file in one pass, as we and Kea write it: twelve columns, octets as
 * pairs in lower case or none, a host name without escapes, no user context. Each function
 * continues behind the comma, or gives NULL where the row is another one, which lease_csv.c then
 * reads with care. A newline stands behind the row and ends every loop.
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

static inline const uint8_t *scan_addr(const uint8_t *p, uint32_t *ret)
{
	uint32_t addr = 0;

	for (int part = 0; part < 4; part++) {
		const uint8_t *start = p;
		unsigned v = 0;

		for (; is_digit(*p, 9) && p - start < 3; p++)
			v = v * 10 + (*p - '0');
		if (p == start || v > 255 || *p++ != (part < 3 ? '.' : ','))
			return NULL;
		addr = addr << 8 | v;
	}
	*ret = addr;
	return p;
}

static inline const uint8_t *scan_pairs(const uint8_t *p, uint8_t *out, size_t cap, size_t *ret_n)
{
	size_t n = 0;

	*ret_n = 0;
	if (*p == ',')
		return p + 1;
	for (;; p += 3) {
		unsigned hi = hex_digit[p[0]];
		unsigned lo = hi ? hex_digit[p[1]] : 0;

		if (!lo || n == cap)
			return NULL;
		out[n++] = (uint8_t)((hi - 1) << 4 | (lo - 1));
		if (p[2] == ',')
			break;
		if (p[2] != ':')
			return NULL;
	}
	*ret_n = n;
	return p + 3;
}

static inline const uint8_t *scan_uint(const uint8_t *p, uint64_t max, uint8_t end, uint64_t *ret)
{
	const uint8_t *start = p;
	uint64_t v = 0;

	for (; is_digit(*p, 9) && p - start < 18; p++)
		v = v * 10 + (*p - '0');
	*ret = v;
	return p > start && v <= max && *p == end ? p + 1 : NULL;
}

static inline const uint8_t *scan_host(const uint8_t *p, struct lease *l)
{
	size_t n = 0;

	for (; p[n] != ','; n++) {
		if (n == LEASE_HOSTNAME_MAX || p[n] == '\n' || p[n] == '&' || p[n] == '\0')
			return NULL;
		l->hostname[n] = (char)p[n];
	}
	l->hostname[n] = '\0';
	return p + n + 1;
}

static inline const uint8_t *scan_identity(const uint8_t *p, struct lease *l)
{
	size_t hw;
	size_t cid;

	p = scan_addr(p, &l->addr);
	if (p)
		p = scan_pairs(p, l->hw, sizeof(l->hw), &hw);
	if (p)
		p = scan_pairs(p, l->client_id, sizeof(l->client_id), &cid);
	/* a record without identity is one of the careful reader's */
	if (!p || !(hw + cid))
		return NULL;
	l->hw_len = (uint8_t)hw;
	l->client_id_len = (uint16_t)cid;
	return p;
}

bool lease_csv_scan(const uint8_t *p, const uint8_t *end, struct lease *l)
{
	uint64_t v[7] = {0};

	p = scan_identity(p, l);
	if (p)
		p = scan_uint(p, UINT32_MAX, ',', &v[0]);
	if (p)
		p = scan_uint(p, INT64_MAX, ',', &v[1]);
	if (p)
		p = scan_uint(p, UINT32_MAX, ',', &v[2]);
	if (!p || !is_digit(p[0], 1) || p[1] != ',' || !is_digit(p[2], 1) || p[3] != ',')
		return false;
	l->fqdn_fwd = p[0] == '1';
	l->fqdn_rev = p[2] == '1';
	p = scan_host(p + 4, l);
	if (!p || !is_digit(p[0], LEASE_RELEASED) || p[1] != ',' || p[2] != ',')
		return false;
	l->state = p[0] - '0';
	p = scan_uint(p + 3, UINT32_MAX, '\n', &v[3]);
	if (p != end + 1)
		return false;
	l->valid_lft = (uint32_t)v[0];
	l->cltt = (int64_t)v[1] - (int64_t)v[0];
	l->subnet_id = (uint32_t)v[2];
	l->pool_id = (uint32_t)v[3];
	l->user_context = NULL;
	return true;
}
