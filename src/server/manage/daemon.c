/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Start, reload, stop. A configuration is applied in one order, at start and at every reload: check
 * the files that it names, build the snapshot (pools, and last the hook libraries, whose code
 * runs), open new channels and log files, publish, then bring sockets and timers in line. Nothing
 * is refused after the snapshot is built, and nothing before it leaves a trace.
 */
#include "server/manage/daemon.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "config/config.h"
#include "hook/hook.h"
#include "lease/lease_db.h"
#include "lease/lease_store.h"
#include "runtime/background.h"
#include "runtime/iface.h"
#include "runtime/loop.h"
#include "server/manage/lease_check.h"
#include "server/core/snapshot.h"
#include "server/core/version.h"
#include "server/manage/stat_walk.h"
#include "server/worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>

enum {
	SLOTS_PER_WORKER = 4096,
	PIPE_WAIT_MS = 2000, /* commands wait while a reload reads a FIFO */
};

static void log_config_error(struct server_daemon *d, enum log_id id,
			     const struct config_error *err)
{
	struct buf b;

	buf_init(&b);
	config_error_text(err, &b);
	log_msg(d->srv.log, id, "%s", b.p && !b.failed ? b.p : "out of memory");
	buf_fini(&b);
}

void daemon_warn(void *ctx, const struct config_error *w)
{
	log_config_error(ctx, LOG_DHCP4_CONFIG_WARNING, w);
}

void daemon_on_problem(void *ctx, const struct config_error *e)
{
	struct server_daemon *d = ctx;

	config_problems_add(&d->problems, e);
}

/* Logs all that is wrong with the configuration that was read; at least err. */
static void log_problems(struct server_daemon *d, enum log_id id, const struct config_error *err)
{
	config_problems_sort(&d->problems);
	if (!d->problems.n)
		log_config_error(d, id, err);
	for (size_t i = 0; i < d->problems.n; i++)
		log_config_error(d, id, &d->problems.items[i]);
}

/* --- applying a configuration ----------------------------------------------------------------- */

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
		(void)config_error_set(&w, NULL, r, "loggers stay as they were: %s",
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
		log_problems(d, LOG_DHCP4_DYNAMIC_RECONFIGURATION_FAIL, err);
	else
		log_msg(d->srv.log, LOG_DHCP4_DYNAMIC_RECONFIGURATION_SUCCESS,
			"dynamic server reconfiguration succeeded with file: %s", d->o.config_file);
	return r;
}

/* --- the process ------------------------------------------------------------------------------ */

static void pid_file(struct server_daemon *d)
{
	const char *dir = daemon_env_dir("USHER_PIDFILE_DIR", "KEA_PIDFILE_DIR", NULL);
	const char *base = strrchr(d->o.config_file, '/');
	char path[4096];

	if (!dir)
		return;
	base = base ? base + 1 : d->o.config_file;
	(void)snprintf(path, sizeof(path), "%s/%.*s.usher-server.pid", dir,
		       (int)(strchrnul(base, '.') - base), base);
	d->pid_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (d->pid_fd < 0)
		return;
	(void)dprintf(d->pid_fd, "%d\n", (int)getpid());
	d->pid_path = strdup(path);
}

static void on_signal(void *ctx, uint32_t events)
{
	struct server_daemon *d = ctx;
	struct config_error err = {0};
	uint8_t signo;

	(void)events;
	if (read(d->signal_fd, &signo, 1) != 1)
		return;
	if (signo == SIGHUP)
		(void)!daemon_reload(d, &err);
	else if (signo == SIGUSR1)
		log_reopen(d->srv.log);
	else
		daemon_shutdown(d, 0);
}

static void ifaces_changed(void *ctx)
{
	daemon_sync_ports(ctx);
}

static int start_workers(struct server_daemon *d, const struct config *cfg)
{
	unsigned n = server_worker_count(cfg);

	for (unsigned i = 0; i < n; i++) {
		struct worker_opts o = {.index = i, .n_slots = SLOTS_PER_WORKER};
		int r = worker_add(&d->srv, &o);

		if (r == 0)
			r = worker_start(d->srv.workers[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* From a checked configuration to serving. */
static int bring_up(struct server_daemon *d, struct config *cfg)
{
	struct config_error err = {0};
	int r = daemon_check(d, cfg, &err);

	if (r < 0)
		log_problems(d, LOG_DHCP4_CONFIG_LOAD_FAIL, &err);
	else
		r = daemon_open_leases(d, cfg);
	if (r < 0) {
		config_free(cfg);
		return r;
	}
	if (lease_store_opening(d->srv.store) == 0)
		(void)lease_check(&d->srv, cfg);
	r = daemon_apply(d, cfg, &err);
	if (r < 0) {
		log_problems(d, LOG_DHCP4_CONFIG_LOAD_FAIL, &err);
		config_free(cfg);
		return r;
	}
	r = start_workers(d, cfg);
	if (r == 0)
		r = iface_monitor_open(d->loop, ifaces_changed, d, &d->monitor);
	if (r < 0) {
		log_msg(d->srv.log, LOG_DHCP4_INIT_FAIL, "cannot start: %s", usher_strerror(r));
		return r;
	}
	d->ready = true;
	log_msg(d->srv.log, LOG_DHCP4_MULTI_THREADING_INFO, "enabled: %s, number of threads: %u",
		cfg->multi_threading ? "yes" : "no", d->srv.n_workers);
	if (cfg->persist)
		log_msg(d->srv.log, LOG_DHCPSRV_MEMFILE_LFC_SETUP,
			"clean-up of the lease file every %u seconds", cfg->lfc_interval);
	r = daemon_watch_leases(d);
	if (r < 0) {
		log_msg(d->srv.log, LOG_DHCP4_INIT_FAIL, "cannot start: %s", usher_strerror(r));
		return r;
	}
	r = daemon_samples_begin(d);
	if (r < 0) {
		log_msg(d->srv.log, LOG_DHCP4_INIT_FAIL, "cannot start: %s", usher_strerror(r));
		return r;
	}
	daemon_timers(d); /* before the ports: a failed one is tried again by a timer */
	daemon_sync_ports(d);
	daemon_absent_check(d, true);
	if (cfg->sockets_require_all && d->socket_errors) {
		log_msg(d->srv.log, LOG_DHCP4_INIT_FAIL,
			"service-sockets-require-all: %u sockets cannot be opened",
			d->socket_errors);
		return -USHER_E_UNSUPPORTED;
	}
	return 0;
}

int daemon_start(struct server_daemon *d, const struct daemon_opts *o)
{
	struct config_load_opts lo = {.warn = daemon_warn,
				      .problem = daemon_on_problem,
				      .refused = daemon_refused,
				      .ctx = d,
				      .ignore_unknown_hooks = o->ignore_unknown_hooks};
	struct config_error err = {0};
	struct server_opts so = {.clock = clock_coarse,
				 .server_port = o->server_port,
				 .client_port = o->client_port,
				 .builtins = o->builtins,
				 .config_file = o->config_file};
	struct config *cfg = NULL;
	int r;

	memset(d, 0, sizeof(*d));
	d->o = *o;
	d->signal_fd = -1;
	d->pid_fd = -1;
	d->lock_fd = -1;
	d->leases_fd = -1;
	so.log = log_new(&clock_system, "kea-dhcp4");
	if (!so.log)
		return -ENOMEM;
	d->srv.log = so.log;
	/* before any thread starts: they inherit the mask */
	r = daemon_block_signals(&d->signal_fd);
	if (r < 0)
		return r;
	log_start_threads(so.log);
	log_hold(so.log);
	if (o->debug)
		(void)!log_configure(so.log, NULL, 0, true);
	d->srv.log = so.log;
	r = config_load_file(o->config_file, &lo, &cfg, &err);
	if (r < 0) {
		log_problems(d, LOG_DHCP4_CONFIG_LOAD_FAIL, &err);
		return r;
	}
	log_msg(so.log, LOG_DHCP4_STARTING, "usher-server %s is starting, pid %d", usher_version(),
		(int)getpid());
	so.offer_hold_s = cfg->offer_hold_s;
	r = server_init(&d->srv, &so);
	d->srv.log = so.log;
	if (r == 0)
		r = loop_new(&d->loop);
	if (r == 0)
		r = loop_add(d->loop, d->signal_fd, EPOLLIN, on_signal, d, &d->signal_source);
	if (r < 0) {
		config_free(cfg);
		return r;
	}
	r = bring_up(d, cfg);
	if (r < 0)
		return r;
	/* no file of a configuration is opened before nothing can be refused any more; then it gets
	 * the lines of the start */
	d->started = true;
	daemon_apply_log(d, cfg);
	log_release(so.log);
	pid_file(d);
	return 0;
}

int daemon_run(struct server_daemon *d)
{
	int r;

	log_msg(d->srv.log, LOG_DHCP4_STARTED, "server version %s started", usher_version());
	r = loop_run(d->loop);
	if (r < 0)
		log_msg(d->srv.log, LOG_DHCP4_INIT_FAIL, "event loop: %s", usher_strerror(r));
	log_msg(d->srv.log, LOG_DHCP4_SHUTDOWN, "server stopped");
	return r < 0 ? 1 : d->exit_code;
}

void daemon_shutdown(struct server_daemon *d, int exit_code)
{
	log_msg(d->srv.log, LOG_DHCP4_SHUTDOWN_REQUEST, "stopping");
	d->exit_code = exit_code;
	loop_stop(d->loop);
}

void daemon_stop(struct server_daemon *d)
{
	struct log *log = d->srv.log;

	for (unsigned i = 0; i < d->srv.n_workers; i++)
		worker_stop(d->srv.workers[i]);
	daemon_channels_drop(d, 0);
	channel_end_closing(&d->closing);
	iface_monitor_close(d->monitor);
	loop_remove(d->signal_source);
	daemon_watch_leases_end(d);
	daemon_samples_end(d);
	if (d->signal_fd >= 0)
		(void)close(d->signal_fd);
	workers_free(&d->srv);
	if (d->srv.db)
		server_fini(&d->srv);
	loop_free(d->loop);
	free(d->ports);
	if (d->pid_path)
		(void)unlink(d->pid_path);
	free(d->pid_path);
	if (d->pid_fd >= 0)
		(void)close(d->pid_fd);
	daemon_leases_unlock(d);
	log_free(log);
	config_problems_fini(&d->problems);
	daemon_signals_ended();
	memset(d, 0, sizeof(*d));
}
