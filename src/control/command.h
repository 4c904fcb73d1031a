/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A command as its functions see it: a row of the management plane (control/plane.h), and one call
 * of it.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct arena;
struct background;
struct buf;
struct config_problems;
struct control_call;
struct json;

/* Kea's result codes. */
enum control_result {
	CONTROL_OK = 0,
	CONTROL_ERROR = 1,
	CONTROL_UNSUPPORTED = 2,
	CONTROL_EMPTY = 3,
	CONTROL_CONFLICT = 4,
};

/*
 * An answer that is made while it is sent. next appends some of it, and is called again when that
 * has been sent. False: that was the end. A client that reads slowly costs a piece of the answer,
 * not all of it.
 */
struct control_stream {
	bool (*next)(void *ctx, struct buf *out);
	void (*fini)(void *ctx);
	void *ctx;
};

/* CONTROL_READ: state stays. CONTROL_WRITE: needs write access, and leaves an audit line. */
enum control_access { CONTROL_READ, CONTROL_WRITE };

/* CONTROL_LINE_RECEIVED: a command arrived. CONTROL_LINE_AUDIT: a command that changes state ended.
 */
enum control_line { CONTROL_LINE_RECEIVED, CONTROL_LINE_AUDIT };

/* The author of a request. */
struct control_requester {
	const char *transport; /* "unix", "http", "https" */
	uid_t uid;	       /* of a local peer (SO_PEERCRED); (uid_t)-1: unknown */
	pid_t pid;	       /* 0: unknown */
	const char *user;      /* of HTTP authentication; NULL: none */
	const char *address;   /* of a remote peer; NULL: local */
	const char *cert_subject, *cert_issuer; /* common names of the client's certificate, which
						   was verified; NULL: none */
	bool read_only;				/* commands with CONTROL_WRITE are refused */
};

/* One command while it runs. */
struct control_call {
	void *program; /* control_plane_opts.program */
	void *ctx;     /* control_command.ctx */
	const char *name;
	const struct json *args; /* a map, except where the row has any_args; NULL: none */
	struct arena *arena;	 /* of the answer */
	const struct control_requester *from;
	const struct config_problems *problems; /* of the request's text; NULL: none */
	const struct background *background;	/* for background_is_ending(); NULL: none */
	void *result;				/* of control_command.work, for fn */
	void (*free_result)(void *result);	/* NULL, or called when the answer was sent */
	int64_t start_ns;			/* when the request came, monotonic */
	struct control_stream stream; /* set by a command that streams its answer: then it replaces
					 the result */
};

/*
 * A row. args describes the arguments (control/args.h); they are checked before a function is
 * called. needs is a bit mask of preconditions, whose meaning is the program's
 * (control_plane_opts.refuse).
 *
 * A long command has two parts. work runs in a thread of low priority beside the loop, one command
 * at a time, in the order of the requests. It may use its call, the call's arena, and those parts
 * of the program that do not change or have locks; it leaves its result in the call. Then fn runs
 * in the loop's thread, changes the state of the program, and answers. If the program ends before,
 * fn is not called.
 */
struct control_command {
	const char *name;
	struct json *(*fn)(struct control_call *c);
	void (*work)(struct control_call *c); /* NULL: fn does everything */
	const char *args;
	const char *help;
	enum control_access access;
	unsigned needs;
	bool any_args;	   /* the arguments may be any value: the functions check them */
	void *ctx;	   /* of the functions */
	const void *owner; /* a library, or NULL: the program */
};

enum { CONTROL_REQUESTER_LEN = 160 };

/* Writes the author of a request to text, for people ("uid 0, pid 12"), and returns it. */
const char *control_requester_text(const struct control_requester *from,
				   char text[CONTROL_REQUESTER_LEN]);
/* Returns {"result": result, "text": ...}. */
struct json *control_answer(struct arena *a, int result, const char *fmt, ...) printf_like(3, 4);
