/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The guard's binding table, as the control channel shows it.
 */
#include "gate/run/command_impl.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/ip.h"
#include "gate/engine/gate.h"
#include "gate/guard/guard.h"

#include <time.h>

enum { TIME_LEN = 32, MAC_LEN = 6 };

struct binding_search {
	struct control_call *k;
	struct json *list;
	uint32_t limit, n, total;
	uint32_t address; /* 0: any */
	uint8_t mac[MAC_LEN];
	bool has_mac, guarded;
	const char *port; /* NULL: any */
};

static struct json *end_text(struct arena *a, int64_t end_ns)
{
	time_t at = (time_t)(end_ns / NS_PER_S);
	char text[TIME_LEN];
	struct tm tm;

	if (end_ns == INT64_MAX || !gmtime_r(&at, &tm) ||
	    !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
		return json_str(a, "never");
	return json_str(a, text);
}

static struct json *hex_json(struct arena *a, struct span s)
{
	struct json *v;
	struct buf b;

	buf_init(&b);
	buf_hex(&b, s, ':');
	v = json_str(a, b.p ? b.p : "");
	buf_fini(&b);
	return v;
}

static void binding_json(const struct binding_search *q, const struct gate_worker_view *v,
			 const struct guard_binding *b)
{
	struct arena *a = q->k->arena;
	struct json *m = json_add(a, q->list, NULL, json_map(a));
	int64_t now = clock_wall_ns(gate_clock(v->g));
	char ip[IP_TEXT_LEN];

	(void)json_add(a, m, "ip-address", json_str(a, ip_text(b->address, ip)));
	(void)json_add(a, m, "hw-address", hex_json(a, span_of(b->mac, sizeof(b->mac))));
	(void)json_add(a, m, "port", json_str(a, guard_port_name(v->guard, b->port)));
	command_put(q->k, m, "vlan", b->vlan);
	(void)json_add(a, m, "kind", json_str(a, b->fixed ? "static" : "leased"));
	(void)json_add(a, m, "ends", end_text(a, guard_end_on_wall(v->guard, b)));
	command_put(q->k, m, "idle-seconds",
		    b->seen_ns && b->seen_ns < now ? (uint64_t)((now - b->seen_ns) / NS_PER_S) : 0);
	(void)json_add(a, m, "client-id", hex_json(a, span_of(b->id.octets, b->id.n)));
}

static bool wanted(const struct binding_search *q, const struct gate_worker_view *v,
		   const struct guard_binding *b)
{
	return (!q->address || b->address == q->address) &&
	       (!q->has_mac || memcmp(q->mac, b->mac, sizeof(b->mac)) == 0) &&
	       (!q->port || strcmp(guard_port_name(v->guard, b->port), q->port) == 0);
}

static void find_bindings(void *ctx, const struct gate_worker_view *v)
{
	struct binding_search *q = ctx;
	const struct guard_binding *b;
	uint32_t at = 0;

	if (!v->guard)
		return;
	q->guarded = true;
	while ((b = guard_each(v->guard, &at)) != NULL) {
		q->total++;
		if (q->n < q->limit && wanted(q, v, b)) {
			binding_json(q, v, b);
			q->n++;
		}
	}
}

/* Reads the arguments hw-address and port. False: they are not valid. */
static bool arguments(struct binding_search *q, struct json **ret_answer)
{
	const struct json *mac = q->k->args ? json_get(q->k->args, "hw-address") : NULL;
	const struct json *port = q->k->args ? json_get(q->k->args, "port") : NULL;

	q->has_mac = mac != NULL;
	q->port = port && port->type == JSON_STRING ? port->s : NULL;
	if (mac && (mac->type != JSON_STRING ||
		    hex_parse(mac->s, mac->n, q->mac, sizeof(q->mac)) != MAC_LEN)) {
		*ret_answer =
			control_answer(q->k->arena, CONTROL_ERROR,
				       "'hw-address': expected one such as 02:00:00:00:00:01");
		return false;
	}
	if (port && !q->port) {
		*ret_answer = control_answer(q->k->arena, CONTROL_ERROR,
					     "'port': expected the name of an interface");
		return false;
	}
	return true;
}

struct json *command_bindings(struct control_call *k)
{
	struct binding_search q = {.k = k, .list = json_list(k->arena)};
	struct json *m, *answer;

	if (!command_limit(k, &q.limit, &answer) || !command_address(k, &q.address, &answer) ||
	    !arguments(&q, &answer))
		return answer;
	for (unsigned i = 0; i < gate_of(k)->n_workers; i++)
		if (!gate_of(k)->ask(gate_of(k)->ctx, i, find_bindings, &q))
			return command_no_answer(k, i);
	if (!q.guarded)
		return control_answer(k->arena, CONTROL_ERROR,
				      "there is no guard: start with --guard FILE");
	m = json_map(k->arena);
	(void)json_add(k->arena, m, "bindings", q.list);
	command_put(k, m, "total", q.total);
	return command_done(k, m, q.n, "bindings");
}
