/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The management side of usher-server: one thread, one loop. Signals, the command channels,
 * netlink, sockets, reload, housekeeping timers. It never touches a packet; workers never touch
 * this.
 */
#pragma once

#include "base/log.h"
#include "config/problems.h"
#include "control/channel.h"
#include "lease/journal/journal.h"
#include "server/core/server.h"

struct arena;
struct channel;
struct config;
struct config_error;
struct hook_builtin;
struct http_listener;
struct iface_monitor;
struct json;
struct loop;
struct loop_source;
struct loop_timer;

enum { DAEMON_ORIGINS = 4, DAEMON_MAX_CHANNELS = 32 };

/* The rows of the daemon's commands, and the functions of control_plane_opts. */
struct daemon_commands {
	const struct control_command *rows;
	size_t n;
	const char *(*refuse)(void *daemon, unsigned needs);
	struct json *(*processed)(struct control_call *c, struct json *answer);
	struct json *(*invalid)(struct control_call *c, const struct config_problems *problems);
};

struct daemon_opts {
	const char *config_file;
	bool debug; /* -d */
	uint16_t server_port, client_port;
	const struct hook_builtin *builtins; /* hook libraries in the program */
	const struct daemon_commands *commands;
	bool ignore_unknown_hooks; /* start without those of Kea's libraries that are not built in
				    */
	bool any_path;		   /* -X: warns about names that a requester may not use */
};

/* One served interface and address. */
struct daemon_port {
	int ifindex;
	char name[16];
	uint32_t addr;
	unsigned mode; /* socket type and options */
	bool failed;   /* opening failed, tried again */
};

struct server_daemon {
	struct daemon_opts o;
	struct server srv;
	struct loop *loop;
	struct loop_source *signal_source;
	int signal_fd;
	struct iface_monitor *monitor;
	struct control_plane *plane;
	struct channel *channels[DAEMON_MAX_CHANNELS];
	unsigned n_channels;
	struct channel *closing; /* of a configuration before, with connections to finish */
	struct http_listener *https[DAEMON_MAX_CHANNELS];
	unsigned n_https;
	struct daemon_port *ports;
	size_t n_ports;
	unsigned socket_errors;
	struct daemon_periodic {
		struct loop_timer *timer;
		uint32_t period_s; /* 0: off */
	} reclaim, flush, lfc;
	struct loop_timer *retry, *second;
	struct daemon_sampling {
		struct loop_source *source; /* of srv.sample_fd */
		struct loop_timer *timer;
		size_t next_subnet;
		uint64_t received;
	} sampling;
	struct daemon_enable {
		struct server_daemon *d;
		struct loop_timer *timer;
		unsigned bit;
	} enable[DAEMON_ORIGINS]; /* the ends of dhcp-disable, one an origin */
	uint64_t log_lost_seen;
	uint32_t reclaim_cycles_behind;
	int pid_fd;
	char *pid_path;
	int lock_fd;
	/* default limits of samples that commands set since the configuration took effect; -1: none
	 * did */
	int64_t sample_count, sample_age_s;
	char *lock_made;     /* the lock file, if this start created it */
	bool started;	     /* the start can no longer be refused */
	bool leases_pending; /* the leases were not there at start; their end is not reported yet */
	int leases_fd;	     /* while leases are loaded: signals that the store's state changed */
	struct loop_source *leases_source;
	unsigned channels_missing; /* unix sockets that cannot be opened yet */
	unsigned https_missing;	   /* sockets for HTTP likewise */
	int64_t channels_tried_s, absent_logged_s;
	struct journal_load_stats loaded; /* result of reading the lease file */
	int exit_code;
	bool ready;
	bool untrusted; /* the author of the last configuration command is neither root nor the
			   server's user */
	struct config_problems problems; /* of the configuration that was read last */
};

/* Creates the management plane with the rows of daemon_opts.commands. Returns 0 or -ENOMEM. */
int daemon_plane_open(struct server_daemon *d) must_check;
/* Runs the start up to serving: configuration, leases, sockets, channels, workers. Returns 0, or
 * negative with the reason logged. */
int daemon_start(struct server_daemon *d, const struct daemon_opts *o) must_check;
/* Serves until stopped. Returns the exit code. */
int daemon_run(struct server_daemon *d);
/* Stops the daemon; called also for one that did not start. */
void daemon_stop(struct server_daemon *d);

/* Appends a problem to the list of the configuration that is being read; ctx is the daemon. */
void daemon_on_problem(void *ctx, const struct config_error *e);
/* Logs a warning about a configuration; ctx is the daemon. */
void daemon_warn(void *ctx, const struct config_error *w);
/*
 * Checks the names outside of a configuration: files that the requester of the command in progress
 * may name, hook libraries, control sockets. Changes nothing and runs no code of a library. 0, or
 * negative with the problems in the daemon's list and the first in *err.
 */
int daemon_check(struct server_daemon *d, const struct config *cfg, struct config_error *err)
	must_check;
/*
 * Checks the hook libraries, limits and control sockets of a configuration that is refused for
 * another reason already, for the list of problems; ctx is the daemon. A start calls it before
 * there is a server.
 */
void daemon_refused(void *ctx, const struct config *cfg);
/* Applies a configuration; takes cfg on success. On failure nothing changed. */
int daemon_apply(struct server_daemon *d, struct config *cfg, struct config_error *err) must_check;
/* Applies the loggers of a configuration, whose number was checked; without memory the old ones
 * stay. A start calls it when nothing can be refused any more. */
void daemon_apply_log(struct server_daemon *d, const struct config *cfg);
/* Called for SIGHUP and config-reload: reads the file again. */
int daemon_reload(struct server_daemon *d, struct config_error *err) must_check;
/* Arms the timers from the current configuration. */
void daemon_timers(struct server_daemon *d);
/* Enables the service again after s seconds (0: stays off), for dhcp-disable with max-period. */
void daemon_enable_after(struct server_daemon *d, unsigned origins, uint32_t s);
/* Makes daemon_run() end. */
void daemon_shutdown(struct server_daemon *d, int exit_code);
