/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The checks of a received packet, each with its name in drop.def: addressee, message type, whether
 * it is expected, and whether the offered values may ever be configured. Pure: the client is only
 * read.
 */
#pragma once

#include "client/core/client.h"

struct client_msg {
	struct dhcp4_msg m; /* borrows from the packet */
	enum dhcp4_type type;
	enum client_event event;
	uint32_t server_id;
	struct client_lease *lease; /* of OFFER, ACK, INFORM_ACK: filled, every check passed */
	uint32_t v6only_s;	    /* of V6ONLY */
	bool odd_port;
	bool broadcast; /* it came in a broadcast frame */
};

/* Checks a decoded packet (packet_decode() returned DROP_NONE). *ret_lease receives the lease of
 * the message. Returns CLIENT_DROP_NONE with *ret filled, or the reason to drop the packet. */
enum client_drop client_accept(const struct client *c, struct packet *p,
			       struct client_lease *ret_lease, struct client_msg *ret) must_check;
