/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The thin side of captures: dispatch to the back end, and code that all back ends share. The
 * counters are kept here, so that every back end counts alike.
 */
#include "capture/capture.h"

#include "capture/capture_backend.h"
#include "packet/packet.h"
#include "wire/udp.h"

int capture_recv(struct capture *c, struct packet **pkts, size_t n)
{
	int r = c->ops->recv(c, pkts, n);

	if (r > 0)
		c->stats.received += (uint64_t)r;
	return r;
}

int capture_send(struct capture *c, struct capture_tx *tx, size_t n)
{
	int r = c->ops->send(c, tx, n);

	c->stats.sent += (uint64_t)r;
	c->stats.send_errors += n - (size_t)r;
	return r;
}

bool capture_pending(const struct capture *c)
{
	return c->ops->pending && c->ops->pending(c);
}

unsigned capture_backlog(const struct capture *c)
{
	return c->ops->backlog ? c->ops->backlog(c) : 0;
}

int capture_fd(const struct capture *c)
{
	return c->ops->fd ? c->ops->fd(c) : -1;
}

bool capture_ended(const struct capture *c)
{
	return c->ops->ended && c->ops->ended(c);
}

void capture_stats(const struct capture *c, struct capture_stats *ret)
{
	*ret = c->stats;
	if (c->ops->stats)
		c->ops->stats(c, ret);
}

void capture_close(struct capture *c)
{
	if (c)
		c->ops->close(c);
}

void capture_fill(struct packet *p, struct span frame, int ifindex, int64_t ts_ns)
{
	if (frame.n > p->cap) {
		p->flags |= PACKET_TRUNCATED;
		frame.n = p->cap;
	}
	if (frame.n)
		memcpy(p->data, frame.p, frame.n);
	p->len = (uint32_t)frame.n;
	p->ifindex = ifindex;
	p->ts_ns = ts_ns;
}

size_t capture_frame(const struct capture_tx *tx, const uint8_t src_mac[6],
		     const uint8_t dst_mac[6], uint8_t *buf, size_t cap)
{
	struct udp_frame f = {
		.src = tx->src,
		.dst = tx->dst,
		.sport = tx->sport,
		.dport = tx->dport,
		.payload = tx->payload,
	};
	struct wr w = wr_init(buf, cap);

	memcpy(f.src_mac, src_mac, sizeof(f.src_mac));
	if (tx->dst == UINT32_MAX && !tx->to_mac)
		memset(f.dst_mac, 0xff, sizeof(f.dst_mac));
	else
		memcpy(f.dst_mac, tx->to_mac ? tx->dst_mac : dst_mac, sizeof(f.dst_mac));
	udp_frame_write(&w, &f);
	return wr_ok(&w) ? w.len : 0;
}
