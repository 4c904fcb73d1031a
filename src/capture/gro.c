/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Joined datagrams. The kernel is asked for whole messages, and each datagram is copied into the
 * slot of a packet of its own: a slot may be parked for long, a receive buffer must not be.
 */
#include "capture/gro.h"

#include "base/clock.h"
#include "packet/packet.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>

int gro_init(struct gro *g, int fd)
{
	int r = sock_set_int(fd, IPPROTO_UDP, UDP_GRO, 1);

	if (r < 0)
		return r;
	g->mem = malloc((size_t)GRO_STRIDE * GRO_MESSAGES);
	return g->mem ? 0 : -ENOMEM;
}

void gro_fini(struct gro *g)
{
	free(g->mem);
	g->mem = NULL;
}

static int gro_refill(struct gro *g, int fd)
{
	int got;

	for (size_t i = 0; i < GRO_MESSAGES; i++)
		sock_batch_into(&g->batch, i, g->mem + i * GRO_STRIDE, GRO_MESSAGE_LEN);
	g->n = g->cur = g->off = g->segment = 0;
	got = recvmmsg(fd, g->batch.msg, GRO_MESSAGES, MSG_DONTWAIT, NULL);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	g->n = (size_t)got;
	g->ts_ns = clock_wall_ns(&clock_system);
	return got;
}

/* Returns the length of the datagrams of a message: its whole length when it was not joined. */
static size_t segment_len(struct gro *g)
{
	const struct cmsghdr *c = sock_cmsg(&g->batch, g->cur, IPPROTO_UDP, UDP_GRO);
	int len = 0;

	if (c)
		memcpy(&len, CMSG_DATA(c), sizeof(len));
	return len > 0 ? (size_t)len : GRO_MESSAGE_LEN;
}

static void take_datagram(struct gro *g, struct packet *p)
{
	size_t len = g->batch.msg[g->cur].msg_len - g->off;

	if (len > g->segment)
		len = g->segment;
	p->ts_ns = g->ts_ns;
	p->len = (uint32_t)(len < p->cap ? len : p->cap);
	if (len > p->cap || g->batch.msg[g->cur].msg_hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		p->flags |= PACKET_TRUNCATED;
	memcpy(p->data, g->mem + g->cur * GRO_STRIDE + g->off, p->len);
	g->off += len;
	if (g->off < g->batch.msg[g->cur].msg_len)
		return;
	g->cur++;
	g->off = g->segment = 0;
}

int gro_recv(struct gro *g, int fd, struct packet **pkts, size_t n, uint8_t *ret_msg)
{
	size_t got = 0;

	if (!gro_pending(g)) {
		int r = gro_refill(g, fd);

		if (r < 0)
			return r;
	}
	for (; got < n && gro_pending(g); got++) {
		if (!g->segment)
			g->segment = segment_len(g);
		ret_msg[got] = (uint8_t)g->cur;
		take_datagram(g, pkts[got]);
	}
	return (int)got;
}
