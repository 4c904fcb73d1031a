/* SPDX-License-Identifier: MPL-2.0 */
/*
 * HOST: the client's reservations, the class KNOWN or UNKNOWN, and the classes that depend on it.
 * Builds the list of subnets the client may be served from, each with the reservation there: the
 * selected one first, then the others of its shared network. A reservation in one of them puts its
 * subnet first, as in Kea.
 */
#include "base/buf.h"
#include "base/ip.h"
#include "config/config.h"
#include "hook/host_source.h"
#include "server/core/exchange_hook.h"
#include "server/core/snapshot.h"
#include "server/stages/stages.h"
#include "server/core/trace.h"
#include "wire/option_codes.h"

/* Returns the DUID inside a type-255 client identifier: type, IAID of four octets, DUID (RFC
 * 4361). */
static struct span duid_of(struct span client_id)
{
	if (client_id.n > 5 && client_id.p[0] == 255)
		return span_sub(client_id, 5, client_id.n);
	return SPAN_NULL;
}

/* Reservations by hardware address compare type and octets: Kea's key is the octets alone. */
static struct span read_identifier(struct exchange *x, enum config_host_id type)
{
	struct span sub;

	switch (type) {
	case HOST_ID_HW_ADDRESS:
		return x->hw;
	case HOST_ID_CLIENT_ID:
		return x->client_id;
	case HOST_ID_DUID:
		return duid_of(x->client_id);
	case HOST_ID_CIRCUIT_ID:
		return dhcp4_subopt(x->rai, RAI_CIRCUIT_ID, &sub) ? sub : SPAN_NULL;
	case HOST_ID_FLEX_ID:
		return x->flex_id;
	case HOST_ID_N:
		break;
	}
	return SPAN_NULL;
}

/* Asks the host source, whose answer precedes the reservations that commands stored, as the cache
 * precedes the databases in Kea. stored: one of those, or NULL. */
static const struct config_host *ask_source(struct exchange *x, const struct host_source *source,
					    uint32_t subnet_id, enum config_host_id type,
					    struct span id, const struct config_host *stored)
{
	const struct config_host *h;

	if (!source->find(source->ctx, x->cfg, subnet_id, type, id, &h))
		return stored;
	return h ? exchange_hold_host(x, source, h) : NULL;
}

static const struct config_host *host_lookup(struct exchange *x, uint32_t subnet_id)
{
	const struct host_source *source = hook_hosts(x->snap->hooks);

	for (size_t i = 0; i < x->cfg->n_host_ids; i++) {
		enum config_host_id type = x->cfg->host_ids[i];
		const struct config_host *h;
		struct span id;

		if (!source && !(x->cfg->host_id_types >> type & 1))
			continue;
		id = read_identifier(x, type);
		if (!id.n)
			continue;
		h = config_host_by_id(x->cfg, subnet_id, type, id);
		if (unlikely(source) && (!h || h->stored))
			h = ask_source(x, source, subnet_id, type, id, h);
		if (h)
			return h;
	}
	return NULL;
}

bool host_any(const struct exchange *x)
{
	return x->cfg->n_hosts || hook_hosts(x->snap->hooks);
}

const struct config_host *host_global(struct exchange *x)
{
	return host_lookup(x, 0);
}

static bool subnet_allowed(const struct exchange *x, const struct config_subnet *s)
{
	return exchange_class_ok(x, &s->classes);
}

static bool in_pools(const struct config_subnet *s, uint32_t addr)
{
	for (size_t i = 0; i < s->n_pools; i++)
		if (addr >= s->pools[i].first && addr <= s->pools[i].last)
			return true;
	return false;
}

uint32_t host_address(const struct candidate *c)
{
	const struct config_subnet *s = c->subnet;
	uint32_t addr = c->host ? c->host->addr : 0;

	if (!addr || (addr & ip_mask(s->prefix_len)) != s->prefix)
		return 0;
	return s->params.reservations_out_of_pool && in_pools(s, addr) ? 0 : addr;
}

/* Finds the reservations of the subnets, and the global one where a subnet has none. Returns the
 * number of the candidate to be served from; 0 if no reservation decides. */
static uint32_t find_hosts(struct exchange *x)
{
	const struct config_host *global = NULL;
	uint32_t chosen = UINT32_MAX;
	bool searched = false;

	for (uint32_t i = 0; i < x->n_candidates; i++) {
		struct candidate *c = &x->candidates[i];

		if (c->subnet->params.reservations_in_subnet)
			c->host = host_lookup(x, c->subnet->id);
		if (chosen == UINT32_MAX && c->host && subnet_allowed(x, c->subnet) &&
		    (!c->host->addr || host_address(c)))
			chosen = i;
	}
	for (uint32_t i = 0; i < x->n_candidates; i++) {
		struct candidate *c = &x->candidates[i];

		if (!c->host && c->subnet->params.reservations_global) {
			if (!searched)
				global = host_global(x);
			searched = true;
			c->host = global;
			if (chosen == UINT32_MAX && subnet_allowed(x, c->subnet) && host_address(c))
				chosen = i;
		}
		x->known |= c->host != NULL;
	}
	return chosen == UINT32_MAX ? 0 : chosen;
}

/* Makes a candidate the first one: its subnet serves the client as if it had been selected. */
static void move_to_front(struct exchange *x, uint32_t n)
{
	struct candidate c = x->candidates[n];

	memmove(x->candidates + 1, x->candidates, n * sizeof(c));
	x->candidates[0] = c;
	x->subnet = c.subnet;
	subnet_adopt_address(x);
	FINDING(x, DHCP4_SUBNET_DYNAMICALLY_CHANGED, "subnet %s, for the reservation there",
		c.subnet->text);
}

/* Lists the candidates: the selected subnet, then the others of its network in order of id.
 * Returns false when the arena is full. */
static bool candidates_build(struct exchange *x)
{
	const struct config_network *n = x->subnet->network;
	size_t cap = n ? n->n_subnets : 1;
	uint32_t chosen;

	x->candidates = arena_calloc(&x->pkt.arena, cap, sizeof(*x->candidates));
	if (!x->candidates)
		return false;
	x->candidates[0].subnet = x->subnet;
	x->n_candidates = 1;
	for (size_t i = 0; n && i < n->n_subnets; i++)
		if (n->subnets[i] != x->subnet)
			x->candidates[x->n_candidates++].subnet = n->subnets[i];
	chosen = host_any(x) ? find_hosts(x) : 0;
	if (chosen)
		move_to_front(x, chosen);
	x->host = x->candidates[0].host;
	return true;
}

static void add_classes(struct exchange *x, const struct config_host *h)
{
	for (size_t i = 0; i < h->classes.n; i++)
		exchange_add_class(x, h->classes.ids[i]);
}

/* Returns whether the classes of a reservation apply before the pool is chosen. In a shared
 * network those of a subnet's own reservation do not, because the subnet is not decided yet. */
static bool classes_apply(const struct exchange *x, const struct config_host *h)
{
	return h && h->classes.n && (h->subnet_id == 0 || !x->subnet->network);
}

void host_late_classes(struct exchange *x)
{
	if (x->host && x->subnet && x->subnet->network && x->host->subnet_id != 0)
		add_classes(x, x->host);
}

/* Evaluates the classes again after adding the reservation's, which other classes may depend on. */
static void apply_classes(struct exchange *x, const struct config_host *h)
{
	classify_again(x);
	add_classes(x, h);
	classify_pass(x, false);
}

/* Removes the subnets whose guard stays closed after all classes are known. */
static void candidates_filter(struct exchange *x)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < x->n_candidates; i++)
		if (subnet_allowed(x, x->candidates[i].subnet))
			x->candidates[n++] = x->candidates[i];
	x->n_candidates = n;
}

static bool wants_flex_id(const struct exchange *x)
{
	for (size_t i = 0; i < x->cfg->n_host_ids; i++)
		if (x->cfg->host_ids[i] == HOST_ID_FLEX_ID)
			return true;
	return false;
}

void host_identify(struct exchange *x)
{
	if (wants_flex_id(x) && hook_any(x->snap->hooks, HOOK_HOST4_IDENTIFIER))
		(void)exchange_hook(x, HOOK_HOST4_IDENTIFIER, NULL, NULL);
}

static void trace_host(struct exchange *x)
{
	char ip[IP_TEXT_LEN];

	if (x->host)
		trace_note(x, LOG_HOSTS_CFG_GET_ONE_SUBNET_ID_IDENTIFIER_HOST,
			   "reservation: address %s", ip_text(x->host->addr, ip));
	else if (x->subnet)
		trace_note(x, LOG_HOSTS_CFG_GET_ONE_SUBNET_ID_IDENTIFIER_NULL, "no reservation");
}

/* Adds the names of the classes to the trace. */
static void trace_classes(struct exchange *x)
{
	struct buf names;

	buf_init(&names);
	for (uint32_t i = 0; i < x->n_class_order; i++)
		buf_printf(&names, "%s%s", i ? ", " : "", x->cfg->class_names[x->class_order[i]]);
	for (uint32_t i = 0; i < x->n_extra_classes; i++)
		buf_printf(&names, ", %s", x->extra_classes[i]);
	if (names.p && !names.failed)
		trace_note(x, LOG_DHCP4_CLASSES_ASSIGNED, "classes %s", names.p);
	buf_fini(&names);
}

enum verdict stage_host(struct exchange *x)
{
	if (x->type == DHCP4_RELEASE || x->type == DHCP4_DECLINE)
		return VERDICT_CONTINUE;
	if (!x->cfg->early_global_reservations_lookup)
		host_identify(x);
	if (x->subnet && !candidates_build(x))
		return exchange_drop(x, DROP_PROCESSING_FAILED);
	if (unlikely(x->trace != NULL))
		trace_host(x);
	if (classes_apply(x, x->host))
		apply_classes(x, x->host);
	exchange_add_class(x, x->known ? CLASS_KNOWN : CLASS_UNKNOWN);
	classify_pass(x, true);
	candidates_filter(x);
	if (unlikely(x->trace != NULL))
		trace_classes(x);
	if (exchange_has_builtin(x, CLASS_DROP))
		return exchange_drop(x, DROP_CLASS_DROP);
	return VERDICT_CONTINUE;
}
