/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The data of the running server for the page: stages, counters, drops, the log. A second's event
 * is composed once, and only while a page is open.
 */
#include "server/manage/page.h"

#include "base/arena.h"
#include "base/log_tail.h"
#include "config/config.h"
#include "config/json/json.h"
#include "http/events.h"
#include "http/web.h"
#include "lease/lease_db.h"
#include "lease/lease_store.h"
#include "runtime/loop.h"
#include "server/core/exchange.h"
#include "server/core/snapshot.h"
#include "server/core/trace.h"
#include "server/core/version.h"
#include "server/manage/daemon.h"
#include "server/worker/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* EVENT_READERS: pages with an event stream; others ask once a second. WATCH_S: time for which
 * dropped packets are traced after a page asked for them. */
enum { EVENT_READERS = 16, WATCH_S = 60 };

struct page {
	struct server_daemon *d;
	struct http_events *events;
	struct loop_timer *timer;
	uint64_t next_line; /* of the log */
};

static const struct {
	const char *name, *purpose;
} stages[] = {
#define STAGE(symbol, fn, hook, when, skip, purpose) {#symbol, purpose},
#include "server/core/stages.def"
#undef STAGE
};

uint64_t page_number(const struct http_request *r, const char *name, uint64_t dflt, uint64_t max)
{
	const char *text = http_query(r, name);
	char *end;
	unsigned long long v;

	if (!text || !text[0] || strspn(text, "0123456789") != strlen(text))
		return dflt;
	v = strtoull(text, &end, 10);
	return v < max ? v : max;
}

/* --- About ------------------------------------------------------------------------------------ */

static void answer_about(void *daemon, struct http_request *r)
{
	static const char *const views[] = {"pipeline", "addresses", "leases", "client",
					    "config",	"log",	     "health"};
	struct json *m, *list, *titles, *drops;
	struct arena a;

	(void)daemon;
	arena_init(&a);
	m = json_map(&a);
	(void)json_add(&a, m, "program", json_str(&a, "usher-server"));
	(void)json_add(&a, m, "version", json_str(&a, usher_version()));
	(void)json_add(&a, m, "traces", json_bool(&a, true));
	(void)json_add(&a, m, "write", json_bool(&a, !http_requester(r)->read_only));
	list = json_add(&a, m, "views", json_list(&a));
	for (size_t i = 0; i < ARRAY_LEN(views); i++)
		(void)json_add(&a, list, NULL, json_str(&a, views[i]));
	titles = json_add(&a, m, "titles", json_map(&a));
	(void)json_add(&a, titles, "pipeline", json_str(&a, "The way of a packet"));
	(void)json_add(&a, titles, "sent", json_str(&a, "answers"));
	list = json_add(&a, m, "stages", json_list(&a));
	for (size_t i = 0; i < ARRAY_LEN(stages); i++) {
		struct json *s = json_add(&a, list, NULL, json_map(&a));

		(void)json_add(&a, s, "name", json_str(&a, stages[i].name));
		(void)json_add(&a, s, "purpose", json_str(&a, stages[i].purpose));
		(void)json_add(&a, s, "parked", json_bool(&a, i == STAGE_COMMIT));
	}
	drops = json_add(&a, m, "drops", json_map(&a));
	for (unsigned i = 1; i < DROP_N; i++) {
		const struct drop_info *info = drop_info((enum drop)i);
		struct json *v = json_add(&a, drops, info->name, json_map(&a));

		(void)json_add(&a, v, "sentence", json_str(&a, info->sentence));
	}
	http_answer_json(r, m);
	arena_fini(&a);
}

/* --- Each second ------------------------------------------------------------------------------ */

/* Returns the stage at which the last packet of this kind was dropped. */
static unsigned drop_stage(struct server *srv, enum drop d)
{
	unsigned stage = 0;

	for (unsigned i = 0; i < srv->n_workers; i++) {
		const struct stats *s = srv->worker_stats[i];

		if (atomic_load_explicit(&s->drop[d], memory_order_relaxed))
			stage = atomic_load_explicit(&s->drop_stage[d], memory_order_relaxed);
	}
	return stage < ARRAY_LEN(stages) ? stage : 0;
}

/* Adds the number of packets that reached each stage. */
static void put_stages(struct server *srv, struct arena *a, struct json *m)
{
	uint64_t n[STAGE_N][VERDICT_N] = {0};
	struct json *map = json_add(a, m, "stages", json_map(a));

	for (unsigned i = 0; i < srv->n_workers; i++)
		stats_stages(srv->worker_stats[i], n);
	for (unsigned i = 0; i < ARRAY_LEN(stages); i++) {
		uint64_t all = 0;

		for (unsigned v = 0; v < VERDICT_N; v++)
			all += n[i][v];
		(void)json_add(a, map, stages[i].name, json_int(a, (int64_t)all));
	}
}

static void put_drops(struct server *srv, struct arena *a, struct json *m)
{
	struct json *drops = json_add(a, m, "drops", json_map(a));

	for (unsigned d = 1; d < DROP_N; d++) {
		uint64_t n = server_drop_count(srv, (enum drop)d);
		struct json *v;

		if (!n)
			continue;
		v = json_add(a, drops, drop_info((enum drop)d)->name, json_list(a));
		(void)json_add(a, v, NULL, json_int(a, (int64_t)n));
		(void)json_add(a, v, NULL, json_str(a, stages[drop_stage(srv, (enum drop)d)].name));
	}
}

/* Adds the state of the service as a word, and how good it is. */
static void put_state(struct server_daemon *d, struct arena *a, struct json *m)
{
	const char *state = "serving", *health = "good";

	if (lease_store_opening(d->srv.store)) {
		state = "loading leases";
		health = "warn";
	} else if (!lease_store_up(d->srv.store)) {
		state = "lease store down";
		health = "bad";
	} else if (d->srv.disabled) {
		state = "disabled";
		health = "warn";
	} else if (d->socket_errors) {
		state = "sockets missing";
		health = "warn";
	}
	(void)json_add(a, m, "state", json_str(a, state));
	(void)json_add(a, m, "health", json_str(a, health));
}

static void put_head(struct arena *a, struct json *head, const char *name, uint64_t v, bool counter)
{
	struct json *row = json_add(a, head, NULL, json_list(a));

	(void)json_add(a, row, NULL, json_str(a, name));
	(void)json_add(a, row, NULL, json_int(a, (int64_t)v));
	(void)json_add(a, row, NULL, json_bool(a, counter));
}

static struct json *compose_tick(struct server_daemon *d, struct arena *a)
{
	struct server *srv = &d->srv;
	struct json *m = json_map(a), *head;
	struct lease_counts n = {0};
	uint64_t parked = 0;

	for (unsigned i = 0; i < srv->n_workers; i++)
		parked += worker_parked(srv->workers[i]);
	lease_db_counts(srv->db, 0, LEASE_ALL_POOLS, &n);
	(void)json_add(a, m, "time", json_int(a, clock_mono_ns(&srv->clock) / NS_PER_MS));
	(void)json_add(a, m, "started", json_int(a, srv->started_ns / NS_PER_MS));
	put_state(d, a, m);
	(void)json_add(a, m, "received", json_int(a, (int64_t)server_metric(srv, METRIC_RECEIVED)));
	(void)json_add(a, m, "sent", json_int(a, (int64_t)server_metric(srv, METRIC_SENT)));
	(void)json_add(a, m, "parked", json_int(a, (int64_t)parked));
	put_stages(srv, a, m);
	put_drops(srv, a, m);
	head = json_add(a, m, "head", json_list(a));
	put_head(a, head, "leases", n.assigned, false);
	put_head(a, head, "declined", n.declined, false);
	put_head(a, head, "DISCOVER", server_metric(srv, METRIC_DISCOVER_RECEIVED), true);
	put_head(a, head, "REQUEST", server_metric(srv, METRIC_REQUEST_RECEIVED), true);
	put_head(a, head, "ACK", server_metric(srv, METRIC_ACK_SENT), true);
	put_head(a, head, "NAK", server_metric(srv, METRIC_NAK_SENT), true);
	return m;
}

static void answer_tick(void *daemon, struct http_request *r)
{
	struct arena a;

	arena_init(&a);
	http_answer_json(r, compose_tick(daemon, &a));
	arena_fini(&a);
}

static void send_json(struct http_events *e, const char *name, const struct json *v)
{
	struct buf out;

	buf_init(&out);
	json_write(v, false, &out);
	if (!out.failed)
		http_events_send(e, name, span_of(out.p, out.len));
	buf_fini(&out);
}

struct lines {
	struct arena *a;
	struct json *list;
};

static void put_line(void *lines, const char *line)
{
	struct lines *l = lines;

	(void)json_add(l->a, l->list, NULL, json_str(l->a, line));
}

/* Returns the lines of the log from a number on, and the number of the next one. */
static struct json *compose_log(struct server_daemon *d, struct arena *a, uint64_t from,
				uint64_t *ret_next)
{
	struct json *m = json_map(a);
	struct lines l = {a, json_add(a, m, "lines", json_list(a))};

	*ret_next = log_tail_read(d->log_tail, from, put_line, &l);
	(void)json_add(a, m, "next", json_int(a, (int64_t)*ret_next));
	return m;
}

static void send_second(void *page)
{
	struct page *p = page;
	uint64_t next;
	struct json *log;
	struct arena a;

	if (!http_events_readers(p->events))
		return;
	arena_init(&a);
	send_json(p->events, "tick", compose_tick(p->d, &a));
	log = compose_log(p->d, &a, p->next_line, &next);
	if (next != p->next_line)
		send_json(p->events, "log", log);
	p->next_line = next;
	arena_fini(&a);
	loop_timer_set(p->timer, NS_PER_S);
}

static void answer_events(void *daemon, struct http_request *r)
{
	struct page *p = ((struct server_daemon *)daemon)->page;

	http_answer_events(r, p->events);
	loop_timer_set(p->timer, 0);
}

/* --- Log, drops ------------------------------------------------------------------------------- */

static void answer_log(void *daemon, struct http_request *r)
{
	uint64_t next;
	struct arena a;

	arena_init(&a);
	http_answer_json(r, compose_log(daemon, &a, 0, &next));
	arena_fini(&a);
}

static void put_drop(void *lines, const struct traced_drop *p)
{
	struct lines *l = lines;
	struct json *v = json_add(l->a, l->list, NULL, json_map(l->a));

	(void)json_add(l->a, v, "time", json_int(l->a, p->wall_ns / NS_PER_S));
	(void)json_add(l->a, v, "stage",
		       json_str(l->a, p->stage < ARRAY_LEN(stages) ? stages[p->stage].name : ""));
	(void)json_add(l->a, v, "trace", json_str(l->a, p->text));
}

/* Answers with the last packets that were dropped for a reason, and has them kept for a minute. */
static void answer_drops(void *daemon, struct http_request *r)
{
	struct server_daemon *d = daemon;
	const char *reason = http_query(r, "reason");
	unsigned id = 1;
	struct arena a;
	struct json *m;
	struct lines l;

	while (reason && id < DROP_N && strcmp(drop_info((enum drop)id)->name, reason) != 0)
		id++;
	if (!reason || id == DROP_N) {
		http_refuse(r, 404, "there is no such reason");
		return;
	}
	tracer_watch_drops(d->srv.tracer, clock_mono_ns(&d->srv.clock) + WATCH_S * NS_PER_S);
	arena_init(&a);
	m = json_map(&a);
	l = (struct lines){&a, json_add(&a, m, "items", json_list(&a))};
	tracer_each_drop(d->srv.tracer, (enum drop)id, put_drop, &l);
	http_answer_json(r, m);
	arena_fini(&a);
}

/* --- Life ------------------------------------------------------------------------------------- */

const struct http_route page_routes[] = {
	{"GET", "/", false, true, http_answer_web},
	{"GET", "/app.js", false, true, http_answer_web},
	{"GET", "/style.css", false, true, http_answer_web},
	{"GET", "/icon.svg", false, true, http_answer_web},
	{"GET", "/api/v1/about", false, true, answer_about},
	{"GET", "/api/v1/tick", false, true, answer_tick},
	{"GET", "/api/v1/events", false, true, answer_events},
	{"GET", "/api/v1/log", false, true, answer_log},
	{"GET", "/api/v1/drops", false, true, answer_drops},
	{"GET", "/api/v1/subnets", false, true, page_subnets},
	{"GET", "/api/v1/networks", false, true, page_networks},
	{"GET", "/api/v1/leases", false, true, page_leases},
	{"GET", "/api/v1/reservations", false, true, page_reservations},
	{"GET", "/api/v1/config", false, true, page_config},
	{"GET", "/api/v1/health", false, true, page_health},
};
const size_t page_n_routes = ARRAY_LEN(page_routes);

int page_new(struct server_daemon *d, struct page **ret)
{
	struct page *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->d = d;
	r = http_events_new(EVENT_READERS, d->srv.log, &p->events);
	if (r == 0)
		r = loop_timer_new(d->loop, send_second, p, &p->timer);
	if (r < 0) {
		page_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

void page_free(struct page *p)
{
	if (!p)
		return;
	http_events_free(p->events);
	if (p->timer)
		loop_timer_free(p->timer);
	free(p);
}
