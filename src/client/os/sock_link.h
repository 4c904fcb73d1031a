/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The part of sock.c that needs the kernel's PF_PACKET header, whose names clash with those of
 * packet/packet.h.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

#include <sys/socket.h>

struct client_frame_meta {
	bool outgoing, otherhost, broadcast, csum_not_ready;
	uint16_t vlan_id; /* of a tag that the kernel took off */
};

struct filter;

/* Opens an AF_PACKET socket, filtered, locked, bound to one protocol (host order). Returns a
 * descriptor or -errno. */
int client_link_open(int ifindex, uint16_t protocol, struct filter *f) must_check;
/* Receives one frame. Returns its whole length, also if it is longer than cap; 0: none is there;
 * -errno. */
int client_link_recv(int fd, uint8_t *buf, size_t cap, struct client_frame_meta *ret) must_check;
int client_link_send(int fd, int ifindex, struct span frame) must_check;
