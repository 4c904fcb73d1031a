/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Receiving datagrams that the kernel joined (UDP_GRO): one message holds up to 64 of one sender,
 * all of one length but the last. They are handed out one by one, over as many calls as the caller
 * needs. A reader belongs to one capture.
 */
#pragma once

#include "capture/socket.h"

/* Messages a system call, and the length of one. Buffers do not start on the same cache sets. */
enum { GRO_MESSAGES = 8, GRO_MESSAGE_LEN = 65536, GRO_STRIDE = GRO_MESSAGE_LEN + 4096 + 256 };

struct gro {
	struct sock_batch batch; /* message i reads into mem + i * GRO_STRIDE */
	uint8_t *mem;
	int64_t ts_ns;
	size_t n, cur;	/* messages received, and the one being handed out */
	size_t off;	/* of the next datagram in it */
	size_t segment; /* length of its datagrams; 0: not looked at yet */
};

/* Turns the socket to joined datagrams. 0, -ENOMEM, -errno. */
int gro_init(struct gro *g, int fd) must_check;
void gro_fini(struct gro *g);

/*
 * Puts up to n datagrams into packets: the octets, the length, ts_ns and the flag of cut-off ones.
 * `ret_msg[i]`: the message of g->batch that packet i came with, for its addresses; valid until the
 * next call. At most one system call, and none while datagrams are left. Count or -errno.
 */
int gro_recv(struct gro *g, int fd, struct packet **pkts, size_t n, uint8_t *ret_msg) must_check;

/* Returns whether datagrams are left, which the descriptor does not report. */
static inline bool gro_pending(const struct gro *g)
{
	return g->cur < g->n;
}
