/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Start and stop of the daemon, which stands above all of its parts.
 */
#include "server/manage/daemon_impl.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/log_tail.h"
#include "config/config.h"
#include "ddns/ddns.h"
#include "http/page.h"
#include "lease/lease_store.h"
#include "runtime/iface.h"
#include "runtime/loop.h"
#include "server/hosts/host_file.h"
#include "server/view/lease_check.h"
#include "server/core/version.h"
#include "server/worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SLOTS_PER_WORKER = 4096 };
/* The time that callouts which hang have at the end of the server; less than a signal gives it. */
#define CALLOUT_WAIT_NS (NS_PER_S / 5)

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
	d->pid_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (d->pid_fd < 0)
		return;
	(void)dprintf(d->pid_fd, "%d\n", (int)getpid());
	d->pid_path = strdup(path);
}

static void on_signal(void *ctx, uint32_t events)
{
	struct server_daemon *d = ctx;
	uint8_t signo;

	(void)events;
	if (read(d->signal_fd, &signo, 1) != 1)
		return;
	if (signo == SIGHUP)
		daemon_hup(d);
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
	return worker_watch_start(&d->srv);
}

/* Checks a configuration that was loaded, and applies it. */
static int apply_first(struct server_daemon *d, struct daemon_reading *reading)
{
	int r = daemon_check(reading);

	if (r == 0)
		r = daemon_open_leases(d, reading->cfg);
	else
		daemon_log_problems(reading, LOG_DHCP4_CONFIG_LOAD_FAIL);
	if (r < 0)
		return r;
	if (!d->leases_pending)
		(void)lease_check(&d->srv, reading->cfg);
	r = daemon_apply(d, reading->cfg, &reading->problems, &reading->first);
	if (r < 0)
		daemon_log_problems(reading, LOG_DHCP4_CONFIG_LOAD_FAIL);
	else
		reading->cfg = NULL; /* it is in effect */
	return r;
}

/* Brings the server from a checked configuration to serving. Returns 0 or negative, with the
 * reason logged. */
static int bring_up(struct server_daemon *d, struct daemon_reading *reading)
{
	const struct config *cfg = reading->cfg;
	int r = apply_first(d, reading);

	if (r < 0)
		return r;
	r = start_workers(d, cfg);
	if (r == 0)
		r = iface_monitor_open(d->loop, ifaces_changed, d, &d->monitor);
	if (r < 0) {
		log_msg(d->srv.log, LOG_DHCP4_INIT_FAIL, "cannot start: %s", usher_strerror(r));
		return r;
	}
	d->ready = true;
	daemon_watch_callouts(d, cfg);
	log_msg(d->srv.log, LOG_DHCP4_MULTI_THREADING_INFO, "enabled: %s, number of threads: %u",
		cfg->multi_threading ? "yes" : "no", d->srv.n_workers);
	if (cfg->persist && !cfg->lease_database)
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
	daemon_timers(d); /* before the ports: a timer retries a port that fails */
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

/* Opens the log, the signals and the event loop, and reads the configuration. Returns 0 or
 * negative, with the reason logged if there is a log. */
static int begin_start(struct server_daemon *d, struct daemon_reading *reading)
{
	struct log *log = log_new(&clock_system, "kea-dhcp4");
	int r;

	if (!log)
		return -ENOMEM;
	d->srv.log = log;
	/* before any thread starts: threads inherit the mask */
	r = daemon_block_signals(&d->signal_fd);
	if (r == 0)
		r = loop_new(&d->loop);
	if (r == 0)
		r = background_new(d->loop, &d->background);
	if (r == 0)
		r = daemon_plane_open(d);
	if (r < 0)
		return r;
	log_start_threads(log);
	log_hold(log);
	if (d->o.debug)
		(void)!log_configure(log, NULL, 0, true);
	r = daemon_reading_file(reading, 0);
	if (r < 0)
		daemon_log_problems(reading, LOG_DHCP4_CONFIG_LOAD_FAIL);
	else
		log_msg(log, LOG_DHCP4_STARTING, "usher-server %s is starting, pid %d",
			usher_version(), (int)getpid());
	return r;
}

/* Makes the server of a configuration that was read, and brings it to serving. */
static int start_server(struct server_daemon *d, struct daemon_reading *reading)
{
	const struct config *cfg = reading->cfg;
	struct server_opts so = {.clock = clock_coarse,
				 .log = d->srv.log,
				 .offer_hold_s = cfg->offer_hold_s,
				 .server_port = d->o.server_port,
				 .client_port = d->o.client_port,
				 .builtins = d->o.builtins,
				 .is_command = d->o.commands->is_command,
				 .config_file = d->o.config_file};
	struct ddns_opts dns = {.log = so.log};
	int r = server_init(&d->srv, &so);

	d->srv.log = so.log;
	if (r == 0)
		r = ddns_new(&dns, &d->srv.ddns);
	if (r == 0)
		r = loop_add(d->loop, d->signal_fd, EPOLLIN, on_signal, d, &d->signal_source);
	if (r == 0)
		r = bring_up(d, reading);
	if (r < 0)
		return r;
	/* no log file of a configuration is opened while the start can still be refused; then
	 * the file receives the lines of the start */
	d->started = true;
	daemon_apply_log(d, cfg);
	log_release(so.log);
	pid_file(d);
	return 0;
}

int daemon_start(struct server_daemon *d, const struct daemon_opts *o)
{
	struct daemon_reading reading;
	int r;

	memset(d, 0, sizeof(*d));
	d->o = *o;
	d->signal_fd = -1;
	d->pid_fd = -1;
	d->lock_fd = -1;
	d->leases_fd = -1;
	d->leases_gone_fd = -1;
	(void)pthread_mutex_init(&d->channels_lock, NULL);
	daemon_reading_init(&reading, d, NULL, NULL);
	r = begin_start(d, &reading);
	if (r == 0)
		r = start_server(d, &reading);
	daemon_reading_fini(&reading);
	return r;
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

/* Ends the process while a callout hangs: it may use any memory. The leases are on disk. */
static _Noreturn void exit_beside_callouts(struct server_daemon *d)
{
	log_msg(d->srv.log, LOG_USHER_CALLOUTS_LEFT,
		"the server ends while %u callouts of hook libraries have not returned",
		atomic_load(&d->srv.hanging));
	if (d->srv.store)
		lease_store_close(d->srv.store);
	if (d->pid_path)
		(void)unlink(d->pid_path);
	log_flush(d->srv.log, NS_PER_S);
	_exit(d->exit_code);
}

void daemon_stop(struct server_daemon *d)
{
	struct log *log = d->srv.log;

	for (unsigned i = 0; i < d->srv.n_workers; i++)
		worker_stop(d->srv.workers[i]);
	background_free(d->background); /* the channels send its refusals */
	daemon_channels_drop(d, 0);
	http_page_free(d->page);
	daemon_http_drop(d);
	channel_end_closing(&d->closing);
	control_plane_free(d->plane);
	d->plane = NULL;
	iface_monitor_close(d->monitor);
	loop_remove(d->signal_source);
	daemon_watch_leases_end(d);
	loop_remove(d->gone_source);
	daemon_samples_end(d);
	if (d->signal_fd >= 0)
		(void)close(d->signal_fd);
	if (!worker_watch_stop(&d->srv, CALLOUT_WAIT_NS))
		exit_beside_callouts(d);
	workers_free(&d->srv);
	ddns_free(d->srv.ddns);
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
	host_file_free(d->hosts);
	log_free(log);
	log_tail_free(d->log_tail);
	config_problems_fini(&d->last_problems);
	daemon_signals_ended();
	memset(d, 0, sizeof(*d));
}
