/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Batches over sockets. A message that cannot be sent does not stop those behind it: sendmmsg stops
 * there, its error is taken from the next call, and sending goes on with the next message.
 */
#include "capture/socket.h"

#include "base/clock.h"
#include "capture/filter.h"
#include "packet/packet.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <unistd.h>

int sock_set_int(int fd, int level, int opt, int v)
{
	return setsockopt(fd, level, opt, &v, sizeof(v)) < 0 ? -errno : 0;
}

/* As root past net.core.rmem_max, which would make the buffer forget a burst; else what is allowed. */
int sock_set_rcvbuf(int fd, int octets)
{
	int r = sock_set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, octets);

	return r == -EPERM ? sock_set_int(fd, SOL_SOCKET, SO_RCVBUF, octets) : r;
}

static int udp_configure(int fd, const struct sock_udp_opts *o)
{
	struct filter none;
	int r = sock_set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);

	if (r == 0 && o->reuseport)
		r = sock_set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (r == 0)
		r = sock_set_int(fd, SOL_SOCKET, SO_BROADCAST, 1);
	if (r == 0)
		r = sock_set_int(fd, IPPROTO_IP, IP_PKTINFO, 1);
	if (r == 0 && o->rcvbuf > 0)
		r = sock_set_rcvbuf(fd, o->rcvbuf);
	if (r == 0 && o->ifname &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, o->ifname,
		       (socklen_t)strlen(o->ifname) + 1) < 0)
		r = -errno;
	if (r == 0 && o->send_only) {
		filter_none(&none);
		r = filter_attach(fd, SO_ATTACH_FILTER, &none);
	}
	return r;
}

int sock_udp_open(const struct sock_udp_opts *o)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = {
		.sin_family = AF_INET,
		.sin_port = htons(o->port),
		.sin_addr.s_addr = htonl(o->addr),
	};
	int r;

	if (fd < 0)
		return -errno;
	r = udp_configure(fd, o);
	if (r == 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		r = -errno;
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	return fd;
}

static void recv_prepare(struct sock_batch *b, size_t i, struct packet *p)
{
	b->iov[i] = (struct iovec){p->data, p->cap};
	b->msg[i].msg_hdr = (struct msghdr){
		.msg_name = &b->addr[i],
		.msg_namelen = sizeof(b->addr[i]),
		.msg_iov = &b->iov[i],
		.msg_iovlen = 1,
		.msg_control = &b->ctrl[i],
		.msg_controllen = sizeof(b->ctrl[i]),
	};
}

int sock_recv(int fd, struct sock_batch *b, struct packet **pkts, size_t n)
{
	int64_t now;
	int got;

	if (n > CAPTURE_BATCH)
		n = CAPTURE_BATCH;
	for (size_t i = 0; i < n; i++)
		recv_prepare(b, i, pkts[i]);
	got = recvmmsg(fd, b->msg, (unsigned)n, MSG_DONTWAIT, NULL);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	/* one reading of the clock a batch: stamps in each message cost more than they tell */
	now = clock_wall_ns(&clock_system);
	for (int i = 0; i < got; i++) {
		pkts[i]->len = b->msg[i].msg_len;
		pkts[i]->ts_ns = now;
		if (b->msg[i].msg_hdr.msg_flags & MSG_TRUNC)
			pkts[i]->flags |= PACKET_TRUNCATED;
	}
	return got;
}

const struct cmsghdr *sock_cmsg(struct sock_batch *b, size_t i, int level, int type)
{
	struct msghdr *h = &b->msg[i].msg_hdr;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c))
		if (c->cmsg_level == level && c->cmsg_type == type)
			return c;
	return NULL;
}

void sock_batch_raw(struct sock_batch *b, struct capture_tx *tx, uint8_t *p, size_t n,
		    socklen_t addr_len)
{
	size_t i = b->n++;

	b->tx[i] = tx;
	b->iov[i] = (struct iovec){p, n};
	b->msg[i].msg_hdr = (struct msghdr){
		.msg_name = &b->addr[i],
		.msg_namelen = addr_len,
		.msg_iov = &b->iov[i],
		.msg_iovlen = 1,
	};
}

void sock_batch_udp(struct sock_batch *b, struct capture_tx *tx)
{
	size_t i = b->n++;
	struct msghdr *h = &b->msg[i].msg_hdr;
	struct in_pktinfo info = {
		.ipi_ifindex = tx->ifindex,
		.ipi_spec_dst.s_addr = htonl(tx->src),
	};
	struct cmsghdr *c;

	b->tx[i] = tx;
	b->addr[i].in = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(tx->dport),
		/* a client without an address hears only everybody's: RFC 2131 4.1 */
		.sin_addr.s_addr = htonl(tx->to_mac ? INADDR_BROADCAST : tx->dst),
	};
	/* sendmsg does not write to what it is given */
	b->iov[i] = (struct iovec){(void *)(uintptr_t)tx->payload.p, tx->payload.n};
	*h = (struct msghdr){
		.msg_name = &b->addr[i],
		.msg_namelen = sizeof(b->addr[i].in),
		.msg_iov = &b->iov[i],
		.msg_iovlen = 1,
		.msg_control = &b->ctrl[i],
		.msg_controllen = CMSG_SPACE(sizeof(info)),
	};
	c = CMSG_FIRSTHDR(h);
	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
}

int sock_flush(int fd, struct sock_batch *b)
{
	size_t i = 0;
	int sent = 0;

	while (i < b->n) {
		int r = sendmmsg(fd, b->msg + i, (unsigned)(b->n - i), MSG_DONTWAIT);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0) {
			b->tx[i++]->result = r < 0 ? -errno : -EIO;
			continue;
		}
		sent += r;
		while (r--)
			b->tx[i++]->result = 0;
	}
	b->n = 0;
	return sent;
}

uint64_t sock_drops(int fd)
{
	uint32_t mem[SK_MEMINFO_VARS] = {0};
	socklen_t len = sizeof(mem);

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, mem, &len) < 0)
		return 0;
	return mem[SK_MEMINFO_DROPS];
}
