/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Walks an exchange down stages.def. The order is in the table; here is only how a row is run: the
 * hook before it, its function, the hook behind it, and the effect of a verdict. An exchange that
 * resumes starts at exchange.stage, which always names the next row.
 */
#include "server/core/pipeline.h"

#include "config/config.h"
#include "lease/lease_db.h"
#include "runtime/iface.h"
#include "server/core/server.h"
#include "server/core/snapshot.h"
#include "server/core/stages.h"
#include "server/core/trace.h"
#include "server/core/worker.h"

enum when { BEFORE, AFTER, INSIDE };
enum on_skip { STEP, NEXT, DROP, NO_SUBNET, IGNORE };

static const struct row {
	const char *name;
	enum verdict (*fn)(struct exchange *x);
	enum hook_point hook;
	enum when when;
	enum on_skip on_skip;
} rows[] = {
#define STAGE(symbol, fn, hook, when, skip, does) {#symbol, fn, HOOK_##hook, when, skip},
#include "server/core/stages.def"
#undef STAGE
};

const char *stage_name(enum stage s)
{
	return s < STAGE_N ? rows[s].name : "";
}

/* The reason a packet dropped by a hook's callouts is counted under. */
static enum drop hook_drop(enum hook_point p)
{
	switch ((int)p) {
	case HOOK_BUFFER4_RECEIVE:
		return DROP_HOOK_BUFFER4_RECEIVE;
	case HOOK_PKT4_RECEIVE:
		return DROP_HOOK_PKT4_RECEIVE;
	case HOOK_SUBNET4_SELECT:
		return DROP_HOOK_SUBNET4_SELECT;
	case HOOK_LEASES4_COMMITTED:
		return DROP_HOOK_LEASES4_COMMITTED;
	case HOOK_LEASE4_OFFER:
		return DROP_HOOK_LEASE4_OFFER;
	case HOOK_PKT4_SEND:
		return DROP_HOOK_PKT4_SEND;
	case HOOK_BUFFER4_SEND:
		return DROP_HOOK_BUFFER4_SEND;
	default:
		return DROP_PROCESSING_FAILED;
	}
}

static bool call_class_has(void *ctx, const char *name)
{
	return exchange_has_class_name(ctx, name);
}

static int call_class_add(void *ctx, const char *name)
{
	exchange_add_class_name(ctx, name);
	return exchange_has_class_name(ctx, name) ? 0 : -1;
}

static int call_unpack(void *ctx)
{
	return unpack_bytes(ctx);
}

static void call_fill(struct exchange *x, struct usher_call *c, enum hook_point p)
{
	bool sending = p == HOOK_BUFFER4_SEND;

	if (!x->unpacked)
		dhcp4_init(&x->query, &x->pkt.arena); /* a callout may unpack into it */
	*c = (struct usher_call){
		.point = p,
		.query = &x->query,
		.response = x->has_response ? &x->response : NULL,
		.raw = sending ? span_of(x->out, x->out_len) : x->raw,
		.iface = x->iface ? x->iface->name : NULL,
		.src = x->pkt.src,
		.dst = x->pkt.dst,
		.subnet_id = x->subnet ? x->subnet->id : 0,
		.fake_allocation = x->fake_allocation,
		.arena = &x->pkt.arena,
		.cfg = x->cfg,
		.packet_data = x->hook_data,
		.class_has = call_class_has,
		.class_add = call_class_add,
		.ctx = x,
	};
	if (p == HOOK_BUFFER4_RECEIVE) {
		c->raw_cap = PACKET_DATA_LEN;
		c->unpack = call_unpack;
	} else if (sending || p == HOOK_PKT4_SEND) {
		c->raw_cap = EXCHANGE_OUT_LEN; /* pkt4_send: the bytes that SKIP sends in place of
						  our packing */
		c->raw = sending ? c->raw : SPAN_NULL;
	} else {
		c->raw = SPAN_NULL;
	}
}

/* Copies back the members that callouts may change. */
static void call_apply(struct exchange *x, const struct usher_call *c)
{
	if (c->raw_replaced && c->point == HOOK_BUFFER4_RECEIVE)
		x->raw = c->raw;
	if (c->raw_replaced && (c->point == HOOK_BUFFER4_SEND || c->point == HOOK_PKT4_SEND)) {
		memcpy(x->out, c->raw.p, c->raw.n);
		x->out_len = c->raw.n;
	}
	if (c->subnet_set)
		x->subnet = config_subnet_by_id(x->cfg, c->subnet_id);
	if (c->point == HOOK_HOST4_IDENTIFIER && c->status == USHER_CONTINUE)
		x->flex_id = c->host_id;
}

enum usher_next_step pipeline_hook(struct exchange *x, enum hook_point p, struct lease *lease,
				   const struct lease *deleted)
{
	struct usher_call c;

	if (!hook_any(x->snap->hooks, p))
		return USHER_CONTINUE;
	call_fill(x, &c, p);
	c.lease = lease;
	c.deleted = deleted;
	(void)hook_call(x->snap->hooks, &c);
	call_apply(x, &c);
	TRACE(x, "hook %s: %s", hook_point_name(p),
	      (const char *const[]){"CONTINUE", "SKIP", "DROP", "PARK"}[c.status & 3]);
	return c.status;
}

static unsigned lot_of(enum hook_point p)
{
	return p == HOOK_SUBNET4_SELECT ? 0 : p == HOOK_LEASES4_COMMITTED ? 1 : 2;
}

/* parked-packet-limit counts a lot; the place is taken before the callouts run, as a callout may
 * give its handle back from another thread at once. */
static bool lot_enter(struct exchange *x, unsigned lot)
{
	int limit = (int)x->cfg->parked_packet_limit;

	if (atomic_fetch_add(&exchange_server(x)->parked[lot], 1) < limit || limit == 0)
		return true;
	(void)atomic_fetch_sub(&exchange_server(x)->parked[lot], 1);
	return false;
}

enum usher_next_step pipeline_hook_parking(struct exchange *x, enum hook_point p, bool *ret_park)
{
	unsigned lot = lot_of(p);
	struct usher_call c;

	*ret_park = false;
	if (!hook_any(x->snap->hooks, p))
		return USHER_CONTINUE;
	if (!lot_enter(x, lot)) {
		x->drop = DROP_PARKED_LIMIT;
		return USHER_DROP;
	}
	x->parked.refs = 1;
	x->parked.dropped = false;
	x->parked.in_use = false;
	x->lot = (uint8_t)(lot + 1);
	call_fill(x, &c, p);
	c.parked = &x->parked;
	c.lease = x->lease;
	c.deleted = x->deleted;
	(void)hook_call(x->snap->hooks, &c);
	call_apply(x, &c);
	if (p == HOOK_LEASE4_OFFER && c.address_in_use)
		x->parked.in_use = true;
	/* a handle is out: the slot must not be freed before it is back, also when a later callout
	 * set DROP */
	if (c.took_handle && c.status == USHER_DROP)
		x->parked.dropped = true;
	if (c.took_handle)
		c.status = USHER_PARK;
	if (c.status == USHER_PARK) {
		TRACE(x, "hook %s: PARK", hook_point_name(p));
		stats_add(worker_stats(x->w), METRIC_PARKED, 1);
		if (atomic_fetch_sub(&x->parked.refs, 1) != 1) {
			*ret_park = true;
			return USHER_PARK;
		}
		c.status = USHER_CONTINUE; /* every handle is back already */
	}
	exchange_leave_lot(x);
	if (x->parked.dropped) {
		x->drop = DROP_PARKED_DROPPED;
		return USHER_DROP;
	}
	return c.status;
}

/* Calls the hook of a row. CONTINUE: the row runs; *ret_skip: the callouts set SKIP. */
static enum verdict row_hook(struct exchange *x, const struct row *row, bool *ret_skip)
{
	enum usher_next_step step;
	bool park = false;

	*ret_skip = false;
	if (hook_point_parks(row->hook))
		step = pipeline_hook_parking(x, row->hook, &park);
	else
		step = pipeline_hook(x, row->hook, NULL, NULL);
	if (park)
		return VERDICT_PARK;
	if (step == USHER_DROP || (step == USHER_SKIP && row->on_skip == DROP))
		return exchange_drop(x, x->drop ? x->drop : hook_drop(row->hook));
	*ret_skip = step == USHER_SKIP;
	return VERDICT_CONTINUE;
}

static void row_skipped(struct exchange *x, const struct row *row)
{
	if (row->on_skip == NO_SUBNET)
		x->subnet = NULL;
	else if (row->on_skip == NEXT)
		x->skip_next = true;
}

/* A row whose hook has a callout, or that a callout may have said to leave out. */
static enum verdict row_run_hooked(struct exchange *x, const struct row *row)
{
	bool leave_out = x->skip_next;
	bool skip = false;
	enum verdict v = VERDICT_CONTINUE;

	x->skip_next = false;
	if (row->when == BEFORE && hook_any(x->snap->hooks, row->hook)) {
		v = row_hook(x, row, &skip);
		leave_out |= skip;
	}
	if (v == VERDICT_CONTINUE && !leave_out)
		v = row->fn(x);
	if (v == VERDICT_CONTINUE && row->when == AFTER && hook_any(x->snap->hooks, row->hook)) {
		v = row_hook(x, row, &skip);
		if (v == VERDICT_CONTINUE && skip)
			row_skipped(x, row);
	}
	return v;
}

enum verdict pipeline_run(struct exchange *x)
{
	return pipeline_run_to(x, STAGE_N);
}

enum verdict pipeline_run_to(struct exchange *x, enum stage end)
{
	enum verdict v = VERDICT_CONTINUE;
	bool hooked = hook_any_at_all(x->snap->hooks);

	if (x->parked.dropped)
		return exchange_drop(x, x->lot ? DROP_PARKED_DROPPED : DROP_DUPLICATE);
	exchange_leave_lot(x); /* back from one, perhaps */
	while (v == VERDICT_CONTINUE && x->stage < end) {
		const struct row *row = &rows[x->stage++];

		v = hooked ? row_run_hooked(x, row) : row->fn(x);
		if (unlikely(x->pkt.arena.failed) && (v == VERDICT_CONTINUE || v == VERDICT_DROP))
			v = exchange_drop(x, DROP_PROCESSING_FAILED);
		if (v == VERDICT_PARK)
			break; /* the resuming thread owns it now */
		TRACE(x, "%s: %s", row->name,
		      (const char *const[]){"done", "drop", "parked", "sent"}[v & 3]);
	}
	return v;
}
