/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Applying a configuration, in one order at start and at every reload: build the snapshot (pools,
 * and last the hook libraries, whose code runs), open new channels and log files, publish, then
 * bring sockets and timers in line. Nothing is refused after the snapshot is built, and nothing
 * before it leaves a trace. It was read and checked before, beside the loop (daemon_reading.c).
 * Reloads and commands about the configuration are long commands: one begins when the one before
 * it is in effect or refused.
 */
#include "base/error.h"
#include "base/log.h"
#include "config/config.h"
#include "config/database/config_database.h"
#include "control/plane.h"
#include "ddns/ddns.h"
#include "hook/hook.h"
#include "lease/lease_db.h"
#include "server/core/snapshot.h"
#include "server/manage/daemon_impl.h"
#include "server/view/stat_walk.h"
#include "server/worker/worker.h"

#include <string.h>

enum { PIPE_WAIT_MS = 2000 }; /* other long commands wait while a reload reads a FIFO */

void daemon_apply_log(struct server_daemon *d, const struct config *cfg)
{
	struct log_rule rules[LOG_MAX_RULES];
	size_t n = cfg->n_loggers < ARRAY_LEN(rules) ? cfg->n_loggers : ARRAY_LEN(rules);
	struct config_error w = {0};
	int r;

	for (size_t i = 0; i < n; i++)
		rules[i] = (struct log_rule){cfg->loggers[i].name, cfg->loggers[i].severity,
					     cfg->loggers[i].outputs, cfg->loggers[i].n_outputs,
					     cfg->loggers[i].debuglevel};
	r = log_configure(d->srv.log, rules, n, d->o.debug);
	if (r < 0)
		(void)config_error_set(&w, NULL, r, "the loggers were not changed: %s",
				       usher_strerror(r));
	if (r < 0)
		daemon_warn(d, &w);
}

/* Reports the interfaces and subnets of a configuration. A long list of subnets is cut: the queue
 * of a log output is bounded. */
static void report_config(struct server_daemon *d, const struct config *cfg)
{
	enum { SUBNETS_MAX = 64 };
	struct log *log = d->srv.log;
	size_t n = cfg->n_subnets < SUBNETS_MAX ? cfg->n_subnets : SUBNETS_MAX;

	for (size_t i = 0; i < cfg->n_interfaces; i++)
		log_msg(log, LOG_DHCPSRV_CFGMGR_ADD_IFACE, "listening on interface %s",
			cfg->interfaces[i].name);
	log_msg(log, LOG_DHCPSRV_CFGMGR_SOCKET_TYPE_SELECT, "using socket type %s",
		cfg->socket_udp ? "udp" : "raw");
	for (size_t i = 0; i < n; i++) {
		const struct config_subnet *s = &cfg->subnets[i];

		log_msg(log, LOG_DHCPSRV_CFGMGR_NEW_SUBNET4,
			"subnet %u: %s with %zu pools, valid-lifetime=%u", s->id, s->text,
			s->n_pools, s->params.valid_lifetime.value);
	}
	if (cfg->n_subnets > n)
		log_msg(log, LOG_DHCPSRV_CFGMGR_NEW_SUBNET4, "and %zu more subnets",
			cfg->n_subnets - n);
	log_msg(log, LOG_DHCP4_CONFIG_COMPLETE,
		"configuration is in effect: added IPv4 subnets: %zu; DDNS: %s", cfg->n_subnets,
		cfg->ddns.enabled ? "enabled" : "disabled");
}

/* Returns whether two configurations have the leases in one place, with equal settings. */
static bool same_database(const struct config_database *a, const struct config_database *b)
{
	if (!a || !b)
		return a == b;
	return strcmp(a->name, b->name) == 0 && strcmp(a->host, b->host) == 0 &&
	       strcmp(a->user, b->user) == 0 && strcmp(a->password, b->password) == 0 &&
	       strcmp(a->password_file, b->password_file) == 0 &&
	       strcmp(a->trust_anchor, b->trust_anchor) == 0 &&
	       strcmp(a->cert_file, b->cert_file) == 0 && strcmp(a->key_file, b->key_file) == 0 &&
	       strcmp(a->ssl_mode, b->ssl_mode) == 0 && a->port == b->port &&
	       a->connect_timeout_s == b->connect_timeout_s &&
	       a->tcp_user_timeout_s == b->tcp_user_timeout_s && a->max_tries == b->max_tries &&
	       a->wait_ms == b->wait_ms && a->on_fail == b->on_fail;
}

/* Warns of changes that a running server cannot apply. */
static void warn_fixed(struct server_daemon *d, const struct config *old, const struct config *cfg)
{
	struct config_error w = {0};

	if (old->multi_threading != cfg->multi_threading ||
	    old->thread_pool_size != cfg->thread_pool_size) {
		(void)config_error_set(&w, NULL, 0,
				       "multi-threading takes effect with the next start");
		daemon_warn(d, &w);
	}
	if (!same_database(old->lease_database, cfg->lease_database) ||
	    strcmp(old->lease_file, cfg->lease_file) != 0 || old->persist != cfg->persist ||
	    old->durability != cfg->durability || old->sync_interval_ms != cfg->sync_interval_ms ||
	    old->max_delay_us != cfg->max_delay_us) {
		(void)config_error_set(&w, NULL, 0,
				       "lease-database takes effect with the next start");
		daemon_warn(d, &w);
	}
}

/* Replaces the commands of the libraries of the configuration before. */
static void replace_commands(struct server_daemon *d, const struct snapshot *prev,
			     const struct snapshot *s)
{
	const struct hook_registry *old = prev ? prev->hooks : NULL;
	const struct control_command *rows;
	struct config_error w = {0};
	size_t n;
	int r;

	if (!d->plane || old == s->hooks)
		return;
	rows = hook_registry_commands(s->hooks, &n);
	r = control_plane_replace(d->plane, old, rows, n);
	if (r == 0)
		return;
	if (old)
		control_plane_remove(d->plane, old); /* its rows end with it */
	(void)config_error_set(&w, NULL, r, "hook libraries have no commands: %s",
			       usher_strerror(r));
	daemon_warn(d, &w);
}

/* Adds and removes the commands of Kea's libraries that are part of this program. */
static void switch_commands(struct server_daemon *d, unsigned old, unsigned now)
{
	for (size_t i = 0; d->plane && i < d->o.n_libraries; i++) {
		const struct daemon_library *l = &d->o.libraries[i];
		struct config_error w = {0};
		int r = 0;

		if (old & ~now & l->bit) {
			control_plane_remove(d->plane, l->rows->owner);
			if (l->unloaded < LOG_N_IDS)
				log_msg(d->srv.log, l->unloaded, "the library is unloaded");
		}
		if (now & ~old & l->bit) {
			r = control_plane_add(d->plane, l->rows, l->n);
			if (r == 0 && l->loaded < LOG_N_IDS)
				log_msg(d->srv.log, l->loaded, "the library is loaded");
		}
		if (r == 0)
			continue;
		(void)config_error_set(&w, NULL, r, "the command %s and others are missing: %s",
				       l->rows->name, usher_strerror(r));
		daemon_warn(d, &w);
	}
}

/* Puts the updates of the DNS into effect. */
static void apply_ddns(struct server_daemon *d, const struct config *cfg)
{
	int r = d->srv.ddns ? ddns_configure(d->srv.ddns, &cfg->ddns) : 0;
	struct config_error w = {0};

	if (r == 0)
		return;
	(void)config_error_set(&w, NULL, r, "the DNS is not updated: %s", usher_strerror(r));
	daemon_warn(d, &w);
}

int daemon_apply_edit(struct server_daemon *d, struct config *cfg, struct config_error *err)
{
	struct snapshot *prev = server_snapshot(&d->srv);
	struct snapshot *s = NULL;
	int r = snapshot_build(&d->srv, cfg, prev, &s, NULL, err);

	snapshot_unref(prev);
	if (r < 0)
		return r;
	server_publish_snapshot(&d->srv, s);
	return 0;
}

void daemon_watch_callouts(struct server_daemon *d, const struct config *cfg)
{
	struct snapshot *s = server_snapshot(&d->srv);

	worker_watch_set(&d->srv, hook_registry_external(s->hooks)
					  ? cfg->callout_deadline_ms * NS_PER_MS
					  : 0);
	snapshot_unref(s);
}

int daemon_apply(struct server_daemon *d, struct config *cfg, struct config_problems *problems,
		 struct config_error *err)
{
	struct snapshot *prev = server_snapshot(&d->srv);
	struct snapshot *s = NULL;
	int r;

	/* lines of libraries that the loggers of this configuration want; a start keeps all */
	if (d->ready)
		log_hold_own(d->srv.log);
	r = snapshot_build(&d->srv, cfg, prev, &s, problems, err);
	if (r < 0) {
		if (d->ready)
			log_forget(d->srv.log);
		snapshot_unref(prev);
		return r;
	}
	if (prev)
		warn_fixed(d, prev->cfg, cfg);
	daemon_channels_open(d, cfg);
	daemon_http_open(d, cfg, false);
	if (d->ready) {
		daemon_apply_log(d, cfg);
		log_release(d->srv.log);
	}
	daemon_channels_close(d, cfg);
	replace_commands(d, prev, s);
	switch_commands(d, prev ? prev->cfg->command_libraries : 0, cfg->command_libraries);
	lease_db_set_hold(d->srv.db, cfg->offer_hold_s);
	apply_ddns(d, cfg);
	server_publish_snapshot(&d->srv, s);
	daemon_watch_callouts(d, cfg);
	snapshot_unref(prev);
	d->srv.reloaded_ns = clock_wall_ns(&d->srv.clock);
	stat_walk_configured(&d->srv, d->srv.reloaded_ns);
	d->sample_count = d->sample_age_s = -1;
	report_config(d, cfg);
	if (d->ready) {
		daemon_timers(d);
		daemon_sync_ports(d);
		daemon_absent_check(d, true);
	}
	return 0;
}

/* --- Reloads ---------------------------------------------------------------------------------- */

void daemon_reload_read(struct daemon_reading *r)
{
	log_msg(r->d->srv.log, LOG_DHCP4_DYNAMIC_RECONFIGURATION, "reading %s",
		r->d->o.config_file);
	if (daemon_reading_file(r, PIPE_WAIT_MS) == 0)
		(void)!daemon_check(r);
}

int daemon_reload_apply(struct daemon_reading *r)
{
	struct server_daemon *d = r->d;
	int e = r->cfg ? daemon_apply(d, r->cfg, &r->problems, &r->first) : -USHER_E_CONFIG;

	if (r->cfg && e < 0)
		config_problems_add(&r->problems, &r->first);
	daemon_note_reading(r, e < 0);
	if (e < 0) {
		daemon_log_problems(r, LOG_DHCP4_DYNAMIC_RECONFIGURATION_FAIL);
		return e;
	}
	r->cfg = NULL; /* it is in effect */
	log_msg(d->srv.log, LOG_DHCP4_DYNAMIC_RECONFIGURATION_SUCCESS,
		"dynamic server reconfiguration succeeded with file: %s", d->o.config_file);
	return 0;
}

static void read_file(struct background_job *j)
{
	struct daemon_hup *h = (struct daemon_hup *)j;

	daemon_reload_read(&h->reading);
}

static void queue_hup(struct server_daemon *d)
{
	daemon_reading_init(&d->hup.reading, d, d->background, NULL);
	d->hup.again = false;
	d->hup.queued = true;
	background_add(d->background, &d->hup.job);
}

static void apply_file(struct background_job *j, bool ended)
{
	struct daemon_hup *h = (struct daemon_hup *)j;
	struct server_daemon *d = h->reading.d;

	if (!ended)
		(void)!daemon_reload_apply(&h->reading);
	daemon_reading_fini(&h->reading);
	h->queued = false;
	if (h->again && !ended)
		queue_hup(d);
}

void daemon_hup(struct server_daemon *d)
{
	d->hup.job = (struct background_job){.work = read_file, .finish = apply_file};
	d->hup.again = d->hup.queued;
	if (!d->hup.queued)
		queue_hup(d);
}
