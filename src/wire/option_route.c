/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Option 121, classless static routes (RFC 3442), as text "dest/len - router, dest/len - router".
 * A destination is as many octets as its prefix length needs; bits behind the prefix are cleared.
 */
#include "base/error.h"
#include "base/ip.h"
#include "wire/option_internal.h"

static int destination_encode(struct option_enc *e, const char *text)
{
	const char *rest = text;
	char *dest = option_text_split(e->arena, &rest, '/');
	uint32_t addr;
	int64_t bits;
	int r;

	if (!dest || !rest || ip_parse(dest, strlen(dest), &addr) < 0)
		return option_enc_fail(e, -USHER_E_SYNTAX, "'%.100s' is not address/length", text);
	r = option_enc_number(e, rest, 0, 32, &bits);
	if (r < 0)
		return r;
	option_enc_be(e, (uint64_t)bits, 1);
	addr &= ip_mask((unsigned)bits);
	option_enc_be(e, (uint64_t)addr >> (32 - (size_t)(bits + 7) / 8 * 8),
		      (size_t)(bits + 7) / 8);
	return 0;
}

int option_routes_encode(struct option_enc *e, const struct option_def *def, const char *text)
{
	char *route;

	(void)def;
	while ((route = option_text_split(e->arena, &text, ',')) != NULL) {
		const char *rest = route;
		char *dest = option_text_split(e->arena, &rest, '-');
		char *router = option_text_split(e->arena, &rest, '-');
		int r;

		if (!*route)
			continue; /* Kea leaves empty entries out */
		if (!dest || !router || rest)
			return option_enc_fail(e, -USHER_E_SYNTAX,
					       "'%.100s' is not \"address/length - router\"",
					       route);
		r = destination_encode(e, dest);
		if (r == 0)
			r = option_enc_ipv4(e, router);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool route_read(struct rd *r, struct buf *out)
{
	unsigned bits = rd_u8(r);
	uint32_t dest = 0;

	if (bits > 32)
		return false;
	for (unsigned i = 0; i < 4; i++)
		dest = dest << 8 | (i < (bits + 7) / 8 ? rd_u8(r) : 0);
	option_put_ipv4(out, dest & ip_mask(bits));
	option_put(out, "/%u - ", bits);
	option_put_ipv4(out, rd_be32(r));
	return rd_ok(r);
}

bool option_routes_read(const struct option_def *def, struct span data, struct buf *out)
{
	struct rd r = rd_init(data);

	(void)def;
	if (!route_read(&r, out))
		return false;
	while (rd_left(&r)) {
		option_put(out, ", ");
		if (!route_read(&r, out))
			return false;
	}
	return true;
}
