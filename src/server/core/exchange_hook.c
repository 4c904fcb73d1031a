/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The one way in which an exchange calls callouts: fills the arguments of a hook point from the
 * exchange, calls, and copies back the members that callouts may change. A call that may park
 * counts the exchange in the point's parking lot first.
 */
#include "server/core/exchange_hook.h"

#include "base/ip.h"
#include "base/cursor.h"
#include "config/config.h"
#include "runtime/iface.h"
#include "server/core/exchange_lease.h"
#include "server/core/server.h"
#include "server/core/services.h"
#include "server/core/snapshot.h"
#include "server/core/trace.h"
#include "wire/option_codes.h"

#include <net/if_arp.h>

static const enum drop point_drops[] = {
#define HOOK(symbol, name, lot, drop) DROP_##drop,
#include "hook/hooks.def"
#undef HOOK
};

enum drop exchange_hook_drop(enum hook_point p)
{
	return p < HOOK_N_POINTS ? point_drops[p] : DROP_PROCESSING_FAILED;
}

static bool has_class_name(void *ctx, const char *name)
{
	return exchange_has_class_name(ctx, name);
}

static int add_class_name(void *ctx, const char *name)
{
	exchange_add_class_name(ctx, name);
	return exchange_has_class_name(ctx, name) ? 0 : -1;
}

static const char *show_class(void *exchange, uint32_t i, int *ret_id)
{
	const struct exchange *x = exchange;

	*ret_id = i < x->n_class_order ? (int)x->class_order[i] : -1;
	if (*ret_id >= 0)
		return x->cfg->class_names[*ret_id];
	i -= x->n_class_order;
	return i < x->n_extra_classes ? x->extra_classes[i] : NULL;
}

/* Returns whether the client is on the link of its interface, which is Ethernet and has an address
 * in the subnet. */
static bool show_link(void *exchange, struct hook_link *ret)
{
	const struct exchange *x = exchange;
	const struct config_subnet *s = x->subnet;
	const struct iface *i = x->iface;

	if (!i || !s || x->query.giaddr || i->arp_type != ARPHRD_ETHER)
		return false;
	for (size_t k = 0; k < i->n_addrs; k++) {
		if ((i->addrs[k].addr & ip_mask(s->prefix_len)) != s->prefix)
			continue;
		*ret = (struct hook_link){.ifindex = i->ifindex, .addr = i->addrs[k].addr};
		memcpy(ret->mac, i->mac, sizeof(ret->mac));
		return true;
	}
	return false;
}

static int unpack_call(void *ctx)
{
	return exchange_unpack(ctx);
}

/* Returns the server identifier of an answer that no subnet decides: that of the query, the global
 * option 54, or our address. */
static uint32_t own_server_id(const struct exchange *x)
{
	const struct config_option *o = config_option_top(&x->cfg->options, DHCP4_OPT_SERVER_ID);
	uint32_t id;

	if (dhcp4_opt_u32(&x->query, DHCP4_OPT_SERVER_ID, &id))
		return id;
	return o && rd_span_be32(o->data, &id) ? id : x->local_addr;
}

/* Begins a response as those of the stages begin, without the client's fields. */
static struct dhcp4_msg *begin_answer(void *ctx, enum dhcp4_type type)
{
	struct exchange *x = ctx;
	struct dhcp4_msg *r = &x->response;

	if (!x->unpacked)
		return NULL;
	dhcp4_init(r, &x->pkt.arena);
	r->op = DHCP4_BOOTREPLY;
	r->xid = x->query.xid;
	r->giaddr = x->query.giaddr;
	if (dhcp4_opt_set_u8(r, DHCP4_OPT_MESSAGE_TYPE, (uint8_t)type) < 0 ||
	    dhcp4_opt_set_u32(r, DHCP4_OPT_SERVER_ID, own_server_id(x)) < 0)
		return NULL;
	return r;
}

static bool is_server_id(void *ctx, uint32_t id)
{
	return exchange_is_server_id(ctx, id);
}

static uint64_t enter_callout(void *ctx, _Atomic unsigned *hanging)
{
	struct exchange *x = ctx;

	return x->services ? x->services->enter_callout(x, hanging) : HOOK_NOT_WATCHED;
}

static void leave_callout(void *ctx, _Atomic unsigned *hanging, uint64_t token)
{
	struct exchange *x = ctx;

	if (token != HOOK_NOT_WATCHED)
		x->services->leave_callout(x, hanging, token);
}

static const struct hook_services services = {.enter = enter_callout,
					      .leave = leave_callout,
					      .answer = begin_answer,
					      .is_server_id = is_server_id,
					      .stored_context = exchange_stored_context,
					      .update_lease = exchange_update_lease};

static void fill_call(struct exchange *x, struct usher_call *c, enum hook_point p)
{
	bool sending = p == HOOK_BUFFER4_SEND;

	if (!x->unpacked)
		dhcp4_init(&x->query, &x->pkt.arena); /* a callout may unpack into this member */
	*c = (struct usher_call){
		.point = p,
		.query = &x->query,
		.response = x->has_response ? &x->response : NULL,
		.raw = sending ? span_of(x->out, x->out_len) : x->raw,
		.query_len = x->raw.n,
		.iface = x->iface ? x->iface->name : NULL,
		.src = x->pkt.src,
		.dst = x->pkt.dst,
		.worker = x->worker_index,
		.received_ns = x->received_ns,
		.packet = &x->pkt,
		.subnet_id = x->subnet ? x->subnet->id : 0,
		.fake_allocation = x->fake_allocation,
		.arena = &x->pkt.arena,
		.cfg = x->cfg,
		.packet_data = x->hook_data,
		.config_data = x->snap->hook_data,
		.class_has = has_class_name,
		.class_add = add_class_name,
		.class_at = show_class,
		.link = show_link,
		.ctx = x,
		.services = &services,
	};
	if (p == HOOK_BUFFER4_RECEIVE) {
		c->raw_cap = PACKET_DATA_LEN;
		c->unpack = unpack_call;
	} else if (sending || p == HOOK_PKT4_SEND) {
		c->raw_cap = EXCHANGE_OUT_LEN; /* pkt4_send: the bytes that SKIP sends in place of
						  our packing */
		c->raw = sending ? c->raw : SPAN_NULL;
	} else {
		c->raw = SPAN_NULL;
	}
}

/* Drops the packet of a library that hangs, also at points where DROP has no effect: a failed arena
 * drops it at the end of the stage, and SKIP keeps the stage from a lease. */
static cold_fn void refuse_call(struct exchange *x, struct usher_call *c)
{
	bool lease = c->point == HOOK_LEASE4_SELECT || c->point == HOOK_LEASE4_RENEW;

	c->status = lease ? USHER_SKIP : USHER_DROP;
	c->drop = DROP_CALLOUT_LATE;
	x->refused = true;
	x->pkt.arena.failed = true;
}

/* Copies back the members that callouts may change. */
static void apply_call(struct exchange *x, struct usher_call *c)
{
	if (unlikely(c->refused))
		refuse_call(x, c);
	if (c->raw_replaced && c->point == HOOK_BUFFER4_RECEIVE)
		x->raw = c->raw;
	if (c->raw_replaced && (c->point == HOOK_BUFFER4_SEND || c->point == HOOK_PKT4_SEND)) {
		memcpy(x->out, c->raw.p, c->raw.n);
		x->out_len = c->raw.n;
	}
	if (c->answered) {
		x->answered = true;
		x->has_response = true;
	}
	if (c->subnet_set)
		x->subnet = config_subnet_by_id(x->cfg, c->subnet_id);
	if (c->point == HOOK_HOST4_IDENTIFIER && c->status == USHER_CONTINUE)
		x->flex_id = c->host_id;
	if (c->point == HOOK_LEASE4_SELECT)
		x->bounds = c->bounds;
	if (c->status == USHER_DROP && c->drop)
		x->drop = (enum drop)c->drop;
}

enum usher_next_step exchange_hook(struct exchange *x, enum hook_point p, struct lease *lease,
				   const struct lease *deleted)
{
	struct usher_call c;

	if (!hook_any(x->snap->hooks, p))
		return USHER_CONTINUE;
	fill_call(x, &c, p);
	c.lease = lease;
	c.deleted = deleted;
	(void)hook_call(x->snap->hooks, &c);
	apply_call(x, &c);
	TRACE(x, "hook %s: %s", hook_point_name(p),
	      (const char *const[]){"CONTINUE", "SKIP", "DROP", "PARK"}[c.status & 3]);
	return c.status;
}

/*
 * Takes a place in the parking lot, whose size is parked-packet-limit. Called before the callouts
 * run, because a callout may return its handle from another thread at once. Returns false when the
 * lot is full.
 */
static bool enter_lot(struct exchange *x, enum hook_lot lot)
{
	int limit = (int)x->cfg->parked_packet_limit;

	if (atomic_fetch_add(&x->srv->parked[lot], 1) < limit || limit == 0)
		return true;
	(void)atomic_fetch_sub(&x->srv->parked[lot], 1);
	return false;
}

enum usher_next_step exchange_hook_resumed(struct exchange *x)
{
	struct usher_call c;

	fill_call(x, &c, HOOK_SUBNET4_SELECT);
	c.status = USHER_CONTINUE;
	x->parked.then(&c, x->parked.then_ctx);
	x->parked.then = NULL;
	apply_call(x, &c);
	return c.status;
}

enum usher_next_step exchange_hook_parking(struct exchange *x, enum hook_point p, bool *ret_park)
{
	enum hook_lot lot = hook_point_lot(p);
	struct usher_call c;

	*ret_park = false;
	if (!hook_any(x->snap->hooks, p))
		return USHER_CONTINUE;
	if (!enter_lot(x, lot)) {
		x->drop = DROP_PARKED_LIMIT;
		return USHER_DROP;
	}
	x->parked.refs = 1;
	x->parked.dropped = false;
	x->parked.in_use = false;
	x->parked.then = NULL;
	x->lot = lot;
	fill_call(x, &c, p);
	c.parked = &x->parked;
	c.lease = x->lease;
	c.deleted = x->deleted;
	c.reserved = x->host && x->lease && x->host->addr == x->lease->addr;
	c.offer_stored = x->offer_stored;
	c.previous = x->previous;
	(void)hook_call(x->snap->hooks, &c);
	apply_call(x, &c);
	if (p == HOOK_LEASE4_OFFER && c.address_in_use)
		x->parked.in_use = true;
	/* a handle is out: the slot must not be freed before it is returned, also when a later
	 * callout set DROP */
	if (c.took_handle && c.status == USHER_DROP)
		x->parked.dropped = true;
	if (c.took_handle)
		c.status = USHER_PARK;
	if (c.status == USHER_PARK) {
		TRACE(x, "hook %s: PARK", hook_point_name(p));
		stats_add(x->stats, METRIC_PARKED, 1);
		if (atomic_fetch_sub(&x->parked.refs, 1) != 1) {
			*ret_park = true;
			return USHER_PARK;
		}
		c.status = USHER_CONTINUE; /* every handle has been returned already */
	}
	exchange_leave_lot(x);
	if (x->parked.dropped) {
		x->drop = DROP_PARKED_DROPPED;
		return USHER_DROP;
	}
	return x->parked.then ? exchange_hook_resumed(x) : c.status;
}
