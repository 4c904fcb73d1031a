/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The data of the page: dissectors with their packets, and drops by name; rules and alerts are
 * commands. The counters are those of now; a worker that does not answer within its time makes the
 * answer a refusal.
 */
#include "gate/run/page.h"

#include "base/arena.h"
#include "config/json/json.h"
#include "control/metrics.h"
#include "gate/run/command_impl.h"
#include "gate/run/summary.h"
#include "http/page.h"
#include "http/request.h"

#include <errno.h>
#include <stdlib.h>

static const char verdict_stage[] = "verdict";

struct gate_page {
	struct gate_commands *g;
	struct http_listener *listener;
	struct http_page *page;
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

/* --- About ------------------------------------------------------------------------------------ */

static void describe_gate(void *gate, struct arena *a, struct json *about)
{
	struct json *list;

	(void)gate;
	list = json_add(a, about, "titles", json_map(a));
	http_page_title(a, list, "pipeline", "Dissectors, from below");
	http_page_title(a, list, "sent", "packets forwarded");
	list = json_add(a, about, "stages", json_list(a));
	for (unsigned d = 0; d < DISSECT_N; d++)
		(void)http_page_stage(a, list, gate_dissector_name((enum gate_dissector)d),
				      "packets that it has read");
	(void)http_page_stage(a, list, verdict_stage, "accept, change or drop");
	list = json_add(a, about, "drops", json_map(a));
	for (unsigned d = 1; d < GATE_DROP_N; d++) {
		const struct gate_drop_info *info = gate_drop_info((enum gate_drop)d);

		http_page_reason(a, list, info->name, info->sentence);
	}
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

static void put_counters(struct arena *a, struct json *m, const struct gate_sums *s)
{
	struct json *stages = json_add(a, m, "stages", json_map(a)),
		    *drops = json_add(a, m, "drops", json_map(a));

	for (unsigned d = 0; d < DISSECT_N; d++)
		http_page_count(a, stages, gate_dissector_name((enum gate_dissector)d),
				s->gate.seen[d]);
	http_page_count(a, stages, verdict_stage, s->gate.packets);
	for (unsigned d = 1; d < GATE_DROP_N; d++)
		if (s->gate.drops[d])
			http_page_drop(a, drops, gate_drop_info((enum gate_drop)d)->name,
				       s->gate.drops[d], verdict_stage);
}

static const char *compose_gate(void *gate, struct arena *a, struct json *m)
{
	const struct gate_commands *g = gate;
	struct gathered *t = calloc(1, sizeof(*t));
	struct json *head;

	if (!t || !gather_sums(g, t)) {
		free(t);
		return "a worker does not answer";
	}
	http_page_state(a, m, g->started_ns, "inspecting", "good");
	http_page_count(a, m, "received", t->sums.gate.packets);
	http_page_count(a, m, "sent", t->sums.gate.accepted);
	put_counters(a, m, &t->sums);
	head = json_add(a, m, "head", json_list(a));
	http_page_head(a, head, "packets", t->sums.gate.packets, true);
	http_page_head(a, head, "drops", t->sums.gate.dropped, true);
	http_page_head(a, head, "flows", t->sums.flows.live, false);
	http_page_head(a, head, "alerts", alert_ring_total(g->alerts), false);
	free(t);
	return NULL;
}

/* --- Life ------------------------------------------------------------------------------------- */

static const struct http_route routes[] = {
	{"GET", "/metrics", false, false, answer_metrics},
	{"POST", "*", false, false, answer_command},
};

/* Creates the page. Its log has no lines: that of the gate is its standard error. */
static int create_page(struct gate_page *p, struct loop *loop)
{
	static const char *const views[] = {"pipeline", "rules"};
	struct http_page_opts o = {.program = "usher-gate",
				   .version = USHER_VERSION,
				   .views = views,
				   .n_views = ARRAY_LEN(views),
				   .describe = describe_gate,
				   .compose = compose_gate,
				   .ctx = p->g};

	return http_page_new(loop, &o, &p->page);
}

int gate_page_open(struct gate_commands *g, struct loop *loop, const struct http_args *args,
		   struct gate_page **ret, char text[HTTP_TEXT_MAX])
{
	struct gate_page *p = calloc(1, sizeof(*p));
	struct http_opts o = {.realm = "usher-gate",
			      .routes = {routes, ARRAY_LEN(routes), p},
			      .log = g->log};
	int r;

	if (!p)
		return -ENOMEM;
	p->g = g;
	r = create_page(p, loop);
	if (r == 0) {
		o.page = http_page_routes(p->page);
		r = http_open_args(loop, args, &o, &p->listener, text);
	}
	if (r < 0) {
		gate_page_close(p);
		return r;
	}
	g->http = p->listener;
	*ret = p;
	return 0;
}

void gate_page_close(struct gate_page *p)
{
	if (!p)
		return;
	http_page_free(p->page);
	p->g->http = NULL;
	http_free(p->listener);
	free(p);
}
