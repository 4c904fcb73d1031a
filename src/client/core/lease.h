/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A lease as the client holds it: a value without pointers, checked before it exists. The values to
 * be configured are derived (mask, routes, MTU, times); all options as the server sent them lie
 * beside it for scripts and the control channel. Pure.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"
#include "client/core/drop.h"

struct dhcp4_msg;

enum {
	CLIENT_LEASE_OPTIONS = 2304, /* the capacity of a packet slot, and a length of 16 bits each
				      */
	CLIENT_LEASE_ROUTES = 256,   /* the most that a message of 1,500 octets can name */
	CLIENT_MTU_MIN = 576,	     /* RFC 2132 5.1 allows 68; no network works with that */
};

#define CLIENT_LEASE_INFINITE UINT32_MAX

struct client_route {
	uint32_t dest, gateway; /* gateway 0: on the link */
	uint8_t len;
};

struct client_lease {
	uint32_t address, mask;
	uint32_t broadcast; /* 0: none */
	uint32_t server_id;
	uint32_t server_ip; /* the answer's source address */
	uint8_t server_mac[6];
	uint32_t lease_s, t1_s, t2_s; /* t1 <= t2 <= lease; CLIENT_LEASE_INFINITE: no timers */
	int64_t start_ns;	      /* CLOCK_BOOTTIME when the REQUEST was sent */
	uint16_t mtu;		      /* 0: the link's */
	uint16_t n_routes, options_len;
	uint16_t n_left_out; /* routes of the message that are not used */
	struct client_route route[CLIENT_LEASE_ROUTES]; /* in the order to be added */
	uint8_t options[CLIENT_LEASE_OPTIONS]; /* code, length (16 bit), data; joined (RFC 3396) */
};

/* Terms that a message must meet to be a lease for us. */
struct client_lease_terms {
	uint32_t want; /* the address it must be about; 0: any (an OFFER) */
	uint32_t mask; /* if it names none; 0: refuse */
	uint16_t link_mtu;
};

static inline unsigned client_prefix_len(uint32_t mask)
{
	return (unsigned)__builtin_popcount(mask);
}

/* Checks whether a host may have the address under this mask. Returns CLIENT_DROP_NONE or the
 * reason against it. RFC 1122 3.2.1.3, RFC 3021. */
enum client_drop client_address_check(uint32_t address, uint32_t mask) must_check;
/* Returns whether one host may have the address at all, with any mask. */
bool client_address_is_unicast(uint32_t address);

/* Reads an OFFER or ACK into a lease. Times are kept as they were sent (client_lease_times()
 * corrects them). Returns CLIENT_DROP_NONE or the reason to drop the message. */
enum client_drop client_lease_read(const struct dhcp4_msg *m, const struct client_lease_terms *t,
				   struct client_lease *ret) must_check;
/* Reads the answer to an INFORM: options only; address and mask stay 0. */
enum client_drop client_lease_read_options(const struct dhcp4_msg *m, uint16_t link_mtu,
					   struct client_lease *ret) must_check;
/* Checks a lease that was read from a file as a lease from the network is checked. */
enum client_drop client_lease_check(const struct client_lease *l) must_check;
/* Corrects T1 and T2. Values with 0 < T1 < T2 < lease stay; others become 0.5 and 0.875 of the
 * lease, less up to 1/32 by fuzz (0 to 255). RFC 2131 4.4.5. */
void client_lease_times(struct client_lease *l, uint8_t fuzz);
/* Returns the gateway of the default route; 0: there is none. */
uint32_t client_lease_router(const struct client_lease *l);
/* Returns the octets of an option, borrowed from l; empty, with p NULL, where it is absent. */
struct span client_lease_option(const struct client_lease *l, uint8_t code);
