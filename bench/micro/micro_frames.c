/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The clients of usher-micro. A message has the options of a usual client: host name, parameter
 * request list, vendor class, each second one a client identifier; a relay adds option 82. Relayed
 * ones come as a UDP socket would give them, those on the link as whole frames. The place in the
 * batch stands in the xid, so an answer is found in any order.
 */
#include "micro.h"

#include "base/cursor.h"
#include "capture/capture_backend.h"
#include "packet/packet.h"
#include "wire/udp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	XID_BASE = 0x75000000,
	BOOTP_XID = 4,
	BOOTP_YIADDR = 16,
	BOOTP_OPTIONS = 240,
	MESSAGE_LEN = 300
};

struct micro_wire {
	struct capture base;
	struct micro_clients clients;
	unsigned n, taken;
	int64_t now_ns;
	struct {
		uint8_t data[MICRO_FRAME_LEN];
		size_t len;
		uint32_t src;
	} in[MICRO_BATCH];
	struct micro_answer answer[MICRO_BATCH];
	uint8_t out[MICRO_FRAME_LEN * 2];
};

static const uint8_t server_mac[6] = {0x02, 'u', 's', 'h', 'e', 'r'};
static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static struct micro_wire *self(struct capture *c)
{
	return container_of(c, struct micro_wire, base);
}

static uint32_t number_of(const struct micro_clients *c, uint32_t k)
{
	return c->first + k + (k & 1 ? c->jump : 0);
}

void micro_mac(const struct micro_clients *c, uint32_t k, uint8_t ret_mac[6])
{
	uint32_t n = number_of(c, k);

	memcpy(ret_mac,
	       (const uint8_t[]){0x02, 0x10, (uint8_t)(n >> 24), (uint8_t)(n >> 16),
				 (uint8_t)(n >> 8), (uint8_t)n},
	       6);
}

/* --- messages --------------------------------------------------------------------------------- */

static void option(struct wr *w, uint8_t code, const void *data, size_t n)
{
	wr_u8(w, code);
	wr_u8(w, (uint8_t)n);
	wr_bytes(w, data, n);
}

static void option_addr(struct wr *w, uint8_t code, uint32_t addr)
{
	wr_u8(w, code);
	wr_u8(w, 4);
	wr_be32(w, addr);
}

static void options(struct wr *w, const struct micro_clients *c, uint32_t k, uint8_t type,
		    const uint8_t mac[6])
{
	static const uint8_t prl[] = {1, 3, 6, 12, 15, 26, 28, 42, 51, 54, 58, 59, 119, 121};
	uint8_t id[7] = {1};
	char name[32];

	option(w, 53, &type, 1);
	memcpy(id + 1, mac, 6);
	if (k & 1)
		option(w, 61, id, sizeof(id));
	if (type != MICRO_RELEASE) {
		(void)snprintf(name, sizeof(name), "host-%u", number_of(c, k));
		option(w, 12, name, strlen(name));
		option(w, 55, prl, sizeof(prl));
		option(w, 57, (const uint8_t[]){0x05, 0xdc}, 2);
		option(w, 60, "usual-client-1.0", 16);
	}
}

static void message(struct wr *w, const struct micro_wire *m, unsigned at, uint32_t k,
		    enum micro_message type, uint32_t addr, bool renewing)
{
	const struct micro_clients *c = &m->clients;
	bool has_addr = renewing || type == MICRO_RELEASE;
	bool relayed = !c->direct && !has_addr;
	size_t begin = w->len;
	uint8_t mac[6];

	micro_mac(c, k, mac);
	wr_bytes(w, (const uint8_t[]){1, 1, 6, relayed}, 4);
	wr_be32(w, XID_BASE + at);
	wr_be32(w, 0);
	wr_be32(w, has_addr ? addr : 0);
	wr_zero(w, 8);
	wr_be32(w, relayed ? c->giaddr + number_of(c, k) % c->n_subnets * c->stride : 0);
	wr_bytes(w, mac, 6);
	wr_zero(w, 10 + 64 + 128);
	wr_be32(w, 0x63825363);
	options(w, c, k, type, mac);
	if (type == MICRO_REQUEST && !renewing)
		option_addr(w, 50, addr);
	if ((type == MICRO_REQUEST && !renewing) || type == MICRO_RELEASE)
		option_addr(w, 54, c->server);
	if (relayed)
		option(w, 82, "\x01\x04port\x02\x06switch", 14);
	wr_u8(w, 255);
	if (w->len - begin < MESSAGE_LEN)
		wr_zero(w, MESSAGE_LEN - (w->len - begin));
}

static bool on_socket(const struct micro_wire *w)
{
	return !w->clients.direct;
}

void micro_wire_put(struct micro_wire *w, unsigned at, uint32_t k, enum micro_message type,
		    uint32_t addr, bool renewing)
{
	uint8_t plain[MICRO_FRAME_LEN];
	struct wr m = wr_init(on_socket(w) ? w->in[at].data : plain, MICRO_FRAME_LEN);
	bool has_addr = renewing || type == MICRO_RELEASE;
	struct udp_frame f = {.src = has_addr ? addr : 0,
			      .dst = has_addr ? w->clients.server : UINT32_MAX,
			      .sport = 68,
			      .dport = 67};
	struct wr frame;

	message(&m, w, at, k, type, addr, renewing);
	w->in[at].src = has_addr ? addr : w->clients.giaddr;
	w->in[at].len = m.len;
	if (!on_socket(w)) {
		f.payload = span_of(plain, m.len);
		micro_mac(&w->clients, k, f.src_mac);
		memcpy(f.dst_mac, has_addr ? server_mac : everybody, 6);
		frame = wr_init(w->in[at].data, MICRO_FRAME_LEN);
		udp_frame_write(&frame, &f);
		w->in[at].len = frame.len;
		m.bad |= frame.bad;
	}
	if (m.bad)
		abort(); /* the messages are ours, and fit */
}

void micro_wire_begin(struct micro_wire *w, unsigned n, int64_t now_ns)
{
	w->n = n;
	w->taken = 0;
	w->now_ns = now_ns;
	memset(w->answer, 0, sizeof(w->answer));
}

struct micro_answer micro_wire_answer(const struct micro_wire *w, unsigned at)
{
	return w->answer[at];
}

/* --- the capture ------------------------------------------------------------------------------ */

static int wire_recv(struct capture *c, struct packet **pkts, size_t n)
{
	struct micro_wire *w = self(c);
	size_t got = 0;

	for (; got < n && w->taken < w->n; got++, w->taken++) {
		struct packet *p = pkts[got];

		capture_fill(p, span_of(w->in[w->taken].data, w->in[w->taken].len), 1, w->now_ns);
		if (!on_socket(w))
			continue;
		p->dst = w->clients.server;
		p->src = w->in[w->taken].src;
		p->sport = p->dport = 67;
		p->app = 0;
		p->app_len = (uint16_t)p->len;
		p->flags |= PACKET_NO_L2;
	}
	return (int)got;
}

static uint8_t message_type(struct span s)
{
	struct rd r = rd_init(s);

	(void)rd_bytes(&r, BOOTP_OPTIONS);
	while (rd_left(&r)) {
		uint8_t code = rd_u8(&r);
		struct span v;

		if (code == 0)
			continue;
		if (code == 255)
			break;
		v = rd_bytes(&r, rd_u8(&r));
		if (code == 53 && v.n == 1)
			return v.p[0];
	}
	return 0;
}

static void note(struct micro_wire *w, struct span payload)
{
	struct rd r = rd_init(payload);
	uint32_t xid;

	(void)rd_bytes(&r, BOOTP_XID);
	xid = rd_be32(&r) - XID_BASE;
	(void)rd_bytes(&r, BOOTP_YIADDR - BOOTP_XID - 4);
	if (xid < MICRO_BATCH)
		w->answer[xid] = (struct micro_answer){message_type(payload), rd_be32(&r)};
}

static int wire_send(struct capture *c, struct capture_tx *tx, size_t n)
{
	struct micro_wire *w = self(c);

	for (size_t i = 0; i < n; i++) {
		tx[i].result = 0;
		if (tx[i].to_mac &&
		    !capture_frame(&tx[i], server_mac, everybody, w->out, sizeof(w->out)))
			tx[i].result = -EMSGSIZE;
		note(w, tx[i].payload);
	}
	return (int)n;
}

static void wire_close(struct capture *c)
{
	free(self(c));
}

static const struct capture_ops wire_ops = {
	.name = "micro",
	.recv = wire_recv,
	.send = wire_send,
	.close = wire_close,
};

int micro_wire_new(const struct micro_clients *c, struct micro_wire **ret)
{
	struct micro_wire *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->base.ops = &wire_ops;
	w->clients = *c;
	*ret = w;
	return 0;
}

struct capture *micro_wire_capture(struct micro_wire *w)
{
	return &w->base;
}
