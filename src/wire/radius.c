/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The codec of RADIUS. An attribute has at least its type and its length, which counts both.
 */
#include "wire/radius.h"

enum { ATTR_HDR_LEN = 2, VENDOR_HDR_LEN = 6 };

static bool attributes_are_whole(struct span attrs)
{
	struct radius_attr a;
	struct span rest = attrs;

	while (radius_next(&rest, &a))
		continue;
	return !rest.n;
}

bool radius_read(struct span datagram, struct radius_msg *ret)
{
	struct rd r = rd_init(datagram);
	uint16_t len;

	*ret = (struct radius_msg){.code = rd_u8(&r)};
	ret->id = rd_u8(&r);
	len = rd_be16(&r);
	if (!rd_ok(&r) || len < RADIUS_HDR_LEN || len > RADIUS_LEN_MAX || len > datagram.n)
		return false;
	ret->octets = span_of(datagram.p, len);
	ret->attrs = span_sub(ret->octets, RADIUS_HDR_LEN, len);
	return attributes_are_whole(ret->attrs);
}

bool radius_next(struct span *rest, struct radius_attr *ret)
{
	struct rd r = rd_init(*rest);
	uint8_t type = rd_u8(&r), len = rd_u8(&r);
	struct span value;

	if (!rd_ok(&r) || len < ATTR_HDR_LEN)
		return false;
	value = rd_bytes(&r, (size_t)len - ATTR_HDR_LEN);
	if (!rd_ok(&r))
		return false;
	*ret = (struct radius_attr){.type = type, .value = value};
	*rest = span_of(r.p, r.n);
	return true;
}

bool radius_find(const struct radius_msg *m, uint8_t type, struct span *ret)
{
	struct span rest = m->attrs;
	struct radius_attr a;
	bool found = false;

	while (radius_next(&rest, &a)) {
		if (a.type != type)
			continue;
		*ret = a.value;
		found = true;
	}
	return found;
}

void radius_begin(struct wr *w, enum radius_code code, uint8_t id)
{
	wr_u8(w, (uint8_t)code);
	wr_u8(w, id);
	wr_be16(w, RADIUS_HDR_LEN);
	wr_zero(w, RADIUS_AUTH_LEN);
}

void radius_add(struct wr *w, uint8_t type, struct span value)
{
	if (value.n > RADIUS_VALUE_MAX) {
		w->bad = true;
		return;
	}
	wr_u8(w, type);
	wr_u8(w, (uint8_t)(value.n + ATTR_HDR_LEN));
	wr_span(w, value);
}

void radius_add_be32(struct wr *w, uint8_t type, uint32_t value)
{
	wr_u8(w, type);
	wr_u8(w, ATTR_HDR_LEN + 4);
	wr_be32(w, value);
}

void radius_add_vendor(struct wr *w, uint32_t vendor, uint8_t type, struct span value)
{
	if (value.n > RADIUS_VENDOR_VALUE_MAX) {
		w->bad = true;
		return;
	}
	wr_u8(w, RADIUS_VENDOR_SPECIFIC);
	wr_u8(w, (uint8_t)(value.n + VENDOR_HDR_LEN + ATTR_HDR_LEN));
	wr_be32(w, vendor);
	wr_u8(w, type);
	wr_u8(w, (uint8_t)(value.n + ATTR_HDR_LEN));
	wr_span(w, value);
}

bool radius_end(struct wr *w)
{
	if (w->len > RADIUS_LEN_MAX)
		return false;
	wr_patch_be16(w, 2, (uint16_t)w->len);
	return wr_ok(w);
}
