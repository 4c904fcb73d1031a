/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Packets through a UDP socket: the kernel has taken off and checked the lower layers, so packets
 * hold the payload only (PACKET_NO_L2). A client without an address cannot be reached by its
 * hardware address here; it is answered by broadcast. With offload, the packets from or to one
 * relay pass the kernel's stack as one message.
 */
#include "capture/filter.h"
#include "capture/gro.h"
#include "capture/socket.h"
#include "packet/packet.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct capture_udp {
	struct capture base;
	int fd;
	int ifindex;
	uint16_t port;
	bool joined; /* received by gro, else by in */
	struct gro gro;
	struct sock_batch in, out;
};

static struct capture_udp *udp_capture_of(struct capture *c)
{
	return container_of(c, struct capture_udp, base);
}

/* Returns the object of a base, without a change of const: container_of() would drop it. `base`
 * stands first in the object. */
static const struct capture_udp *const_udp_capture_of(const struct capture *c)
{
	return (const struct capture_udp *)(const void *)c;
}

/* Reads the addresses of message i: its source, and the address of ours that it was sent to. */
static void packet_addresses(struct capture_udp *u, struct sock_batch *b, size_t i,
			     struct packet *p)
{
	const struct cmsghdr *c = sock_cmsg(b, i, IPPROTO_IP, IP_PKTINFO);
	struct in_pktinfo info = {.ipi_ifindex = u->ifindex};

	if (c)
		memcpy(&info, CMSG_DATA(c), sizeof(info));
	p->ifindex = info.ipi_ifindex;
	p->dst = ntohl(info.ipi_addr.s_addr);
	p->src = ntohl(b->addr[i].in.sin_addr.s_addr);
	p->sport = ntohs(b->addr[i].in.sin_port);
	p->dport = u->port;
	p->app = 0;
	p->app_len = (uint16_t)p->len;
	p->flags |= PACKET_NO_L2;
	/* the kernel answers a broadcast from an address that is not the one written to */
	if (info.ipi_addr.s_addr != info.ipi_spec_dst.s_addr)
		p->flags |= PACKET_BROADCAST;
}

static int udp_recv_joined(struct capture_udp *u, struct packet **pkts, size_t n)
{
	uint8_t msg[CAPTURE_BATCH];
	int got = gro_recv(&u->gro, u->fd, pkts, n < CAPTURE_BATCH ? n : CAPTURE_BATCH, msg);

	for (int i = 0; i < got; i++)
		packet_addresses(u, &u->gro.batch, msg[i], pkts[i]);
	return got;
}

static int udp_recv(struct capture *c, struct packet **pkts, size_t n)
{
	struct capture_udp *u = udp_capture_of(c);
	int got;

	if (u->joined)
		return udp_recv_joined(u, pkts, n);
	got = sock_recv(u->fd, &u->in, pkts, n);
	for (int i = 0; i < got; i++)
		packet_addresses(u, &u->in, (size_t)i, pkts[i]);
	return got;
}

static bool udp_pending(const struct capture *c)
{
	return gro_pending(&const_udp_capture_of(c)->gro);
}

static int udp_send(struct capture *c, struct capture_tx *tx, size_t n)
{
	struct capture_udp *u = udp_capture_of(c);
	struct capture_tx *part[CAPTURE_BATCH];
	size_t k = 0;
	int sent = 0;

	for (size_t i = 0; i < n; i++) {
		part[k++] = &tx[i];
		if (k == CAPTURE_BATCH || i == n - 1) {
			sent += sock_send_udp(u->fd, &u->out, part, k);
			k = 0;
		}
	}
	return sent;
}

static int udp_fd(const struct capture *c)
{
	return const_udp_capture_of(c)->fd;
}

static unsigned udp_backlog(const struct capture *c)
{
	return sock_backlog(udp_fd(c));
}

static void udp_stats(const struct capture *c, struct capture_stats *ret)
{
	ret->kernel_drops = sock_drops(udp_fd(c));
}

static void udp_close(struct capture *c)
{
	if (udp_capture_of(c)->fd >= 0)
		(void)close(udp_capture_of(c)->fd);
	gro_fini(&udp_capture_of(c)->gro);
	free(udp_capture_of(c));
}

static const struct capture_ops udp_ops = {
	.name = "udp",
	.recv = udp_recv,
	.send = udp_send,
	.fd = udp_fd,
	.pending = udp_pending,
	.backlog = udp_backlog,
	.stats = udp_stats,
	.close = udp_close,
};

static int udp_open_socket(struct capture_udp *u, const struct capture_udp_opts *o)
{
	struct sock_udp_opts so = {
		.ifname = o->ifname,
		.addr = o->addr,
		.port = o->port,
		.reuseport = o->reuseport,
		.rcvbuf = o->rcvbuf,
	};
	struct filter steer;
	int r;

	u->fd = sock_udp_open(&so);
	if (u->fd < 0)
		return u->fd;
	r = o->offload ? gro_init(&u->gro, u->fd) : 0;
	if (r < 0)
		return r;
	u->joined = u->out.segment = o->offload;
	if (!o->reuseport || o->reuseport_members < 2)
		return 0;
	filter_reuseport_chaddr(&steer, o->reuseport_members);
	return filter_attach(u->fd, SO_ATTACH_REUSEPORT_CBPF, &steer);
}

int capture_udp_open(const struct capture_udp_opts *o, struct capture **ret)
{
	struct capture_udp *u = calloc(1, sizeof(*u));
	int r;

	if (!u)
		return -ENOMEM;
	u->base.ops = &udp_ops;
	u->ifindex = o->ifindex;
	u->port = o->port;
	r = udp_open_socket(u, o);
	if (r < 0) {
		udp_close(&u->base);
		return r;
	}
	*ret = &u->base;
	return 0;
}
