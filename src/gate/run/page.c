/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The data of the page: dissectors with their packets, and drops by name; rules and alerts are
 * commands. The counters are those of now; a worker that does not answer within its time makes the
 * answer a refusal.
 */
#include "gate/run/page.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "config/json/json.h"
#include "control/metrics.h"
#include "gate/run/command_impl.h"
#include "gate/run/summary.h"
#include "http/events.h"
#include "http/web.h"
#include "runtime/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { EVENT_READERS = 16 };

static const char verdict_stage[] = "verdict";

struct gate_page {
	struct gate_commands *g;
	struct http_listener *listener;
	struct http_events *events;
	struct loop_timer *timer;
};

static void answer_command(void *page, struct http_request *r)
{
	struct gate_page *p = page;

	http_answer_command(r, p->g->plane);
}

static void answer_metrics(void *page, struct http_request *r)
{
	struct gate_page *p = page;
	enum metrics_form form = metrics_form_of(http_header(r, "Accept"));
	struct http_answer a = {.status = 200, .type = metrics_content_type(form)};

	if (gate_metrics_stream(p->g, form == METRICS_OPENMETRICS, &a.stream) < 0)
		http_refuse(r, 503, "a worker does not answer");
	else
		http_answer(r, &a);
}

static void answer_alive(void *page, struct http_request *r)
{
	struct http_answer a = {.status = 200, .type = "text/plain", .body = span_str("alive\n")};

	(void)page;
	http_answer(r, &a);
}

/* --- About ------------------------------------------------------------------------------------ */

static void put_stage(struct arena *a, struct json *list, const char *name, const char *purpose)
{
	struct json *s = json_add(a, list, NULL, json_map(a));

	(void)json_add(a, s, "name", json_str(a, name));
	(void)json_add(a, s, "purpose", json_str(a, purpose));
}

static void answer_about(void *page, struct http_request *r)
{
	struct arena a;
	struct json *m, *list, *drops;

	(void)page;
	arena_init(&a);
	m = json_map(&a);
	(void)json_add(&a, m, "program", json_str(&a, "usher-gate"));
	(void)json_add(&a, m, "version", json_str(&a, USHER_VERSION));
	(void)json_add(&a, m, "write", json_bool(&a, !http_requester(r)->read_only));
	list = json_add(&a, m, "views", json_list(&a));
	(void)json_add(&a, list, NULL, json_str(&a, "pipeline"));
	(void)json_add(&a, list, NULL, json_str(&a, "rules"));
	list = json_add(&a, m, "titles", json_map(&a));
	(void)json_add(&a, list, "pipeline", json_str(&a, "Dissectors, from below"));
	(void)json_add(&a, list, "sent", json_str(&a, "packets forwarded"));
	list = json_add(&a, m, "stages", json_list(&a));
	for (unsigned d = 0; d < DISSECT_N; d++)
		put_stage(&a, list, gate_dissector_name((enum gate_dissector)d),
			  "packets that it has read");
	put_stage(&a, list, verdict_stage, "accept, change or drop");
	drops = json_add(&a, m, "drops", json_map(&a));
	for (unsigned d = 1; d < GATE_DROP_N; d++) {
		const struct gate_drop_info *info = gate_drop_info((enum gate_drop)d);

		(void)json_add(&a, json_add(&a, drops, info->name, json_map(&a)), "sentence",
			       json_str(&a, info->sentence));
	}
	http_answer_json(r, m);
	arena_fini(&a);
}

/* --- Each second ------------------------------------------------------------------------------ */

/* The sums of all workers. */
struct gathered {
	struct gate_sums sums;
};

static void add_sums(void *gathered, const struct gate_worker_view *v)
{
	struct gathered *t = gathered;

	gate_sums_worker(&t->sums, v);
}

static bool gather_sums(const struct gate_commands *g, struct gathered *t)
{
	for (unsigned i = 0; i < g->n_workers; i++)
		if (!g->ask(g->ctx, i, add_sums, t))
			return false;
	return true;
}

static void put_head(struct arena *a, struct json *head, const char *name, uint64_t v, bool counter)
{
	struct json *row = json_add(a, head, NULL, json_list(a));

	(void)json_add(a, row, NULL, json_str(a, name));
	(void)json_add(a, row, NULL, json_int(a, (int64_t)v));
	(void)json_add(a, row, NULL, json_bool(a, counter));
}

static void put_counters(struct arena *a, struct json *m, const struct gate_sums *s)
{
	struct json *stages = json_add(a, m, "stages", json_map(a)),
		    *drops = json_add(a, m, "drops", json_map(a)), *v;

	for (unsigned d = 0; d < DISSECT_N; d++)
		(void)json_add(a, stages, gate_dissector_name((enum gate_dissector)d),
			       json_int(a, (int64_t)s->gate.seen[d]));
	(void)json_add(a, stages, verdict_stage, json_int(a, (int64_t)s->gate.packets));
	for (unsigned d = 1; d < GATE_DROP_N; d++) {
		if (!s->gate.drops[d])
			continue;
		v = json_add(a, drops, gate_drop_info((enum gate_drop)d)->name, json_list(a));
		(void)json_add(a, v, NULL, json_int(a, (int64_t)s->gate.drops[d]));
		(void)json_add(a, v, NULL, json_str(a, verdict_stage));
	}
}

/* Returns what happened so far, or NULL: a worker does not answer. */
static struct json *compose_tick(const struct gate_commands *g, struct arena *a)
{
	struct gathered *t = calloc(1, sizeof(*t));
	struct json *m = NULL, *head;

	if (t && gather_sums(g, t)) {
		m = json_map(a);
		(void)json_add(a, m, "time", json_int(a, clock_mono_ns(&clock_system) / NS_PER_MS));
		(void)json_add(a, m, "started", json_int(a, g->started_ns / NS_PER_MS));
		(void)json_add(a, m, "state", json_str(a, "inspecting"));
		(void)json_add(a, m, "health", json_str(a, "good"));
		(void)json_add(a, m, "received", json_int(a, (int64_t)t->sums.gate.packets));
		(void)json_add(a, m, "sent", json_int(a, (int64_t)t->sums.gate.accepted));
		put_counters(a, m, &t->sums);
		head = json_add(a, m, "head", json_list(a));
		put_head(a, head, "packets", t->sums.gate.packets, true);
		put_head(a, head, "drops", t->sums.gate.dropped, true);
		put_head(a, head, "flows", t->sums.flows.live, false);
		put_head(a, head, "alerts", alert_ring_total(g->alerts), false);
	}
	free(t);
	return m;
}

static void answer_tick(void *page, struct http_request *r)
{
	const struct gate_page *p = page;
	struct arena a;
	struct json *m;

	arena_init(&a);
	m = compose_tick(p->g, &a);
	if (m)
		http_answer_json(r, m);
	else
		http_refuse(r, 503, "a worker does not answer");
	arena_fini(&a);
}

static void send_second(void *page)
{
	struct gate_page *p = page;
	struct json *m;
	struct buf out;
	struct arena a;

	if (!http_events_readers(p->events))
		return;
	arena_init(&a);
	buf_init(&out);
	m = compose_tick(p->g, &a);
	if (m)
		json_write(m, false, &out);
	if (out.len && !out.failed)
		http_events_send(p->events, "tick", span_of(out.p, out.len));
	buf_fini(&out);
	arena_fini(&a);
	loop_timer_set(p->timer, NS_PER_S);
}

static void answer_events(void *page, struct http_request *r)
{
	struct gate_page *p = page;

	http_answer_events(r, p->events);
	loop_timer_set(p->timer, 0);
}

/* Answers with no lines: the gate's log is its standard error. */
static void answer_log(void *page, struct http_request *r)
{
	struct arena a;
	struct json *m;

	(void)page;
	arena_init(&a);
	m = json_map(&a);
	(void)json_add(&a, m, "lines", json_list(&a));
	http_answer_json(r, m);
	arena_fini(&a);
}

/* --- Life ------------------------------------------------------------------------------------- */

static const struct http_route routes[] = {
	{"GET", "/", false, true, http_answer_web},
	{"GET", "/app.js", false, true, http_answer_web},
	{"GET", "/style.css", false, true, http_answer_web},
	{"GET", "/icon.svg", false, true, http_answer_web},
	{"GET", "/api/v1/about", false, true, answer_about},
	{"GET", "/api/v1/tick", false, true, answer_tick},
	{"GET", "/api/v1/events", false, true, answer_events},
	{"GET", "/api/v1/log", false, true, answer_log},
	{"GET", "/metrics", false, false, answer_metrics},
	{"GET", "/healthz", true, false, answer_alive},
	{"POST", "*", false, false, answer_command},
};

int gate_page_open(struct gate_commands *g, struct loop *loop, const struct http_args *args,
		   struct gate_page **ret, char text[HTTP_TEXT_MAX])
{
	struct gate_page *p = calloc(1, sizeof(*p));
	struct http_opts o = {.realm = "usher-gate",
			      .routes = routes,
			      .n_routes = ARRAY_LEN(routes),
			      .ctx = p,
			      .log = g->log};
	int r;

	if (!p)
		return -ENOMEM;
	p->g = g;
	r = http_events_new(EVENT_READERS, g->log, &p->events);
	if (r == 0)
		r = loop_timer_new(loop, send_second, p, &p->timer);
	if (r == 0)
		r = http_open_args(loop, args, &o, &p->listener, text);
	if (r < 0) {
		gate_page_close(p);
		return r;
	}
	*ret = p;
	return 0;
}

void gate_page_close(struct gate_page *p)
{
	if (!p)
		return;
	http_events_free(p->events);
	http_free(p->listener);
	if (p->timer)
		loop_timer_free(p->timer);
	free(p);
}
