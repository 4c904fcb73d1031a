/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The relay's information beside a lease, from packets to contexts (lease/context/relay_info.h) and
 * back. Contexts are parsed outside of the packet's arena, and only up to LEASE_CONTEXT_MAX octets:
 * a longer one, which only a command can set, stays as it is, and gives no option 82.
 */
#include "server/stages/agent_info.h"

#include "config/config.h"
#include "config/json/json.h"
#include "lease/context/relay_info.h"
#include "lease/lease_db.h"
#include "server/core/server.h"
#include "server/core/trace.h"
#include "server/stages/alloc.h"
#include "wire/option_codes.h"

const char *agent_info_context(struct exchange *x)
{
	const char *text;
	struct buf b;

	buf_init(&b);
	relay_info_write(x->rai, &b);
	text = b.failed ? NULL : arena_strdup(&x->pkt.arena, b.p);
	buf_fini(&b);
	return text;
}

/* Returns the old context with the new information, in the packet's arena. */
static const char *join_contexts(struct exchange *x, struct arena *a, const struct json *old,
				 const struct json *info)
{
	const char *text;
	struct buf b;

	buf_init(&b);
	relay_context_join(a, old, info, &b);
	text = b.failed ? NULL : arena_strdup(&x->pkt.arena, b.p);
	buf_fini(&b);
	return text;
}

/* Returns whether a context is too long to be parsed for a packet, and counts it. */
static bool is_too_long(struct exchange *x, const char *text)
{
	if (!text || strnlen(text, LEASE_CONTEXT_MAX + 1) <= LEASE_CONTEXT_MAX)
		return false;
	stats_add(x->stats, METRIC_CONTEXT_TOO_LONG, 1);
	TRACE(x, "the context of the lease is longer than %d octets, and stays as it is",
	      LEASE_CONTEXT_MAX);
	return true;
}

/* Completes the new context by the stored one. Returns whether the information changes. */
static bool merge_stored(struct exchange *x, struct arena *a, const char *text, struct lease *l)
{
	struct json *stored = relay_context_parse(a, text, LEASE_CONTEXT_MAX);
	struct json *ours = relay_context_parse(a, l->user_context, LEASE_CONTEXT_MAX);
	bool changed = true;

	if (!stored || !ours)
		return true;
	changed = !json_equal(relay_info_find(stored), relay_info_find(ours));
	/* NULL: unchanged, or memory is out */
	l->user_context = changed ? join_contexts(x, a, stored, relay_info_find(ours)) : NULL;
	return changed;
}

bool agent_info_merge(struct exchange *x, struct lease *l)
{
	struct lease old uninit;
	bool changed = true;
	struct arena a;

	if (!l->user_context)
		return false;
	arena_init(&a);
	if (lease_db_get(exchange_server(x)->db, l->addr, &a, &old, NULL) < 0) {
		changed = true;
	} else if (is_too_long(x, old.user_context)) {
		l->user_context = NULL;
		changed = false;
	} else {
		changed = merge_stored(x, &a, old.user_context, l);
	}
	arena_fini(&a);
	return changed;
}

/* Reads option 82 from the context of the client's running lease at its address, into the packet's
 * arena. */
static struct span stored_option(struct exchange *x, struct arena *a)
{
	struct relay_info info = {0};
	struct lease_client who;
	struct lease l uninit;
	uint8_t *copy;

	if (lease_db_get(exchange_server(x)->db, x->query.ciaddr, a, &l, NULL) < 0)
		return SPAN_NULL;
	who = exchange_client(x, config_subnet_by_id(x->cfg, l.subnet_id));
	if (l.state != LEASE_ASSIGNED || alloc_expired(x, &l) || !lease_is_of(&l, &who) ||
	    is_too_long(x, l.user_context))
		return SPAN_NULL;
	(void)relay_info_read(a, l.user_context, LEASE_CONTEXT_MAX, &info);
	copy = arena_memdup(&x->pkt.arena, info.sub_options.p, info.sub_options.n);
	return copy ? span_of(copy, info.sub_options.n) : SPAN_NULL;
}

void agent_info_recover(struct exchange *x)
{
	struct arena a;
	struct span s;

	if (x->type != DHCP4_REQUEST || !x->query.ciaddr || x->query.giaddr || x->rai.n)
		return;
	arena_init(&a);
	s = stored_option(x, &a);
	arena_fini(&a);
	if (!s.n || dhcp4_opt_set_ref(&x->query, DHCP4_OPT_AGENT_OPTIONS, s) < 0)
		return;
	x->rai = s;
	x->rai_stashed = true;
	exchange_add_class(x, CLASS_STASH_AGENT_OPTIONS);
	FINDING(x, DHCP4_RECOVERED_STASHED_RELAY_AGENT_INFO,
		"option 82 of %zu octets is that of the lease", s.n);
}
