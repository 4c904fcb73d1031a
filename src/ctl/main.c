/* SPDX-License-Identifier: MPL-2.0 */
/*
 * usherctl: sends commands to the server, a client or a gate, over the unix socket or HTTP. One
 * command a call; the answer as a table for people, as JSON with --json. The exit code is the
 * answer's result: 0 done, 1 failed, 2 wrong usage or unknown command, 3 not found, 4 a conflict,
 * or not possible in this state.
 */
#include "base/error.h"
#include "config/json/json.h"
#include "control/plane.h"
#include "ctl/args.h"
#include "ctl/console.h"
#include "ctl/lease_rows.h"
#include "ctl/leases.h"
#include "ctl/print.h"
#include "ctl/request.h"
#include "ctl/serve.h"
#include "ctl/session.h"
#include "ctl/sink.h"
#include "ctl/top.h"
#include "ctl/watch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { EXIT_FAILED = 1, EXIT_WRONG_USE = 2 };
enum { TOP_SECONDS = 2 };

struct ctl {
	struct ctl_args args;
	struct ctl_session session;
	struct ctl_request request;
};

static int print_error(const struct ctl_session *s)
{
	(void)fflush(stdout);
	(void)fprintf(stderr, "usherctl: %s\n", s->error);
	return EXIT_FAILED;
}

/* Prints events, a line each, until the client ends. */
static int follow_events(int fd)
{
	struct timeval forever = {0};
	char line[4096];
	ssize_t n;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof(forever));
	while ((n = recv(fd, line, sizeof(line), 0)) > 0) {
		(void)printf("%.*s\n", (int)n, line);
		(void)fflush(stdout);
	}
	return n < 0 ? EXIT_FAILED : 0;
}

/* Prints the answer as it arrives. Returns the exit code. */
static int print_json(struct ctl_session *s, const struct buf *request)
{
	struct ctl_printer p;
	int64_t result = CONTROL_ERROR;
	int r;

	/* the answer itself moves on the terminal */
	s->quiet = isatty(STDOUT_FILENO);
	ctl_printer_init(&p, stdout);
	r = ctl_session_send(s, request, &p.sink);
	if (r == 0 && ctl_printer_end(&p, &result) < 0)
		(void)snprintf(s->error, sizeof(s->error), "the answer is incomplete");
	else if (r == 0)
		return (int)result;
	return print_error(s);
}

/* Prints a parsed answer. Returns the exit code. */
static int print_answer(const struct ctl_request *q, struct ctl_lease_rows *rows,
			const struct json *answer)
{
	const char *near = ctl_nearest(q->program, q->command);
	int64_t result = CONTROL_ERROR;

	(void)json_get_int(answer, "result", &result);
	if (result == CONTROL_UNSUPPORTED && near)
		(void)fprintf(stderr, "usherctl: did you mean %s?\n", near);
	if (rows->n_rows) {
		if (ctl_lease_rows_print(rows, stdout) < 0) {
			(void)fputs("usherctl: the temporary file of the table cannot be read\n",
				    stderr);
			return EXIT_FAILED;
		}
		ctl_print_text(answer, stdout);
	} else if (!ctl_request_problems(q, answer)) {
		ctl_print(q->command, answer, stdout);
	}
	return (int)result;
}

static int print_table(struct ctl *c, const struct buf *request)
{
	struct ctl_lease_rows rows;
	struct json *answer;
	struct arena arena;
	int r;

	arena_init(&arena);
	ctl_lease_rows_init(&rows);
	r = ctl_session_ask(&c->session, request, &rows, &arena, &answer);
	r = r < 0 ? print_error(&c->session) : print_answer(&c->request, &rows, answer);
	ctl_lease_rows_fini(&rows);
	arena_fini(&arena);
	return r;
}

/* Sends the request and prints its answer. Returns the exit code. */
static int run_once(void *ctx)
{
	struct ctl *c = ctx;
	struct buf request;
	int r;

	buf_init(&request);
	ctl_request_write(&c->request, &c->session, &request);
	r = c->args.json ? print_json(&c->session, &request) : print_table(c, &request);
	buf_fini(&request);
	if (r == 0 && c->session.program == CTL_CLIENT && strcmp(c->args.command, "events") == 0)
		r = follow_events(c->session.events);
	return r;
}

static int run_command(struct ctl *c)
{
	int r = ctl_request_init(&c->request, c->args.program, c->args.command, c->args.words,
				 c->args.n_words);

	if (r < 0)
		r = EXIT_WRONG_USE;
	else if (c->args.watch_s)
		ctl_watch(run_once, c, c->args.watch_s, c->args.json);
	else
		r = run_once(c);
	ctl_request_fini(&c->request);
	return r;
}

/* Makes the workers of a gate run one line of Lua. Returns the exit code. */
static int run_line(void *ctx, const char *line)
{
	struct ctl *c = ctx;
	struct json *answer, *args;
	struct arena arena;
	struct buf request;
	int64_t result = CONTROL_ERROR;

	arena_init(&arena);
	buf_init(&request);
	args = json_map(&arena);
	(void)json_add(&arena, args, "code", json_str(&arena, line));
	ctl_session_request(&c->session, "run", args, &request);
	if (ctl_session_ask(&c->session, &request, NULL, &arena, &answer) < 0) {
		(void)print_error(&c->session);
	} else {
		(void)json_get_int(answer, "result", &result);
		ctl_show_workers(answer);
	}
	buf_fini(&request);
	arena_fini(&arena);
	return (int)result;
}

static int run_console(struct ctl *c)
{
	if (c->args.program == CTL_GATE)
		return ctl_console(run_line, c);
	(void)fputs("usherctl: console: only a gate has a console: usherctl gate console\n",
		    stderr);
	return EXIT_FAILED;
}

/* Prints the help. Returns the exit code. */
static int print_help(const struct ctl_args *a)
{
	const char *command = a->n_words ? a->words[0] : NULL;
	const char *near;

	if (ctl_help(a->program, command, stdout))
		return 0;
	near = ctl_nearest(a->program, command);
	(void)fprintf(stderr, "usherctl: %s has no command %s", ctl_program_name(a->program),
		      command);
	if (near)
		(void)fprintf(stderr, "; did you mean %s?", near);
	(void)fputc('\n', stderr);
	return EXIT_WRONG_USE;
}

int main(int argc, char **argv)
{
	struct ctl c = {.session.events = -1};
	int r = ctl_args_parse(argc, argv, &c.args);
	bool top;

	if (r != 0)
		return r < 0 ? EXIT_WRONG_USE : 0;
	top = strcmp(c.args.command, "top") == 0;
	if (c.args.watch_s && !top && ctl_watch_check(c.args.program, c.args.command) < 0)
		return EXIT_WRONG_USE;
	if (strcmp(c.args.command, "help") == 0)
		return print_help(&c.args);
	if (ctl_session_open(&c.args, &c.session) < 0)
		r = print_error(&c.session);
	else if (strcmp(c.args.command, "console") == 0)
		r = run_console(&c);
	else if (strcmp(c.args.command, "serve") == 0 && c.args.program == CTL_CLIENT)
		r = ctl_serve(&c.session, c.args.words, c.args.n_words);
	else if (strcmp(c.args.command, "leases") == 0 && c.args.program == CTL_SERVER)
		r = ctl_leases(&c.session, c.args.words, c.args.n_words);
	else if (top)
		r = ctl_top(&c.session, c.args.watch_s ? c.args.watch_s : TOP_SECONDS,
			    c.args.batch);
	else
		r = run_command(&c);
	ctl_session_close(&c.session);
	return r;
}
