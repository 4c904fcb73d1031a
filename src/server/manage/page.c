/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The data of the running server for the page: stages, counters, drops; and the rights to pages and
 * commands over HTTP.
 */
#include "server/manage/page.h"

#include "base/arena.h"
#include "config/config.h"
#include "config/json/json.h"
#include "control/plane.h"
#include "hook/hook_access.h"
#include "http/page.h"
#include "http/request.h"
#include "http/web.h"
#include "lease/lease_db.h"
#include "lease/lease_store.h"
#include "server/core/exchange.h"
#include "server/core/snapshot.h"
#include "server/core/trace.h"
#include "server/core/version.h"
#include "server/manage/daemon.h"
#include "server/worker/worker.h"

#include <string.h>

/* Time for which dropped packets are traced after a page asked for them. */
enum { WATCH_S = 60 };

static const struct {
	const char *name, *purpose;
} stages[] = {
#define STAGE(symbol, fn, hook, when, skip, purpose) {#symbol, purpose},
#include "server/core/stages.def"
#undef STAGE
};

/* --- About ------------------------------------------------------------------------------------ */

static void describe_server(void *daemon, struct arena *a, struct json *about)
{
	struct json *list, *titles, *drops;

	(void)daemon;
	(void)json_add(a, about, "traces", json_bool(a, true));
	titles = json_add(a, about, "titles", json_map(a));
	http_page_title(a, titles, "pipeline", "The way of a packet");
	http_page_title(a, titles, "sent", "answers");
	list = json_add(a, about, "stages", json_list(a));
	for (size_t i = 0; i < ARRAY_LEN(stages); i++) {
		struct json *s = http_page_stage(a, list, stages[i].name, stages[i].purpose);

		(void)json_add(a, s, "parked", json_bool(a, i == STAGE_COMMIT));
	}
	drops = json_add(a, about, "drops", json_map(a));
	for (unsigned i = 1; i < DROP_N; i++) {
		const struct drop_info *info = drop_info((enum drop)i);

		http_page_reason(a, drops, info->name, info->sentence);
	}
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
		http_page_count(a, map, stages[i].name, all);
	}
}

static void put_drops(struct server *srv, struct arena *a, struct json *m)
{
	struct json *drops = json_add(a, m, "drops", json_map(a));

	for (unsigned d = 1; d < DROP_N; d++) {
		uint64_t n = server_drop_count(srv, (enum drop)d);

		if (n)
			http_page_drop(a, drops, drop_info((enum drop)d)->name, n,
				       stages[drop_stage(srv, (enum drop)d)].name);
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
	http_page_state(a, m, d->srv.started_ns, state, health);
}

static const char *compose_server(void *daemon, struct arena *a, struct json *m)
{
	struct server_daemon *d = daemon;
	struct server *srv = &d->srv;
	struct lease_counts n = {0};
	uint64_t parked = 0;
	struct json *head;

	for (unsigned i = 0; i < srv->n_workers; i++)
		parked += worker_parked(srv->workers[i]);
	lease_db_counts(srv->db, 0, LEASE_ALL_POOLS, &n);
	put_state(d, a, m);
	http_page_count(a, m, "received", server_metric(srv, METRIC_RECEIVED));
	http_page_count(a, m, "sent", server_metric(srv, METRIC_SENT));
	http_page_count(a, m, "parked", parked);
	put_stages(srv, a, m);
	put_drops(srv, a, m);
	head = json_add(a, m, "head", json_list(a));
	http_page_head(a, head, "leases", n.assigned, false);
	http_page_head(a, head, "declined", n.declined, false);
	http_page_head(a, head, "DISCOVER", server_metric(srv, METRIC_DISCOVER_RECEIVED), true);
	http_page_head(a, head, "REQUEST", server_metric(srv, METRIC_REQUEST_RECEIVED), true);
	http_page_head(a, head, "ACK", server_metric(srv, METRIC_ACK_SENT), true);
	http_page_head(a, head, "NAK", server_metric(srv, METRIC_NAK_SENT), true);
	return NULL;
}

/* --- Drops ------------------------------------------------------------------------------------ */

struct items {
	struct arena *a;
	struct json *list;
};

static void put_drop(void *items, const struct traced_drop *p)
{
	struct items *l = items;
	struct json *v = json_add(l->a, l->list, NULL, json_map(l->a));

	(void)json_add(l->a, v, "time", json_int(l->a, p->wall_ns / NS_PER_S));
	(void)json_add(l->a, v, "stage",
		       json_str(l->a, p->stage < ARRAY_LEN(stages) ? stages[p->stage].name : ""));
	(void)json_add(l->a, v, "trace", json_str(l->a, p->text));
}

/* Answers with the last packets that were dropped for a reason, and has them kept for a minute. */
void page_drops(void *daemon, struct http_request *r)
{
	struct server_daemon *d = daemon;
	const char *reason = http_query(r, "reason");
	unsigned id = 1;
	struct arena a;
	struct json *m;
	struct items l;

	while (reason && id < DROP_N && strcmp(drop_info((enum drop)id)->name, reason) != 0)
		id++;
	if (!reason || id == DROP_N) {
		http_refuse(r, 404, "there is no such reason");
		return;
	}
	tracer_watch_drops(d->srv.tracer, clock_mono_ns(&d->srv.clock) + WATCH_S * NS_PER_S);
	arena_init(&a);
	m = json_map(&a);
	l = (struct items){&a, json_add(&a, m, "items", json_list(&a))};
	tracer_each_drop(d->srv.tracer, (enum drop)id, put_drop, &l);
	http_answer_json(r, m);
	arena_fini(&a);
}

/* --- Life ------------------------------------------------------------------------------------- */

int page_new(struct server_daemon *d, struct http_page **ret)
{
	static const char *const views[] = {"pipeline", "addresses", "leases", "client",
					    "config",	"log",	     "health"};
	struct http_page_opts o = {.program = "usher-server",
				   .version = usher_version(),
				   .views = views,
				   .n_views = ARRAY_LEN(views),
				   .describe = describe_server,
				   .compose = compose_server,
				   .ctx = d,
				   .tail = d->log_tail};

	return http_page_new(d->loop, &o, ret);
}

/* --- Rights over HTTP ------------------------------------------------------------------------- */

enum { UNAUTHORIZED = 401, FORBIDDEN = 403 };

/* The commands of paths. "": everybody may read it, because it is equal in every server. */
static const struct {
	const char *path, *command;
} paths[] = {
	{"/", ""},
	{"/app.js", ""},
	{"/style.css", ""},
	{"/icon.svg", ""},
	{"/metrics", "metrics-get"},
	{"/api/v1/leases", "lease4-get-all"},
	{"/api/v1/about", "status-get"},
	{"/api/v1/tick", "status-get"},
	{"/api/v1/health", "status-get"},
	{"/api/v1/drops", "statistic-get-all"},
};

/* Returns the command of a path. Pages without a row have parts of the configuration, or the log,
 * which has addresses of clients. */
static const char *command_of_path(const char *path)
{
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		if (strcmp(paths[i].path, path) == 0)
			return paths[i].command;
	return "config-get";
}

struct access_search {
	const char *name;
	int access;
};

static void match_row(void *search, const struct control_command *row)
{
	struct access_search *s = search;

	if (strcmp(row->name, s->name) == 0)
		s->access = (int)row->access;
}

unsigned page_authorize(void *daemon, const struct control_requester *from, const char *command,
			const char *path)
{
	struct server_daemon *d = daemon;
	struct access_search k = {.name = command ? command : command_of_path(path), .access = -1};
	struct snapshot *s;
	enum hook_access a;

	if (!command && !k.name[0])
		return 0;
	control_plane_each(d->plane, match_row, &k);
	s = server_snapshot(&d->srv);
	a = hook_access_check(s ? s->hooks : NULL, &(struct hook_asked){from, k.name, k.access});
	snapshot_unref(s);
	return a == HOOK_ACCESS_OK ? 0 : a == HOOK_ACCESS_UNAUTHORIZED ? UNAUTHORIZED : FORBIDDEN;
}
