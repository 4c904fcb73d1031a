/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Probes over the network: ICMP echo by a raw socket, whose way the kernel's routes decide, and ARP
 * requests on one link by a packet socket. The sockets let only answers through: all others are
 * seen by every raw socket of the machine.
 */
#include "library/ping/ping_check.h"

#include "hook/hook.h"
#include "wire/arp.h"
#include "wire/eth.h"
#include "wire/icmp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/icmp.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DATAGRAM_MAX = 1500, RECEIVE_BUFFER = 1 << 20 };

/* --- Echo ------------------------------------------------------------------------------------- */

static int send_echo_request(struct ping_channel *c, uint32_t addr, uint16_t id, uint16_t seq)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(addr)};
	uint8_t echo[ICMP4_ECHO_LEN];
	struct wr w = wr_init(echo, sizeof(echo));

	icmp_write_request(&w, id, seq);
	return sendto(c->echo_fd, echo, sizeof(echo), MSG_DONTWAIT | MSG_NOSIGNAL,
		      (const struct sockaddr *)(const void *)&to, sizeof(to)) < 0
		       ? -errno
		       : 0;
}

/* Returns whether there is no packet now; an error that says nothing about the socket counts. */
static bool is_idle(int e)
{
	return e == EAGAIN || e == EINTR || e == ENETDOWN;
}

static int read_answer(struct ping_channel *c, struct ping_answer *ret)
{
	uint8_t buf[DATAGRAM_MAX] uninit;
	ssize_t n = recv(c->echo_fd, buf, sizeof(buf), MSG_DONTWAIT);
	struct icmp_echo echo;

	*ret = (struct ping_answer){.kind = PING_OTHER};
	if (n < 0)
		return is_idle(errno) ? 0 : -errno;
	if (!icmp_read_answer(span_of(buf, (size_t)n), &echo))
		return 1;
	*ret = (struct ping_answer){.kind = echo.type == ICMP4_UNREACHABLE ? PING_UNREACHABLE
									   : PING_REPLY,
				    .addr = echo.addr,
				    .id = echo.id,
				    .seq = echo.seq};
	return 1;
}

static int open_echo(void)
{
	struct icmp_filter only = {.data = ~(1U << ICMP4_ECHO_REPLY | 1U << ICMP4_UNREACHABLE)};
	int size = RECEIVE_BUFFER;
	int fd = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMP);
	int e;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (setsockopt(fd, SOL_RAW, ICMP_FILTER, &only, sizeof(only)) == 0)
		return fd;
	e = errno;
	(void)close(fd);
	return -e;
}

/* --- ARP -------------------------------------------------------------------------------------- */

static void send_arp_request(struct ping_channel *c, const struct hook_link *link, uint32_t addr)
{
	struct arp_packet a = {.op = ARP_REQUEST, .spa = link->addr, .tpa = addr};
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_TYPE_ARP),
				 .sll_ifindex = link->ifindex,
				 .sll_halen = 6};
	uint8_t buf[ARP_LEN];
	struct wr w = wr_init(buf, sizeof(buf));

	memcpy(a.sha, link->mac, sizeof(a.sha));
	memset(to.sll_addr, 0xff, 6);
	arp_write(&w, &a);
	/* a request that is lost finds nothing; the check by echo continues */
	(void)sendto(c->arp_fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_NOSIGNAL,
		     (const struct sockaddr *)(const void *)&to, sizeof(to));
}

static int read_arp_reply(struct ping_channel *c, struct ping_answer *ret)
{
	struct sockaddr_ll from = {0};
	socklen_t len = sizeof(from);
	uint8_t buf[ARP_LEN];
	ssize_t n = recvfrom(c->arp_fd, buf, sizeof(buf), MSG_DONTWAIT,
			     (struct sockaddr *)(void *)&from, &len);
	struct arp_packet a;
	struct rd r;

	*ret = (struct ping_answer){.kind = PING_OTHER};
	if (n < 0)
		return is_idle(errno) ? 0 : -errno;
	r = rd_init(span_of(buf, (size_t)n));
	if (arp_read(&r, &a) && a.op == ARP_REPLY)
		*ret = (struct ping_answer){.kind = PING_ARP,
					    .addr = a.spa,
					    .ifindex = from.sll_ifindex};
	return 1;
}

static int open_arp(void)
{
	/* replies to this machine: the operation is at 6, behind the link layer's header */
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARP_REPLY, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, ARP_LEN),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog filter = {ARRAY_LEN(code), code};
	struct sockaddr_ll any = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_TYPE_ARP)};
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int e;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) == 0 &&
	    bind(fd, (const struct sockaddr *)(const void *)&any, sizeof(any)) == 0)
		return fd;
	e = errno;
	(void)close(fd);
	return -e;
}

/* --- Channels --------------------------------------------------------------------------------- */

static void close_channel(struct ping_channel *c)
{
	if (c->echo_fd >= 0)
		(void)close(c->echo_fd);
	if (c->arp_fd >= 0)
		(void)close(c->arp_fd);
	free(c);
}

int ping_channel_open(struct ping_channel **ret)
{
	struct ping_channel *c = malloc(sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	*c = (struct ping_channel){.echo_fd = open_echo(),
				   .arp_fd = -1,
				   .send_echo = send_echo_request,
				   .send_arp = send_arp_request,
				   .read_echo = read_answer,
				   .read_arp = read_arp_reply,
				   .close = close_channel};
	r = c->echo_fd;
	if (r >= 0)
		r = c->arp_fd = open_arp();
	if (r < 0) {
		close_channel(c);
		return r;
	}
	*ret = c;
	return 0;
}

static int send_nothing(struct ping_channel *c, uint32_t addr, uint16_t id, uint16_t seq)
{
	(void)c, (void)addr, (void)id, (void)seq;
	return 0;
}

static void ask_nothing(struct ping_channel *c, const struct hook_link *link, uint32_t addr)
{
	(void)c, (void)link, (void)addr;
}

static int read_nothing(struct ping_channel *c, struct ping_answer *ret)
{
	(void)c, (void)ret;
	return 0;
}

int ping_channel_silent(struct ping_channel **ret)
{
	struct ping_channel *c = malloc(sizeof(*c));

	if (!c)
		return -ENOMEM;
	*c = (struct ping_channel){.echo_fd = -1,
				   .arp_fd = -1,
				   .send_echo = send_nothing,
				   .send_arp = ask_nothing,
				   .read_echo = read_nothing,
				   .read_arp = read_nothing,
				   .close = close_channel};
	*ret = c;
	return 0;
}
