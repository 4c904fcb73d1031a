/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The shared part of the two socket back ends: batches of messages for recvmmsg and sendmmsg,
 * opening the UDP socket, sending datagrams with a chosen source. A batch belongs to one capture.
 */
#pragma once

#include "capture/capture_backend.h"

#include <netinet/in.h>
#include <sys/socket.h>

union sock_addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_storage any; /* of sockaddr_ll: its header's names clash with ours */
};

union sock_ctrl {
	struct cmsghdr align;
	uint8_t buf[128];
};

struct sock_batch {
	struct mmsghdr msg[CAPTURE_BATCH];
	struct iovec iov[CAPTURE_BATCH];
	union sock_addr addr[CAPTURE_BATCH];
	union sock_ctrl ctrl[CAPTURE_BATCH];
	/* of a batch to send: */
	struct capture_tx *tx[CAPTURE_BATCH]; /* one an iov, in their order */
	size_t n, n_tx;			      /* messages, and datagrams in them */
	bool segment;			      /* the kernel cuts joined datagrams (UDP_SEGMENT) */
};

struct sock_udp_opts {
	const char *ifname; /* NULL: any */
	uint32_t addr;
	uint16_t port;
	bool reuseport;
	bool send_only; /* let nothing in */
	int rcvbuf;
};

/* Opens a non-blocking UDP socket. Returns its descriptor or -errno. */
int sock_udp_open(const struct sock_udp_opts *o) must_check;
int sock_set_int(int fd, int level, int opt, int v) must_check;
int sock_set_rcvbuf(int fd, int octets) must_check;
/*
 * Room for packets that wait for ARP: the kernel charges it to the socket, and drops a neighbour's
 * oldest beyond unres_qlen_bytes (208 KiB). So one destination that does not answer holds 1/150 of
 * it.
 */
enum { SOCK_SNDBUF = 32 << 20 };
int sock_set_sndbuf(int fd, int octets) must_check;

/* Sets the octets into which message i is received. */
void sock_batch_into(struct sock_batch *b, size_t i, void *p, size_t n);
/* Receives into the packets' slots; lengths, the flag of cut-off ones and ts_ns are set. */
int sock_recv(int fd, struct sock_batch *b, struct packet **pkts, size_t n) must_check;
/* Returns the control message of message i, or NULL. */
const struct cmsghdr *sock_cmsg(struct sock_batch *b, size_t i, int level, int type);

/* Sends n datagrams (up to CAPTURE_BATCH) by a UDP socket, each with its source and interface.
 * Those of one destination and length leave as one message if b->segment. Returns how many were
 * sent. */
int sock_send_udp(int fd, struct sock_batch *b, struct capture_tx *const *tx, size_t n);
/* Appends octets to the address at addr[n], which the caller has set. */
void sock_batch_raw(struct sock_batch *b, struct capture_tx *tx, uint8_t *p, size_t n,
		    socklen_t addr_len);
/* Returns how full a socket's receive queue is, in thousandths of its limit (SO_MEMINFO); 0:
 * unknown. */
unsigned sock_backlog(int fd);
/* Sends the batch and empties it; results are set. Returns how many were sent. */
int sock_flush(int fd, struct sock_batch *b);
uint64_t sock_drops(int fd);
