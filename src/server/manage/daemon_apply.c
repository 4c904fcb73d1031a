/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Applying a configuration, in one order at start and at every reload: check the files that it
 * names, build the snapshot (pools, and last the hook libraries, whose code runs), open new
 * channels and log files, publish, then bring sockets and timers in line. Nothing is refused after
 * the snapshot is built, and nothing before it leaves a trace.
 */
#include "base/error.h"
#include "base/log.h"
#include "config/config.h"
#include "lease/lease_db.h"
#include "runtime/background.h"
#include "server/core/snapshot.h"
#include "server/manage/daemon_impl.h"
#include "server/manage/stat_walk.h"

#include <string.h>

enum { PIPE_WAIT_MS = 2000 }; /* commands wait while a reload reads a FIFO */

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
		"configuration is in effect: added IPv4 subnets: %zu; DDNS: disabled",
		cfg->n_subnets);
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
	if (strcmp(old->lease_file, cfg->lease_file) != 0 || old->persist != cfg->persist ||
	    old->durability != cfg->durability || old->sync_interval_ms != cfg->sync_interval_ms ||
	    old->max_delay_us != cfg->max_delay_us) {
		(void)config_error_set(&w, NULL, 0,
				       "lease-database takes effect with the next start");
		daemon_warn(d, &w);
	}
}

int daemon_apply(struct server_daemon *d, struct config *cfg, struct config_error *err)
{
	struct snapshot *prev = server_snapshot(&d->srv);
	struct snapshot *s = NULL;
	int r = daemon_check(d, cfg, err);

	if (r == 0)
		r = snapshot_build(&d->srv, cfg, prev, &s, &d->problems, err);
	if (r < 0) {
		snapshot_unref(prev);
		return r;
	}
	if (prev)
		warn_fixed(d, prev->cfg, cfg);
	daemon_channels_open(d, cfg);
	daemon_http_open(d, cfg, false);
	if (d->ready)
		daemon_apply_log(d, cfg);
	daemon_channels_close(d, cfg);
	lease_db_set_hold(d->srv.db, cfg->offer_hold_s);
	server_publish_snapshot(&d->srv, s);
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

/* A configuration to be read aside. */
struct reading {
	const char *path;
	struct config_load_opts opts;
	struct config **ret;
	struct config_error *err;
};

static int read_config(void *ctx)
{
	struct reading *r = ctx;

	return config_load_file(r->path, &r->opts, r->ret, r->err);
}

int daemon_reload(struct server_daemon *d, struct config_error *err)
{
	struct config *cfg = NULL;
	struct reading reading = {d->o.config_file,
				  {.warn = daemon_warn,
				   .problem = daemon_on_problem,
				   .refused = daemon_refused,
				   .ctx = d,
				   .pipe_wait_ms = PIPE_WAIT_MS,
				   .ignore_unknown_hooks = d->o.ignore_unknown_hooks},
				  &cfg,
				  err};
	int r;

	config_problems_fini(&d->problems);
	log_msg(d->srv.log, LOG_DHCP4_DYNAMIC_RECONFIGURATION, "reading %s", d->o.config_file);
	r = background_run(read_config, &reading);
	if (r == 0) {
		r = daemon_apply(d, cfg, err);
		if (r < 0) {
			config_free(cfg);
			daemon_on_problem(d, err);
		}
	}
	if (r < 0)
		daemon_log_problems(d, LOG_DHCP4_DYNAMIC_RECONFIGURATION_FAIL, err);
	else
		log_msg(d->srv.log, LOG_DHCP4_DYNAMIC_RECONFIGURATION_SUCCESS,
			"dynamic server reconfiguration succeeded with file: %s", d->o.config_file);
	return r;
}
