/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Messages in and out in batches. Two back ends: UDP sockets of relay agents with segmentation
 * offload (load_io_udp.c), and raw frames on the server's link (load_io_direct.c). A message is
 * written where it will be sent from; a received one is handed out where it was received. One
 * thread.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

struct load_io;

/* A received message; borrowed until the function returns. now_ns: monotonic, one reading a
 * batch. */
typedef void (*load_io_fn)(void *ctx, struct span msg, int64_t now_ns);

enum { LOAD_IO_MSG_MAX = 1500 };

/* The destination of a message. */
struct load_io_dest {
	uint32_t bind; /* relayed: number of the socket; the message goes to dst:dport from there */
	uint32_t src, dst;	/* host order; direct: UINT32_MAX as dst is the link's broadcast */
	const uint8_t *src_mac; /* direct: the client's; copied */
	uint16_t dport;
};

struct load_io_counts {
	uint64_t sent, send_calls, received, recv_calls, send_errors, kernel_drops, malformed;
	int last_error; /* of a send, -errno */
	bool gso, gro;	/* are they used */
};

struct load_io_opts {
	const uint32_t *bind; /* relayed: addresses, host order */
	unsigned n_bind;
	uint16_t port;	   /* to bind to */
	const char *iface; /* direct */
	bool offload;
	unsigned burst;
};

int load_io_udp_open(const struct load_io_opts *o, struct load_io **ret) must_check;
int load_io_direct_open(const struct load_io_opts *o, struct load_io **ret) must_check;

/* Returns room for a message of at most LOAD_IO_MSG_MAX octets to dest. Never NULL; may send the
 * pending messages. */
uint8_t *load_io_room(struct load_io *io, const struct load_io_dest *dest);
/* Queues the message that was written to the room, len octets. */
void load_io_push(struct load_io *io, size_t len);
/* Sends all pending messages. */
void load_io_flush(struct load_io *io);
/* Passes the received messages to fn. Returns their number, 0 if there are none; -errno of a
 * broken socket. Does not wait. */
int load_io_recv(struct load_io *io, load_io_fn fn, void *ctx) must_check;
/* Waits until a message comes or ns have passed. */
void load_io_wait(struct load_io *io, int64_t ns);
void load_io_counts(struct load_io *io, struct load_io_counts *ret);
void load_io_close(struct load_io *io);
