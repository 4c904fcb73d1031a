/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Steps of fuzz_client, and the properties: a lease that is configured passed every check; nothing
 * is sent through a socket that is not open; timers neither spin nor flood; after STOP nothing is
 * left. A step is an octet and its arguments: 0 frame as it is, 1 and 2 a message put into a sound
 * frame (2: with our transaction id), 3 ARP, 4 an event, 5 time, 6 the link.
 */
#include "fuzz.h"

#include "fuzz_client.h"
#include "wire/arp.h"
#include "wire/eth.h"
#include "wire/udp.h"

enum {
	MSG_MAX = 1400,
	STEP_KINDS = 7,
	XID_AT = 4,
	YIADDR_AT = 16,
	CHADDR_AT = 28,
	COOKIE_AT = 236
};

static uint32_t random_u32(void *ctx)
{
	uint32_t *x = ctx;

	*x = *x * 1664525 + 1013904223;
	return *x;
}

/* --- properties ------------------------------------------------------------------------------- */

static uint32_t be32_at(struct span s, size_t at)
{
	struct rd r = rd_init(span_sub(s, at, 4));

	return rd_be32(&r);
}

/* Our own reading of a sent message: options are few and whole. */
static void note_sent(struct fuzz_client *f, struct span msg)
{
	struct rd r = rd_init(span_sub(msg, COOKIE_AT + 4, msg.n));
	uint8_t type = 0;

	fuzz_check(msg.n >= 300 && msg.p[0] == 1);
	f->sent_xid = be32_at(msg, XID_AT);
	f->asked = be32_at(msg, 12);
	f->asked_server = 0;
	while (rd_left(&r)) {
		uint8_t code = rd_u8(&r);
		struct span v = code && code != 255 ? rd_bytes(&r, rd_u8(&r)) : SPAN_NULL;

		if (code == 255)
			break;
		if (code == 53)
			type = v.p[0];
		if (code == 50)
			f->asked = be32_at(v, 0);
		if (code == 54)
			f->asked_server = be32_at(v, 0);
	}
	fuzz_check(rd_ok(&r) && type != 0);
	f->sends++;
}

static bool host_may_have(uint32_t a, unsigned len)
{
	uint32_t host = len == 32 ? 0 : 0xffffffffU >> len;

	if (a >> 24 == 0 || a >> 24 == 127 || a >= 0xe0000000U || len == 0 || len > 32)
		return false;
	return len >= 31 || ((a & host) != 0 && (a & host) != host);
}

/* A lease that is configured passed every check. */
static void check_address(struct fuzz_client *f, const struct effect *e)
{
	fuzz_check(host_may_have(e->addr.address, e->addr.prefix_len));
	fuzz_check(e->addr.valid_s > 0);
	fuzz_check(e->addr.address == f->c.lease.address &&
		   client_lease_check(&f->c.lease) == CLIENT_DROP_NONE);
	fuzz_check(e->addr.address != f->c.lease.server_id);
	fuzz_check(!f->address || f->configured == e->addr.address);
	/* the lease is the requested one, and (if a packet granted it) the one in that packet */
	if (f->got_packet)
		fuzz_check(f->got_xid == f->sent_xid && f->got_yiaddr == e->addr.address &&
			   f->asked == e->addr.address);
	f->address = true;
	f->configured = e->addr.address;
	f->prefix_len = e->addr.prefix_len;
}

static void check_routes(const struct client_lease *l)
{
	for (size_t i = 0; i < l->n_routes; i++) {
		fuzz_check(l->route[i].len <= 32);
		fuzz_check(!l->route[i].gateway || client_address_is_unicast(l->route[i].gateway));
		fuzz_check(l->route[i].gateway != l->address);
	}
	fuzz_check(!l->mtu || l->mtu >= CLIENT_MTU_MIN);
}

static void run_effect(struct fuzz_client *f, const struct effect *e)
{
	switch (e->kind) {
	case EFFECT_SEND_RAW:
		fuzz_check(f->raw);
		note_sent(f, span_sub(e->frame, UDP_FRAME_OVERHEAD, e->frame.n));
		break;
	case EFFECT_SEND_UDP:
		fuzz_check(f->udp && e->udp.src != 0);
		note_sent(f, e->udp.payload);
		break;
	case EFFECT_SEND_ARP:
		fuzz_check(e->frame.n == 42);
		break;
	case EFFECT_LISTEN_RAW:
		f->raw = true;
		break;
	case EFFECT_LISTEN_UDP:
		f->udp = true;
		break;
	case EFFECT_LISTEN_ARP:
		f->arp = true;
		break;
	case EFFECT_CLOSE_RAW:
		fuzz_check(f->raw);
		f->raw = false;
		break;
	case EFFECT_CLOSE_UDP:
		fuzz_check(f->udp);
		f->udp = false;
		break;
	case EFFECT_CLOSE_ARP:
		fuzz_check(f->arp);
		f->arp = false;
		break;
	case EFFECT_SET_ADDRESS:
		check_address(f, e);
		break;
	case EFFECT_DEL_ADDRESS:
		fuzz_check(f->address && e->addr.address == f->configured);
		/* the same address with the mask it had before */
		f->address = e->addr.prefix_len != f->prefix_len;
		break;
	case EFFECT_SET_ROUTES:
		check_routes(e->lease);
		break;
	case EFFECT_SAVE_LEASE:
		fuzz_check(client_lease_check(e->lease) == CLIENT_DROP_NONE);
		break;
	case EFFECT_EXIT:
		f->exited = true;
		break;
	case EFFECT_ARM:
		fuzz_check(e->deadline_ns == client_deadline(&f->c));
		break;
	case EFFECT_DEL_ROUTES:
	case EFFECT_DELETE_LEASE:
	case EFFECT_SCRIPT:
	case EFFECT_NOTIFY:
	case EFFECT_BACKGROUND:
	case EFFECT_N_KINDS:
		break;
	}
}

static void run_effects(struct fuzz_client *f)
{
	fuzz_check(!f->fx.overflow);
	for (size_t i = 0; i < f->fx.n; i++)
		run_effect(f, &f->fx.item[i]);
	f->got_packet = false;
}

/* --- steps ------------------------------------------------------------------------------------ */

static void receive(struct fuzz_client *f, struct span frame, unsigned flags)
{
	static uint8_t slot[PACKET_DATA_LEN];
	static uint8_t arena[PACKET_ARENA_LEN];
	struct packet p;

	if (frame.n > sizeof(slot))
		return;
	packet_init(&p, slot, sizeof(slot), arena, sizeof(arena));
	if (frame.n)
		memcpy(slot, frame.p, frame.n);
	p.len = (uint32_t)frame.n;
	p.flags = (uint16_t)(flags & (PACKET_CSUM_NOT_READY | PACKET_OTHERHOST));
	if (client_receive(&f->c, &p, f->now, &f->fx, NULL) >= 0) {
		f->got_packet = true;
		f->got_xid = be32_at(packet_app(&p), XID_AT);
		f->got_yiaddr = be32_at(packet_app(&p), YIADDR_AT);
	}
	run_effects(f);
}

/* Builds a message in a sound frame: fixed part filled in, then the octets of the input. */
static void message(struct fuzz_client *f, struct rd *r, bool ours)
{
	uint8_t msg[MSG_MAX] = {2, 1, 6};
	uint8_t out[MSG_MAX + 100];
	struct udp_frame u = {.src = 0xc0000201, .dst = 0xffffffffU, .sport = 67, .dport = 68};
	struct wr w = wr_init(out, sizeof(out));
	struct wr head = wr_init(msg, sizeof(msg));
	struct span options;

	head.len = YIADDR_AT;
	wr_be32(&head, rd_be32(r));
	head.len = COOKIE_AT;
	wr_be32(&head, DHCP4_MAGIC);
	memcpy(msg + CHADDR_AT, f->link.mac, 6);
	if (ours) {
		struct wr x = wr_init(msg + XID_AT, 4);

		wr_be32(&x, f->c.inform.active && rd_u8(r) & 1 ? f->c.inform.xid : f->c.xact.xid);
	}
	options = rd_bytes(r, rd_be16(r) % (MSG_MAX - DHCP4_MIN_LEN));
	wr_span(&head, options);
	u.payload = span_of(msg, head.len);
	udp_frame_write(&w, &u);
	receive(f, span_of(out, w.len), 0);
}

static void arp(struct fuzz_client *f, struct rd *r)
{
	uint8_t out[64] = {0};
	struct eth_hdr eth = {.type = ETH_TYPE_ARP};
	struct arp_packet a = {.op = rd_u8(r) & 3};
	struct wr w = wr_init(out, sizeof(out));
	uint8_t how = rd_u8(r);

	rd_copy(r, a.sha, 6);
	a.spa = how & 1 ? f->c.offer.address : how & 2 ? 0 : rd_be32(r);
	a.tpa = how & 4 ? f->c.offer.address : rd_be32(r);
	eth_write(&w, &eth);
	arp_write(&w, &a);
	(void)client_receive_arp(&f->c, span_of(out, how & 8 ? w.len - (how >> 4) : w.len), f->now,
				 &f->fx, NULL);
	run_effects(f);
}

static void event(struct fuzz_client *f, enum client_event e)
{
	enum client_event_kind k = client_event_kind_of(e);

	if (k != CLIENT_KIND_COMMAND && k != CLIENT_KIND_LINK)
		return;
	if (e == CLIENT_EV_LINK_UP || e == CLIENT_EV_LINK_DOWN) {
		f->link.up = e == CLIENT_EV_LINK_UP;
		client_set_link(&f->c, &f->link);
	}
	/* an address that somebody removed */
	if (e == CLIENT_EV_ADDRESS_REMOVED)
		f->address = false;
	if (e == CLIENT_EV_ADDRESS_REMOVED && !f->c.configured)
		return;
	(void)client_event(&f->c, e, f->now, &f->fx);
	run_effects(f);
}

/* Timers as they are due; several at one instant, but no more than there are. */
static void advance(struct fuzz_client *f, int64_t by, bool sleep)
{
	int64_t until = f->now + by;
	unsigned at_once = 0;
	unsigned before = f->sends;

	if (sleep)
		f->now = until;
	while (client_deadline(&f->c) && client_deadline(&f->c) <= until && !f->exited) {
		int64_t due = client_deadline(&f->c);

		at_once = due > f->now ? 0 : at_once + 1;
		fuzz_check(at_once <= CLIENT_N_TIMERS);
		f->now = due > f->now ? due : f->now;
		client_tick(&f->c, f->now, &f->fx);
		run_effects(f);
		if (f->sends - before > 2000)
			return;
	}
	/* left alone it sends less than a message a second */
	fuzz_check(f->sends - before <= 6U + (unsigned)(by / NS_PER_S));
	f->now = until;
}

static void relink(struct fuzz_client *f, uint8_t how)
{
	f->link.mtu = (uint16_t)(how & 0xf0 ? how * 16 : 0);
	f->link.address = how & 1 ? 0xc0000232 : 0;
	if (how & 2)
		f->link.mac[5] = how;
	client_set_link(&f->c, &f->link);
	if (how & 2)
		event(f, CLIENT_EV_MAC_CHANGED);
}

void fuzz_client_step(struct fuzz_client *f, struct rd *r)
{
	uint8_t kind = rd_u8(r);
	struct span frame;

	if (f->exited)
		return;
	switch (kind % STEP_KINDS) {
	case 0:
		frame = rd_bytes(r, rd_be16(r));
		receive(f, frame, rd_u8(r));
		break;
	case 1:
		message(f, r, false);
		break;
	case 2:
		message(f, r, true);
		break;
	case 3:
		arp(f, r);
		break;
	case 4:
		event(f, (enum client_event)(rd_u8(r) % CLIENT_N_EVENTS));
		break;
	case 5:
		advance(f, (int64_t)rd_be32(r) * 10 * NS_PER_MS, kind & 0x80);
		break;
	default:
		relink(f, rd_u8(r));
		break;
	}
}

void fuzz_client_init(struct fuzz_client *f, struct rd *r)
{
	static const struct client_link link = {.mac = {2, 0, 0, 0, 0, 1}, .mtu = 1500, .up = true};
	uint8_t flags = rd_u8(r);

	memset(f, 0, sizeof(*f));
	client_opts_init(&f->opts);
	f->opts.probe = (enum client_probe)((flags & 3) % 3);
	f->opts.broadcast = (enum client_broadcast)((flags >> 2 & 3) % 3);
	f->opts.foreground = flags & 16;
	f->opts.inform = flags & 32;
	f->opts.default_mask = flags & 64 ? 0xffffff00 : 0;
	if (flags & 128)
		f->opts.prl[f->opts.n_prl++] = 108;
	f->random = rd_u8(r);
	f->link = link;
	f->now = 1000 * NS_PER_S;
	client_init(&f->c, &f->opts, &f->link, &(struct client_random){random_u32, &f->random});
	event(f, CLIENT_EV_START);
}

void fuzz_client_end(struct fuzz_client *f)
{
	if (f->exited)
		return;
	event(f, CLIENT_EV_STOP);
	fuzz_check(f->exited && !f->raw && !f->udp && !f->arp);
	fuzz_check(!f->address && !client_deadline(&f->c));
}
