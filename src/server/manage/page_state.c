/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The configuration in effect with the places of its values, and the health of the server: process,
 * disk, lease file, sockets, the last reload.
 */
#include "base/arena.h"
#include "base/error.h"
#include "config/config.h"
#include "config/json/json.h"
#include "http/web.h"
#include "lease/lease_store.h"
#include "server/core/snapshot.h"
#include "server/core/version.h"
#include "server/manage/daemon.h"
#include "server/manage/page.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* ITEMS_MAX: of one list or map of the configuration that are shown. */
enum { ITEMS_MAX = 1000 };

static bool is_secret(const char *key)
{
	static const char *const ends[] = {"password", "secret", "credentials"};
	size_t n = key ? strlen(key) : 0;

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		size_t m = strlen(ends[i]);

		if (n >= m && strcmp(key + n - m, ends[i]) == 0)
			return true;
	}
	return false;
}

static const char *value_text(struct arena *a, const struct json *v)
{
	const char *text;
	struct buf out;

	buf_init(&out);
	json_write(v, false, &out);
	text = out.failed ? NULL : arena_strdup(a, out.p);
	buf_fini(&out);
	return text ? text : "";
}

/* Checks whether the file gives a value. The key of a default has the place of the map that it is
 * in. */
static bool is_given(const struct json *v, const struct json *in)
{
	return !in || !v->key || v->key_pos.line != in->pos.line || v->key_pos.col != in->pos.col;
}

/* Adds a value of the configuration: {key, value | items, at}. in: the map or list around it. */
static void put_node(struct arena *a, struct json *to, const struct json *v, const struct json *in,
		     unsigned depth)
{
	const char *at = is_given(v, in) ? page_place(a, v) : "";
	struct json *items;
	size_t n = 0;

	if (v->key)
		(void)json_add(a, to, "key", json_str(a, v->key));
	if (at[0])
		(void)json_add(a, to, "at", json_str(a, at));
	if (v->type != JSON_LIST && v->type != JSON_MAP) {
		(void)json_add(a, to, "value",
			       json_str(a, is_secret(v->key) ? "(not shown)" : value_text(a, v)));
		return;
	}
	(void)json_add(a, to, "list", json_bool(a, v->type == JSON_LIST));
	(void)json_add(a, to, "deep", json_bool(a, depth > 2));
	items = json_add(a, to, "items", json_list(a));
	for (const struct json *m = v->first; m && n < ITEMS_MAX; m = m->next, n++)
		put_node(a, json_add(a, items, NULL, json_map(a)), m, v, depth + 1);
	if (v->count > ITEMS_MAX)
		(void)json_add(a, json_add(a, items, NULL, json_map(a)), "value",
			       json_printf(a, "and %zu more", v->count - ITEMS_MAX));
}

void page_config(void *daemon, struct http_request *r)
{
	struct server_daemon *d = daemon;
	struct snapshot *snap = server_snapshot(&d->srv);
	struct arena a;
	struct json *m;

	arena_init(&a);
	m = json_map(&a);
	(void)json_add(&a, m, "hash", json_str(&a, config_hash(snap->cfg)));
	put_node(&a, json_add(&a, m, "tree", json_map(&a)), config_effective(snap->cfg), NULL, 0);
	http_answer_json(r, m);
	arena_fini(&a);
	snapshot_unref(snap);
}

/* --- Health ----------------------------------------------------------------------------------- */

struct group {
	struct arena *a;
	struct json *rows;
};

static struct group add_group(struct arena *a, struct json *groups, const char *name)
{
	struct json *m = json_add(a, groups, NULL, json_map(a));

	(void)json_add(a, m, "name", json_str(a, name));
	return (struct group){a, json_add(a, m, "rows", json_list(a))};
}

static void printf_like(3, 4) put_row(struct group *g, const char *name, const char *fmt, ...)
{
	struct json *row = json_add(g->a, g->rows, NULL, json_list(g->a));
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)json_add(g->a, row, NULL, json_str(g->a, name));
	(void)json_add(g->a, row, NULL, json_str(g->a, text));
}

static void put_process(struct server_daemon *d, struct group g)
{
	int64_t now_ns = clock_wall_ns(&d->srv.clock);

	put_row(&g, "Version", "%s", usher_version());
	put_row(&g, "Process", "%d", (int)getpid());
	put_row(&g, "Running for", "%lld s", (long long)((now_ns - d->srv.started_ns) / NS_PER_S));
	put_row(&g, "Workers", "%u", d->srv.n_workers);
	put_row(&g, "Interfaces and addresses served", "%zu", d->n_ports);
	put_row(&g, "Of them not open", "%u", d->socket_errors);
	put_row(&g, "Control sockets that cannot be opened", "%u",
		d->channels_missing + d->https_missing);
}

/* Returns the upper bound of the bucket below which this share of the values is, in milliseconds;
 * -1: beyond the last bound, or no value. */
static double bound_of(const struct buckets_sum *b, double share)
{
	uint64_t all = 0, n = 0;

	for (unsigned i = 0; i <= lease_commit_ns_shape.n; i++)
		all += b->n[i];
	for (unsigned i = 0; all && i < lease_commit_ns_shape.n; i++) {
		n += b->n[i];
		if ((double)n >= (double)all * share)
			return (double)(lease_commit_ns_shape.first << i) / 1e6;
	}
	return -1;
}

static void put_times(struct group *g, const struct buckets_sum *b)
{
	double half = bound_of(b, 0.5), most = bound_of(b, 0.99);

	if (half >= 0)
		put_row(g, "Half of the commits took at most", "%.3f ms", half);
	if (most >= 0)
		put_row(g, "99 % of the commits took at most", "%.3f ms", most);
}

static void put_store(struct server_daemon *d, struct group g)
{
	const char *path = lease_store_path(d->srv.store);
	struct lease_store_stats st = {0};
	struct statvfs fs;

	lease_store_stats(d->srv.store, &st);
	put_row(&g, "State", "%s",
		lease_store_opening(d->srv.store) ? "loading"
		: lease_store_up(d->srv.store)	  ? "up"
						  : "down");
	put_row(&g, "File", "%s", path);
	put_row(&g, "Rows written", "%llu", (unsigned long long)st.rows);
	put_row(&g, "Rows that wait for the disk", "%llu", (unsigned long long)st.pending);
	put_row(&g, "Syncs", "%llu", (unsigned long long)st.syncs);
	put_times(&g, &st.commit_ns);
	put_row(&g, "Length of the file", "%llu octets", (unsigned long long)st.file_bytes);
	put_row(&g, "Clean-ups", "%llu, and %llu failed", (unsigned long long)st.rewrites,
		(unsigned long long)st.rewrite_failures);
	put_row(&g, "Largest group of rows", "%llu", (unsigned long long)st.max_batch);
	put_row(&g, "Errors", "%llu", (unsigned long long)st.errors);
	put_row(&g, "Rows that could not be read", "%llu", (unsigned long long)d->loaded.bad_rows);
	if (statvfs(path, &fs) == 0)
		put_row(&g, "Free on its disk", "%llu MiB",
			(unsigned long long)fs.f_bavail * fs.f_frsize >> 20);
}

static void put_reload(struct server_daemon *d, struct group g, const struct config *cfg)
{
	int64_t now_ns = clock_wall_ns(&d->srv.clock);

	put_row(&g, "Configuration file", "%s",
		cfg->file[0] ? cfg->file : "none: set by a command");
	put_row(&g, "SHA-256", "%s", config_hash(cfg));
	put_row(&g, "In effect for", "%lld s",
		(long long)((now_ns - d->srv.reloaded_ns) / NS_PER_S));
	put_row(&g, "Last attempt", "%s",
		d->last_refused ? "refused, nothing was changed" : "in effect");
	for (size_t i = 0; i < d->last_problems.n; i++) {
		const struct config_error *e = &d->last_problems.items[i];

		put_row(&g, "Problem", "%s:%u:%u: %s",
			e->file[0]    ? e->file
			: e->pos.file ? e->pos.file
				      : "",
			e->pos.line, e->pos.col, e->text);
	}
}

void page_health(void *daemon, struct http_request *r)
{
	struct server_daemon *d = daemon;
	struct snapshot *snap = server_snapshot(&d->srv);
	struct json *m, *groups;
	struct arena a;

	arena_init(&a);
	m = json_map(&a);
	groups = json_add(&a, m, "groups", json_list(&a));
	put_process(d, add_group(&a, groups, "Process"));
	put_store(d, add_group(&a, groups, "Lease file"));
	put_reload(d, add_group(&a, groups, "Configuration"), snap->cfg);
	http_answer_json(r, m);
	arena_fini(&a);
	snapshot_unref(snap);
}
