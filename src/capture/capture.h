/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Packets in and out, from any source. Users see this header; a back end implements
 * capture_backend.h. A capture belongs to one thread. Receive and send work on batches, never block
 * and never allocate.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

struct capture;
struct packet;

/* One datagram to send. The back end builds the headers below the payload. */
struct capture_tx {
	struct span payload; /* DHCP message; borrowed until capture_send returns */
	uint32_t src, dst;   /* host order */
	uint16_t sport, dport;
	int ifindex; /* to leave by; 0: the kernel's routing decides */
	bool to_mac; /* frame straight to dst_mac, no ARP (client without an address) */
	uint8_t dst_mac[6];
	int result; /* set by capture_send: 0 or -errno */
};

struct capture_stats {
	uint64_t received, sent, send_errors;
	uint64_t kernel_drops; /* by a full socket buffer, where the back end knows */
};

/*
 * Fills up to n reset packets; may reorder pkts, so that the filled ones stand in front. Returns
 * the count (0: none now), or -errno of a broken capture; -ENETDOWN and -ENODEV: the interface is
 * gone. capture_ended() reports the end of a file.
 */
int capture_recv(struct capture *c, struct packet **pkts, size_t n) must_check;
/* Sends all, and sets each tx's result. Returns how many were sent. */
int capture_send(struct capture *c, struct capture_tx *tx, size_t n);
/* Returns whether packets are there that capture_fd() does not report: call capture_recv() once
 * more before polling. */
bool capture_pending(const struct capture *c);
/* Returns how full the receive queue is, in thousandths; 0 where the back end does not know. Costs
 * a system call. */
unsigned capture_backlog(const struct capture *c);
/* Returns the descriptor to poll for reading; -1 if the capture is always ready (files, memory). */
int capture_fd(const struct capture *c);
bool capture_ended(const struct capture *c);
void capture_stats(const struct capture *c, struct capture_stats *ret);
void capture_close(struct capture *c);

/* AF_PACKET on one interface, filter (UDP to port) attached before bind; sends raw frames for
 * to_mac, and through a UDP socket bound to port (which receives nothing) otherwise. */
struct capture_af_packet_opts {
	int ifindex;
	const char *ifname; /* for messages and SO_BINDTODEVICE */
	uint16_t port;	    /* 67 */
	uint32_t addr;	    /* the address the UDP socket is bound to */
	int fanout_group;   /* > 0: join PACKET_FANOUT by client (several workers) */
	int fanout_members;
	int rcvbuf;   /* octets; 0: default */
	bool offload; /* datagrams to one destination leave as one message (UDP_SEGMENT) */
};
int capture_af_packet_open(const struct capture_af_packet_opts *o, struct capture **ret) must_check;

/* UDP socket on addr:port of one interface, recvmmsg and sendmmsg. to_mac is sent by broadcast. */
struct capture_udp_opts {
	int ifindex;
	const char *ifname;
	uint32_t addr;
	uint16_t port;
	bool reuseport;		    /* several workers */
	unsigned reuseport_members; /* > 1: each client stays with one of so many workers */
	int rcvbuf;
	bool offload; /* many datagrams a message, both ways (UDP_GRO, UDP_SEGMENT) */
};
int capture_udp_open(const struct capture_udp_opts *o, struct capture **ret) must_check;

/* Reads in_path (classic pcap and pcapng, Ethernet), writes frames to out_path (may be NULL).
 * Sent frames carry the timestamp of the last packet read, and go to the hardware address their
 * destination was last seen with. 0, -errno, -USHER_E_MALFORMED (no capture file),
 * -USHER_E_UNSUPPORTED (not Ethernet); reading a file that is cut off: -USHER_E_TRUNCATED. */
int capture_pcap_open(const char *in_path, const char *out_path, struct capture **ret) must_check;

/* Makes the test double: queues in memory. Frames are copied in; sent ones are copied out. */
int capture_memory_new(struct capture **ret) must_check;
struct capture_memory_frame {
	struct span frame; /* Ethernet frame */
	int ifindex;
	int64_t ts_ns;
	uint16_t flags; /* enum packet_flag to set */
};
int capture_memory_push(struct capture *c, const struct capture_memory_frame *f) must_check;
/* Takes the oldest sent frame (Ethernet) into buf. Returns its length, 0 if there is none. */
size_t capture_memory_pop(struct capture *c, uint8_t *buf, size_t cap, struct capture_tx *ret_tx);
/* Sets how many received frames capture_backlog() reports as a full queue; 0: it is never full. */
void capture_memory_limit(struct capture *c, size_t n);
/* Makes the next n sends fail with -err. */
void capture_memory_fail_sends(struct capture *c, unsigned n, int err);
