/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Packets of one interface as Ethernet frames. Frames to a hardware address go out by the PF_PACKET
 * socket; packets that the kernel can route go out by a UDP socket that receives nothing (so its
 * queue never fills, and the kernel sends no ICMP port unreachable for packets that we answer
 * ourselves).
 */
#include "capture/link.h"
#include "capture/socket.h"
#include "packet/packet.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { FRAME_CAP = 2048 };

struct capture_af_packet {
	struct capture base;
	int fd; /* PF_PACKET */
	int udp_fd;
	int ifindex;
	uint8_t mac[6];
	struct sock_batch in, raw, udp;
	uint8_t frames[CAPTURE_BATCH][FRAME_CAP];
};

static struct capture_af_packet *af_packet_of(struct capture *c)
{
	return container_of(c, struct capture_af_packet, base);
}

/* Returns the object of a base, without a change of const: container_of() would drop it. `base`
 * stands first in the object. */
static const struct capture_af_packet *const_af_packet_of(const struct capture *c)
{
	return (const struct capture_af_packet *)(const void *)c;
}

static void packet_meta(struct packet *p, const struct link_meta *m)
{
	p->ifindex = m->ifindex;
	p->vlan_id = m->vlan_id;
	if (m->csum_not_ready)
		p->flags |= PACKET_CSUM_NOT_READY;
	if (m->otherhost)
		p->flags |= PACKET_OTHERHOST;
	if (m->broadcast)
		p->flags |= PACKET_BROADCAST;
}

/* Swaps the packets, so that those that count stand in front. */
static void packets_swap(struct packet **a, struct packet **b)
{
	struct packet *t = *a;

	*a = *b;
	*b = t;
}

static int af_packet_recv(struct capture *c, struct packet **pkts, size_t n)
{
	struct capture_af_packet *a = af_packet_of(c);
	int got = sock_recv(a->fd, &a->in, pkts, n);
	int kept = 0;

	for (int i = 0; i < got; i++) {
		struct link_meta m = link_meta(&a->in, (size_t)i);

		if (m.outgoing) {
			packet_reset(pkts[i]);
			continue;
		}
		packet_meta(pkts[i], &m);
		if (kept != i)
			packets_swap(&pkts[kept], &pkts[i]);
		kept++;
	}
	return got < 0 ? got : kept;
}

static void queue_frame(struct capture_af_packet *a, struct capture_tx *tx)
{
	size_t i = a->raw.n;
	size_t len = capture_frame(tx, a->mac, tx->dst_mac, a->frames[i], FRAME_CAP);
	int ifindex = tx->ifindex ? tx->ifindex : a->ifindex;

	if (!len) {
		tx->result = -EMSGSIZE;
		return;
	}
	sock_batch_raw(&a->raw, tx, a->frames[i], len,
		       link_addr(&a->raw.addr[i], ifindex, tx->dst_mac));
}

static int af_packet_send(struct capture *c, struct capture_tx *tx, size_t n)
{
	struct capture_af_packet *a = af_packet_of(c);
	struct capture_tx *udp[CAPTURE_BATCH];
	size_t n_udp = 0;
	int sent = 0;

	for (size_t i = 0; i < n; i++) {
		if (tx[i].to_mac)
			queue_frame(a, &tx[i]);
		else
			udp[n_udp++] = &tx[i];
		if (a->raw.n == CAPTURE_BATCH)
			sent += sock_flush(a->fd, &a->raw);
		if (n_udp == CAPTURE_BATCH) {
			sent += sock_send_udp(a->udp_fd, &a->udp, udp, n_udp);
			n_udp = 0;
		}
	}
	sent += sock_flush(a->fd, &a->raw);
	if (n_udp)
		sent += sock_send_udp(a->udp_fd, &a->udp, udp, n_udp);
	return sent;
}

static int af_packet_fd(const struct capture *c)
{
	return const_af_packet_of(c)->fd;
}

static unsigned af_packet_backlog(const struct capture *c)
{
	return sock_backlog(af_packet_fd(c));
}

static void af_packet_stats(const struct capture *c, struct capture_stats *ret)
{
	ret->kernel_drops = sock_drops(af_packet_fd(c));
}

static void af_packet_close(struct capture *c)
{
	struct capture_af_packet *a = af_packet_of(c);

	if (a->fd >= 0)
		(void)close(a->fd);
	if (a->udp_fd >= 0)
		(void)close(a->udp_fd);
	free(a);
}

static const struct capture_ops af_packet_ops = {
	.name = "af_packet",
	.recv = af_packet_recv,
	.send = af_packet_send,
	.fd = af_packet_fd,
	.backlog = af_packet_backlog,
	.stats = af_packet_stats,
	.close = af_packet_close,
};

static int af_packet_open_sockets(struct capture_af_packet *a,
				  const struct capture_af_packet_opts *o)
{
	struct link_opts lo = {
		.ifindex = o->ifindex,
		.ifname = o->ifname,
		.port = o->port,
		.rcvbuf = o->rcvbuf,
		.fanout_group = o->fanout_group,
	};
	struct sock_udp_opts uo = {
		.ifname = o->ifname,
		.addr = o->addr,
		.port = o->port,
		.reuseport = o->fanout_group > 0,
		.send_only = true,
	};

	a->udp_fd = sock_udp_open(&uo);
	if (a->udp_fd < 0)
		return a->udp_fd;
	a->fd = link_open(&lo, a->mac);
	return a->fd < 0 ? a->fd : 0;
}

int capture_af_packet_open(const struct capture_af_packet_opts *o, struct capture **ret)
{
	struct capture_af_packet *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	a->base.ops = &af_packet_ops;
	a->ifindex = o->ifindex;
	a->fd = a->udp_fd = -1;
	a->udp.segment = o->offload;
	r = af_packet_open_sockets(a, o);
	if (r < 0) {
		af_packet_close(&a->base);
		return r;
	}
	*ret = &a->base;
	return 0;
}
