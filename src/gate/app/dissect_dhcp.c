/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DHCPv4 (RFC 2131) behind UDP ports 67 and 68. No flow: half of its datagrams go to everybody, and
 * a transaction is no conversation of two addresses. A message that nobody changed keeps its
 * octets; a changed one is encoded whole, every option in the options field, so nothing is left
 * out.
 */
#include "base/error.h"
#include "gate/engine/dissect.h"
#include "gate/engine/verdict.h"

#include <errno.h>

int receive_dhcp(struct gate *g, struct gate_packet *p)
{
	struct span octets = span_of(p->p.data + p->p.app, p->p.app_len);
	int r;

	g->dhcp_changed = false;
	/* a packet that cannot be read and is forwarded has no message: the one before must not
	 * stay */
	dhcp4_init(&g->dhcp, &p->p.arena);
	if (gate_checksum(g, p) == CHECKSUM_BAD)
		return gate_undecided(g, p, GATE_DROP_UDP_CHECKSUM);
	r = dhcp4_decode(octets, DHCP4_LENIENT, &p->p.arena, &g->dhcp);
	if (r < 0)
		return gate_undecided(g, p,
				      r == -USHER_E_NOMEM ? GATE_DROP_DHCP_LIMIT
							  : GATE_DROP_DHCP_MESSAGE);
	return gate_raise(g, EVENT_DHCP_pkt4_receive, p, NULL) ? GATE_ACCEPT : GATE_DROP;
}

int gate_dhcp_change(struct gate *g, struct gate_packet *p)
{
	if (g->pass_through)
		return -EROFS;
	g->dhcp_changed = true;
	p->dirty |= DIRTY_APP;
	return 0;
}

void send_dhcp(struct gate *g, struct gate_packet *p)
{
	/* one that was padded for old clients stays so (RFC 1542 2.1) */
	struct dhcp4_encode_opts o = {
		.max_len = FRAME_MAX_LEN,
		.no_overload = true,
		.min_len = p->p.app_len < DHCP4_BOOTP_MIN_LEN ? p->p.app_len : DHCP4_BOOTP_MIN_LEN,
	};
	struct dhcp4_encoded e;

	if (!g->dhcp_changed)
		return;
	if (dhcp4_encode(&g->dhcp, &o, g->octets, FRAME_MAX_LEN, &e) < 0 || e.n_omitted ||
	    verdict_splice(g, p, p->p.app, p->p.app_len, span_of(g->octets, e.len)) < 0)
		gate_drop(p, GATE_DROP_TOO_LONG);
}
