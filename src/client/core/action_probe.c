/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Whether the address is free. The RFC 5227 probe takes five seconds; the fast probe sends the same
 * three packets in 120 ms and waits 80 more, beside the REQUEST, so that it costs at most 200 ms.
 * After either one, a later conflict is acted upon: at once in the first two seconds, then by the
 * rules of 2.4.
 */
#include "client/core/action.h"

#include "wire/arp.h"
#include "wire/eth.h"

enum { PROBE_NUM = 3, ANNOUNCE_INTERVAL_S = 2, DEFEND_INTERVAL_S = 10 };

static const int64_t fast_gap = 60 * NS_PER_MS;
static const int64_t fast_end = 200 * NS_PER_MS;

static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static void send_arp(struct client_step *s, const uint8_t dst[6], uint32_t spa, uint32_t tpa)
{
	struct client *c = s->c;
	struct arp_packet a = {.op = ARP_REQUEST, .spa = spa, .tpa = tpa};
	struct eth_hdr eth = {.type = ETH_TYPE_ARP};
	struct wr w = wr_init(s->fx->data + s->fx->data_len, sizeof(s->fx->data) - s->fx->data_len);

	memcpy(eth.dst, dst, sizeof(eth.dst));
	memcpy(eth.src, c->link.mac, sizeof(eth.src));
	memcpy(a.sha, c->link.mac, sizeof(a.sha));
	eth_write(&w, &eth);
	arp_write(&w, &a);
	s->fx->overflow |= !wr_ok(&w);
	effects_add(s->fx, EFFECT_SEND_ARP)->frame = span_of(w.base, w.len);
	s->fx->data_len += w.len;
	c->stats.arp_sent++;
}

/* Returns a random time within one second from from_s, in nanoseconds. */
static int64_t within_second(struct client_step *s, int64_t from_s)
{
	return from_s * NS_PER_S + (int64_t)((uint64_t)NS_PER_S * step_random(s) >> 32);
}

static void send_probe(struct client_step *s)
{
	struct client *c = s->c;

	send_arp(s, everybody, 0, c->offer.address);
	c->probes++;
	if (c->opts->probe == CLIENT_PROBE_RFC5227)
		step_timer(s, CLIENT_TIMER_PROBE,
			   c->probes < PROBE_NUM ? within_second(s, 1)
						 : ANNOUNCE_INTERVAL_S * NS_PER_S);
	else if (c->probes < PROBE_NUM)
		step_timer(s, CLIENT_TIMER_PROBE, fast_gap);
	else
		step_timer_at(s, CLIENT_TIMER_PROBE, c->probe_end_ns);
}

void step_probe_start(struct client_step *s, uint32_t address)
{
	struct client *c = s->c;

	c->probes = 0;
	c->probe_conflict = false;
	c->probe_end_ns = 0;
	step_timer_off(s, CLIENT_TIMER_PROBE);
	/* an address that is on the interface already is known to be ours */
	c->probe_ok = c->opts->probe == CLIENT_PROBE_OFF ||
		      (c->configured && c->lease.address == address);
	if (c->probe_ok)
		return;
	step_listen_arp(s, address);
	c->probe_end_ns = s->now + fast_end;
	if (c->opts->probe == CLIENT_PROBE_RFC5227)
		step_timer(s, CLIENT_TIMER_PROBE, within_second(s, 0));
	else
		send_probe(s);
}

/* --- detection of the network, RFC 4436 ------------------------------------------------------- */

/*
 * Remembers the node that sent the ACK on our link: the server or its relay, which mostly is the
 * gateway. A server on another network was probably relayed by the default gateway.
 */
void step_remember_node(struct client_step *s)
{
	static const uint8_t none[6];
	struct client *c = s->c;
	const struct client_lease *l = &c->lease;

	c->node = client_address_is_unicast(l->server_ip) &&
				  !((l->server_ip ^ l->address) & l->mask)
			  ? l->server_ip
			  : 0;
	for (size_t i = 0; !c->node && i < l->n_routes; i++)
		if (!l->route[i].len)
			c->node = l->route[i].gateway;
	if (memcmp(l->server_mac, none, sizeof(none)) == 0)
		c->node = 0;
	memcpy(c->node_mac, l->server_mac, sizeof(c->node_mac));
}

/* Sends an ARP request to the remembered station, by unicast, so that no cache on another
 * network takes up our address. Needed only for an address that is in use. RFC 4436 2.1.1. */
void step_ask_node(struct client_step *s)
{
	struct client *c = s->c;

	if (!c->configured || !c->node || c->node_found)
		return;
	if (!c->arp_node)
		step_listen_arp(s, c->lease.address);
	send_arp(s, c->node_mac, c->lease.address, c->node);
}

void action_note_node(struct client_step *s)
{
	s->c->node_found = true;
}

/* --- probing, announcing ---------------------------------------------------------------------- */

void action_probe_tick(struct client_step *s)
{
	if (s->c->probes < PROBE_NUM)
		send_probe(s);
	else
		s->raise = CLIENT_EV_PROBE_OK;
}

/* Notes that the probe found no conflict. The lease is not ours yet; the result counts with the
 * ACK. */
void action_note_probe_ok(struct client_step *s)
{
	s->c->probe_ok = true;
}

void action_note_conflict(struct client_step *s)
{
	s->c->probe_conflict = true;
	s->c->probe_ok = false;
	step_timer_off(s, CLIENT_TIMER_PROBE);
}

void step_announce(struct client_step *s)
{
	if (s->c->opts->dry_run)
		return;
	if (s->c->opts->probe != CLIENT_PROBE_OFF && (!s->c->arp || s->c->arp_node))
		step_listen_arp(s, s->c->lease.address);
	send_arp(s, everybody, s->c->lease.address, s->c->lease.address);
	step_timer(s, CLIENT_TIMER_ANNOUNCE, ANNOUNCE_INTERVAL_S * NS_PER_S);
}

void action_announce_again(struct client_step *s)
{
	step_announce(s);
	step_timer_off(s, CLIENT_TIMER_ANNOUNCE);
	s->c->declines = 0;
}

/* Defends the address once in ten seconds, and yields to a second conflict in this time (RFC
 * 5227 2.4 (b)). While the address is being announced it yields at once. */
void action_defend(struct client_step *s)
{
	struct client *c = s->c;
	bool announcing = c->deadline[CLIENT_TIMER_ANNOUNCE] != 0;
	bool again = c->defended_ns && s->now - c->defended_ns < DEFEND_INTERVAL_S * NS_PER_S;

	if (announcing || again) {
		s->raise = CLIENT_EV_PROBE_CONFLICT;
		return;
	}
	c->defended_ns = s->now;
	send_arp(s, everybody, c->lease.address, c->lease.address);
	step_notify(s, CLIENT_NOTICE_DEFENDED);
}
