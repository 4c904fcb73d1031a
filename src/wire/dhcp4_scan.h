/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One walk over a field of options, without joining and without memory: for the decoder, and for
 * users that need a few options of very many messages. Pure.
 */
#pragma once

#include "base/cursor.h"
#include "wire/dhcp4.h"

enum { DHCP4_SCAN_PAD = 0, DHCP4_SCAN_END = 255 };

/* Reads the next option of a field. False at END, at the end of the field, or (with r bad) where
 * the field is cut off. */
static inline bool dhcp4_scan_next(struct rd *r, struct dhcp4_option *ret)
{
	while (rd_left(r)) {
		ret->code = rd_u8(r);
		if (ret->code == DHCP4_SCAN_END)
			return false;
		if (ret->code == DHCP4_SCAN_PAD)
			continue;
		ret->data = rd_bytes(r, rd_u8(r));
		return rd_ok(r);
	}
	return false;
}
