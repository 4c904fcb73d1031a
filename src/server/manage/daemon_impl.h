/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The daemon from the inside, shared by its own files: problems, control sockets, ports, samples,
 * the lease file, signals.
 */
#pragma once

#include "server/manage/daemon.h"

/* Logs a warning about a configuration. Any thread. */
void daemon_warn(const struct server_daemon *d, const struct config_error *w);

/*
 * Checks that new control sockets can be opened; calls problem for each that cannot. Any thread.
 * The functions below open them, close those of another configuration, close all but the first n,
 * and retry those that could not be opened.
 */
void daemon_channels_check(struct server_daemon *d, const struct config *cfg,
			   void (*problem)(void *ctx, const struct config_error *e), void *ctx);
void daemon_channels_open(struct server_daemon *d, const struct config *cfg);
void daemon_channels_close(struct server_daemon *d, const struct config *cfg);
void daemon_channels_drop(struct server_daemon *d, unsigned n);
void daemon_channels_retry(struct server_daemon *d, const struct config *cfg);
/* Checks control sockets for HTTP, with their files. daemon_http_open() closes those that the
 * configuration has not, opens new ones and updates the others; again: only those that could not be
 * opened. */
void daemon_http_check(struct server_daemon *d, const struct config *cfg,
		       void (*problem)(void *ctx, const struct config_error *e), void *ctx);
void daemon_http_open(struct server_daemon *d, const struct config *cfg, bool again);
void daemon_http_drop(struct server_daemon *d);
/* Logs the names of the configuration that the machine lacks: now, or when the log line is due
 * again. */
void daemon_absent_check(struct server_daemon *d, bool now);
/* Opens and closes sockets so that they fit configuration and interfaces. */
void daemon_sync_ports(struct server_daemon *d);
/* Takes samples of statistics while packets come. */
int daemon_samples_begin(struct server_daemon *d) must_check;
void daemon_samples_end(struct server_daemon *d);

/*
 * Opens the lease file, waiting a moment only: a big one is loaded while the server already has
 * its sockets and answers queries that need no lease (stage_process.c). 0, or negative with the
 * reason logged.
 */
int daemon_open_leases(struct server_daemon *d, const struct config *cfg) must_check;
/* Releases the lock, and removes the lock file that a refused start created. */
void daemon_leases_unlock(struct server_daemon *d);
/* Watches for the end of a load in the background; a file that cannot be loaded ends the server. */
int daemon_watch_leases(struct server_daemon *d) must_check;
void daemon_watch_leases_end(struct server_daemon *d);

/* Hands SIGHUP, SIGTERM, SIGINT and SIGUSR1 to *ret_fd, one octet each; others change nothing.
 * SIGTERM and SIGINT end the process within a second, also when its threads hang. */
int daemon_block_signals(int *ret_fd) must_check;
/* Called when everything is closed: the process may take its time to end. */
void daemon_signals_ended(void);

/* Returns a directory from the environment: Usher's variable, else Kea's, else the fallback. */
const char *daemon_env_dir(const char *ours, const char *kea, const char *fallback);
/* Returns the path of the lease file, configured or in the data directory, in arena. */
const char *daemon_lease_path(const struct config *cfg, struct arena *arena);
