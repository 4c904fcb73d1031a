/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The way to a program: its unix socket, or its HTTP control socket. One command at a time. A
 * connection to a unix socket carries one command; one over HTTP is kept for the next command.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "ctl/commands.h"

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct ctl_args;
struct ctl_lease_rows;
struct ctl_sink;
struct json;

enum { CTL_ERROR_LEN = 640 };

struct ctl_session {
	enum ctl_program program;
	const char *socket;		   /* NULL: by URL */
	const char *url, *ca, *cert, *key; /* borrowed from the arguments */
	char *user, *password;		   /* NULL: no authentication */
	int timeout_s;			   /* without progress */
	bool quiet;			   /* no progress on standard error */
	void *http;			   /* handle of the HTTP library; NULL: none yet */
	int events;			   /* client: the connection of the last command; -1 */
	char error[CTL_ERROR_LEN];	   /* the reason why the last call failed */
};

/* Takes the target of the command line; asks for the password if that is needed. Returns 0, or -1
 * with s->error. */
int ctl_session_open(const struct ctl_args *a, struct ctl_session *s) must_check;
/* Accepts a session that could not be opened. */
void ctl_session_close(struct ctl_session *s);
/* Writes the text of a request; args: a map, or NULL. */
void ctl_session_request(const struct ctl_session *s, const char *command, const struct json *args,
			 struct buf *out);
/* Sends a request, and passes the octets of its answer to the sink. Returns 0, or -1 with
 * s->error. */
int ctl_session_send(struct ctl_session *s, const struct buf *request, struct ctl_sink *to)
	must_check;
/*
 * Sends a request and parses the answer, which lives in arena. rows: NULL, or prepared by
 * ctl_lease_rows_init(); then it takes the leases out of the answer. Returns 0, or -1 with
 * s->error.
 */
int ctl_session_ask(struct ctl_session *s, const struct buf *request, struct ctl_lease_rows *rows,
		    struct arena *arena, struct json **ret) must_check;
