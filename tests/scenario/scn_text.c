/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A message in one line, for failures.
 */
#include "scn.h"

#include "base/ip.h"

static void text_option(const struct scn_reply *r, unsigned code, struct buf *out)
{
	buf_printf(out, " %u=hex:", code);
	buf_hex(out, span_of(r->opt[code], r->opt_len[code]), 0);
	if (r->opt_len[code] == 4)
		buf_printf(out, "(%u.%u.%u.%u)", r->opt[code][0], r->opt[code][1], r->opt[code][2],
			   r->opt[code][3]);
}

void scn_reply_text(const struct scn_reply *r, struct buf *out)
{
	char ip[IP_TEXT_LEN];

	buf_printf(out, "%s to=%s:%u",
		   r->has[53] ? dhcp4_type_name((enum dhcp4_type)r->opt[53][0]) : "no type",
		   ip_text(r->pkt.dst, ip), r->pkt.dport);
	buf_printf(out, " src=%s frame=", ip_text(r->pkt.src, ip));
	buf_hex(out, span_of(r->pkt.l2_dst, 6), ':');
	buf_printf(out, r->tx.to_mac ? "" : "(routed)");
	for (unsigned off = 12; r->msg && off < 28; off += 4) {
		static const char *const names[] = {"ciaddr", "yiaddr", "siaddr", "giaddr"};

		buf_printf(out, " %s=%u.%u.%u.%u", names[off / 4 - 3], r->msg[off], r->msg[off + 1],
			   r->msg[off + 2], r->msg[off + 3]);
	}
	for (size_t i = 0; i < r->n_order; i++)
		text_option(r, r->opt_order[i], out);
}
