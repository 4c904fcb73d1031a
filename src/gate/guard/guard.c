/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The life of a guard: its ports and tables, its place in a gate, its timers. The listeners are in
 * guard_listen.c, the decisions in guard_source.c, guard_request.c and guard_reply.c.
 */
#include "base/clock.h"
#include "base/error.h"
#include "gate/guard/guard_impl.h"
#include "wire/eth.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const struct guard_port_opts *find_port_opts(const struct guard_opts *o, const char *name)
{
	for (unsigned i = 0; i < o->n_ports; i++)
		if (strcmp(o->ports[i].name, name) == 0)
			return &o->ports[i];
	return NULL;
}

static void init_port(struct guard *gd, unsigned i, const char *name)
{
	const struct guard_port_opts *c = find_port_opts(&gd->o, name);
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

/* Makes the port of a file or a tap a shared one: it is the only port, and every host is there. */
static void share_port(struct guard *gd)
{
	struct guard_port *port = &gd->ports[0];

	if (find_port_opts(&gd->o, port->name))
		return;
	port->role = GUARD_SHARED;
	port->max_clients = gd->o.max_bindings;
	port->requests = (struct guard_rate){0, 1};
	gd->to_servers = 1;
}

static unsigned find_port(const struct guard *gd, const char *name)
{
	unsigned i = 0;

	while (i < gd->n_ports && strcmp(gd->ports[i].name, name) != 0)
		i++;
	return i;
}

static int init_ports(struct guard *gd, const struct frames *f, char *err, size_t cap)
{
	for (unsigned i = 0; i < FRAMES_MAX_PORTS && *frames_port_name(f, i); i++) {
		init_port(gd, i, frames_port_name(f, i));
		gd->n_ports++;
	}
	for (unsigned i = 0; i < gd->o.n_ports; i++) {
		if (find_port(gd, gd->o.ports[i].name) < gd->n_ports)
			continue;
		(void)snprintf(err, cap, "port \"%s\": the gate has no such interface",
			       gd->o.ports[i].name);
		return -ENODEV;
	}
	if (gd->n_ports == 1)
		share_port(gd);
	return 0;
}

static void init_remote_id(struct guard *gd, const struct frames *f)
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

static void forget_pending(void *ctx, const struct guard_pending *p)
{
	struct guard *gd = ctx;

	gd->ports[p->port].n_fresh -= p->fresh;
}

static int bind_fixed(struct guard *gd, char *err, size_t cap)
{
	for (uint32_t i = 0; i < gd->o.n_fixed; i++) {
		const struct guard_fixed *f = &gd->o.fixed[i];
		unsigned port = *f->port ? find_port(gd, f->port) : GUARD_ANY_PORT;
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

/* --- Life ------------------------------------------------------------------------------------- */

/* Returns the bound of pending requests: twice the clients of all ports, because each may ask and
 * be bound. */
static uint32_t max_pending(const struct guard *gd)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < gd->n_ports; i++)
		n += (uint64_t)2 * gd->ports[i].max_clients;
	return n < (uint64_t)2 * gd->o.max_bindings ? (uint32_t)n : 2 * gd->o.max_bindings;
}

/* Saves the bindings anew after a step of the wall clock, which makes their ends on disk wrong.
 * Less than a second is no step. */
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
	int r = init_ports(gd, g->frames, err, err_cap);

	gd->gate = g;
	if (r == 0)
		r = bind_fixed(gd, err, err_cap);
	if (r < 0)
		return r;
	init_remote_id(gd, g->frames);
	if (gd->o.add_agent && !gd->remote_id_len) {
		(void)snprintf(
			err, err_cap,
			"option-82: the ports have no hardware address: expected \"remote-id\"");
		return -USHER_E_NOTFOUND;
	}
	gate_load(g, DISSECT_DHCP);
	r = guard_pendings_new(max_pending(gd), &gd->o.hash_key, forget_pending, gd, &gd->pendings);
	if (r == 0)
		r = guard_listen(gd);
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

void guard_tick(struct guard *gd, int64_t now_ns)
{
	follow_wall(gd);
	guard_expire(gd, now_ns);
	if (gd->store)
		guard_store_tick(gd, now_ns);
	if (gd->server)
		guard_server_tick(gd, now_ns);
}

/* Writes ends by the wall clock of the last tick, because the gate may be freed already. */
int guard_save(struct guard *gd, int64_t now_ns)
{
	return gd->store ? guard_store_save(gd, now_ns) : 0;
}

void guard_counters(const struct guard *gd, struct guard_counters *ret)
{
	memcpy(ret->n, gd->n, sizeof(ret->n));
	memcpy(ret->alerts, gd->alerts, sizeof(ret->alerts));
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
