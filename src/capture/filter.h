/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Classic BPF programs for sockets: which packets are received, and by which worker.
 */
#pragma once

#include "base/attr.h"

#include <linux/filter.h>
#include <stdint.h>

enum { FILTER_MAX = 64 };

struct filter {
	struct sock_filter insns[FILTER_MAX];
	uint16_t n;
};

/*
 * Makes a filter of frames from the link header on. It passes IPv4 UDP to port, under no, one or
 * two VLAN tags (fewer where the kernel removed one), with any IP header length. Of fragments only
 * the first has a port and passes.
 */
void filter_udp_port(struct filter *f, uint16_t port);
/* Makes a filter that takes no frame. */
void filter_none(struct filter *f);
/* Makes a PACKET_FANOUT filter: its result is a number from chaddr of the message behind an
 * untagged IPv4 and UDP header. */
void filter_fanout_chaddr(struct filter *f);
/* Makes a PACKET_FANOUT filter: its result is a number below `members` from the two IPv4 addresses,
 * equal for both directions; 0 for frames other than IPv4. */
void filter_fanout_pair(struct filter *f, unsigned members);
/* Makes a SO_REUSEPORT filter: its result is a number below `members` from chaddr in the UDP
 * payload. */
void filter_reuseport_chaddr(struct filter *f, unsigned members);

/* Attaches by socket option opt of SOL_SOCKET. 0 or -errno. */
int filter_attach(int fd, int opt, struct filter *f) must_check;
