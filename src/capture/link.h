/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The PF_PACKET socket itself, kept apart because the names of its kernel header clash with those
 * of packet/packet.h.
 */
#pragma once

#include "capture/socket.h"

struct link_opts {
	int ifindex;
	const char *ifname;
	uint16_t port; /* UDP destination port that is let in */
	int rcvbuf;
	int fanout_group; /* > 0: join it */
};

/* Opens a socket, attaches the filter, then binds it. Returns the descriptor or -errno. *ret_mac
 * becomes the interface's hardware address. */
int link_open(const struct link_opts *o, uint8_t ret_mac[6]) must_check;

/* Ancillary data of a received frame. */
struct link_meta {
	bool outgoing, otherhost, broadcast;
	bool csum_not_ready;
	uint16_t vlan_id; /* of a tag that was taken off */
	int ifindex;
};
struct link_meta link_meta(struct sock_batch *b, size_t i);
/* Fills in the destination address of a message. Returns the length of the address. */
socklen_t link_addr(union sock_addr *a, int ifindex, const uint8_t mac[6]);
