/* SPDX-License-Identifier: MPL-2.0 */
/* Binary values of the protocol. Times are microseconds since 2000-01-01. */
#include "database/database_value.h"

enum { EPOCH_2000 = 946684800 };

static void put_be(struct buf *b, uint64_t v, size_t n)
{
	uint8_t octets[8];

	for (size_t i = 0; i < n; i++)
		octets[i] = (uint8_t)(v >> 8 * (n - 1 - i));
	buf_add(b, octets, n);
}

void database_put_int8(struct buf *b, int64_t v)
{
	put_be(b, (uint64_t)v, 8);
}

void database_put_time(struct buf *b, int64_t s)
{
	put_be(b, (uint64_t)((s - EPOCH_2000) * 1000000), 8);
}

void database_array_begin(struct buf *b, uint32_t element_type, size_t n)
{
	put_be(b, n ? 1 : 0, 4); /* dimensions */
	put_be(b, 0, 4);	 /* no nulls */
	put_be(b, element_type, 4);
	if (!n)
		return;
	put_be(b, n, 4);
	put_be(b, 1, 4); /* the first index */
}

void database_array_int8(struct buf *b, int64_t v)
{
	put_be(b, 8, 4);
	database_put_int8(b, v);
}

void database_array_time(struct buf *b, int64_t s)
{
	put_be(b, 8, 4);
	database_put_time(b, s);
}

void database_array_bool(struct buf *b, bool v)
{
	put_be(b, 1, 4);
	put_be(b, v, 1);
}

void database_array_bytes(struct buf *b, struct span s)
{
	put_be(b, s.n, 4);
	buf_add(b, s.p, s.n);
}

/* Returns the octets of the character at p, 1 to 4; 0: it is no UTF-8. */
static size_t character_len(const uint8_t *p, size_t left)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc2 ? 2 : 0;
	uint32_t c = n > 1 ? p[0] & (0x7fU >> n) : p[0];

	if (n == 0 || n > left)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c == 0 || c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	return n;
}

void database_array_text(struct buf *b, struct span s)
{
	put_be(b, s.n, 4);
	for (size_t i = 0; i < s.n;) {
		size_t n = character_len(s.p + i, s.n - i);

		if (n == 0)
			buf_char(b, '?');
		else
			buf_add(b, s.p + i, n);
		i += n ? n : 1;
	}
}
