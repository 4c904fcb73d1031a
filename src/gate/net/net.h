/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The network layer as the floors above see it: addresses, completion of headers, checksums over
 * the pseudo header, the room of a datagram. TCP and the applications know no offset of a network
 * header, so that a second protocol takes its place beside IPv4 here.
 */
#pragma once

#include "gate/engine/dissect.h"

extern const struct gate_net_ops gate_net_ops;

/* Allocates the floor's own memory (dissectors.def): reassembly, and packets that rules create. */
int net_init(struct gate *g, const struct gate_opts *o) must_check;
void net_fini(struct gate *g);
void net_tick(struct gate *g, int64_t now_ns);
void net_drain(struct gate *g);

/* --- Headers ---------------------------------------------------------------------------------- */

/* Reads p's addresses from the network header at p->p.l3. */
void net_read_addresses(struct gate_packet *p);
/* Writes p's addresses into its network header. */
void net_write_addresses(struct gate_packet *p);
/* Completes length and checksum of a written network header; also IPv4's `send` in dissectors.def.
 */
void net_complete(struct gate *g, struct gate_packet *p);
/* Returns the partial sum over the pseudo header for `len` octets of p's transport (RFC 9293 3.1).
 */
uint32_t net_pseudo_sum(const struct gate_packet *p, uint32_t len);
/* Checks the checksum of the UDP datagram or TCP segment as it came, once. Good too: none, left to
 * hardware, or not checked by configuration. */
enum gate_checksum net_checksum(const struct gate *g, struct gate_packet *p);
/* Returns the length of the longest datagram that can leave as the frame does, whose network header
 * is at l3. */
uint32_t net_room(struct gate *g, const struct frame *f, const uint8_t *data, uint32_t l3);

/* --- Flows ------------------------------------------------------------------------------------ */

/* Returns one direction's key, as the packet has it. */
void net_flow_key(const struct gate_packet *p, struct flow_key *ret);
/* Returns the hash bucket of a flow of the current packet. */
uint32_t net_flow_bucket(const struct gate_walk *w, const struct flow_key *k);
/* Returns a number of the flow's client, keyed by g->seed: equal for all of its flows. */
uint32_t net_owner(const struct gate *g, const struct flow_key *k);
/* Prefetches the flows of the first n frames of the batch. */
void net_expect_flows(struct gate *g, uint32_t n);
/*
 * Called when a packet comes by another interface than the one noted for its end of the flow.
 * Returns whether that is allowed. RFC 9293 knows no interfaces: an acknowledgement that the other
 * end made up must not count as the receiver's. The first packet of each end sets its interface.
 * followed: a dissector relies on the flow, so that an end cannot move to a third interface.
 */
bool net_flow_side_changed(struct gate_packet *p, bool followed);

static inline bool net_flow_side(struct gate_packet *p, bool followed)
{
	uint32_t side = p->frame.side;

	return likely(!side || p->flow->side[p->direction] == side) ||
	       net_flow_side_changed(p, followed);
}

/* --- Functions of dissectors.def -------------------------------------------------------------- */

void send_icmp(struct gate *g, struct gate_packet *p);
void send_udp(struct gate *g, struct gate_packet *p);
void udp_flow_end(struct gate_walk *w, struct flow *f);
