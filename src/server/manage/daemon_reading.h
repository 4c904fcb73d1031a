/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A configuration while it is read and checked: beside the loop of the daemon, or at start. It has
 * all that such work changes; of the daemon it uses the options and parts with locks. Then
 * daemon_apply() takes the configuration, in the loop's thread.
 */
#pragma once

#include "base/arena.h"
#include "base/log.h"
#include "config/json/problems.h"

struct background;
struct config;
struct config_change;
struct control_requester;
struct server_daemon;

struct daemon_reading {
	struct server_daemon *d;
	const struct background *background; /* whose end ends the reading; NULL: none */
	bool untrusted;			     /* the author is neither root nor the server's user */
	struct config_problems problems;
	struct config_error first; /* the first problem */
	struct config *cfg;	   /* NULL: it was refused */
	/* changes that will follow a load: the classes that they name get numbers */
	const struct config_change *changes;
	size_t n_changes;
	/* reservations of the file (daemon_hosts.c), in arena */
	struct arena arena;
	struct config_change *stored;
	const struct json **stored_items;
	size_t n_stored;
};

/* Prepares a reading. from: the author; NULL: the server itself. */
void daemon_reading_init(struct daemon_reading *r, struct server_daemon *d,
			 const struct background *b, const struct control_requester *from);
/* Loads the daemon's configuration file. pipe_wait_ms: the longest time for a FIFO; 0: any. 0, or
 * negative with r->problems. */
int daemon_reading_file(struct daemon_reading *r, uint32_t pipe_wait_ms) must_check;
/* Loads a parsed configuration. If there are problems already, those of its text, it is refused,
 * but checked. */
int daemon_reading_json(struct daemon_reading *r, const struct json *root) must_check;
/* Edits a configuration: the results of config_edit(). */
int daemon_reading_edit(struct daemon_reading *r, const struct config *from,
			const struct config_change *changes, size_t n) must_check;
void daemon_reading_fini(struct daemon_reading *r);
/*
 * Checks the names outside of the configuration: files that its author may name, hook libraries,
 * control sockets. Changes nothing and runs no code of a library. 0, or negative with r->problems
 * and without the configuration.
 */
int daemon_check(struct daemon_reading *r) must_check;
/*
 * Checks the hook libraries, limits and control sockets of a configuration that is refused for
 * another reason already, for the list of problems; ctx is the reading. A start calls it before
 * there is a server.
 */
void daemon_refused(void *ctx, const struct config *cfg);
/* Keeps the result of a configuration that was to take effect, for those who ask later. */
void daemon_note_reading(const struct daemon_reading *r, bool refused);
/* Logs all problems; the first where there are none in the list. */
void daemon_log_problems(struct daemon_reading *r, enum log_id id);
