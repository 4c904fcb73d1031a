/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The sinks belong to the rules and outlive the guard, which outlives the engine that calls it.
 */
#include "gate/run/guard_run.h"

#include "base/clock.h"
#include "gate/engine/dissect.h"
#include "base/error.h"
#include "base/ip.h"
#include "gate/guard/guard_config.h"
#include "gate/run/rules.h"
#include "script/rules/alert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ERR_LEN = 512, TEXT_LEN = 256, MAC_TEXT_LEN = 18, SHORT_LEN = 96 };
/* Above the numbers of the workers, which give the alerts of rules theirs. */
#define FIRST_ALERT (UINT64_C(4095) << 40)

struct guard_run {
	struct guard_config config;
	struct guard *guard;
	const char *path; /* of the configuration */
	struct script_alert_sink sinks[GATE_ALERT_SINKS];
	unsigned n_sinks;
	uint64_t n_alerts;
};

/* --- Alerts ----------------------------------------------------------------------------------- */

static enum alert_level level_of(enum guard_severity s)
{
	static const enum alert_level levels[] =
		{[GUARD_LOW] = ALERT_LOW, [GUARD_MEDIUM] = ALERT_MEDIUM, [GUARD_HIGH] = ALERT_HIGH};

	return levels[s];
}

static struct span described(const struct guard_alert *a, char text[TEXT_LEN])
{
	char ip[IP_TEXT_LEN];

	(void)snprintf(text, TEXT_LEN, "%s%s%s; %llu so far", a->text,
		       a->server_id ? "; server " : "",
		       a->server_id ? ip_text(a->server_id, ip) : "", (unsigned long long)a->count);
	return span_str(text);
}

void guard_report(const struct guard_alert *a, uint64_t number,
		  const struct script_alert_sink *sinks, unsigned n)
{
	char text[TEXT_LEN], mac[MAC_TEXT_LEN], ip[IP_TEXT_LEN], port[SHORT_LEN], vlan[SHORT_LEN];
	const uint8_t *m = a->mac;
	struct span hosts[2], places[2];
	struct alert_node sources[] = {
		{.values = hosts, .n = 1 + (a->ip != 0)},
		{.service = true, .values = places, .n = 1 + (a->vlan != 0)},
	};
	struct script_alert s = {
		.id = FIRST_ALERT | number,
		.time_ns = a->time_ns,
		.has_start = true,
		.start_ns = a->first_ns,
		.severity = level_of(a->severity),
		.completion = a->passed ? ALERT_SUCCESSFUL : ALERT_FAILED,
		.description = described(a, text),
		.method = span_str(gate_drop_info(a->what)->name + sizeof("drop-") - 1),
		.sources = sources,
		.n_sources = ARRAY_LEN(sources),
	};

	(void)snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3],
		       m[4], m[5]);
	(void)snprintf(port, sizeof(port), "port %s", a->port_name);
	if (a->vlan > 0xfff) /* two tags */
		(void)snprintf(vlan, sizeof(vlan), "vlan %u.%u", a->vlan & 0xfff, a->vlan >> 12);
	else
		(void)snprintf(vlan, sizeof(vlan), "vlan %u", a->vlan);
	hosts[0] = span_str(mac);
	hosts[1] = span_str(ip_text(a->ip, ip));
	places[0] = span_str(port);
	places[1] = span_str(vlan);
	for (unsigned i = 0; i < n; i++)
		sinks[i].write(sinks[i].ctx, &s);
}

static void on_alert(void *ctx, const struct guard_alert *a)
{
	struct guard_run *run = ctx;

	guard_report(a, ++run->n_alerts, run->sinks, run->n_sinks);
}

/* --- Life ------------------------------------------------------------------------------------- */

static int log_alert(const char *path, const char *why, int r)
{
	(void)fprintf(stderr, "usher-gate: %s%s%s\n", path, *path ? ": " : "", why);
	return r;
}

static int load_config(struct guard_run *run)
{
	struct config_error e = {0};
	struct buf text;
	int r = guard_config_load(run->path, &run->config, &e);

	if (r == 0)
		return 0;
	buf_init(&text);
	config_error_text(&e, &text);
	r = log_alert(*e.file ? "" : run->path, text.len ? text.p : usher_strerror(r), r);
	buf_fini(&text);
	return r;
}

/* Checks that bindings can be saved: else they are lost with the next restart, and their clients
 * with them. */
static int check_directory(const struct guard_run *run)
{
	const char *path = run->config.opts.file, *slash = strrchr(path, '/');
	char dir[GUARD_PATH_LEN + 2], text[ERR_LEN + 2 * GUARD_PATH_LEN];
	int r;

	if (!*path)
		return 0;
	(void)snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) + (slash == path) : 1,
		       slash ? path : ".");
	r = access(dir, W_OK | X_OK) < 0 ? -errno : 0;
	if (r < 0) {
		(void)snprintf(text, sizeof(text), "bindings \"%s\": directory %s: %s", path, dir,
			       usher_strerror(r));
		(void)log_alert(run->path, text, r);
	}
	return r;
}

/* Warns of a configuration without a trusted port: every answer of a DHCP server is dropped then,
 * which is hardly intended. */
static void warn_of_trust(const struct guard_run *run, const struct frames *f)
{
	const struct guard_opts *o = &run->config.opts;
	bool any = !*frames_port_name(f, 1); /* a file or a tap has one port, for everybody */

	for (unsigned i = 0; i < o->n_ports; i++)
		any |= o->ports[i].role == GUARD_TRUSTED || o->ports[i].role == GUARD_SHARED;
	if (!any)
		(void)log_alert(
			run->path,
			"warning: no port is \"trusted\" or \"shared\": every answer of a DHCP server will be dropped",
			0);
}

static int begin_guard(struct guard_run *run, struct gate *g)
{
	char err[ERR_LEN] = "";
	int r = check_directory(run);

	if (r < 0)
		return r;
	warn_of_trust(run, g->frames);
	r = guard_new(&run->config.opts, &run->guard);
	if (r < 0)
		return log_alert(run->path, usher_strerror(r), r);
	r = guard_attach(run->guard, g, clock_wall_ns(&clock_system), err, sizeof(err));
	return r < 0 ? log_alert(run->path, *err ? err : usher_strerror(r), r) : 0;
}

int guard_run_check(const char *path)
{
	struct guard_run run = {.path = path};
	int r = load_config(&run);

	if (r == 0)
		r = check_directory(&run);
	guard_config_fini(&run.config);
	return r;
}

int guard_run_open(struct gate_rules *rules, struct gate *g, const struct hash_key *key, bool keep,
		   struct guard_run **ret)
{
	struct guard_run *run;
	int r;

	*ret = NULL;
	if (!rules->args->guard)
		return 0;
	run = calloc(1, sizeof(*run));
	if (!run)
		return log_alert(rules->args->guard, usher_strerror(-ENOMEM), -ENOMEM);
	*ret = run;
	run->path = rules->args->guard;
	run->n_sinks = gate_rules_sinks(rules, run->sinks);
	r = load_config(run);
	if (r < 0)
		return r;
	run->config.opts.log = rules->log;
	run->config.opts.hash_key = *key;
	run->config.opts.alert = on_alert;
	run->config.opts.alert_ctx = run;
	if (!keep)
		run->config.opts.file[0] = run->config.opts.server[0] = '\0';
	return begin_guard(run, g);
}

void guard_run_tick(struct guard_run *run, int64_t now_ns)
{
	if (run)
		guard_tick(run->guard, now_ns);
}

const struct guard *guard_run_guard(const struct guard_run *run)
{
	return run ? run->guard : NULL;
}

int guard_run_close(struct guard_run *run, int64_t now_ns)
{
	int r;

	if (!run)
		return 0;
	r = run->guard ? guard_save(run->guard, now_ns) : 0;
	if (r < 0)
		(void)log_alert(run->config.opts.file, usher_strerror(r), r);
	guard_free(run->guard);
	guard_config_fini(&run->config);
	free(run);
	return r;
}
