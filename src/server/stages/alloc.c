/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The allocation engine. Finding the lease to offer takes a bounded number of look-ups however full
 * the pools are: the client's own records by index, one reservation a subnet, and one constant-time
 * pick a pool. RFC 2131 4.3.1 gives the order: binding, previous address, requested address, pool;
 * a reservation precedes all.
 */
#include "server/stages/alloc.h"

#include "base/error.h"
#include "base/ip.h"
#include "base/log.h"
#include "config/config.h"
#include "hook/host_source.h"
#include "lease/lease_db.h"
#include "server/core/exchange_hook.h"
#include "server/core/server.h"
#include "server/stages/agent_info.h"
#include "server/stages/response.h"
#include "server/core/snapshot.h"
#include "server/stages/stages.h"
#include "server/core/trace.h"
#include "wire/option_codes.h"

/* PICKS_MAX: addresses of the host source that a pick steps over. */
enum { OWN_MAX = 8, PICKS_MAX = 64 };

static struct candidate *alloc_candidate(struct exchange *x, uint32_t subnet_id)
{
	for (uint32_t i = 0; i < x->n_candidates; i++)
		if (x->candidates[i].subnet->id == subnet_id)
			return &x->candidates[i];
	return NULL;
}

static const struct config_pool *alloc_pool(const struct exchange *x, const struct config_subnet *s,
					    uint32_t addr, bool *ret_closed)
{
	*ret_closed = false;
	for (size_t i = 0; i < s->n_pools; i++) {
		const struct config_pool *p = &s->pools[i];

		if (addr < p->first || addr > p->last)
			continue;
		if (exchange_class_ok(x, &p->classes))
			return p;
		*ret_closed = true;
	}
	return NULL;
}

static bool same_host(const struct config_host *a, const struct config_host *b)
{
	return a == b || (a && b && a->id_type == b->id_type && span_eq(a->id, b->id));
}

/* Returns whether the host source has a reservation of the address for another client. */
static bool is_barred_by_source(const struct exchange *x, const struct candidate *c, uint32_t addr)
{
	const struct host_source *source = hook_hosts(x->snap->hooks);
	const struct config_params *p = &c->subnet->params;

	if (likely(!source) || p->reservations_out_of_pool)
		return false;
	return (p->reservations_in_subnet &&
		source->is_barred(source->ctx, c->subnet->id, addr, c->host)) ||
	       (p->reservations_global && source->is_barred(source->ctx, 0, addr, c->host));
}

static bool alloc_reserved_for_other(const struct exchange *x, const struct candidate *c,
				     uint32_t addr)
{
	const struct config_subnet *s = c->subnet;
	const struct config_host *h = NULL;

	if (!x->cfg->n_hosts)
		return is_barred_by_source(x, c, addr);
	/* addr is in a pool */
	if (s->params.reservations_out_of_pool)
		return false;
	if (s->params.reservations_in_subnet)
		h = config_host_by_addr(x->cfg, s->id, addr);
	if (!h && s->params.reservations_global)
		h = config_host_by_addr(x->cfg, 0, addr);
	return h ? !same_host(h, c->host) : is_barred_by_source(x, c, addr);
}

bool alloc_allowed(const struct exchange *x, const struct candidate *c, uint32_t addr,
		   const struct config_pool **ret_pool)
{
	bool closed;

	*ret_pool = alloc_pool(x, c->subnet, addr, &closed);
	if (addr && host_address(c) == addr)
		return true;
	return *ret_pool && !alloc_reserved_for_other(x, c, addr);
}

/* Returns subnet i of the client's network, open or not; NULL: there are no more. */
static const struct config_subnet *network_subnet(const struct exchange *x, size_t i)
{
	const struct config_network *n = x->subnet->network;

	if (!n)
		return i ? NULL : x->subnet;
	return i < n->n_subnets ? n->subnets[i] : NULL;
}

bool alloc_in_any_pool(const struct exchange *x, uint32_t addr)
{
	const struct config_subnet *s;
	bool closed;

	for (size_t i = 0; (s = network_subnet(x, i)) != NULL; i++)
		if (alloc_pool(x, s, addr, &closed) || closed)
			return true;
	return false;
}

bool alloc_expired(const struct exchange *x, const struct lease *l)
{
	return lease_expire(l) < clock_wall_s(&exchange_server(x)->clock); /* as the table has it */
}

/* Returns the lifetime of the first class that has one, in the order of the classes; else the
 * subnet's. */
static struct config_triplet lifetime_triplet(const struct exchange *x,
					      const struct config_subnet *s)
{
	for (uint32_t i = 0; i < x->n_class_order; i++) {
		const struct config_class *c = x->cfg->class_by_id[x->class_order[i]];

		if (c && c->valid_lifetime.set)
			return c->valid_lifetime;
	}
	return s->params.valid_lifetime;
}

/* Returns whether the pool is fuller than adaptive-lease-time-threshold. */
static bool pool_crowded(const struct exchange *x, const struct candidate *c)
{
	double threshold = c->subnet->params.adaptive_lease_time_threshold;
	double size;

	if (!x->pool || threshold >= 1.0)
		return false;
	size = (double)x->pool->last - x->pool->first + 1;
	return 1.0 - (double)lease_pool_free(x->snap->pools, x->pool->index) / size >= threshold;
}

static uint32_t alloc_lifetime(const struct exchange *x, const struct candidate *c)
{
	struct config_triplet t = lifetime_triplet(x, c->subnet);
	uint32_t want;

	if (exchange_has_builtin(x, CLASS_BOOTP))
		return LEASE_INFINITE;
	if (pool_crowded(x, c))
		return t.min ? t.min : t.value;
	if (!dhcp4_opt_u32(&x->query, DHCP4_OPT_LEASE_TIME, &want))
		return t.value;
	if (want < t.min)
		return t.min;
	return want > t.max ? t.max : want;
}

size_t alloc_own(struct exchange *x, struct lease **ret)
{
	uint32_t *ids = arena_alloc(&x->pkt.arena, x->n_candidates * sizeof(*ids));
	struct lease *own = arena_alloc(&x->pkt.arena, OWN_MAX * sizeof(*own));
	struct lease_client who = exchange_client(x, x->subnet);
	size_t n;

	*ret = own;
	if (!own || !ids)
		return 0; /* the pipeline drops the packet: its arena has failed */
	for (uint32_t i = 0; i < x->n_candidates; i++)
		ids[i] = x->candidates[i].subnet->id;
	n = lease_db_find(exchange_server(x)->db, &who, ids, x->n_candidates, NULL, own, OWN_MAX);
	arena_trim(&x->pkt.arena, own, n * sizeof(*own)); /* later data stays near */
	return n;
}

void alloc_reclaimed(struct exchange *x, const struct lease_change *change)
{
	enum hook_point p = change->old.state == LEASE_DECLINED ? HOOK_LEASE4_RECOVER
								: HOOK_LEASE4_EXPIRE;
	struct lease old = change->old;

	if (change->old_expired)
		(void)exchange_hook(x, p, &old, NULL);
}

/* Writes the client's identity, with its identifier where that counts in the subnet. */
static void lease_identity(const struct exchange *x, const struct config_subnet *s, struct lease *l)
{
	l->hw_len = (uint8_t)(x->hw.n > LEASE_HW_MAX ? LEASE_HW_MAX : x->hw.n);
	if (l->hw_len)
		memcpy(l->hw, x->hw.p, l->hw_len);
	if (!s->params.match_client_id || !x->client_id.n)
		return;
	l->client_id_len = (uint16_t)x->client_id.n;
	memcpy(l->client_id, x->client_id.p, x->client_id.n);
}

void alloc_place(struct exchange *x, const struct candidate *c, const struct config_pool *pool)
{
	x->subnet = c->subnet;
	x->pool = pool;
	x->host = c->host;
	subnet_adopt_address(x);
}

struct lease *alloc_lease(struct exchange *x, const struct candidate *c,
			  const struct config_pool *pool, uint32_t addr)
{
	struct lease *l = arena_zalloc(&x->pkt.arena, sizeof(*l));

	if (!l)
		return NULL;
	alloc_place(x, c, pool);
	lease_identity(x, c->subnet, l);
	l->addr = addr;
	l->subnet_id = c->subnet->id;
	l->pool_id = pool ? pool->pool_id : 0;
	l->state = LEASE_ASSIGNED;
	l->cltt = clock_wall_s(&exchange_server(x)->clock);
	l->valid_lft = alloc_lifetime(x, c);
	client_name(x, addr);
	if (x->hostname)
		memcpy(l->hostname, x->hostname, strnlen(x->hostname, sizeof(l->hostname) - 1));
	if (unlikely(x->cfg->ddns.enabled)) {
		l->fqdn_fwd = x->fqdn_fwd;
		l->fqdn_rev = x->fqdn_rev;
	}
	if (c->subnet->params.store_extended_info && x->rai.n && !x->rai_stashed)
		l->user_context = agent_info_context(x);
	return l;
}

/* Returns the identity for the comparison of owners: without a client identifier where it does not
 * count. On the stack: a full network of many pools is tried without a lease in the arena for each.
 */
static struct lease hold_key(const struct exchange *x, const struct candidate *c,
			     const struct config_pool *pool, uint32_t addr)
{
	struct lease key = {.addr = addr,
			    .subnet_id = c->subnet->id,
			    .pool_id = pool ? pool->pool_id : 0};

	lease_identity(x, c->subnet, &key);
	return key;
}

/* Holds addr for the client if the client may have it and the address is free. */
static struct lease *try_address(struct exchange *x, const struct candidate *c, uint32_t addr,
				 enum log_id id, const char *what)
{
	const struct config_pool *pool;
	struct lease key;

	if (!alloc_allowed(x, c, addr, &pool))
		return NULL;
	key = hold_key(x, c, pool, addr);
	if (lease_db_hold(exchange_server(x)->db, &key) < 0) {
		FINDING(x, ALLOC_ENGINE_V4_REQUEST_IN_USE, "%s is in use", what);
		return NULL;
	}
	if (unlikely(x->trace != NULL))
		trace_note(x, id, "offering the %s", what);
	return alloc_lease(x, c, pool, addr);
}

static void reservation_conflict(struct exchange *x, const struct candidate *c)
{
	char ip[IP_TEXT_LEN];

	exchange_count(x, c->subnet, SUBNET_RESERVATION_CONFLICTS);
	EXCHANGE_LOG(x, LOG_ALLOC_ENGINE_V4_RESERVATION_CONFLICT,
		     "reserved address %s is in use by another client", ip_text(c->host->addr, ip));
}

const struct candidate *alloc_reserved(const struct exchange *x)
{
	bool any = host_any(x);

	for (uint32_t i = 0; any && i < x->n_candidates; i++) {
		const struct candidate *c = &x->candidates[i];

		if (host_address(c))
			return c;
		if (c->host && c->host->subnet_id && !c->host->addr)
			return NULL;
	}
	return NULL;
}

static struct lease *try_reservation(struct exchange *x)
{
	const struct candidate *c = alloc_reserved(x);
	struct lease *l = c ? try_address(x, c, c->host->addr, LOG_ALLOC_ENGINE_V4_DISCOVER_HR,
					  "reserved address")
			    : NULL;

	if (c && !l)
		reservation_conflict(x, c);
	return l;
}

static struct lease *try_own(struct exchange *x)
{
	struct lease *own;
	size_t n = alloc_own(x, &own);

	for (size_t i = 0; i < n; i++) {
		const struct candidate *c = alloc_candidate(x, own[i].subnet_id);
		struct lease *l = c ? try_address(x, c, own[i].addr,
						  LOG_ALLOC_ENGINE_V4_OFFER_EXISTING_LEASE,
						  "client's own address")
				    : NULL;

		if (l) {
			x->own = &own[i];
			return l;
		}
	}
	return NULL;
}

static struct lease *try_requested(struct exchange *x)
{
	uint32_t addr;

	/* as in Kea, also the address that the client believes it has */
	if (!dhcp4_opt_u32(&x->query, DHCP4_OPT_REQUESTED_ADDRESS, &addr))
		addr = x->query.ciaddr;
	for (uint32_t i = 0; addr && i < x->n_candidates; i++) {
		struct lease *l = try_address(x, &x->candidates[i], addr,
					      LOG_ALLOC_ENGINE_V4_OFFER_REQUESTED_LEASE,
					      "requested address");

		if (l)
			return l;
	}
	return NULL;
}

static int pick_once(struct exchange *x, const struct config_pool *p, bool held, struct lease *key)
{
	struct lease_db *db = exchange_server(x)->db;

	return held ? lease_db_pick_held(db, x->snap->pools, p->index, key)
		    : lease_db_pick(db, x->snap->pools, p->index, key);
}

/* Picks until the address is not reserved by the host source: the pools leave out the reservations
 * of the configuration only. The refused addresses stay held meanwhile. */
static cold_fn int pick_unbarred(struct exchange *x, const struct candidate *c,
				 const struct config_pool *p, bool held, struct lease *key)
{
	struct lease_client who = exchange_client(x, c->subnet);
	uint32_t refused[PICKS_MAX];
	size_t n = 0;
	int r;

	do {
		r = pick_once(x, p, held, key);
		if (r < 0 || !is_barred_by_source(x, c, key->addr))
			break;
		refused[n++] = key->addr;
		key->addr = 0;
		r = -USHER_E_EXHAUSTED;
	} while (n < PICKS_MAX);
	for (size_t i = 0; i < n; i++)
		lease_db_unhold(exchange_server(x)->db, refused[i], &who);
	return r;
}

/* Picks an address of a pool. held: one that was offered to another client. */
static struct lease *pick_from_pool(struct exchange *x, const struct candidate *c,
				    const struct config_pool *p, bool held)
{
	struct lease key = hold_key(x, c, p, 0);
	int r = unlikely(hook_hosts(x->snap->hooks)) ? pick_unbarred(x, c, p, held, &key)
						     : pick_once(x, p, held, &key);

	if (r < 0)
		return NULL;
	FINDING(x, ALLOC_ENGINE_V4_OFFER_NEW_LEASE,
		held ? "picked the address of the oldest offer" : "picked from the pool");
	return alloc_lease(x, c, p, key.addr);
}

static struct lease *pick_from_subnet(struct exchange *x, const struct candidate *c,
				      struct alloc_tally *t)
{
	for (size_t i = 0; i < c->subnet->n_pools; i++) {
		const struct config_pool *p = &c->subnet->pools[i];
		struct lease *l;

		t->pools++;
		if (!exchange_class_ok(x, &p->classes)) {
			t->closed++;
			continue;
		}
		l = pick_from_pool(x, c, p, false);
		if (l)
			return l;
	}
	return NULL;
}

/* Picks the address that was offered longest ago, of all pools that the client may use. */
static cold_fn struct lease *pick_oldest_offer(struct exchange *x)
{
	const struct candidate *from = NULL;
	const struct config_pool *pool = NULL;
	int64_t oldest = INT64_MAX;

	for (uint32_t i = 0; i < x->n_candidates; i++) {
		const struct candidate *c = &x->candidates[i];

		for (size_t k = 0; k < c->subnet->n_pools; k++) {
			const struct config_pool *p = &c->subnet->pools[k];
			int64_t end = lease_pool_oldest_offer(exchange_server(x)->db,
							      x->snap->pools, p->index);

			if (end >= oldest || !exchange_class_ok(x, &p->classes))
				continue;
			oldest = end;
			from = c;
			pool = p;
		}
	}
	return pool ? pick_from_pool(x, from, pool, true) : NULL;
}

/* Offers to other clients are withdrawn when no pool has a free address. */
static struct lease *try_pools(struct exchange *x, struct alloc_tally *t)
{
	struct lease *l = NULL;

	for (uint32_t i = 0; !l && i < x->n_candidates; i++)
		l = pick_from_subnet(x, &x->candidates[i], t);
	return likely(l != NULL) ? l : pick_oldest_offer(x);
}

struct lease *alloc_any(struct exchange *x)
{
	const struct config_subnet *selected = x->subnet;
	struct alloc_tally tally = {0};
	struct lease *l = try_reservation(x);

	if (!l)
		l = try_own(x);
	/* a client that memory did not suffice to find is not new */
	if (!l && x->pkt.arena.failed)
		return NULL;
	if (!l)
		l = try_requested(x);
	if (!l)
		l = try_pools(x, &tally);
	if (!l) {
		x->subnet = selected;
		alloc_count_failure(x, &tally);
	}
	return l;
}

int alloc_offer(struct exchange *x, struct lease **ret_lease)
{
	struct lease *l = alloc_any(x);

	if (!l)
		return x->pkt.arena.failed ? -USHER_E_NOMEM : -USHER_E_EXHAUSTED;
	x->fake_allocation = true;
	if (exchange_hook(x, HOOK_LEASE4_SELECT, l, NULL) == USHER_SKIP) {
		struct lease_client who = exchange_client(x, x->subnet);

		lease_db_unhold(exchange_server(x)->db, l->addr, &who);
		return -USHER_E_HOOK;
	}
	*ret_lease = l;
	return 0;
}
