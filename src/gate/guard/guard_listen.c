/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The listeners: each event of the gate goes to the file that judges it.
 */
#include "gate/guard/guard_impl.h"

#include "wire/eth.h"

static bool on_frame(void *ctx, struct gate_walk *w, struct flow *f)
{
	struct gate *g = w->g;
	struct gate_packet *p = w->p;
	struct guard *gd = ctx;

	(void)f;
	gd->server_id = 0;
	gd->seen_frame = p->generation;
	guard_expire(gd, g->now_ns);
	return guard_role_of(gd, p) == GUARD_TRUSTED || guard_judge_frame(gd, p);
}

/* Returns whether the sender of a packet is checked. Without Ethernet the place of no host is
 * known: only servers are judged. */
static bool is_checked(struct guard *gd, const struct gate_packet *p)
{
	return p->p.l2 != PACKET_NO_LAYER && guard_role_of(gd, p) != GUARD_TRUSTED;
}

static bool on_ipv4(void *ctx, struct gate_walk *w, struct flow *f)
{
	struct gate_packet *p = w->p;
	struct guard *gd = ctx;

	(void)f;
	gd->seen_ipv4 = p->generation;
	return !is_checked(gd, p) ||
	       (guard_judge_fragment(gd, p, false) && guard_judge_ipv4(gd, p));
}

static bool on_ipv4_leaving(void *ctx, struct gate_walk *w, struct flow *f)
{
	struct gate_packet *p = w->p;
	struct guard *gd = ctx;

	(void)f;
	if (!is_checked(gd, p))
		return true;
	if (!guard_judge_fragment(gd, p, true))
		return false;
	return !guard_is_message(p) || gd->judged == p->generation ||
	       guard_refuse(gd, p, GATE_DROP_GUARD_UNREADABLE);
}

static bool on_reassembled(void *ctx, struct gate_walk *w, struct flow *f)
{
	struct gate_packet *p = w->p;
	struct guard *gd = ctx;

	(void)f;
	return !is_checked(gd, p) || guard_judge_ipv4(gd, p);
}

static bool on_message(void *ctx, struct gate_walk *w, struct flow *f)
{
	struct gate *g = w->g;
	struct gate_packet *p = w->p;
	struct guard *gd = ctx;

	(void)f;
	gd->judged = p->generation;
	gd->server_id = 0;
	(void)dhcp4_opt_u32(gate_dhcp_msg(g), 54, &gd->server_id);
	/* a message that only a server sends, or that only a client would read */
	if (gate_dhcp_msg(g)->op == DHCP4_BOOTREPLY || p->p.dport == DHCP4_CLIENT_PORT)
		return guard_judge_reply(gd, p);
	return guard_judge_request(gd, w);
}

/*
 * Checks a packet again before it leaves: unreadable packets are forwarded under fail-open, and a
 * policy of a rule file can send packets past a dissector, which would bypass the guard.
 */
static bool on_leaving(void *ctx, struct gate_walk *w, struct flow *f)
{
	struct gate_packet *p = w->p;
	struct guard *gd = ctx;
	bool seen = gd->seen_frame == p->generation &&
		    (p->eth_type != ETH_TYPE_IPV4 || gd->seen_ipv4 == p->generation);

	(void)f;
	if (seen || p->frame.link != FRAME_ETHERNET || guard_role_of(gd, p) == GUARD_TRUSTED)
		return true;
	return guard_refuse(gd, p, GATE_DROP_GUARD_UNREADABLE);
}

int guard_listen(struct guard *gd)
{
	static const struct {
		enum gate_event event;
		gate_listener_fn fn;
	} all[] = {
		{EVENT_ETHERNET_receive_packet, on_frame},
		{EVENT_IPV4_receive_packet, on_ipv4},
		{EVENT_IPV4_receive_packet_reassembled, on_reassembled},
		{EVENT_IPV4_send_packet, on_ipv4_leaving},
		{EVENT_DHCP_pkt4_receive, on_message},
		{EVENT_RAW_send_packet, on_leaving},
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(all) && r == 0; i++)
		r = gate_listen(gd->gate, all[i].event, all[i].fn, gd);
	return r;
}
