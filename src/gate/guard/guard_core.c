/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Services for the files of the guard: ports and their roles, bindings with their counts, drops.
 */
#include "gate/guard/guard_impl.h"

#include "base/clock.h"

static const char *const counter_names[GUARD_N_COUNTERS] = {
#define COUNTER(symbol, name, sentence) [GUARD_COUNT_##symbol] = name,
#include "gate/guard/counter.def"
#undef COUNTER
};

const char *guard_counter_name(enum guard_counter c)
{
	return (unsigned)c < GUARD_N_COUNTERS ? counter_names[c] : "";
}

void guard_opts_default(struct guard_opts *o)
{
	*o = (struct guard_opts){
		.max_clients = 16,
		.max_bindings = 16384,
		.max_buckets = 65536,
		.requests = {15, 60},
		.client_requests = {4, 16},
		.arp = {50, 200},
		.alerts = {2, 20},
		.check_mac = true,
		.check_arp = true,
		.check_source = true,
		.in_use_ns = 5 * NS_PER_S,
		.pending_ns = 60 * NS_PER_S,
		.alert_ns = 60 * NS_PER_S,
		.save_ns = 30 * NS_PER_S,
		.server_ns = 30 * NS_PER_S,
	};
}

/* --- Ports ------------------------------------------------------------------------------------ */

struct guard_port *guard_port_of(struct guard *gd, const struct gate_packet *p)
{
	return &gd->ports[p->frame.port < FRAMES_MAX_PORTS ? p->frame.port : FRAMES_MAX_PORTS - 1];
}

bool guard_is_server_mac(const struct guard *gd, const uint8_t mac[6])
{
	for (unsigned i = 0; i < gd->o.n_server_macs; i++)
		if (memcmp(gd->o.server_macs[i], mac, 6) == 0)
			return true;
	return false;
}

bool guard_is_server_ip(const struct guard *gd, uint32_t ip)
{
	for (unsigned i = 0; i < gd->o.n_server_ips; i++)
		if (gd->o.server_ips[i] == ip)
			return true;
	return false;
}

enum guard_role guard_role_of(struct guard *gd, const struct gate_packet *p)
{
	enum guard_role role = guard_port_of(gd, p)->role;

	if (role != GUARD_SHARED)
		return role;
	if (gd->o.n_server_macs)
		return guard_is_server_mac(gd, p->p.l2_src) ? GUARD_TRUSTED : GUARD_SHARED;
	return p->p.src && guard_is_server_ip(gd, p->p.src) ? GUARD_TRUSTED : GUARD_SHARED;
}

const char *guard_port_name(const struct guard *gd, uint16_t port)
{
	return port < gd->n_ports ? gd->ports[port].name : "any";
}

/* --- Bindings --------------------------------------------------------------------------------- */

bool guard_binding_fits(const struct guard_binding *b, const uint8_t mac[6], uint16_t port)
{
	return memcmp(b->mac, mac, 6) == 0 && (b->port == port || b->port == GUARD_ANY_PORT);
}

void guard_set_port(struct guard *gd, struct guard_binding *b, uint16_t port)
{
	if (b->port < FRAMES_MAX_PORTS && !b->fixed)
		gd->ports[b->port].n_bindings--;
	b->port = port;
	if (b->port < FRAMES_MAX_PORTS && !b->fixed)
		gd->ports[b->port].n_bindings++;
	gd->changes++;
}

void guard_unbind(struct guard *gd, struct guard_binding *b)
{
	guard_set_port(gd, b, GUARD_ANY_PORT);
	guard_bindings_remove(gd->bindings, b);
}

void guard_expire(struct guard *gd, int64_t now_ns)
{
	struct guard_binding *b;

	while ((b = guard_bindings_over(gd->bindings, now_ns)) != NULL) {
		guard_unbind(gd, b);
		guard_count(gd, GUARD_COUNT_EXPIRED);
	}
	guard_pendings_forget(gd->pendings, now_ns - gd->o.pending_ns);
}

int64_t guard_end_on_wall(const struct guard *gd, const struct guard_binding *b)
{
	int64_t r;

	return b->end_ns == INT64_MAX || __builtin_add_overflow(b->end_ns, gd->ahead_ns, &r)
		       ? INT64_MAX
		       : r;
}

/* --- Drops ------------------------------------------------------------------------------------ */

bool guard_refuse(struct guard *gd, struct gate_packet *p, enum gate_drop why)
{
	gate_drop(p, why);
	guard_alert(gd, p, why);
	return false;
}

bool guard_no_room(struct guard *gd, struct gate_walk *w, enum gate_drop why)
{
	guard_alert(gd, w->p, why);
	if (gate_undecided(w, why) == GATE_ACCEPT)
		return true;
	gate_drop(w->p, why);
	return false;
}
