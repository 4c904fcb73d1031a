/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The management side of usher-server: one thread, one loop. Signals, the command channels,
 * netlink, sockets, reload, housekeeping timers. It never touches a packet; workers never touch
 * this.
 */
#pragma once

#include "base/log.h"
#include "control/channel.h"
#include "lease/journal/journal.h"
#include "runtime/background.h"
#include "server/core/server.h"
#include "server/manage/daemon_reading.h"

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
struct host_file;
struct http_page;

enum { DAEMON_ORIGINS = 4, DAEMON_MAX_CHANNELS = 32, DAEMON_QUEUE_STATS = 3 };

/* The commands of one of Kea's libraries that is part of this program. */
struct daemon_library {
	unsigned bit;			    /* enum kea_command_library */
	const struct control_command *rows; /* with one owner */
	size_t n;
	enum log_id loaded, unloaded; /* LOG_N_IDS: no message */
};

/* The rows of the daemon's commands, and the functions of control_plane_opts. */
struct daemon_commands {
	const struct control_command *rows;
	size_t n;
	bool (*is_command)(const char *name); /* one of the rows */
	const char *(*refuse)(void *daemon, unsigned needs);
	struct json *(*processed)(struct control_call *c, struct json *answer);
	bool (*takes_problems)(const struct control_call *c);
};

struct daemon_opts {
	const char *config_file;
	bool debug; /* -d */
	uint16_t server_port, client_port;
	const struct hook_builtin *builtins; /* hook libraries in the program */
	const struct daemon_commands *commands;
	const struct daemon_library *libraries; /* of Kea's, whose commands are in the program */
	size_t n_libraries;
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
	struct background *background; /* of long commands and reloads */
	struct daemon_queue {
		uint64_t batches, packets; /* of all workers, when the averages were made */
		double average[DAEMON_QUEUE_STATS];
	} queue;
	struct control_plane *plane;
	struct host_file *hosts; /* of reservations by commands; NULL: leases are not kept */
	struct daemon_hup {
		struct background_job job; /* first */
		struct daemon_reading reading;
		bool queued, again; /* again: another signal came since */
	} hup;
	pthread_mutex_t channels_lock; /* the list below; only the loop's thread changes it */
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
	_Atomic int64_t sample_count, sample_age_s;
	char *lock_made;     /* the lock file, if this start created it */
	bool started;	     /* the start can no longer be refused */
	bool leases_pending; /* the leases were not there at start; their end is not reported yet */
	int leases_gone_fd;  /* signals that the database's policy ends the server */
	struct loop_source *gone_source;
	int leases_fd; /* while leases are loaded: signals that the store's state changed */
	struct loop_source *leases_source;
	unsigned channels_missing; /* unix sockets that cannot be opened yet */
	unsigned https_missing;	   /* sockets for HTTP likewise */
	int64_t channels_tried_s, absent_logged_s;
	struct journal_load_stats loaded;     /* result of reading the lease file */
	struct log_tail *log_tail;	      /* the last lines, for the page */
	struct http_page *page;		      /* of the sockets for HTTP */
	bool last_refused;		      /* the last configuration that was to take effect */
	struct config_problems last_problems; /* its problems */
	uint64_t reloads_applied, reloads_refused; /* configurations after the start */
	int exit_code;
	bool ready;
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

/* Sets the time of callouts that the workers' watch allows. */
void daemon_watch_callouts(struct server_daemon *d, const struct config *cfg);
/*
 * Applies a configuration that was checked; takes cfg on success. 0, or negative with the first
 * problem in err, and every one in problems (may be NULL); then nothing changed.
 */
int daemon_apply(struct server_daemon *d, struct config *cfg, struct config_problems *problems,
		 struct config_error *err) must_check;
/* Applies an edited configuration, in milliseconds: all but subnets, reservations and classes
 * stays. Takes cfg on success. 0, or negative with *err; then nothing changed. */
int daemon_apply_edit(struct server_daemon *d, struct config *cfg, struct config_error *err)
	must_check;
/* Applies the loggers of a configuration, whose number was checked; without memory the old ones
 * stay. A start calls it when nothing can be refused any more. */
void daemon_apply_log(struct server_daemon *d, const struct config *cfg);
/* Reads the configuration file again, for SIGHUP and config-reload; beside the loop. */
void daemon_reload_read(struct daemon_reading *r);
/* Applies the configuration that was read, and logs the result. 0, or negative with r->problems;
 * then nothing changed. */
int daemon_reload_apply(struct daemon_reading *r) must_check;
/* Called for SIGHUP: reads and applies the file, behind the commands that wait. */
void daemon_hup(struct server_daemon *d);
/* Arms the timers from the current configuration. */
void daemon_timers(struct server_daemon *d);
/* Brings the averages of the queue up to date. */
void daemon_queue_update(struct server_daemon *d);
/* Enables the service again after s seconds (0: stays off), for dhcp-disable with max-period. */
void daemon_enable_after(struct server_daemon *d, unsigned origins, uint32_t s);
/* Makes daemon_run() end. */
void daemon_shutdown(struct server_daemon *d, int exit_code);
