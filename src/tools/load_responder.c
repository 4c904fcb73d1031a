/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Relayed messages only (giaddr). The answer is a template with the client's fields copied in, then
 * the options that are returned unchanged: 61 (RFC 6842) and 82 (RFC 3046). All answers are
 * equally long unless option 82 is a long one, so that they leave in segments.
 */
#include "tools/load_responder.h"

#include "base/clock.h"
#include "base/cursor.h"
#include "tools/load_result.h"
#include "wire/dhcp4.h"
#include "wire/dhcp4_scan.h"
#include "wire/option_codes.h"

enum {
	ANSWER_LEN = 320,
	LEASE_TIME = 86400,
	LIE_EVERY = 16,
	GIADDR_OFF = 24,
};

/* The fields of a query that its answer needs. */
struct query {
	uint32_t xid, giaddr;
	struct span xid_to_flags; /* 8 octets */
	struct span chaddr;	  /* 16 octets */
	uint8_t type;
	struct span client_id, agent;
};

static bool read_query(struct span bytes, struct query *q)
{
	struct rd r = rd_init(bytes);
	struct dhcp4_option o;
	uint32_t kind = rd_be32(&r);

	*q = (struct query){0};
	q->xid_to_flags = rd_bytes(&r, 8);
	(void)rd_bytes(&r, 12);
	q->giaddr = rd_be32(&r);
	q->chaddr = rd_bytes(&r, DHCP4_CHADDR_LEN);
	(void)rd_bytes(&r, DHCP4_SNAME_LEN + DHCP4_FILE_LEN);
	if (rd_be32(&r) != DHCP4_MAGIC || kind >> 8 != (DHCP4_BOOTREQUEST << 16 | 1 << 8 | 6))
		return false;
	while (dhcp4_scan_next(&r, &o)) {
		if (o.code == DHCP4_OPT_MESSAGE_TYPE && o.data.n == 1)
			q->type = o.data.p[0];
		else if (o.code == DHCP4_OPT_CLIENT_ID)
			q->client_id = o.data;
		else if (o.code == DHCP4_OPT_AGENT_OPTIONS)
			q->agent = o.data;
	}
	return rd_ok(&r);
}

/* Returns the address of a client: the low octets of chaddr inside the pool. */
static uint32_t address_of(const struct load_opts *o, struct span chaddr)
{
	struct rd r = rd_init(span_sub(chaddr, 2, 4));

	return o->pool | ((rd_be32(&r) + 1) & (uint32_t)((UINT64_C(1) << o->pool_bits) - 1));
}

/* The fields of an answer before it is written; wrong answers change some. */
struct answer {
	uint8_t type;
	uint32_t xid_mask;
	uint32_t yiaddr, giaddr, server_id;
	uint8_t chaddr_mask;
	bool no_lease_time, other_client_id, torn;
};

static void make_wrong(const struct load_opts *o, struct answer *a)
{
	switch (o->lie) {
	case LOAD_LIE_NONE:
		break;
	case LOAD_LIE_DUPLICATE:
		a->yiaddr = o->pool | 1;
		break;
	case LOAD_LIE_XID:
		a->xid_mask = 0x80000000U;
		break;
	case LOAD_LIE_CHADDR:
		a->chaddr_mask = 0x01;
		break;
	case LOAD_LIE_SERVER_ID:
		a->server_id ^= a->type == DHCP4_ACK ? 1 : 0;
		break;
	case LOAD_LIE_ADDRESS:
		a->yiaddr ^= a->type == DHCP4_ACK ? 2 : 0;
		break;
	case LOAD_LIE_GIADDR:
		a->giaddr ^= 1;
		break;
	case LOAD_LIE_TYPE:
		a->type = DHCP4_INFORM;
		break;
	case LOAD_LIE_NAK:
		a->type = a->type == DHCP4_ACK ? DHCP4_NAK : a->type;
		break;
	case LOAD_LIE_LEASE_TIME:
		a->no_lease_time = true;
		break;
	case LOAD_LIE_CLIENT_ID:
		a->other_client_id = true;
		break;
	case LOAD_LIE_MALFORMED:
		a->torn = true;
		break;
	}
}

/* Returns whether to give a wrong answer. A duplicate is chosen by client, not by message,
 * because it must be offered too: then nothing but the duplicate is wrong. */
static bool lies_now(const struct load_opts *o, const struct query *q, uint64_t n)
{
	struct rd r = rd_init(span_sub(q->chaddr, 2, 4));

	if (o->lie == LOAD_LIE_NONE)
		return false;
	return (o->lie == LOAD_LIE_DUPLICATE ? rd_be32(&r) : n) % LIE_EVERY == 0;
}

static void write_fixed(struct wr *w, const struct query *q, const struct answer *a)
{
	struct rd xid = rd_init(q->xid_to_flags);
	struct rd chaddr = rd_init(q->chaddr);

	wr_be32(w, DHCP4_BOOTREPLY << 24 | 1 << 16 | 6 << 8);
	wr_be32(w, rd_be32(&xid) ^ a->xid_mask);
	wr_be32(w, rd_be32(&xid));
	wr_be32(w, 0);
	wr_be32(w, a->yiaddr);
	wr_be32(w, 0);
	wr_be32(w, a->giaddr);
	wr_be32(w, rd_be32(&chaddr));
	wr_u8(w, rd_u8(&chaddr));
	wr_u8(w, rd_u8(&chaddr) ^ a->chaddr_mask);
	wr_span(w, rd_bytes(&chaddr, 10));
	wr_zero(w, DHCP4_SNAME_LEN + DHCP4_FILE_LEN);
	wr_be32(w, DHCP4_MAGIC);
}

static void write_option(struct wr *w, uint8_t code, struct span data)
{
	wr_u8(w, code);
	wr_u8(w, (uint8_t)data.n);
	wr_span(w, data);
}

static void write_be32(struct wr *w, uint8_t code, uint32_t v)
{
	wr_u8(w, code);
	wr_u8(w, 4);
	wr_be32(w, v);
}

static void write_options(struct wr *w, const struct load_opts *o, const struct query *q,
			  const struct answer *a)
{
	write_option(w, DHCP4_OPT_MESSAGE_TYPE, span_of(&a->type, 1));
	write_be32(w, DHCP4_OPT_SERVER_ID, a->server_id);
	if (a->type != DHCP4_NAK && !a->no_lease_time)
		write_be32(w, DHCP4_OPT_LEASE_TIME, LEASE_TIME);
	if (a->type != DHCP4_NAK)
		write_be32(w, DHCP4_OPT_SUBNET_MASK, 0xffffffffU << (o->pool_bits & 31));
	if (a->other_client_id)
		write_option(w, DHCP4_OPT_CLIENT_ID, span_str("nobody"));
	else if (q->client_id.p)
		write_option(w, DHCP4_OPT_CLIENT_ID, q->client_id);
	if (q->agent.p)
		write_option(w, DHCP4_OPT_AGENT_OPTIONS, q->agent);
	if (a->torn) { /* an option that runs over the end */
		wr_u8(w, DHCP4_OPT_HOST_NAME);
		wr_u8(w, 255);
	} else {
		wr_u8(w, DHCP4_SCAN_END);
	}
	if (w->len < ANSWER_LEN)
		wr_zero(w, ANSWER_LEN - w->len);
}

size_t load_responder_answer(const struct load_opts *o, struct span query, uint64_t n, uint8_t *out,
			     uint8_t *ret_type)
{
	struct wr w = wr_init(out, LOAD_IO_MSG_MAX);
	struct query q;
	struct answer a;

	if (!read_query(query, &q) || !q.giaddr ||
	    (q.type != DHCP4_DISCOVER && q.type != DHCP4_REQUEST))
		return 0;
	a = (struct answer){
		.type = q.type == DHCP4_DISCOVER ? DHCP4_OFFER : DHCP4_ACK,
		.yiaddr = address_of(o, q.chaddr),
		.giaddr = q.giaddr,
		.server_id = o->bind[0],
	};
	if (lies_now(o, &q, n))
		make_wrong(o, &a);
	write_fixed(&w, &q, &a);
	write_options(&w, o, &q, &a);
	*ret_type = a.type;
	return wr_ok(&w) ? w.len : 0;
}

/* --- the loop --------------------------------------------------------------------------------- */

struct responder {
	const struct load_opts *o;
	struct load_io *io;
	struct load_responder_counts counts;
	struct load_io_dest dest;
};

static void on_query(void *ctx, struct span msg, int64_t now_ns)
{
	struct responder *s = ctx;
	struct rd r = rd_init(span_sub(msg, GIADDR_OFF, 4));
	struct load_io_dest dest = {.dst = rd_be32(&r), .dport = DHCP4_SERVER_PORT};
	uint64_t n = s->counts.offers + s->counts.acks;
	uint8_t type;
	size_t len;

	(void)now_ns;
	if (!dest.dst) {
		s->counts.ignored++;
		return;
	}
	len = load_responder_answer(s->o, msg, n, load_io_room(s->io, &dest), &type);
	if (!len) {
		s->counts.ignored++;
		return;
	}
	load_io_push(s->io, len);
	if (type == DHCP4_OFFER)
		s->counts.offers++;
	else
		s->counts.acks++;
}

int load_responder_run(const struct load_opts *o, struct load_io *io,
		       const volatile sig_atomic_t *stop, struct load_responder_counts *ret)
{
	struct responder s = {.o = o, .io = io};
	int64_t begin = clock_mono_ns(&clock_system);
	int64_t end = o->time_ns ? begin + o->time_ns : INT64_MAX;
	double cpu = load_cpu_us();
	int r = 0;

	while (r >= 0 && !*stop && clock_mono_ns(&clock_system) < end) {
		r = load_io_recv(io, on_query, &s);
		load_io_flush(io);
		if (r == 0)
			load_io_wait(io, 50 * NS_PER_MS);
	}
	s.counts.seconds = (double)(clock_mono_ns(&clock_system) - begin) / 1e9;
	s.counts.cpu_us = load_cpu_us() - cpu;
	*ret = s.counts;
	return r < 0 ? r : 0;
}
