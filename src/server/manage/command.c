/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The dispatcher of commands, and those about the daemon itself.
 */
#include "server/manage/command.h"

#include "base/error.h"
#include "base/ip.h"
#include "base/log.h"
#include "config/config.h"
#include "hook/hook.h"
#include "lease/lease_store.h"
#include "runtime/iface.h"
#include "server/manage/absent.h"
#include "server/core/snapshot.h"
#include "server/core/version.h"
#include "server/worker/worker.h"
#include "server/core/trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *name;
	struct json *(*fn)(struct command *c);
} commands[] = {
#define COMMAND(name, fn, does, args) {name, fn},
#include "server/manage/commands.def"
#undef COMMAND
};

struct json *command_ok(struct command *c, struct json *arguments, const char *fmt, ...)
{
	struct json *m = json_map(c->arena);
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)json_add(c->arena, m, "result", json_int(c->arena, CONTROL_OK));
	if (text[0])
		(void)json_add(c->arena, m, "text", json_str(c->arena, text));
	if (arguments)
		(void)json_add(c->arena, m, "arguments", arguments);
	return m;
}

struct json *command_fail(struct command *c, const char *fmt, ...)
{
	char text[768];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return control_answer(c->arena, CONTROL_ERROR, "%s", text);
}

const char *command_str(const struct command *c, const char *name)
{
	return json_get_str(c->args, name);
}

bool command_int(const struct command *c, const char *name, int64_t *ret)
{
	return json_get_int(c->args, name, ret);
}

bool command_bool(const struct command *c, const char *name, bool *ret)
{
	return json_get_bool(c->args, name, ret);
}

struct json *command_durable(struct command *c, uint64_t seq)
{
	struct lease_store *s = c->d->srv.store;
	int r = s && seq ? lease_store_wait(s, seq, 5 * NS_PER_S) : 0;

	return r < 0 ? command_fail(c, "the change is not on disk: %s", usher_strerror(r)) : NULL;
}

/* command_processed: callouts see the command and may put another answer in place of ours. */
static struct json *call_processed(struct command *c, const char *name, struct json *answer)
{
	struct snapshot *s = server_snapshot(&c->d->srv);
	struct usher_call call = {.point = HOOK_COMMAND_PROCESSED,
				  .arena = c->arena,
				  .command = name,
				  .command_args = c->args,
				  .answer = answer};

	if (s && hook_any(s->hooks, HOOK_COMMAND_PROCESSED)) {
		call.cfg = s->cfg;
		(void)hook_call(s->hooks, &call);
	}
	snapshot_unref(s);
	return call.answer;
}

/* The first member that no request has; NULL: none. The last ones are for Kea's other daemons. */
static const char *unknown_member(const struct json *request)
{
	static const char *const known[] = {"command", "arguments", "service", "remote-address",
					    "remote-port"};

	for (const struct json *m = request->first; m; m = m->next) {
		size_t i = 0;

		while (i < ARRAY_LEN(known) && strcmp(known[i], m->key) != 0)
			i++;
		if (i == ARRAY_LEN(known))
			return m->key;
	}
	return NULL;
}

/* Leases that are still being loaded can neither be shown nor changed: a later row of the file
 * could undo the change. */
static struct json *refused(struct command *c, const char *name)
{
	static const char *const prefixes[] = {"lease4-", "leases-", "stat-lease4-"};
	const struct lease_store *s = c->d->srv.store;

	for (size_t i = 0; s && lease_store_opening(s) && i < ARRAY_LEN(prefixes); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return command_fail(c, "the lease file is still being loaded");
	return NULL;
}

static struct json *handle(void *daemon, const struct json *request, struct arena *arena)
{
	struct server_daemon *d = daemon;
	struct command c = {.d = d, .args = json_get(request, "arguments"), .arena = arena};
	const char *name = json_get_str(request, "command");
	const char *unknown;
	struct json *answer;

	if (!name || strlen(name) != json_get(request, "command")->n)
		return control_answer(arena, CONTROL_ERROR,
				      "a command is {\"command\": \"name\", \"arguments\": {…}}: "
				      "there is no string 'command'");
	unknown = unknown_member(request);
	if (unknown)
		return command_fail(&c, "received command contains unsupported parameter '%s'",
				    unknown);
	log_msg(d->srv.log, LOG_COMMAND_RECEIVED, "received command '%s'", name);
	if (c.args && c.args->type != JSON_MAP)
		return command_fail(&c, "'arguments' must be a map, this is %s",
				    json_type_name(c.args->type));
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(commands[i].name, name) != 0)
			continue;
		answer = refused(&c, name);
		if (!answer)
			answer = commands[i].fn(&c);
		return call_processed(&c, name, answer);
	}
	return control_answer(arena, CONTROL_UNSUPPORTED, "'%s' command not supported", name);
}

/* Handles a command. Its log lines are written before its answer, unless an output hangs. */
struct json *command_handle(void *daemon, const struct json *request, struct arena *arena)
{
	struct server_daemon *d = daemon;
	struct json *answer = handle(daemon, request, arena);

	log_flush(d->srv.log, 20 * NS_PER_MS);
	return answer;
}

void command_from(void *daemon, uid_t uid)
{
	struct server_daemon *d = daemon;

	d->untrusted = uid != 0 && uid != geteuid();
}

bool command_take_stream(void *daemon, struct control_stream *ret)
{
	struct server_daemon *d = daemon;

	*ret = d->stream;
	d->stream = (struct control_stream){0};
	return ret->next != NULL;
}

struct json *command_list(struct command *c)
{
	struct json *l = json_list(c->arena);

	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		(void)json_add(c->arena, l, NULL, json_str(c->arena, commands[i].name));
	return command_ok(c, l, "%s", "");
}

struct json *command_version(struct command *c)
{
	struct json *m = json_map(c->arena);

	(void)json_add(c->arena, m, "extended", json_str(c->arena, usher_build_report()));
	return command_ok(c, m, "%s", usher_version());
}

struct json *command_build_report(struct command *c)
{
	return command_ok(c, NULL, "%s", usher_build_report());
}

struct json *command_shutdown(struct command *c)
{
	int64_t exit_value = 0;

	if (json_get(c->args, "exit-value") &&
	    (!command_int(c, "exit-value", &exit_value) || exit_value < 0 || exit_value > 255))
		return command_fail(c, "'exit-value' must be an integer from 0 to 255");
	daemon_shutdown(c->d, (int)exit_value);
	return command_ok(c, NULL, "shutting down");
}

static int origin_bits(struct command *c, unsigned *ret)
{
	static const struct {
		const char *name;
		unsigned bit;
	} origins[] = {
		{"user", SERVICE_OFF_USER},
		{"ha-partner", SERVICE_OFF_HA_REMOTE},
		{"ha-remote", SERVICE_OFF_HA_REMOTE},
		{"ha-local", SERVICE_OFF_HA_LOCAL},
	};
	const char *name = command_str(c, "origin");

	*ret = SERVICE_OFF_USER;
	for (size_t i = 0; name && i < ARRAY_LEN(origins); i++) {
		if (strcmp(origins[i].name, name) == 0) {
			*ret = origins[i].bit;
			return 0;
		}
	}
	return name ? -USHER_E_UNKNOWN : 0;
}

struct json *command_dhcp_disable(struct command *c)
{
	int64_t period = 0;
	unsigned bit;

	if (origin_bits(c, &bit) < 0)
		return command_fail(c, "unknown 'origin': user, ha-partner, ha-local are known");
	if (json_get(c->args, "max-period") &&
	    (!command_int(c, "max-period", &period) || period <= 0 || period > UINT32_MAX))
		return command_fail(c, "'max-period' must be a positive integer (seconds)");
	(void)atomic_fetch_or(&c->d->srv.disabled, bit);
	daemon_enable_after(c->d, bit, (uint32_t)period);
	return period ? command_ok(c, NULL, "DHCPv4 service disabled for %lld seconds",
				   (long long)period)
		      : command_ok(c, NULL, "DHCPv4 service disabled");
}

struct json *command_dhcp_enable(struct command *c)
{
	unsigned bit;

	if (origin_bits(c, &bit) < 0)
		return command_fail(c, "unknown 'origin': user, ha-partner, ha-local are known");
	(void)atomic_fetch_and(&c->d->srv.disabled, ~bit);
	daemon_enable_after(c->d, bit, 0);
	return command_ok(c, NULL, "DHCP service successfully enabled");
}

static struct json *status_sockets(struct command *c)
{
	struct json *m = json_map(c->arena);
	struct json *errors = json_list(c->arena);
	char ip[IP_TEXT_LEN];

	for (size_t i = 0; i < c->d->n_ports; i++)
		if (c->d->ports[i].failed)
			(void)json_add(c->arena, errors, NULL,
				       json_printf(c->arena, "cannot open interface %s, address %s",
						   c->d->ports[i].name,
						   ip_text(c->d->ports[i].addr, ip)));
	(void)json_add(c->arena, m, "status",
		       json_str(c->arena, c->d->socket_errors ? "retrying" : "ready"));
	if (c->d->socket_errors)
		(void)json_add(c->arena, m, "errors", errors);
	return m;
}

static struct json *status_dhcp_state(struct command *c)
{
	struct json *m = json_map(c->arena);
	unsigned off = c->d->srv.disabled;

	(void)json_add(c->arena, m, "disabled-by-db-connection",
		       json_bool(c->arena, off & SERVICE_OFF_DB));
	(void)json_add(c->arena, m, "disabled-by-user",
		       json_bool(c->arena, off & SERVICE_OFF_USER));
	(void)json_add(c->arena, m, "globally-disabled", json_bool(c->arena, off != 0));
	return m;
}

/* Puts the rows of the lease file that could not be read: their file, and their line numbers. */
static void put_rejected(struct command *c, struct json *m)
{
	const struct journal_load_stats *st = &c->d->loaded;
	const char *path = lease_store_path(c->d->srv.store);
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

static struct json *status_store(struct command *c)
{
	static const char *const durability[] = {
		[LEASE_SYNC_COMMIT] = "commit",
		[LEASE_SYNC_INTERVAL] = "interval",
		[LEASE_SYNC_NONE] = "none",
	};
	struct lease_store_stats st = {0};
	struct json *m = json_map(c->arena);

	lease_store_stats(c->d->srv.store, &st);
	(void)json_add(c->arena, m, "loading",
		       json_bool(c->arena, lease_store_opening(c->d->srv.store) == 1));
	(void)json_add(c->arena, m, "up", json_bool(c->arena, lease_store_up(c->d->srv.store)));
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
	put_rejected(c, m);
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
static struct json *status_missing(struct command *c, const struct snapshot *s)
{
	struct iface_table *t = server_ifaces(&c->d->srv);
	struct missing m = {c->arena, json_list(c->arena)};

	if (t)
		(void)absent_each(s->cfg, t, list_absent, &m);
	if (c->d->channels_missing)
		(void)json_add(c->arena, m.list, NULL,
			       json_printf(c->arena, "%u control sockets cannot be opened",
					   c->d->channels_missing));
	iface_table_unref(t);
	return m.list;
}

struct json *command_status(struct command *c)
{
	struct json *m = json_map(c->arena);
	struct snapshot *s = server_snapshot(&c->d->srv);
	int64_t now = clock_wall_ns(&c->d->srv.clock);
	uint64_t parked = 0;

	for (unsigned i = 0; i < c->d->srv.n_workers; i++)
		parked += worker_parked(c->d->srv.workers[i]);
	(void)json_add(c->arena, m, "pid", json_int(c->arena, getpid()));
	(void)json_add(c->arena, m, "uptime",
		       json_int(c->arena, (now - c->d->srv.started_ns) / NS_PER_S));
	(void)json_add(c->arena, m, "reload",
		       json_int(c->arena, (now - c->d->srv.reloaded_ns) / NS_PER_S));
	(void)json_add(c->arena, m, "multi-threading-enabled",
		       json_bool(c->arena, s->cfg->multi_threading));
	(void)json_add(c->arena, m, "thread-pool-size", json_int(c->arena, c->d->srv.n_workers));
	(void)json_add(c->arena, m, "packet-queue-size",
		       json_int(c->arena, s->cfg->packet_queue_size));
	(void)json_add(c->arena, m, "parked-packets", json_int(c->arena, (int64_t)parked));
	(void)json_add(c->arena, m, "hook-failures",
		       json_int(c->arena, (int64_t)hook_failures(s->hooks)));
	(void)json_add(c->arena, m, "sockets", status_sockets(c));
	(void)json_add(c->arena, m, "dhcp-state", status_dhcp_state(c));
	(void)json_add(c->arena, m, "csv-lease-file",
		       json_str(c->arena, lease_store_path(c->d->srv.store)));
	(void)json_add(c->arena, m, "lease-store", status_store(c));
	(void)json_add(c->arena, m, "missing", status_missing(c, s));
	snapshot_unref(s);
	return command_ok(c, m, "%s", "");
}

struct json *command_leases_reclaim(struct command *c)
{
	bool remove;

	if (!command_bool(c, "remove", &remove))
		return command_fail(c, "'remove' (true or false) is missing");
	server_reclaim(&c->d->srv, remove, 0, 0);
	return command_ok(c, NULL, "Reclamation of expired leases is complete.");
}

struct json *command_lfc_start(struct command *c)
{
	int r = lease_store_cleanup(c->d->srv.store);

	return r < 0 ? command_fail(c, "clean-up does not start: %s", usher_strerror(r))
		     : command_ok(c, NULL, "clean-up of the lease file started");
}

/* --- packet trace ----------------------------------------------------------------------------- */

static int hex_arg(struct command *c, const char *name, uint8_t *out, size_t cap, struct span *ret)
{
	const char *s = command_str(c, name);
	int n;

	*ret = SPAN_NULL;
	if (!s)
		return json_get(c->args, name) ? -USHER_E_TYPE : 0;
	n = hex_parse(s, strlen(s), out, cap);
	if (n > 0)
		*ret = span_of(out, (size_t)n);
	return n;
}

struct json *command_trace_start(struct command *c)
{
	uint8_t hw[16];
	uint8_t id[255];
	struct span hw_span;
	struct span id_span;
	int64_t packets = 100;

	if (hex_arg(c, "hw-address", hw, sizeof(hw), &hw_span) < 0)
		return command_fail(c, "'hw-address' must be hex octets, as in 00:11:22:33:44:55");
	if (hex_arg(c, "client-id", id, sizeof(id), &id_span) < 0)
		return command_fail(c, "'client-id' must be hex octets");
	if (json_get(c->args, "packets") &&
	    (!command_int(c, "packets", &packets) || packets < 1 || packets > 1000000))
		return command_fail(c, "'packets' must be an integer from 1 to 1000000");
	tracer_start(c->d->srv.tracer, hw_span, id_span, (unsigned)packets);
	return command_ok(c, NULL, "tracing %lld packets", (long long)packets);
}

struct json *command_trace_stop(struct command *c)
{
	tracer_stop(c->d->srv.tracer);
	return command_ok(c, NULL, "tracing stopped");
}

struct json *command_trace_get(struct command *c)
{
	struct json *m = json_map(c->arena);
	bool clear = false;

	(void)command_bool(c, "clear", &clear);
	(void)json_add(c->arena, m, "traces", tracer_get(c->d->srv.tracer, c->arena, clear));
	return command_ok(c, m, "%s", "");
}
