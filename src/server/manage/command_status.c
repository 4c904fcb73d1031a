/* SPDX-License-Identifier: MPL-2.0 */
/*
 * status-get: process, sockets, service, lease store, and the names that the machine lacks.
 */
#include "base/ip.h"
#include "config/config.h"
#include "ddns/ddns.h"
#include "hook/hook.h"
#include "lease/lease_store.h"
#include "runtime/iface.h"
#include "server/core/snapshot.h"
#include "server/view/absent.h"
#include "server/manage/command.h"
#include "server/worker/worker.h"

#include <unistd.h>

static struct json *status_sockets(struct control_call *c)
{
	struct json *m = json_map(c->arena);
	struct json *errors = json_list(c->arena);
	char ip[IP_TEXT_LEN];

	for (size_t i = 0; i < daemon_of(c)->n_ports; i++)
		if (daemon_of(c)->ports[i].failed)
			(void)json_add(c->arena, errors, NULL,
				       json_printf(c->arena, "cannot open interface %s, address %s",
						   daemon_of(c)->ports[i].name,
						   ip_text(daemon_of(c)->ports[i].addr, ip)));
	(void)json_add(c->arena, m, "status",
		       json_str(c->arena, daemon_of(c)->socket_errors ? "retrying" : "ready"));
	if (daemon_of(c)->socket_errors)
		(void)json_add(c->arena, m, "errors", errors);
	return m;
}

static struct json *status_dhcp_state(struct control_call *c)
{
	struct json *m = json_map(c->arena);
	unsigned off = daemon_of(c)->srv.disabled;

	(void)json_add(c->arena, m, "disabled-by-db-connection",
		       json_bool(c->arena, off & SERVICE_OFF_DB));
	(void)json_add(c->arena, m, "disabled-by-user",
		       json_bool(c->arena, off & SERVICE_OFF_USER));
	(void)json_add(c->arena, m, "globally-disabled", json_bool(c->arena, off != 0));
	return m;
}

/* Puts the rows of the lease file that could not be read: their file, and their line numbers. */
static void put_rejected(struct control_call *c, struct json *m)
{
	const struct journal_load_stats *st = &daemon_of(c)->loaded;
	const char *path = lease_store_path(daemon_of(c)->srv.store);
	char text[512];

	(void)json_add(c->arena, m, "rejected-rows", json_int(c->arena, (int64_t)st->bad_rows));
	(void)json_add(c->arena, m, "torn-octets", json_int(c->arena, (int64_t)st->torn_bytes));
	if (!st->bad_rows)
		return;
	journal_bad_text(st, path, text, sizeof(text));
	(void)json_add(c->arena, m, "rejected-file",
		       json_str(c->arena, arena_printf(c->arena, "%s.rejected", path)));
	(void)json_add(c->arena, m, "rejected-lines",
		       json_str(c->arena, arena_printf(c->arena, "%s", text)));
}

static struct json *status_store(struct control_call *c)
{
	static const char *const durability[] = {
		[LEASE_SYNC_COMMIT] = "commit",
		[LEASE_SYNC_INTERVAL] = "interval",
		[LEASE_SYNC_NONE] = "none",
	};
	struct lease_store_stats st = {0};
	struct json *m = json_map(c->arena);

	lease_store_stats(daemon_of(c)->srv.store, &st);
	(void)json_add(c->arena, m, "loading",
		       json_bool(c->arena, lease_store_opening(daemon_of(c)->srv.store) == 1));
	(void)json_add(c->arena, m, "up",
		       json_bool(c->arena, lease_store_up(daemon_of(c)->srv.store)));
	(void)json_add(c->arena, m, "durability",
		       json_str(c->arena,
				st.persist ? durability[st.durability] : "not persistent"));
	(void)json_add(c->arena, m, "rows", json_int(c->arena, (int64_t)st.rows));
	(void)json_add(c->arena, m, "commits", json_int(c->arena, (int64_t)st.commits));
	(void)json_add(c->arena, m, "syncs", json_int(c->arena, (int64_t)st.syncs));
	(void)json_add(c->arena, m, "errors", json_int(c->arena, (int64_t)st.errors));
	(void)json_add(c->arena, m, "largest-commit", json_int(c->arena, (int64_t)st.max_batch));
	(void)json_add(c->arena, m, "pending", json_int(c->arena, (int64_t)st.pending));
	(void)json_add(c->arena, m, "unsynced", json_int(c->arena, (int64_t)st.unsynced));
	if (lease_store_place(daemon_of(c)->srv.store)) {
		(void)json_add(c->arena, m, "database",
			       json_str(c->arena, lease_store_place(daemon_of(c)->srv.store)));
		(void)json_add(c->arena, m, "refused-rows",
			       json_int(c->arena, (int64_t)st.refused));
		return m;
	}
	put_rejected(c, m);
	return m;
}

/* Returns the updates of the DNS: their queue, and what became of them since the start. */
static struct json *status_ddns(struct control_call *c)
{
	struct json *m = json_map(c->arena);
	struct ddns_stats st;

	ddns_stats(daemon_of(c)->srv.ddns, &st);
	(void)json_add(c->arena, m, "enabled", json_bool(c->arena, st.enabled));
	(void)json_add(c->arena, m, "away", json_bool(c->arena, st.away));
	(void)json_add(c->arena, m, "waiting", json_int(c->arena, st.waiting));
	(void)json_add(c->arena, m, "max-queue-size", json_int(c->arena, st.room));
	(void)json_add(c->arena, m, "requests", json_int(c->arena, (int64_t)st.queued));
	(void)json_add(c->arena, m, "sent", json_int(c->arena, (int64_t)st.sent));
	(void)json_add(c->arena, m, "merged", json_int(c->arena, (int64_t)st.merged));
	(void)json_add(c->arena, m, "lost", json_int(c->arena, (int64_t)st.lost));
	(void)json_add(c->arena, m, "failures", json_int(c->arena, (int64_t)st.failed));
	return m;
}

struct missing {
	struct arena *arena;
	struct json *list;
};

static void list_absent(void *ctx, const struct json_pos *at, const char *text)
{
	enum { MISSING_MAX = 100 };
	struct missing *m = ctx;

	if (m->list && m->list->count < MISSING_MAX)
		(void)json_add(m->arena, m->list, NULL,
			       json_printf(m->arena, "%s%s%u:%u: %s", at->file,
					   at->file[0] ? ":" : "", at->line, at->col, text));
}

/* Returns the names of the configuration that the machine lacks now. */
static struct json *status_missing(struct control_call *c, const struct snapshot *s)
{
	struct iface_table *t = server_ifaces(&daemon_of(c)->srv);
	struct missing m = {c->arena, json_list(c->arena)};

	if (t)
		(void)absent_each(s->cfg, t, list_absent, &m);
	if (daemon_of(c)->channels_missing)
		(void)json_add(c->arena, m.list, NULL,
			       json_printf(c->arena, "%u control sockets cannot be opened",
					   daemon_of(c)->channels_missing));
	iface_table_unref(t);
	return m.list;
}

/* Adds the members about threads. Like Kea's, a server without multi-threading has only the first.
 */
static void put_threads(struct control_call *c, const struct snapshot *s, struct json *m)
{
	struct server_daemon *d = daemon_of(c);
	struct json *queue = json_list(c->arena);

	(void)json_add(c->arena, m, "multi-threading-enabled",
		       json_bool(c->arena, s->cfg->multi_threading));
	if (!s->cfg->multi_threading)
		return;
	(void)json_add(c->arena, m, "thread-pool-size", json_int(c->arena, d->srv.n_workers));
	(void)json_add(c->arena, m, "packet-queue-size",
		       json_int(c->arena, s->cfg->packet_queue_size));
	daemon_queue_update(d);
	for (size_t i = 0; i < DAEMON_QUEUE_STATS; i++)
		(void)json_add(c->arena, queue, NULL, json_real(c->arena, d->queue.average[i]));
	(void)json_add(c->arena, m, "packet-queue-statistics", queue);
}

struct json *command_status(struct control_call *c)
{
	struct json *m = json_map(c->arena);
	struct snapshot *s = server_snapshot(&daemon_of(c)->srv);
	int64_t now = clock_wall_ns(&daemon_of(c)->srv.clock);
	uint64_t parked = 0;

	for (unsigned i = 0; i < daemon_of(c)->srv.n_workers; i++)
		parked += worker_parked(daemon_of(c)->srv.workers[i]);
	(void)json_add(c->arena, m, "pid", json_int(c->arena, getpid()));
	(void)json_add(c->arena, m, "uptime",
		       json_int(c->arena, (now - daemon_of(c)->srv.started_ns) / NS_PER_S));
	(void)json_add(c->arena, m, "reload",
		       json_int(c->arena, (now - daemon_of(c)->srv.reloaded_ns) / NS_PER_S));
	put_threads(c, s, m);
	(void)json_add(c->arena, m, "parked-packets", json_int(c->arena, (int64_t)parked));
	(void)json_add(c->arena, m, "hook-failures",
		       json_int(c->arena, (int64_t)hook_failures(s->hooks)));
	(void)json_add(c->arena, m, "hook-lost", json_int(c->arena, (int64_t)hook_lost(s->hooks)));
	(void)json_add(c->arena, m, "sockets", status_sockets(c));
	(void)json_add(c->arena, m, "dhcp-state", status_dhcp_state(c));
	(void)json_add(c->arena, m, "csv-lease-file",
		       json_str(c->arena, lease_store_path(daemon_of(c)->srv.store)));
	(void)json_add(c->arena, m, "lease-store", status_store(c));
	if (s->cfg->ddns.enabled)
		(void)json_add(c->arena, m, "ddns", status_ddns(c));
	(void)json_add(c->arena, m, "missing", status_missing(c, s));
	snapshot_unref(s);
	return command_ok(c, m, "%s", "");
}
