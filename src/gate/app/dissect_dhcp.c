/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DHCPv4 (RFC 2131) behind UDP ports 67 and 68. No flow: half of its datagrams go to everybody, and
 * a transaction is no conversation of two addresses. A message that nobody changed keeps its
 * octets; a changed one is encoded whole, every option in the options field, so nothing is left
 * out.
 */
#include "gate/app/dissect_dhcp.h"

#include "base/error.h"
#include "gate/engine/verdict.h"
#include "gate/net/net.h"

#include <errno.h>
#include <stdlib.h>

struct gate_dhcp {
	struct dhcp4_msg msg; /* of the current packet */
	bool changed;
};

static struct gate_dhcp *dhcp_of(const struct gate *g)
{
	return g->apps[DISSECT_DHCP];
}

int gate_dhcp_init(struct gate *g, const struct gate_opts *o)
{
	(void)o;
	g->apps[DISSECT_DHCP] = calloc(1, sizeof(struct gate_dhcp));
	return g->apps[DISSECT_DHCP] ? 0 : -ENOMEM;
}

void gate_dhcp_fini(struct gate *g)
{
	free(g->apps[DISSECT_DHCP]);
	g->apps[DISSECT_DHCP] = NULL;
}

struct dhcp4_msg *gate_dhcp_msg(const struct gate *g)
{
	return &dhcp_of(g)->msg;
}

int receive_dhcp(struct gate_walk *w)
{
	struct gate_packet *p = w->p;
	struct gate_dhcp *d = dhcp_of(w->g);
	struct span octets = span_of(p->p.data + p->p.app, p->p.app_len);
	int r;

	d->changed = false;
	/* a packet that cannot be read and is forwarded has no message: the one before must not
	 * stay */
	dhcp4_init(&d->msg, &p->p.arena);
	if (net_checksum(w->g, p) == CHECKSUM_BAD)
		return gate_undecided(w, GATE_DROP_UDP_CHECKSUM);
	r = dhcp4_decode(octets, DHCP4_LENIENT, &p->p.arena, &d->msg);
	if (r < 0)
		return gate_undecided(w, r == -USHER_E_NOMEM ? GATE_DROP_DHCP_LIMIT
							     : GATE_DROP_DHCP_MESSAGE);
	return gate_raise(w, EVENT_DHCP_pkt4_receive, NULL) ? GATE_ACCEPT : GATE_DROP;
}

int gate_dhcp_change(struct gate *g, struct gate_packet *p)
{
	if (g->pass_through)
		return -EROFS;
	dhcp_of(g)->changed = true;
	p->dirty |= DIRTY_APP;
	return 0;
}

void send_dhcp(struct gate *g, struct gate_packet *p)
{
	const struct gate_dhcp *d = dhcp_of(g);
	/* one that was padded for old clients stays so (RFC 1542 2.1) */
	struct dhcp4_encode_opts o = {
		.max_len = FRAME_MAX_LEN,
		.no_overload = true,
		.min_len = p->p.app_len < DHCP4_BOOTP_MIN_LEN ? p->p.app_len : DHCP4_BOOTP_MIN_LEN,
	};
	struct dhcp4_encoded e;

	if (!d->changed)
		return;
	if (dhcp4_encode(&d->msg, &o, g->octets, FRAME_MAX_LEN, &e) < 0 || e.n_omitted ||
	    verdict_splice(g, p, p->p.app, p->p.app_len, span_of(g->octets, e.len)) < 0)
		gate_drop(p, GATE_DROP_TOO_LONG);
}
