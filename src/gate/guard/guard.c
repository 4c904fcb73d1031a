/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The guard's place in a gate: ports and their roles, the listeners, bindings and their counters.
 * The decisions are in guard_source.c, guard_request.c and guard_reply.c.
 */
#include "base/clock.h"
#include "base/error.h"
#include "gate/guard/guard_impl.h"
#include "wire/eth.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

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

static const struct guard_port_opts *configured(const struct guard_opts *o, const char *name)
{
	for (unsigned i = 0; i < o->n_ports; i++)
		if (strcmp(o->ports[i].name, name) == 0)
			return &o->ports[i];
	return NULL;
}

static void port_init(struct guard *gd, unsigned i, const char *name)
{
	const struct guard_port_opts *c = configured(&gd->o, name);
	struct guard_port *port = &gd->ports[i];

	*port = (struct guard_port){.role = GUARD_UNTRUSTED,
				    .max_clients = gd->o.max_clients,
				    .requests = gd->o.requests};
	(void)snprintf(port->name, sizeof(port->name), "%s", name);
	if (c) {
		port->role = c->role;
		port->max_clients = c->max_clients ? c->max_clients : port->max_clients;
		port->requests = c->requests.burst ? c->requests : port->requests;
	}
	if (port->role == GUARD_TRUSTED || port->role == GUARD_SHARED)
		gd->to_servers |= UINT32_C(1) << i;
}

/* A file or a tap has one port, and everybody on it. */
static void one_port(struct guard *gd)
{
	struct guard_port *port = &gd->ports[0];

	if (configured(&gd->o, port->name))
		return;
	port->role = GUARD_SHARED;
	port->max_clients = gd->o.max_bindings;
	port->requests = (struct guard_rate){0, 1};
	gd->to_servers = 1;
}

static unsigned port_by_name(const struct guard *gd, const char *name)
{
	unsigned i = 0;

	while (i < gd->n_ports && strcmp(gd->ports[i].name, name) != 0)
		i++;
	return i;
}

static int ports_init(struct guard *gd, const struct frames *f, char *err, size_t cap)
{
	for (unsigned i = 0; i < FRAMES_MAX_PORTS && *frames_port_name(f, i); i++) {
		port_init(gd, i, frames_port_name(f, i));
		gd->n_ports++;
	}
	for (unsigned i = 0; i < gd->o.n_ports; i++) {
		if (port_by_name(gd, gd->o.ports[i].name) < gd->n_ports)
			continue;
		(void)snprintf(err, cap, "port \"%s\": the gate has no such interface",
			       gd->o.ports[i].name);
		return -ENODEV;
	}
	if (gd->n_ports == 1)
		one_port(gd);
	return 0;
}

static void remote_id_init(struct guard *gd, const struct frames *f)
{
	unsigned i = 0;

	gd->remote_id_len = strlen(gd->o.remote_id);
	memcpy(gd->remote_id, gd->o.remote_id, gd->remote_id_len);
	if (gd->remote_id_len)
		return;
	while (i < gd->n_ports && gd->ports[i].role != GUARD_TRUSTED)
		i++;
	if (frames_port_mac(f, i < gd->n_ports ? i : 0, gd->remote_id))
		gd->remote_id_len = 6;
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

static void expire(struct guard *gd, int64_t now_ns)
{
	struct guard_binding *b;

	while ((b = guard_bindings_over(gd->bindings, now_ns)) != NULL) {
		guard_unbind(gd, b);
		guard_count(gd, GUARD_COUNT_EXPIRED);
	}
	guard_pendings_forget(gd->pendings, now_ns - gd->o.pending_ns);
}

static void pending_gone(void *ctx, const struct guard_pending *p)
{
	struct guard *gd = ctx;

	gd->ports[p->port].n_fresh -= p->fresh;
}

static int fixed_init(struct guard *gd, char *err, size_t cap)
{
	for (uint32_t i = 0; i < gd->o.n_fixed; i++) {
		const struct guard_fixed *f = &gd->o.fixed[i];
		unsigned port = *f->port ? port_by_name(gd, f->port) : GUARD_ANY_PORT;
		struct guard_binding *b;

		if (port == gd->n_ports) {
			(void)snprintf(err, cap,
				       "binding at port \"%s\": the gate has no such interface",
				       f->port);
			return -ENODEV;
		}
		b = guard_bindings_add(gd->bindings, f->vlan, f->address, f->mac);
		if (!b) {
			(void)snprintf(err, cap, "more bindings than max-bindings (%u)",
				       gd->o.max_bindings);
			return -USHER_E_LIMIT;
		}
		b->fixed = true;
		b->port = (uint16_t)port;
	}
	return 0;
}

/* --- Listeners -------------------------------------------------------------------------------- */

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

static bool on_frame(void *ctx, struct gate_walk *w, struct flow *f)
{
	struct gate *g = w->g;
	struct gate_packet *p = w->p;
	struct guard *gd = ctx;

	(void)f;
	gd->server_id = 0;
	gd->seen_frame = p->generation;
	expire(gd, g->now_ns);
	return guard_role_of(gd, p) == GUARD_TRUSTED || guard_judge_frame(gd, p);
}

/* Without Ethernet nobody's place is known: only servers are judged. */
static bool checked(struct guard *gd, const struct gate_packet *p)
{
	return p->p.l2 != PACKET_NO_LAYER && guard_role_of(gd, p) != GUARD_TRUSTED;
}

static bool on_ipv4(void *ctx, struct gate_walk *w, struct flow *f)
{
	struct gate_packet *p = w->p;
	struct guard *gd = ctx;

	(void)f;
	gd->seen_ipv4 = p->generation;
	return !checked(gd, p) || (guard_judge_fragment(gd, p, false) && guard_judge_ipv4(gd, p));
}

static bool on_ipv4_leaving(void *ctx, struct gate_walk *w, struct flow *f)
{
	struct gate_packet *p = w->p;
	struct guard *gd = ctx;

	(void)f;
	if (!checked(gd, p))
		return true;
	if (!guard_judge_fragment(gd, p, true))
		return false;
	return !guard_is_message(p) || gd->judged == p->generation ||
	       guard_refuse(gd, p, GATE_DROP_GUARD_UNREADABLE);
}

static bool on_reassembled(void *ctx, struct gate_walk *w, struct flow *f)
{
	struct gate_packet *p = w->p;
	struct guard *gd = ctx;

	(void)f;
	return !checked(gd, p) || guard_judge_ipv4(gd, p);
}

static bool on_message(void *ctx, struct gate_walk *w, struct flow *f)
{
	struct gate *g = w->g;
	struct gate_packet *p = w->p;
	struct guard *gd = ctx;

	(void)f;
	gd->judged = p->generation;
	gd->server_id = 0;
	(void)dhcp4_opt_u32(gate_dhcp_msg(g), 54, &gd->server_id);
	/* a message that only a server sends, or that only a client would read */
	if (gate_dhcp_msg(g)->op == DHCP4_BOOTREPLY || p->p.dport == DHCP4_CLIENT_PORT)
		return guard_judge_reply(gd, p);
	return guard_judge_request(gd, w);
}

/*
 * Checks a packet again before it leaves: unreadable packets are forwarded under fail-open, and a
 * policy of a rule file can send packets past a dissector, which would bypass the guard.
 */
static bool on_leaving(void *ctx, struct gate_walk *w, struct flow *f)
{
	struct gate_packet *p = w->p;
	struct guard *gd = ctx;
	bool seen = gd->seen_frame == p->generation &&
		    (p->eth_type != ETH_TYPE_IPV4 || gd->seen_ipv4 == p->generation);

	(void)f;
	if (seen || p->frame.link != FRAME_ETHERNET || guard_role_of(gd, p) == GUARD_TRUSTED)
		return true;
	return guard_refuse(gd, p, GATE_DROP_GUARD_UNREADABLE);
}

static int listen_all(struct guard *gd)
{
	static const struct {
		enum gate_event event;
		gate_listener_fn fn;
	} all[] = {
		{EVENT_ETHERNET_receive_packet, on_frame},
		{EVENT_IPV4_receive_packet, on_ipv4},
		{EVENT_IPV4_receive_packet_reassembled, on_reassembled},
		{EVENT_IPV4_send_packet, on_ipv4_leaving},
		{EVENT_DHCP_pkt4_receive, on_message},
		{EVENT_RAW_send_packet, on_leaving},
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(all) && r == 0; i++)
		r = gate_listen(gd->gate, all[i].event, all[i].fn, gd);
	return r;
}

/* --- Life ------------------------------------------------------------------------------------- */

/* Twice the clients of all ports: each may ask and be bound. */
static uint32_t most_pending(const struct guard *gd)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < gd->n_ports; i++)
		n += (uint64_t)2 * gd->ports[i].max_clients;
	return n < (uint64_t)2 * gd->o.max_bindings ? (uint32_t)n : 2 * gd->o.max_bindings;
}

/* A step of the wall clock makes the ends on disk wrong: they are saved anew. Less than a second is
 * no step. */
static void follow_wall(struct guard *gd)
{
	int64_t ahead = frames_wall_ahead(gd->gate->frames), moved = ahead - gd->ahead_ns;

	if (moved > -NS_PER_S && moved < NS_PER_S)
		return;
	gd->ahead_ns = ahead;
	gd->changes++;
}

int guard_attach(struct guard *gd, struct gate *g, int64_t now_ns, char *err, size_t err_cap)
{
	int r = ports_init(gd, g->frames, err, err_cap);

	gd->gate = g;
	if (r == 0)
		r = fixed_init(gd, err, err_cap);
	if (r < 0)
		return r;
	remote_id_init(gd, g->frames);
	if (gd->o.add_agent && !gd->remote_id_len) {
		(void)snprintf(
			err, err_cap,
			"option-82: the ports have no hardware address: expected \"remote-id\"");
		return -USHER_E_NOTFOUND;
	}
	gate_load(g, DISSECT_DHCP);
	r = guard_pendings_new(most_pending(gd), &gd->o.hash_key, pending_gone, gd, &gd->pendings);
	if (r == 0)
		r = listen_all(gd);
	if (r < 0) {
		(void)snprintf(err, err_cap, "%s", usher_strerror(r));
		return r;
	}
	follow_wall(gd);
	r = gd->store ? guard_store_load(gd, now_ns, err, err_cap) : 0;
	if (r == 0 && gd->server) {
		r = guard_server_start(gd, now_ns);
		if (r < 0)
			(void)snprintf(err, err_cap, "bindings: %s", usher_strerror(r));
	}
	return r;
}

int guard_new(const struct guard_opts *o, struct guard **ret)
{
	struct guard *gd = calloc(1, sizeof(*gd));
	int r = gd ? 0 : -ENOMEM;

	if (r < 0)
		return r;
	gd->o = *o;
	gd->judged = gd->seen_frame = gd->seen_ipv4 = UINT32_MAX;
	r = guard_bindings_new(o->max_bindings, &o->hash_key, &gd->bindings);
	if (r == 0)
		r = guard_buckets_new(o->max_buckets, &gd->buckets);
	if (r == 0)
		r = guard_offenders_new(o->max_buckets / 8 + 1, &gd->offenders);
	if (r == 0 && *o->file)
		r = guard_store_new(gd, &gd->store);
	if (r == 0 && *o->server)
		r = guard_server_new(gd, &gd->server);
	if (r < 0) {
		guard_free(gd);
		return r;
	}
	*ret = gd;
	return 0;
}

void guard_free(struct guard *gd)
{
	if (!gd)
		return;
	guard_server_free(gd->server);
	guard_store_free(gd->store);
	guard_offenders_free(gd->offenders);
	guard_buckets_free(gd->buckets);
	guard_pendings_free(gd->pendings);
	guard_bindings_free(gd->bindings);
	free(gd);
}

int64_t guard_end_on_wall(const struct guard *gd, const struct guard_binding *b)
{
	int64_t r;

	return b->end_ns == INT64_MAX || __builtin_add_overflow(b->end_ns, gd->ahead_ns, &r)
		       ? INT64_MAX
		       : r;
}

void guard_tick(struct guard *gd, int64_t now_ns)
{
	follow_wall(gd);
	expire(gd, now_ns);
	if (gd->store)
		guard_store_tick(gd, now_ns);
	if (gd->server)
		guard_server_tick(gd, now_ns);
}

/* The gate may be freed already: ends are written by the wall clock of the last tick. */
int guard_save(struct guard *gd, int64_t now_ns)
{
	return gd->store ? guard_store_save(gd, now_ns) : 0;
}

void guard_counters(const struct guard *gd, struct guard_counters *ret)
{
	memcpy(ret->n, gd->n, sizeof(ret->n));
	ret->bindings = guard_bindings_count(gd->bindings);
	if (gd->server)
		guard_server_counters(gd->server, &ret->n[GUARD_COUNT_SERVER_READS],
				      &ret->n[GUARD_COUNT_SERVER_FAILED]);
}

const struct guard_binding *guard_find(const struct guard *gd, uint32_t vlan, uint32_t address)
{
	return guard_bindings_find(gd->bindings, vlan, address);
}

const struct guard_binding *guard_each(const struct guard *gd, uint32_t *at)
{
	return guard_bindings_each(gd->bindings, at);
}

const char *guard_port_name(const struct guard *gd, uint16_t port)
{
	return port < gd->n_ports ? gd->ports[port].name : "any";
}
