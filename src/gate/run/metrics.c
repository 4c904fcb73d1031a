/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The metrics of a live gate as text for Prometheus. The counters of all workers are read when the
 * text is begun; there are few families, and so they are written in one piece.
 */
#include "base/buf.h"
#include "base/error.h"
#include "control/metrics.h"
#include "control/plane_count.h"
#include "gate/lua/bind.h"
#include "gate/run/command_impl.h"
#include "gate/run/summary.h"
#include "http/metrics.h"
#include "script/rules/event.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum gate_family {
#define FAMILY(symbol, name, type, unit, writer, labels, help) GATE_FAMILY_##symbol,
#include "gate/run/metrics.def"
#undef FAMILY
	GATE_FAMILY_N
};

enum { WORKERS_MAX = 256 };

/* A text under way. */
struct gate_text {
	struct metrics m;
	const struct gate_commands *c;
	bool as_answer;
	enum gate_family family;
	struct gate_sums sums;
	uint64_t overruns[WORKERS_MAX];
	struct script_stats scripts[WORKERS_MAX]; /* memory_max is 0 where there is no script */
	struct command_rules rules;
	struct buf labels;
};

static struct span labels_now(const struct gate_text *t)
{
	return span_of(t->labels.p, t->labels.len);
}

/* --- Writers ---------------------------------------------------------------------------------- */

static void write_packets(struct gate_text *t)
{
	const struct gate_counters *g = &t->sums.gate;

	metrics_labelled(&t->m, "verdict", "accept", g->accepted - g->modified);
	metrics_labelled(&t->m, "verdict", "modify", g->modified);
	metrics_labelled(&t->m, "verdict", "drop", g->dropped);
}

/* Returns the value of a family with one sample. */
static uint64_t read_count(const struct gate_text *t)
{
	const struct gate_sums *s = &t->sums;

	switch ((int)t->family) {
	case GATE_FAMILY_BYTES:
		return s->frames.octets;
	case GATE_FAMILY_FAILED_OPEN:
		return s->gate.failed_open;
	case GATE_FAMILY_CREATED:
		return s->gate.created;
	case GATE_FAMILY_INJECTED:
		return s->frames.injected;
	case GATE_FAMILY_OVERLAPS:
		return s->gate.overlaps;
	case GATE_FAMILY_UNVERIFIED:
		return s->gate.unverified;
	case GATE_FAMILY_TRIMMED:
		return s->gate.trimmed;
	case GATE_FAMILY_SEND_ERRORS:
		return s->frames.send_errors;
	case GATE_FAMILY_FLOWS:
		return s->flows.live;
	case GATE_FAMILY_FLOWS_ADDED:
		return s->flows.added;
	case GATE_FAMILY_HELD:
		return s->gate.held;
	case GATE_FAMILY_HISTORY:
		return s->tcp.unacknowledged;
	default: /* GATE_FAMILY_BUFFERS */
		return s->tcp.buffers;
	}
}

static void write_counts(struct gate_text *t)
{
	metrics_value(&t->m, SPAN_NULL, read_count(t));
}

static void write_drops(struct gate_text *t)
{
	for (unsigned d = 1; d < GATE_DROP_N; d++)
		metrics_labelled(&t->m, "reason",
				 gate_drop_info((enum gate_drop)d)->name + sizeof("drop-") - 1,
				 t->sums.gate.drops[d]);
}

static void write_dissectors(struct gate_text *t)
{
	for (unsigned d = 0; d < DISSECT_N; d++)
		metrics_labelled(&t->m, "dissector", gate_dissector_name((enum gate_dissector)d),
				 t->sums.gate.seen[d]);
	for (uint32_t i = 0; i < t->sums.n_plugins; i++)
		metrics_labelled(&t->m, "dissector", t->sums.plugins[i].name,
				 t->sums.plugins[i].seen);
}

static void write_overruns(struct gate_text *t)
{
	for (unsigned i = 0; i < t->c->n_workers && i < WORKERS_MAX; i++) {
		char text[16];

		(void)snprintf(text, sizeof(text), "%u", i);
		metrics_labelled(&t->m, "worker", text, t->overruns[i]);
	}
}

static void write_flows(struct gate_text *t)
{
	metrics_labelled(&t->m, "cause", "expired", t->sums.flows.expired);
	metrics_labelled(&t->m, "cause", "evicted", t->sums.flows.evicted);
}

static void write_rules(struct gate_text *t)
{
	for (size_t i = 0; i < t->rules.n; i++) {
		const struct script_rule *r = &t->rules.rules[i];

		buf_reset(&t->labels);
		metrics_label(&t->m, &t->labels, "event", r->event);
		metrics_label(&t->m, &t->labels, "rule", r->name);
		metrics_label(&t->m, &t->labels, "where", r->where);
		if (t->family == GATE_FAMILY_RULE_SECONDS)
			metrics_seconds(&t->m, labels_now(t), (int64_t)r->ns);
		else
			metrics_value(&t->m, labels_now(t),
				      t->family == GATE_FAMILY_RULE_RUNS ? r->calls : r->faults);
	}
}

static void write_scripts(struct gate_text *t)
{
	for (unsigned i = 0; i < t->c->n_workers && i < WORKERS_MAX; i++) {
		const struct script_stats *s = &t->scripts[i];
		char text[16];

		if (!s->memory_max)
			continue;
		(void)snprintf(text, sizeof(text), "%u", i);
		metrics_labelled(&t->m, "worker", text,
				 t->family == GATE_FAMILY_SCRIPT_LIMIT ? s->memory_max : s->memory);
	}
}

static void write_guard(struct gate_text *t)
{
	const struct guard_counters *g = &t->sums.guard;

	if (!t->sums.guarded)
		return;
	if (t->family == GATE_FAMILY_BINDINGS)
		metrics_value(&t->m, SPAN_NULL, g->bindings);
	for (unsigned i = 0; t->family == GATE_FAMILY_GUARD_EVENTS && i < GUARD_N_COUNTERS; i++)
		metrics_labelled(&t->m, "event", guard_counter_name((enum guard_counter)i),
				 g->n[i]);
	for (unsigned d = 1; t->family == GATE_FAMILY_GUARD_ALERTS && d < GATE_DROP_N; d++)
		if (guard_alerts_of((enum gate_drop)d))
			metrics_labelled(&t->m, "kind",
					 gate_drop_info((enum gate_drop)d)->name + sizeof("drop-") -
						 1,
					 g->alerts[d]);
}

static void write_alerts(struct gate_text *t)
{
	metrics_value(&t->m, SPAN_NULL, alert_ring_total(t->c->alerts));
}

static void write_build(struct gate_text *t)
{
	metrics_labelled(&t->m, "version", USHER_VERSION, 1);
}

static void write_request(void *ctx, const char *command, const char *transport, unsigned result,
			  uint64_t n)
{
	struct gate_text *t = ctx;
	char text[16];

	(void)snprintf(text, sizeof(text), "%u", result);
	buf_reset(&t->labels);
	metrics_label(&t->m, &t->labels, "command", command);
	metrics_label(&t->m, &t->labels, "transport", transport);
	metrics_label(&t->m, &t->labels, "result", text);
	metrics_value(&t->m, labels_now(t), n);
}

static void write_requests(struct gate_text *t)
{
	if (t->c->plane)
		control_counts_each(control_plane_counts(t->c->plane), write_request, t);
}

static const struct {
	struct metrics_family head;
	void (*write)(struct gate_text *t);
} families[] = {
#define FAMILY(symbol, name, type, unit, writer, labels, help) \
	{{(name), METRICS_##type, (unit), (help)}, write_##writer},
#include "gate/run/metrics.def"
#undef FAMILY
};

/* --- The text --------------------------------------------------------------------------------- */

static bool write_text(void *ctx, struct buf *out)
{
	struct gate_text *t = ctx;

	t->m.out = out;
	if (t->as_answer)
		metrics_answer_begin(&t->m);
	for (unsigned i = 0; i < GATE_FAMILY_N; i++) {
		t->family = (enum gate_family)i;
		metrics_begin(&t->m, &families[i].head);
		families[i].write(t);
	}
	http_metrics(&t->m, &t->c->http, t->c->http ? 1 : 0);
	metrics_process(&t->m, t->c->started_ns);
	metrics_end(&t->m);
	if (t->as_answer)
		metrics_answer_end(&t->m);
	out->failed |= t->labels.failed;
	return false;
}

static void free_text(void *ctx)
{
	struct gate_text *t = ctx;

	buf_fini(&t->labels);
	free(t->rules.rules);
	free(t);
}

static void add_worker(void *ctx, const struct gate_worker_view *v)
{
	struct gate_text *t = ctx;
	struct frames_stats fs;

	gate_sums_worker(&t->sums, v);
	command_find_rules(&t->rules, v);
	frames_stats(v->frames, &fs);
	if (v->number >= WORKERS_MAX)
		return;
	t->overruns[v->number] = fs.source_drops;
	if (v->bind)
		script_stats(gate_bind_script(v->bind), &t->scripts[v->number]);
}

static int open_text(const struct gate_commands *c, enum metrics_form form, bool as_answer,
		     struct control_stream *ret)
{
	struct gate_text *t = calloc(1, sizeof(*t));
	int r = 0;

	if (!t)
		return -ENOMEM;
	t->c = c;
	t->m.form = form;
	t->m.in_json = as_answer;
	t->as_answer = as_answer;
	t->rules.rules = calloc(COMMAND_RULES_MAX, sizeof(*t->rules.rules));
	if (!t->rules.rules)
		r = -ENOMEM;
	for (unsigned i = 0; i < c->n_workers && r == 0; i++)
		if (!c->ask(c->ctx, i, add_worker, t))
			r = -ETIMEDOUT;
	if (r < 0)
		free_text(t);
	else
		*ret = (struct control_stream){write_text, free_text, t};
	return r;
}

int gate_metrics_stream(const struct gate_commands *c, bool openmetrics, struct control_stream *ret)
{
	return open_text(c, openmetrics ? METRICS_OPENMETRICS : METRICS_TEXT, false, ret);
}

struct json *gate_command_metrics(struct control_call *k)
{
	enum metrics_form form;
	int r;

	if (!metrics_form_parse(k->args ? json_get_str(k->args, "format") : NULL, &form))
		return control_answer(k->arena, CONTROL_ERROR,
				      "'format': expected \"text\" or \"openmetrics\"");
	r = open_text(gate_of(k), form, true, &k->stream);
	if (r < 0)
		return control_answer(k->arena, CONTROL_ERROR, "the workers' counters: %s",
				      usher_strerror(r));
	return control_answer(k->arena, CONTROL_OK, "streamed");
}
