/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The part of rtnetlink that the client needs: requests put together in a buffer and acknowledged
 * one by one, attributes of a message, walked. libmnl is not used, because the program is static
 * and has musl for its C library (meson.build gives the reason), and Debian's libmnl is neither.
 * Bounded: an attribute that does not fit sets `bad`.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

enum { NL_BUF_LEN = 6144, NL_MSGS_MAX = 80 };

struct nl {
	int fd;
	uint32_t seq; /* of the last message */
};

/* Messages to be sent at once. */
struct nl_batch {
	union {
		struct nlmsghdr align;
		uint8_t buf[NL_BUF_LEN];
	};
	size_t len, cur; /* octets in all; where the message being built begins */
	uint16_t n;
	bool bad;
};

/* Opens a socket. groups: RTMGRP_x to listen to. Returns 0 or -errno. */
int nl_open(struct nl *nl, uint32_t groups) must_check;
void nl_close(struct nl *nl);

void nl_batch_init(struct nl_batch *b);
/* Begins a message with its family header; NLM_F_REQUEST | NLM_F_ACK are added to flags. */
void nl_begin(struct nl_batch *b, struct nl *nl, uint16_t type, uint16_t flags, const void *head,
	      size_t n);
void nl_put(struct nl_batch *b, uint16_t type, const void *p, size_t n);
void nl_put_u32(struct nl_batch *b, uint16_t type, uint32_t v);
void nl_put_be32(struct nl_batch *b, uint16_t type, uint32_t v); /* an IPv4 address */
/* Begins a nest. Returns its place for nl_nest_end(). */
size_t nl_nest(struct nl_batch *b, uint16_t type);
void nl_nest_end(struct nl_batch *b, size_t at);
/*
 * Sends, and waits for the acknowledgement of each message: ret[i] is 0 or -errno of message i. An
 * answer of the kernel is immediate; one that does not come within a second is -ETIMEDOUT. 0 or
 * -errno.
 */
int nl_talk(struct nl *nl, struct nl_batch *b, int *ret, size_t n_ret) must_check;

/* --- lists ------------------------------------------------------------------------------------ */

/* An IPv4 address of the host, host order. */
struct nl_address {
	int ifindex;
	uint32_t address;
	uint8_t prefix_len;
	uint8_t proto; /* IFA_PROTO: the program that added it; 0 where the kernel (before 5.18)
			  does not keep it */
};

/* An IPv4 route, host order; 0 for each part that it does not have. */
struct nl_route {
	uint32_t dest, gateway, src, priority, mtu, table;
	int oif;
	uint8_t len, protocol, type, tos;
};

/* IFA_PROTO of linux/if_addr.h, which older headers lack. */
enum { NL_IFA_PROTO = 11 };

/* Takes one message of a list. Returns false when it has enough. */
typedef bool nl_message_fn(void *ctx, const struct nlmsghdr *h);
/*
 * Reads a list from the kernel: the IPv4 addresses of the host. The functions below read the IPv4
 * routes of table main (of the interface, where the kernel filters; the caller checks), and the
 * links. Each returns 0 or -errno (-ETIMEDOUT after one second without an answer). rtnetlink(7).
 */
int nl_addresses(struct nl *nl, nl_message_fn *take, void *ctx) must_check;
int nl_routes(struct nl *nl, int ifindex, nl_message_fn *take, void *ctx) must_check;
int nl_links(struct nl *nl, nl_message_fn *take, void *ctx) must_check;
/* Reads a message of a list or a notification, as does the function below. Returns false for
 * another family or a message that is too short. */
bool nl_read_address(const struct nlmsghdr *h, struct nl_address *ret) must_check;
bool nl_read_route(const struct nlmsghdr *h, struct nl_route *ret) must_check;

/* --- attributes ------------------------------------------------------------------------------- */

/* Returns the next attribute of a message behind its family header; NULL at the end. *pos begins
 * at 0. */
const struct rtattr *nl_attr(const struct nlmsghdr *h, size_t head_len, size_t *pos);
/* Returns the next attribute inside an attribute; NULL at the end. *pos begins at 0. */
const struct rtattr *nl_nested(const struct rtattr *outer, size_t *pos);
struct span nl_data(const struct rtattr *a);
/* Returns the value of an attribute; 0 if its length is another. */
uint32_t nl_u32(const struct rtattr *a);
uint32_t nl_be32(const struct rtattr *a);
/* Returns the next whole message of the received octets; NULL at the end. */
const struct nlmsghdr *nl_msg(struct span in, size_t *pos);
