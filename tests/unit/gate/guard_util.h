/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A guarded gate for the tests: four ports in memory, a server at memory0, clients at the others,
 * virtual time. Header only.
 */
#pragma once

#include "gate_dhcp_util.h"

#include "gate/app/dissect_dhcp.h"
#include "gate/guard/guard.h"

enum { GU_UP, GU_A, GU_B, GU_C, GU_MAX_ALERTS = 64 };

struct gu {
	struct gt t;
	struct guard *gd;
	struct guard_opts o;
	struct gate_opts go;
	uint8_t buf[GT_CAP];
	int64_t now;
	struct guard_alert alerts[GU_MAX_ALERTS];
	uint8_t alert_mac[6]; /* of the last */
	unsigned n_alerts;
	char err[512];
};

static const uint8_t gu_server_mac[6] = {2, 0, 0, 0, 0, 1};

static inline void gu_alert(void *ctx, const struct guard_alert *a)
{
	struct gu *u = ctx;

	assert_true(u->n_alerts < GU_MAX_ALERTS);
	u->alerts[u->n_alerts++] = *a;
	memcpy(u->alert_mac, a->mac, 6);
}

/* Defaults, memory0 trusted; to be changed before gu_open. */
static inline void gu_init(struct gu *u)
{
	memset(u, 0, sizeof(*u));
	guard_opts_default(&u->o);
	gt_opts(&u->go);
	u->o.n_ports = 1;
	(void)strcpy(u->o.ports[0].name, "memory0");
	u->o.ports[0].role = GUARD_TRUSTED;
	u->o.alert = gu_alert;
	u->o.alert_ctx = u;
	u->now = 1000 * NS_PER_S;
}

static inline int gu_try_open(struct gu *u)
{
	gt_open(&u->t, &u->go, DISSECT_UDP_CONNECTION);
	gate_tick(u->t.g, u->now);
	assert_int_equal(guard_new(&u->o, &u->gd), 0);
	return guard_attach(u->gd, u->t.g, u->now, u->err, sizeof(u->err));
}

static inline void gu_open(struct gu *u)
{
	assert_int_equal(gu_try_open(u), 0);
}

static inline void gu_close(struct gu *u)
{
	gt_close(&u->t);
	guard_free(u->gd);
}

static inline void gu_wait(struct gu *u, int64_t ms)
{
	u->now += ms * NS_PER_MS;
	gate_tick(u->t.g, u->now);
	guard_tick(u->gd, u->now);
}

/* Passes a frame in; returns the length of the forwarded frame (in u->t.out), 0: none. */
static inline size_t gu_frame(struct gu *u, uint16_t port, const uint8_t *frame, size_t len)
{
	size_t out;

	assert_int_equal(frames_memory_push(u->t.f, span_of(frame, len), port, u->now, 0), 0);
	gt_run(&u->t);
	out = gt_pop(&u->t);
	assert_int_equal(frames_memory_pop(u->t.f, NULL, 0, NULL), 0);
	return out;
}

static inline size_t gu_send(struct gu *u, uint16_t port, const struct gd *d)
{
	return gu_frame(u, port, u->buf, gd_frame(u->buf, d));
}

/* Returns the ports by which the last forwarded frame may leave, as a mask. */
static inline uint32_t gu_leaves(const struct gu *u)
{
	return 0xf & ~u->t.last.not_to & ~(UINT32_C(1) << u->t.last.port);
}

static inline uint64_t gu_count(const struct gu *u, enum guard_counter c)
{
	struct guard_counters n;

	guard_counters(u->gd, &n);
	return n.n[c];
}

/* Dropped for this reason, and for no other. */
#define gu_dropped(u, len_out, why)                                    \
	do {                                                           \
		uint64_t before_ = gt_drops(&(u)->t, why);             \
		size_t out_ = (len_out);                               \
		assert_int_equal(out_, 0);                             \
		assert_int_equal(gt_drops(&(u)->t, why), before_ + 1); \
	} while (0)

static inline struct gd gu_request(uint8_t n, uint8_t type, uint32_t requested)
{
	return (struct gd){.type = type,
			   .mac = {2, 0, 0, 0, 1, n},
			   .xid = n,
			   .requested = requested};
}

static inline struct gd gu_reply(const struct gd *q, uint8_t type, uint32_t yiaddr)
{
	struct gd d = {.type = type,
		       .xid = q->xid,
		       .yiaddr = yiaddr,
		       .server_id = GD_SERVER,
		       .src = GD_SERVER,
		       .vlan = q->vlan,
		       .keep_chaddr = true};

	if (type != DHCP4_NAK)
		d.lease_s = GD_LEASE_S;
	memcpy(d.mac, gu_server_mac, 6);
	memcpy(d.chaddr, q->mac, 6);
	return d;
}

/* REQUEST and ACK: client n at port gets ip. */
static inline void gu_lease_as(struct gu *u, uint16_t port, const struct gd *q, uint32_t ip)
{
	struct gd ack = gu_reply(q, DHCP4_ACK, ip);

	assert_true(gu_send(u, port, q) > 0);
	assert_true(gu_send(u, GU_UP, &ack) > 0);
	assert_non_null(guard_find(u->gd, q->vlan, ip));
	assert_int_equal(guard_find(u->gd, q->vlan, ip)->port, port);
}

static inline void gu_lease(struct gu *u, uint16_t port, uint8_t n, uint32_t ip)
{
	struct gd q = gu_request(n, DHCP4_REQUEST, ip);

	gu_lease_as(u, port, &q, ip);
}

/* Sends a datagram of client n from ip; returns the length of the forwarded frame. */
static inline size_t gu_ip(struct gu *u, uint16_t port, uint8_t n, uint32_t ip)
{
	size_t len = gt_udp(u->buf, ip, 1000, GD_SERVER, 53, "question");

	memcpy(u->buf + 6, (const uint8_t[6]){2, 0, 0, 0, 1, n}, 6);
	return gu_frame(u, port, u->buf, len);
}

static inline size_t gu_arp(struct gu *u, uint16_t port, uint8_t n, uint16_t op, uint32_t spa,
			    uint32_t tpa)
{
	struct arp_packet a = {.op = op, .sha = {2, 0, 0, 0, 1, n}, .spa = spa, .tpa = tpa};

	return gu_frame(u, port, u->buf, gd_arp(u->buf, a.sha, 0, &a));
}
