/* SPDX-License-Identifier: MPL-2.0 */
/*
 * limits: bounds the packets a period, and the leases, of client classes and subnets. The limits
 * are in user-context.limits of these, so their table belongs to a configuration; the rate clocks
 * belong to the library, and continue while a configuration is edited.
 *
 * A packet is counted in all of its limited classes, or in none if one of them is at its limit, and
 * then in its subnet. The leases of a class are those whose context names it, which the lease table
 * counts; the assignment of the lease checks its limits again, in one step with the change.
 */
#include "library/limits/limits.h"
#include "library/common/library.h"

#include "base/ip.h"
#include "base/log.h"
#include "config/config.h"
#include "hook/hook_lib.h"
#include "lease/lease_limit.h"
#include "packet/packet.h"

#include <errno.h>
#include <stdlib.h>

struct limits {
	struct arena arena;
	const struct clock_src *clock;
	struct lease_db *db;
	bool counting;
	struct limiters limiters;
};

/* Reads the limits only to report mistakes: the table of a configuration is made with it. */
static void check_limits(struct library_problems *p, const struct config *cfg,
			 const struct json *parameters, void *record)
{
	struct limits_table t = {.limiters = NULL};

	(void)record;
	if (parameters)
		library_problem(p, &parameters->pos,
				"it has no parameters: limits are in 'user-context' of client "
				"classes and subnets");
	arena_init(&t.arena);
	limits_read(p, cfg, &t);
	arena_fini(&t.arena);
}

/* --- The limits of a packet ------------------------------------------------------------------- */

static const struct limits_table *table_of(const struct usher_call *call)
{
	return call->config_data ? call->config_data[call->lib->index].data : NULL;
}

/* Returns the template that a class was made by, NULL: none. */
static const struct limit *find_template(const struct usher_call *call,
					 const struct limits_table *t, const char *name)
{
	static const char spawn[] = "SPAWN_";

	if (strncmp(name, spawn, sizeof(spawn) - 1) != 0)
		return NULL;
	name += sizeof(spawn) - 1;
	for (size_t i = 0; i < t->n_templates; i++) {
		const struct limit *l = t->templates[i];
		size_t n = strlen(l->name);

		if (strncmp(name, l->name, n) == 0 && name[n] == '_' &&
		    call->class_has(call->ctx, l->name))
			return l;
	}
	return NULL;
}

/* The limits of a class: its own, and that of its template. */
struct class_limits {
	const char *name;
	const struct limit *own, *template;
};

static bool show_limits(const struct usher_call *call, const struct limits_table *t, uint32_t i,
			struct class_limits *ret)
{
	int id;

	ret->name = call->class_at(call->ctx, i, &id);
	if (!ret->name)
		return false;
	ret->own = id >= 0 ? t->by_class[id] : NULL;
	ret->template = t->n_templates ? find_template(call, t, ret->name) : NULL;
	return true;
}

static const struct limit *subnet_limit(const struct usher_call *call, const struct limits_table *t,
					uint32_t id)
{
	const struct config_subnet *s = id ? config_subnet_by_id(call->cfg, id) : NULL;

	return s ? t->by_subnet[s->index] : NULL;
}

/* --- Rates ------------------------------------------------------------------------------------ */

/* The rate limits of the classes of a packet. */
struct uses {
	struct rate_use *v;
	unsigned n;
};

static void add_use(struct uses *u, const struct limit *l, const char *name, bool spawned)
{
	if (!l || !l->has_rate)
		return;
	u->v[u->n] = (struct rate_use){.limiter = l->limiter,
				       .rate = &l->rate,
				       .name = span_str(name),
				       .spawned = spawned,
				       .order = u->n};
	u->n++;
}

static uint32_t count_classes(const struct usher_call *call)
{
	uint32_t n = 0;
	int id;

	while (call->class_at(call->ctx, n, &id))
		n++;
	return n;
}

/* Collects the rate limits of the classes, in the packet's memory. Returns false if that does not
 * suffice. */
static bool find_uses(struct usher_call *call, const struct limits_table *t, struct uses *u)
{
	struct class_limits c;

	u->n = 0;
	u->v = arena_alloc(call->arena, 2 * count_classes(call) * sizeof(*u->v));
	for (uint32_t i = 0; u->v && show_limits(call, t, i, &c); i++) {
		add_use(u, c.own, c.name, false);
		add_use(u, c.template, c.name, true);
	}
	return u->v != NULL;
}

static void log_rate(const struct usher_call *call, const struct uses *u, unsigned order)
{
	const struct rate_use *v = u->v;

	if (!log_wants(call->lib->log, LOG_LIMITS_PACKET_WITH_CLIENT_CLASSES_RATE_LIMIT_DROPPED))
		return;
	while (v->order != order)
		v++;
	log_msg(call->lib->log, LOG_LIMITS_PACKET_WITH_CLIENT_CLASSES_RATE_LIMIT_DROPPED,
		"packet dropped: client class %.*s is at its rate limit of %s", (int)v->name.n,
		(const char *)v->name.p, v->rate->text);
}

/* Called at pkt4_receive. */
static int limit_classes(struct usher_call *call, void *limits)
{
	size_t mark = arena_mark(call->arena);
	const struct limits_table *t = table_of(call);
	struct limits *lim = limits;
	struct uses u;
	unsigned full;

	if (!t || !t->rates || call->status != USHER_CONTINUE)
		return 0;
	if (!find_uses(call, t, &u))
		return -ENOMEM;
	if (u.n && limiter_admit(&lim->limiters, u.v, u.n, clock_mono_ns(lim->clock), &full) < 0) {
		hook_drop(call, DROP_LIMIT_CLASS);
		log_rate(call, &u, full);
	} else if (log_wants(call->lib->log,
			     LOG_LIMITS_PACKET_WITH_CLIENT_CLASSES_RATE_LIMIT_HONORED)) {
		log_msg(call->lib->log, LOG_LIMITS_PACKET_WITH_CLIENT_CLASSES_RATE_LIMIT_HONORED,
			"packet is within the rate limits of %u client classes", u.n);
	}
	arena_rewind(call->arena, mark);
	return 0;
}

/* Called at subnet4_select. */
static int limit_subnet(struct usher_call *call, void *limits)
{
	const struct limits_table *t = table_of(call);
	const struct limit *l = t ? subnet_limit(call, t, call->subnet_id) : NULL;
	struct limits *lim = limits;
	struct rate_use u;
	unsigned full;

	if (!call->subnet_id &&
	    log_wants(call->lib->log, LOG_LIMITS_PACKET_WIIH_SUBNET_ID_RATE_NO_SUBNET))
		log_msg(call->lib->log, LOG_LIMITS_PACKET_WIIH_SUBNET_ID_RATE_NO_SUBNET,
			"packet has no subnet, and so no rate limit of one");
	if (!l || !l->has_rate || call->status == USHER_SKIP || call->status == USHER_DROP)
		return 0;
	u = (struct rate_use){.limiter = l->limiter, .rate = &l->rate};
	if (limiter_admit(&lim->limiters, &u, 1, clock_mono_ns(lim->clock), &full) == 0) {
		if (log_wants(call->lib->log, LOG_LIMITS_PACKET_WITH_SUBNET_ID_RATE_LIMIT_HONORED))
			log_msg(call->lib->log, LOG_LIMITS_PACKET_WITH_SUBNET_ID_RATE_LIMIT_HONORED,
				"packet is within the rate limit of %s of subnet %u", l->rate.text,
				call->subnet_id);
		return 0;
	}
	hook_drop(call, DROP_LIMIT_SUBNET);
	if (log_wants(call->lib->log, LOG_LIMITS_PACKET_WITH_SUBNET_ID_RATE_LIMIT_DROPPED))
		log_msg(call->lib->log, LOG_LIMITS_PACKET_WITH_SUBNET_ID_RATE_LIMIT_DROPPED,
			"packet dropped: subnet %u is at its rate limit of %s", call->subnet_id,
			l->rate.text);
	return 0;
}

/* --- Leases ----------------------------------------------------------------------------------- */

static void add_bound(struct lease_bounds *b, struct lease_bound *v, const struct limit *l,
		      const char *name)
{
	if (l && l->has_address)
		v[b->n++] = (struct lease_bound){.name = name ? span_str(name) : SPAN_NULL,
						 .subnet_id = l->subnet_id,
						 .max = l->address};
}

/* Returns the address limits of the packet and its lease, in the packet's memory. NULL: memory is
 * out. */
static struct lease_bounds *find_bounds(struct usher_call *call, const struct limits_table *t)
{
	struct lease_bounds *b = arena_new(call->arena, struct lease_bounds);
	uint32_t n = t->addresses ? count_classes(call) : 0;
	struct class_limits c;
	struct lease_bound *v;

	v = arena_alloc(call->arena, (2 * n + 1) * sizeof(*v));
	if (!b || !v)
		return NULL;
	b->v = v;
	for (uint32_t i = 0; i < n && show_limits(call, t, i, &c); i++) {
		add_bound(b, v, c.own, c.name);
		add_bound(b, v, c.template, c.name);
	}
	add_bound(b, v, subnet_limit(call, t, call->lease->subnet_id), NULL);
	arena_trim(call->arena, v, b->n * sizeof(*v));
	return b;
}

static void log_beyond(const struct usher_call *call, const struct lease_bound *b)
{
	char ip[IP_TEXT_LEN];

	if (!log_wants(call->lib->log, LOG_LIMITS_LEASE_LIMIT_EXCEEDED))
		return;
	(void)ip_text(call->lease->addr, ip);
	if (b->name.n)
		log_msg(call->lib->log, LOG_LIMITS_LEASE_LIMIT_EXCEEDED,
			"no lease of %s: client class %.*s is at its limit of %llu leases", ip,
			(int)b->name.n, (const char *)b->name.p, (unsigned long long)b->max);
	else
		log_msg(call->lib->log, LOG_LIMITS_LEASE_LIMIT_EXCEEDED,
			"no lease of %s: subnet %u is at its limit of %llu leases", ip,
			b->subnet_id, (unsigned long long)b->max);
}

static void log_within(const struct usher_call *call)
{
	char ip[IP_TEXT_LEN];

	if (log_wants(call->lib->log, LOG_LIMITS_LEASE_WITHIN_LIMITS))
		log_msg(call->lib->log, LOG_LIMITS_LEASE_WITHIN_LIMITS,
			"lease with address %s is within limits", ip_text(call->lease->addr, ip));
}

/* Called at lease4_select: the lease gets its classes, and must be within its limits. */
static int limit_lease(struct usher_call *call, void *limits)
{
	const struct limits_table *t = table_of(call);
	struct limits *lim = limits;
	struct lease_bounds *b;
	int beyond;

	if (!t || !call->lease || call->status != USHER_CONTINUE)
		return 0;
	b = find_bounds(call, t);
	if (!b)
		return -ENOMEM;
	beyond = b->n ? lease_db_beyond(lim->db, call->lease->addr, b) : -1;
	if (beyond >= 0) {
		call->status = USHER_SKIP;
		log_beyond(call, &b->v[beyond]);
		return 0;
	}
	log_within(call);
	call->bounds = b->n ? b : NULL;
	call->lease->user_context = limits_context(call, call->lease->user_context);
	return call->lease->user_context ? 0 : -ENOMEM;
}

/* Called at lease4_renew: the lease gets the classes of this packet. The table keeps the context of
 * a renewal that has none. */
static int renew_classes(struct usher_call *call, void *limits)
{
	struct limits *lim = limits;
	const char *old, *text;
	struct lease stored;

	if (!call->lease || call->status != USHER_CONTINUE)
		return 0;
	old = call->lease->user_context;
	if (!old && lease_db_get(lim->db, call->lease->addr, call->arena, &stored, NULL) == 0)
		old = stored.user_context;
	text = limits_context(call, old);
	if (!text)
		return -ENOMEM;
	if (!old || strcmp(old, text) != 0)
		call->lease->user_context = text;
	return 0;
}

/* --- Life ------------------------------------------------------------------------------------- */

static void refuse_config(void *refusal, const struct config_error *e)
{
	struct config_error *r = refusal;

	if (!r->text[0])
		*r = *e;
}

/* Called at dhcp4_srv_configured: makes the table of the configuration. */
static int configure_limits(struct usher_call *call, void *limits)
{
	struct library_problems p = {.library = library_limits.name,
				     .fn = refuse_config,
				     .ctx = call->refusal};
	struct limits_table *t = calloc(1, sizeof(*t));
	struct limits *lim = limits;

	if (!t || !call->config_data)
		goto fail;
	arena_init(&t->arena);
	limits_read(&p, call->cfg, t);
	if (p.n || !limits_connect(t, &lim->limiters))
		goto fail;
	if (!lim->counting && lease_db_count_names(lim->db, limits_names) < 0)
		goto fail;
	lim->counting = true;
	call->config_data[call->lib->index] = (struct hook_config_data){t, limits_free};
	limits_log(t, call->lib->log);
	return 0;
fail:
	if (t)
		limits_free(t);
	call->status = USHER_DROP;
	return p.n ? 0 : -ENOMEM;
}

static void attach_limits(void *record, const struct hook_registry_opts *o)
{
	struct limits *lim = record;

	lim->clock = o->clock ? o->clock : &clock_system;
	lim->db = o->db;
}

static int start_limits(usher_lib *lib, void *record)
{
	static const struct {
		const char *point;
		usher_callout fn;
	} callouts[] = {
		{"dhcp4_srv_configured", configure_limits},
		{"pkt4_receive", limit_classes},
		{"subnet4_select", limit_subnet},
		{"lease4_select", limit_lease},
		{"lease4_renew", renew_classes},
	};
	struct limits *lim = record;
	int r = 0;

	limiters_init(&lim->limiters);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(callouts); i++)
		r = usher_register(lib, callouts[i].point, callouts[i].fn, record);
	if (r < 0)
		limiters_fini(&lim->limiters);
	return r;
}

static void stop_limits(void *record)
{
	struct limits *lim = record;

	if (lim->counting)
		lease_db_uncount_names(lim->db);
	limiters_fini(&lim->limiters);
}

const struct library library_limits = {.name = "libdhcp_limits.so",
				       .size = sizeof(struct limits),
				       .parse = check_limits,
				       .attach = attach_limits,
				       .start = start_limits,
				       .stop = stop_limits};
