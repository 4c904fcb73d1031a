/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The management plane: every command of a program is a row, regardless of its owner (the program,
 * a hook library, a script) and of the transport that carried the request. The plane checks a
 * request, its arguments, the requester's access and the row's preconditions, calls the function
 * of the row, and logs commands that change state. One thread: that of the event loop.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct arena;
struct buf;
struct config_problems;
struct control_call;
struct control_plane;
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
	bool read_only;	       /* commands with CONTROL_WRITE are refused */
};

/* One command while it runs. */
struct control_call {
	void *program; /* control_plane_opts.program */
	void *ctx;     /* control_command.ctx */
	const char *name;
	const struct json *args; /* a map; NULL: none */
	struct arena *arena;	 /* of the answer */
	const struct control_requester *from;
	struct control_stream stream; /* set by a command that streams its answer: then it replaces
					 the result */
};

/*
 * A row. args describes the arguments (control/args.h); they are checked before fn is called. needs
 * is a bit mask of preconditions, whose meaning is the program's (control_plane_opts.refuse).
 */
struct control_command {
	const char *name;
	struct json *(*fn)(struct control_call *c);
	const char *args;
	const char *help;
	enum control_access access;
	unsigned needs;
	void *ctx; /* of the function; also the owner, for control_plane_remove() */
};

struct control_plane_opts {
	void *program;
	const char *service; /* the only one that a request may name: "dhcp4"; NULL: any */
	/* NULL, or writes a line of the log. */
	void (*write_line)(void *program, enum control_line kind, const char *text);
	/* NULL, or called before an answer leaves: writes the lines so far, unless an output hangs.
	 */
	void (*flush_lines)(void *program);
	/* Returns the reason why the preconditions do not hold now; NULL: they hold. */
	const char *(*refuse)(void *program, unsigned needs);
	/* NULL, or called with the answer of each known command; returns the answer to send. */
	struct json *(*processed)(struct control_call *c, struct json *answer);
	/*
	 * NULL, or called for a request whose text has problems that the parser stepped over.
	 * Returns the answer, which lives in c->arena, or NULL: the list of these problems is the
	 * answer.
	 */
	struct json *(*invalid)(struct control_call *c, const struct config_problems *problems);
};

/* Returns the author of requests on a connected unix socket. */
struct control_requester control_peer(int fd);
/* Creates a plane without rows. Returns 0 or -ENOMEM. */
int control_plane_new(const struct control_plane_opts *o, struct control_plane **ret) must_check;
/* Accepts NULL. */
void control_plane_free(struct control_plane *p);
/*
 * Adds n rows, which are borrowed until they are removed. Returns 0; -USHER_E_EXISTS: a name is
 * taken, and no row was added; -USHER_E_SYNTAX: a description of arguments is malformed; -ENOMEM.
 */
int control_plane_add(struct control_plane *p, const struct control_command *rows, size_t n)
	must_check;
/* Removes all rows with this ctx. */
void control_plane_remove(struct control_plane *p, const void *ctx);
/* Calls fn for each row, in the order of the names. */
void control_plane_each(const struct control_plane *p,
			void (*fn)(void *ctx, const struct control_command *row), void *ctx);
/*
 * Answers a request, which is a map: {"command": name, "arguments": {...}, "service": [...]}. The
 * answer lives in arena. A streamed answer is returned in *ret_stream (next not NULL) instead.
 */
struct json *control_plane_answer(struct control_plane *p, const struct json *request,
				  const struct control_requester *from, struct arena *arena,
				  struct control_stream *ret_stream);
/* Answers a request whose text has problems: calls control_plane_opts.invalid. NULL: the list of
 * the problems is the answer. */
struct json *control_plane_invalid(struct control_plane *p, const struct json *request,
				   const struct config_problems *problems,
				   const struct control_requester *from, struct arena *arena);
/* Returns {"result": result, "text": ...}. */
struct json *control_answer(struct arena *a, int result, const char *fmt, ...) printf_like(3, 4);
