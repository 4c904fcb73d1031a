/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Commands by their table. Bounded answers: at most so many flows and alerts.
 */
#include "gate/run/command.h"

#include "base/clock.h"
#include "base/ip.h"
#include "base/log.h"
#include "gate/lua/bind.h"
#include "gate/run/command_impl.h"
#include "gate/engine/gate.h"
#include "gate/run/summary.h"
#include "gate/tcp/tcp_conn.h"
#include "script/rules/alert.h"
#include "script/rules/event.h"
#include "wire/ipv4.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

enum { LIMIT = 100, LIMIT_MAX = 10000, RING = 256 };

/* --- The last alerts -------------------------------------------------------------------------- */

struct alert_ring {
	pthread_mutex_t lock;
	char *text[RING]; /* one line of JSON each */
	uint64_t n;	  /* ever */
};

int alert_ring_new(struct alert_ring **ret)
{
	struct alert_ring *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	(void)pthread_mutex_init(&r->lock, NULL);
	*ret = r;
	return 0;
}

void alert_ring_free(struct alert_ring *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < RING; i++)
		free(r->text[i]);
	(void)pthread_mutex_destroy(&r->lock);
	free(r);
}

uint64_t alert_ring_total(struct alert_ring *r)
{
	uint64_t n;

	(void)pthread_mutex_lock(&r->lock);
	n = r->n;
	(void)pthread_mutex_unlock(&r->lock);
	return n;
}

static void ring_write(void *ctx, const struct script_alert *a)
{
	struct alert_ring *r = ctx;
	struct buf b;
	char *text;

	buf_init(&b);
	alert_text(a, ALERT_JSON, &b);
	text = buf_take(&b);
	if (!text)
		return;
	(void)pthread_mutex_lock(&r->lock);
	free(r->text[r->n % RING]);
	r->text[r->n++ % RING] = text;
	(void)pthread_mutex_unlock(&r->lock);
}

struct script_alert_sink alert_ring_sink(struct alert_ring *r)
{
	return (struct script_alert_sink){ring_write, r};
}

/* --- Commands --------------------------------------------------------------------------------- */

struct json *command_done(struct control_call *k, struct json *args, uint64_t n, const char *what)
{
	struct json *m = control_answer(k->arena, CONTROL_OK, "%llu %s", (unsigned long long)n,
					what);

	(void)json_add(k->arena, m, "arguments", args);
	return m;
}

bool command_limit(struct control_call *k, uint32_t *ret, struct json **ret_answer)
{
	const struct json *v = k->args ? json_get(k->args, "limit") : NULL;

	*ret = LIMIT;
	if (!v)
		return true;
	if (v->type == JSON_INT && v->i >= 1 && v->i <= LIMIT_MAX) {
		*ret = (uint32_t)v->i;
		return true;
	}
	*ret_answer = control_answer(k->arena, CONTROL_ERROR,
				     "'limit': expected a number from 1 to %d", LIMIT_MAX);
	return false;
}

bool command_address(struct control_call *k, uint32_t *ret, struct json **ret_answer)
{
	const struct json *v = k->args ? json_get(k->args, "address") : NULL;

	*ret = 0;
	if (!v || (v->type == JSON_STRING && ip_parse(v->s, v->n, ret) == 0))
		return true;
	*ret_answer = control_answer(k->arena, CONTROL_ERROR,
				     "'address': expected an address such as 192.0.2.7");
	return false;
}

struct json *command_no_answer(struct control_call *k, unsigned worker)
{
	return control_answer(k->arena, CONTROL_ERROR, "worker %u does not answer", worker);
}

void command_put(struct control_call *k, struct json *to, const char *name, uint64_t v)
{
	(void)json_add(k->arena, to, name, json_int(k->arena, (int64_t)v));
}

struct json *command_statistics(struct control_call *k)
{
	struct json *m = json_map(k->arena), *drops, *seen;
	struct gate_sums s = {0};

	for (unsigned i = 0; i < gate_of(k)->n_workers; i++)
		if (!gate_of(k)->ask(gate_of(k)->ctx, i, gate_sums_worker, &s))
			return command_no_answer(k, i);
	command_put(k, m, "packets", s.gate.packets);
	command_put(k, m, "octets", s.frames.octets);
	command_put(k, m, "accepted", s.gate.accepted);
	command_put(k, m, "modified", s.gate.modified);
	command_put(k, m, "dropped", s.gate.dropped);
	command_put(k, m, "held", s.gate.held);
	command_put(k, m, "injected", s.frames.injected);
	command_put(k, m, "forged", s.gate.created);
	command_put(k, m, "forged-in", s.gate.injected);
	command_put(k, m, "failed-open", s.gate.failed_open);
	command_put(k, m, "tcp-overlaps", s.gate.overlaps);
	command_put(k, m, "tcp-unverified", s.gate.unverified);
	command_put(k, m, "tcp-trimmed", s.gate.trimmed);
	command_put(k, m, "send-errors", s.frames.send_errors);
	command_put(k, m, "source-drops", s.frames.source_drops);
	command_put(k, m, "flows", s.flows.live);
	command_put(k, m, "flows-added", s.flows.added);
	command_put(k, m, "flows-expired", s.flows.expired);
	command_put(k, m, "flows-evicted", s.flows.evicted);
	drops = json_add(k->arena, m, "drops", json_map(k->arena));
	for (unsigned i = 1; i < GATE_DROP_N; i++)
		command_put(k, drops, gate_drop_info((enum gate_drop)i)->name, s.gate.drops[i]);
	seen = json_add(k->arena, m, "dissectors", json_map(k->arena));
	for (unsigned i = 0; i < DISSECT_N; i++)
		command_put(k, seen, gate_dissector_name((enum gate_dissector)i), s.gate.seen[i]);
	for (uint32_t i = 0; i < s.n_plugins; i++)
		command_put(k, seen, s.plugins[i].name, s.plugins[i].seen);
	return command_done(k, m, s.gate.packets, "packets");
}

struct flow_search {
	struct control_call *k;
	struct json *list;
	uint32_t limit, n;
	uint32_t address; /* 0: any */
};

static void flow_json(const struct flow_search *q, const struct flow *f, int64_t now_ns)
{
	struct json *m = json_map(q->k->arena);
	char text[IP_TEXT_LEN];
	const struct tcp_conn *c = f->key.proto == IPV4_PROTO_TCP ? f->transport : NULL;

	(void)json_add(q->k->arena, m, "protocol",
		       json_str(q->k->arena, f->key.proto == IPV4_PROTO_TCP ? "tcp" : "udp"));
	(void)json_add(q->k->arena, m, "client",
		       json_printf(q->k->arena, "%s:%u", ip_text(f->key.src, text), f->key.sport));
	(void)json_add(q->k->arena, m, "server",
		       json_printf(q->k->arena, "%s:%u", ip_text(f->key.dst, text), f->key.dport));
	(void)json_add(q->k->arena, m, "state",
		       json_str(q->k->arena, f->dropped ? "dropped"
					     : c	? tcp_state_name(c->track.state)
							: "open"));
	command_put(q->k, m, "packets-up", f->packets[GATE_UP]);
	command_put(q->k, m, "packets-down", f->packets[GATE_DOWN]);
	command_put(q->k, m, "octets-up", f->octets[GATE_UP]);
	command_put(q->k, m, "octets-down", f->octets[GATE_DOWN]);
	command_put(q->k, m, "idle-ms", (uint64_t)((now_ns - f->last_ns) / NS_PER_MS));
	command_put(q->k, m, "id", f->id);
	(void)json_add(q->k->arena, q->list, NULL, m);
}

static void find_flows(void *ctx, const struct gate_worker_view *v)
{
	struct flow_search *q = ctx;
	struct flow *f;
	uint32_t at = 0;

	while (q->n < q->limit && (f = flow_each(gate_flows(v->g), &at)) != NULL) {
		if (q->address && f->key.src != q->address && f->key.dst != q->address)
			continue;
		flow_json(q, f, clock_wall_ns(gate_clock(v->g)));
		q->n++;
	}
}

struct json *command_flows(struct control_call *k)
{
	struct flow_search q = {.k = k, .list = json_list(k->arena)};
	struct json *m, *answer;

	if (!command_limit(k, &q.limit, &answer) || !command_address(k, &q.address, &answer))
		return answer;
	for (unsigned i = 0; i < gate_of(k)->n_workers && q.n < q.limit; i++)
		if (!gate_of(k)->ask(gate_of(k)->ctx, i, find_flows, &q))
			return command_no_answer(k, i);
	m = json_map(k->arena);
	(void)json_add(k->arena, m, "flows", q.list);
	return command_done(k, m, q.n, "flows");
}

void command_find_rules(void *search, const struct gate_worker_view *v)
{
	struct command_rules *q = search;
	struct script_rule *mine = v->bind ? calloc(COMMAND_RULES_MAX, sizeof(*mine)) : NULL;
	size_t n = mine ? script_rules(gate_bind_script(v->bind), mine, COMMAND_RULES_MAX) : 0;

	n = n < COMMAND_RULES_MAX ? n : COMMAND_RULES_MAX;
	for (size_t i = 0; i < n; i++) {
		uint64_t calls = q->rules[i].calls, faults = q->rules[i].faults,
			 skipped = q->rules[i].skipped, ns = q->rules[i].ns;

		/* all workers run the same file: the same rules in the same order */
		q->rules[i] = mine[i];
		q->rules[i].calls += calls;
		q->rules[i].faults += faults;
		q->rules[i].skipped += skipped;
		q->rules[i].ns += ns;
	}
	q->n = n > q->n ? n : q->n;
	free(mine);
}

struct json *command_rules(struct control_call *k)
{
	struct command_rules q = {
		.rules = arena_array(k->arena, struct script_rule, COMMAND_RULES_MAX)};
	struct json *m = json_map(k->arena),
		    *list = json_add(k->arena, m, "rules", json_list(k->arena));

	if (!q.rules)
		return control_answer(k->arena, CONTROL_ERROR, "out of memory");
	for (unsigned i = 0; i < gate_of(k)->n_workers; i++)
		if (!gate_of(k)->ask(gate_of(k)->ctx, i, command_find_rules, &q))
			return command_no_answer(k, i);
	for (size_t i = 0; i < q.n; i++) {
		struct json *r = json_add(k->arena, list, NULL, json_map(k->arena));

		(void)json_add(k->arena, r, "event", json_str(k->arena, q.rules[i].event));
		(void)json_add(k->arena, r, "name", json_str(k->arena, q.rules[i].name));
		(void)json_add(k->arena, r, "where", json_str(k->arena, q.rules[i].where));
		command_put(k, r, "calls", q.rules[i].calls);
		command_put(k, r, "skipped", q.rules[i].skipped);
		command_put(k, r, "faults", q.rules[i].faults);
	}
	return command_done(k, m, q.n, "rules");
}

struct json *command_alerts(struct control_call *k)
{
	struct json *m = json_map(k->arena),
		    *list = json_add(k->arena, m, "alerts", json_list(k->arena)), *answer, *one;
	struct json_opts jo = {.file = ""};
	struct config_error err;
	uint32_t limit;
	uint64_t n, from;

	if (!command_limit(k, &limit, &answer))
		return answer;
	(void)pthread_mutex_lock(&gate_of(k)->alerts->lock);
	n = gate_of(k)->alerts->n;
	from = n > RING ? n - RING : 0;
	from = n - from > limit ? n - limit : from;
	for (uint64_t i = from; i < n; i++)
		if (json_parse(span_str(gate_of(k)->alerts->text[i % RING]), &jo, k->arena, &one,
			       &err) == 0)
			(void)json_add(k->arena, list, NULL, one);
	(void)pthread_mutex_unlock(&gate_of(k)->alerts->lock);
	command_put(k, m, "total", n);
	return command_done(k, m, n, "alerts since the start");
}

struct json *command_stop(struct control_call *k)
{
	gate_of(k)->stop(gate_of(k)->ctx);
	return control_answer(k->arena, CONTROL_OK, "ending");
}

static const struct control_command commands[] = {
#define COMMAND(...) CONTROL_ROW(__VA_ARGS__)
#include "gate/run/commands.def"
#undef COMMAND
};

struct command_names {
	struct arena *arena;
	struct json *list;
};

static void add_name(void *ctx, const struct control_command *row)
{
	struct command_names *n = ctx;

	(void)json_add(n->arena, n->list, NULL, json_str(n->arena, row->name));
}

struct json *gate_command_list(struct control_call *k)
{
	struct command_names n = {k->arena, json_list(k->arena)};

	control_plane_each(gate_of(k)->plane, add_name, &n);
	return command_done(k, n.list, n.list ? n.list->count : 0, "commands");
}

struct json *gate_command_describe(struct control_call *k)
{
	const char *name = json_get_str(k->args, "name");
	struct json *list = control_plane_describe(gate_of(k)->plane, name, k->arena);
	struct json *m = json_map(k->arena);

	if (!list && name)
		return control_answer(k->arena, CONTROL_EMPTY, "there is no command '%s'", name);
	(void)json_add(k->arena, m, "commands", list);
	return command_done(k, m, list ? list->count : 0, "commands");
}

static void write_line(void *program, enum control_line kind, const char *text)
{
	const struct gate_commands *c = program;

	log_msg(c->log, kind == CONTROL_LINE_AUDIT ? LOG_USHER_COMMAND_AUDIT : LOG_COMMAND_RECEIVED,
		"%s", text);
}

int gate_plane_open(struct gate_commands *commands_of, struct control_plane **ret)
{
	struct control_plane_opts o = {.program = commands_of, .write_line = write_line};
	int r = control_plane_new(&o, ret);

	if (r == 0)
		r = control_plane_add(*ret, commands, ARRAY_LEN(commands));
	if (r == 0)
		r = gate_script_commands_add(commands_of, *ret);
	commands_of->plane = *ret;
	return r;
}
