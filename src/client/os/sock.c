/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The filters, the UDP socket, and packets from received frames. A NAK is broadcast to a host whose
 * address is in doubt, so the UDP socket is bound to no address; each datagram names its source.
 */
#include "client/os/sock.h"

#include "capture/filter.h"
#include "capture/socket.h"
#include "client/os/sock_link.h"
#include "packet/packet.h"
#include "wire/arp.h"
#include "wire/dhcp4.h"
#include "wire/eth.h"
#include "wire/ipv4.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

/* clang-format off */
#include <linux/errqueue.h> /* wants struct timespec */
/* clang-format on */

enum {
	CLIENT_PORT = 68,
	SERVER_PORT = 67,
	SNAP_ALL = 0x40000,
	IP = 14,
	BOOTP = IP + 8,	      /* BOOTP and UDP follow an IP header of X octets */
	NO_FRAGMENT = 0x3fff, /* more-fragments and offset */
	ERRORS_AT_ONCE = 64,
};

static void add_instruction(struct filter *f, unsigned code, unsigned jt, unsigned jf, uint32_t k)
{
	f->insns[f->n++] = (struct sock_filter){(uint16_t)code, (uint8_t)jt, (uint8_t)jf, k};
}

/* Drops packets whose value is not k: jumps over `left` instructions to the last one. */
static void filter_equal(struct filter *f, uint32_t k, unsigned left)
{
	add_instruction(f, BPF_JMP | BPF_JEQ | BPF_K, 0, left, k);
}

/* Builds the filter for answers. bind() checks the EtherType; the filter checks fields of IP,
 * UDP and BOOTP. */
static void filter_dhcp(struct filter *f, uint32_t xid)
{
	f->n = 0;
	add_instruction(f, BPF_LD | BPF_B | BPF_ABS, 0, 0, IP + 9);
	filter_equal(f, IPV4_PROTO_UDP, 10);
	add_instruction(f, BPF_LD | BPF_H | BPF_ABS, 0, 0, IP + 6);
	add_instruction(f, BPF_JMP | BPF_JSET | BPF_K, 8, 0, NO_FRAGMENT);
	add_instruction(f, BPF_LDX | BPF_B | BPF_MSH, 0, 0, IP);
	add_instruction(f, BPF_LD | BPF_H | BPF_IND, 0, 0, IP + 2);
	filter_equal(f, CLIENT_PORT, 5);
	add_instruction(f, BPF_LD | BPF_B | BPF_IND, 0, 0, BOOTP);
	filter_equal(f, DHCP4_BOOTREPLY, 3);
	add_instruction(f, BPF_LD | BPF_W | BPF_IND, 0, 0, BOOTP + 4);
	filter_equal(f, xid, 1);
	add_instruction(f, BPF_RET | BPF_K, 0, 0, SNAP_ALL);
	add_instruction(f, BPF_RET | BPF_K, 0, 0, 0);
}

enum { ARP_SPA = 14 + 14, ARP_TPA = 14 + 24 };

/* Builds the ARP filter: packets with the address as sender, probes for it (sender 0.0.0.0), and
 * packets of the node. RFC 5227 2.1.1. */
static void filter_arp(struct filter *f, uint32_t address, uint32_t node)
{
	f->n = 0;
	add_instruction(f, BPF_LD | BPF_W | BPF_ABS, 0, 0, ARP_SPA);
	add_instruction(f, BPF_JMP | BPF_JEQ | BPF_K, 4, 0, address);
	add_instruction(f, BPF_JMP | BPF_JEQ | BPF_K, 3, 0, node ? node : address);
	filter_equal(f, 0, 3);
	add_instruction(f, BPF_LD | BPF_W | BPF_ABS, 0, 0, ARP_TPA);
	filter_equal(f, address, 1);
	add_instruction(f, BPF_RET | BPF_K, 0, 0, SNAP_ALL);
	add_instruction(f, BPF_RET | BPF_K, 0, 0, 0);
}

int client_sock_open_raw(int ifindex, uint32_t xid)
{
	struct filter f;

	filter_dhcp(&f, xid);
	return client_link_open(ifindex, ETH_TYPE_IPV4, &f);
}

int client_sock_open_arp(int ifindex, uint32_t address, uint32_t node)
{
	struct filter f;

	filter_arp(&f, address, node);
	return client_link_open(ifindex, ETH_TYPE_ARP, &f);
}

static int udp_configure(int fd, int ifindex)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(CLIENT_PORT)};
	int r = sock_set_int(fd, SOL_SOCKET, SO_BINDTOIFINDEX, ifindex);

	/* another client may serve another interface */
	if (r == 0)
		r = sock_set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (r == 0)
		r = sock_set_int(fd, SOL_SOCKET, SO_BROADCAST, 1);
	if (r == 0)
		r = sock_set_int(fd, IPPROTO_IP, IP_PKTINFO, 1);
	/* ICMP errors of our datagrams: a socket that is not connected gets none otherwise */
	if (r == 0)
		r = sock_set_int(fd, IPPROTO_IP, IP_RECVERR, 1);
	if (r == 0 && bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
		r = -errno;
	return r;
}

int client_sock_open_udp(int ifindex)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	r = udp_configure(fd, ifindex);
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	return fd;
}

static int recv_frame(int fd, int ifindex, struct packet *p)
{
	struct client_frame_meta m = {0};
	int n;

	do
		n = client_link_recv(fd, p->data, p->cap, &m);
	while (n > 0 && m.outgoing);
	if (n <= 0)
		return n;
	p->len = (uint32_t)n < p->cap ? (uint32_t)n : p->cap;
	p->flags |= (uint16_t)((uint32_t)n > p->cap ? PACKET_TRUNCATED : 0);
	p->flags |= (uint16_t)(m.csum_not_ready ? PACKET_CSUM_NOT_READY : 0);
	p->flags |= (uint16_t)(m.otherhost ? PACKET_OTHERHOST : 0);
	p->flags |= (uint16_t)(m.broadcast ? PACKET_BROADCAST : 0);
	p->vlan_id = m.vlan_id;
	p->ifindex = ifindex;
	return 1;
}

static void pktinfo_of(struct msghdr *h, struct packet *p)
{
	struct in_pktinfo info;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_PKTINFO ||
		    c->cmsg_len < CMSG_LEN(sizeof(info)))
			continue;
		memcpy(&info, CMSG_DATA(c), sizeof(info));
		p->dst = ntohl(info.ipi_addr.s_addr);
		p->ifindex = info.ipi_ifindex;
		if (info.ipi_addr.s_addr != info.ipi_spec_dst.s_addr)
			p->flags |= PACKET_BROADCAST;
	}
}

/* Returns whether this host found the error: a neighbour that does not answer, not a message of
 * another host. */
static bool is_local(const struct sock_extended_err *e, const struct cmsghdr *c, uint32_t own)
{
	struct sockaddr_in from = {0};

	if (e->ee_origin == SO_EE_ORIGIN_LOCAL)
		return true;
	if (c->cmsg_len < CMSG_LEN(sizeof(*e) + sizeof(from)))
		return false;
	memcpy(&from, CMSG_DATA(c) + sizeof(*e), sizeof(from)); /* SO_EE_OFFENDER */
	return from.sin_family == AF_INET && ntohl(from.sin_addr.s_addr) == own;
}

/*
 * Empties the queue of errors, which keeps the socket readable. Returns 0: there was none; -errno:
 * the last one; -EREMOTEIO: ICMP of other hosts only, which anybody can forge, and which changes
 * nothing therefore.
 */
static int recv_error(int fd, uint32_t own)
{
	int r = 0;

	for (int i = 0; i < ERRORS_AT_ONCE; i++) {
		union sock_ctrl ctrl;
		struct msghdr h = {.msg_control = &ctrl, .msg_controllen = sizeof(ctrl)};
		struct sock_extended_err e;

		if (recvmsg(fd, &h, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return r;
		/* without all of it the origin of the error is unknown */
		for (struct cmsghdr *c = h.msg_flags & MSG_CTRUNC ? NULL : CMSG_FIRSTHDR(&h); c;
		     c = CMSG_NXTHDR(&h, c)) {
			if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_RECVERR ||
			    c->cmsg_len < CMSG_LEN(sizeof(e)))
				continue;
			memcpy(&e, CMSG_DATA(c), sizeof(e));
			if (is_local(&e, c, own))
				r = e.ee_errno ? -(int)e.ee_errno : r;
			else
				r = r ? r : -EREMOTEIO;
		}
	}
	return r;
}

static int recv_datagram(int fd, uint32_t own, struct packet *p)
{
	struct sockaddr_in from = {0};
	union sock_ctrl ctrl;
	struct iovec iov = {p->data, p->cap};
	struct msghdr h = {.msg_name = &from,
			   .msg_namelen = sizeof(from),
			   .msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = &ctrl,
			   .msg_controllen = sizeof(ctrl)};
	ssize_t n = recvmsg(fd, &h, MSG_TRUNC | MSG_DONTWAIT);

	if (n < 0) {
		int e = errno == EAGAIN || errno == EINTR ? 0 : -errno;
		int queued = recv_error(fd, own);

		return queued ? queued : e;
	}
	if (h.msg_flags & MSG_CTRUNC)
		return -EBADMSG;
	p->len = (size_t)n < p->cap ? (uint32_t)n : p->cap;
	p->flags = (uint16_t)(PACKET_NO_L2 | ((size_t)n > p->cap ? PACKET_TRUNCATED : 0));
	p->src = ntohl(from.sin_addr.s_addr);
	p->sport = ntohs(from.sin_port);
	p->dport = CLIENT_PORT;
	p->app = 0;
	p->app_len = (uint16_t)p->len;
	pktinfo_of(&h, p);
	return 1;
}

int client_sock_recv(int fd, bool udp, int ifindex, uint32_t own, struct packet *p)
{
	return udp ? recv_datagram(fd, own, p) : recv_frame(fd, ifindex, p);
}

int client_sock_recv_arp(int fd, uint8_t *buf, size_t cap)
{
	struct client_frame_meta m = {0};
	int n;

	do
		n = client_link_recv(fd, buf, cap, &m);
	while (n > 0 && m.outgoing);
	return n < 0 || (size_t)n <= cap ? n : (int)cap;
}

int client_sock_send_frame(int fd, int ifindex, struct span frame)
{
	return client_link_send(fd, ifindex, frame);
}

int client_sock_send_udp(int fd, int ifindex, uint32_t src, uint32_t dst, struct span payload)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(SERVER_PORT),
				 .sin_addr = {htonl(dst)}};
	struct in_pktinfo info = {.ipi_ifindex = ifindex, .ipi_spec_dst = {htonl(src)}};
	union sock_ctrl ctrl = {0};
	/* sendmsg does not write to its arguments */
	struct iovec iov = {(void *)(uintptr_t)payload.p, payload.n};
	struct msghdr h = {.msg_name = &to,
			   .msg_namelen = sizeof(to),
			   .msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = &ctrl,
			   .msg_controllen = CMSG_SPACE(sizeof(info))};
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);
	ssize_t n;

	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	/* an error of the datagram before is returned once, instead of sending */
	for (int i = 0; i < 2; i++) {
		do
			n = sendmsg(fd, &h, MSG_DONTWAIT);
		while (n < 0 && errno == EINTR);
		if (n >= 0 || (errno != ECONNREFUSED && errno != EHOSTUNREACH))
			break;
	}
	return n < 0 ? -errno : 0;
}

bool client_sock_broken(int err)
{
	switch (-err) {
	case ENETDOWN:
	case EIO:
	case ENODEV:
	case ENXIO:
	case EBADF:
	case ENOTCONN:
		return true;
	default:
		return false;
	}
}
