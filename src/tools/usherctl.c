/* SPDX-License-Identifier: MPL-2.0 */
/*
 * usherctl: talks to the command channel of the server (a stream, closed behind the answer) or of a
 * client (whole messages, and after `events` further ones until one side ends). One command a call;
 * the answer as a table for people, as JSON with --json. The exit code is the answer's result: 0
 * done, 1 failed, 2 wrong usage or unknown command, 3 not found, 4 a conflict, or not possible in
 * this state.
 */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "config/json/json.h"
#include "control/channel.h"
#include "control/request.h"
#include "tools/ctl_console.h"
#include "tools/ctl_help.h"
#include "tools/ctl_print.h"
#include "tools/ctl_text.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static const char usage[] =
	"usage: usherctl [server|client|gate] [-s SOCKET] [--json] COMMAND [ARGUMENTS]\n"
	"       usherctl [server|client|gate] help [COMMAND]\n"
	"\n"
	"ARGUMENTS is a JSON map, or name=value words:\n"
	"  usherctl -s /run/kea/kea4-ctrl-socket lease4-get ip-address=192.0.2.10\n"
	"  usherctl config-set @new.json\n"
	"  usherctl client -i eth1 state\n"
	"  usherctl client transition RENEWING\n"
	"\n"
	"  -s, --socket PATH  the command channel (else $USHER_CONTROL_SOCKET, else\n"
	"                     /run/kea/kea4-ctrl-socket; of a client /run/usher/client-eth0.sock, of a\n"
	"                     gate /run/usher/gate.sock)\n"
	"  -i, --interface I  the client of this interface\n"
	"  -j, --json         print the answer as JSON\n"
	"  -t, --timeout S    seconds to wait (10)\n"
	"  -V, --version      the version\n"
	"  help               the commands of the server, or of the program named; help COMMAND: one\n"
	"  list-commands      the commands of the running program\n"
	"  console            of a gate: its workers run every line as Lua\n";

/* Of an answer: a configuration, a page of leases. */
#define ANSWER_BYTES ((size_t)1 << 30)

struct ctl {
	const char *socket;
	char path[sizeof(((const struct sockaddr_un *)0)->sun_path)]; /* of a client's interface */
	enum ctl_program program;
	bool client, gate;
	const char *command;
	bool json;
	void (*show)(const struct json *answer); /* NULL: ctl_print() */
	int timeout;
	const char *file; /* the text is sent unchanged, so that the server's positions match it */
	struct buf text;
	bool included; /* the text was made from several files; `made` maps its lines to them */
	struct ctl_text made;
	unsigned n_problems; /* of that text, found before it is sent */
	struct arena arena;
};

static int print_failure(const char *what, const char *why)
{
	(void)fprintf(stderr, "usherctl: %s: %s\n", what, why);
	return 1;
}

/*
 * Returns the value of a word. The command's row decides about integers ("12") and booleans
 * ("true"). Other words are text: a host name may be 123, and 001122334455 is a hardware address.
 */
static struct json *word_value(struct arena *a, const char *name, const char *s)
{
	char *end;
	long long v;

	switch (ctl_argument_kind(name)) {
	case CTL_BOOL:
		if (strcmp(s, "true") == 0 || strcmp(s, "false") == 0)
			return json_bool(a, s[0] == 't');
		break;
	case CTL_INT:
		errno = 0;
		v = strtoll(s, &end, 10);
		if (*s && !*end && errno == 0)
			return json_int(a, v);
		break;
	case CTL_TEXT:
		break;
	}
	return json_str(a, s);
}

/* Takes the text of a file that includes no other, so that it can be sent unchanged. Returns
 * false for other files. */
static bool take_text(struct ctl *c, const char *path)
{
	FILE *f = fopen(path, "re");
	char part[4096];
	size_t n;

	if (!f)
		return false;
	while ((n = fread(part, 1, sizeof(part), f)) > 0)
		buf_add(&c->text, part, n);
	buf_char(&c->text, '\0');
	(void)fclose(f);
	if (c->text.failed || strstr(c->text.p, "<?include"))
		return false;
	c->text.len--;
	c->file = path;
	return true;
}

/* Makes a text of the tree, for a file that includes others. */
static int make_text(struct ctl *c, const char *path, const struct json *tree)
{
	int r = ctl_text_write(&c->made, tree);

	c->file = path;
	c->included = true;
	return r;
}

static int print_problem(const char *file, int64_t line, int64_t column, const char *text)
{
	return fprintf(stderr, "%s:%lld:%lld: %s\n", file, (long long)line, (long long)column,
		       text) < 0;
}

static void on_problem(void *ctx, const struct config_error *e)
{
	struct ctl *c = ctx;

	c->n_problems++;
	(void)print_problem(e->file, e->pos.line, e->pos.col, e->text);
}

static int parse_text(struct ctl *c, const char *text, struct json **ret)
{
	bool config = strncmp(c->command, "config-", 7) == 0 && !c->client;
	struct json_opts o = {.file = text[0] == '@' ? text + 1 : "argument",
			      .dialect = true,
			      .problem = on_problem,
			      .ctx = c};
	struct config_error err = {0};
	struct buf b;
	int r;

	if (text[0] == '@')
		r = json_parse_file(text + 1, &o, &c->arena, ret, &err);
	else
		r = json_parse(span_str(text), &o, &c->arena, ret, &err);
	if (r == 0 && c->n_problems)
		return -USHER_E_SYNTAX;
	if (r == 0 && text[0] == '@' && config && !take_text(c, text + 1))
		r = make_text(c, text + 1, *ret);
	if (r < 0) {
		buf_init(&b);
		config_error_text(&err, &b);
		(void)print_failure("arguments", b.p ? b.p : usher_strerror(r));
		buf_fini(&b);
	}
	return r;
}

/* Reads the arguments: name=value words, one JSON text, or @file. *ret is NULL for none. */
static int arguments(struct ctl *c, char **words, int n, struct json **ret)
{
	*ret = NULL;
	if (n == 0)
		return 0;
	if (n == 1 && strchr("{@[", words[0][0]))
		return parse_text(c, words[0], ret);
	*ret = json_map(&c->arena);
	if (c->client && n == 1 && strcmp(c->command, "transition") == 0 &&
	    !strchr(words[0], '=')) {
		(void)json_add(&c->arena, *ret, "to", json_str(&c->arena, words[0]));
		return 0;
	}
	for (int i = 0; i < n; i++) {
		char *eq = strchr(words[i], '=');

		if (!eq) {
			(void)print_failure(words[i], "expected name=value or a JSON map");
			return -1;
		}
		*eq = '\0';
		(void)json_add(&c->arena, *ret, words[i], word_value(&c->arena, words[i], eq + 1));
	}
	return 0;
}

/* Sends one request and receives one answer, each a message. */
static int transfer_message(int fd, const struct buf *out, struct buf *in)
{
	enum { ANSWER_MAX = 65536 + 1 };
	ssize_t n = send(fd, out->p, out->len, MSG_NOSIGNAL);

	if (n < 0 || !buf_reserve(in, ANSWER_MAX))
		return n < 0 ? -errno : -ENOMEM;
	n = recv(fd, in->p, ANSWER_MAX, 0);
	if (n <= 0)
		return n < 0 ? -errno : -ECONNRESET;
	in->len = (size_t)n;
	if (n == ANSWER_MAX)
		return -EMSGSIZE;
	in->p[n] = '\0';
	buf_char(in, '\n');
	return in->failed ? -ENOMEM : 0;
}

/* Prints events, a line each, until the client ends. */
static int follow(int fd)
{
	struct timeval forever = {0};
	char line[4096];
	ssize_t n;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof(forever));
	while ((n = recv(fd, line, sizeof(line), 0)) > 0) {
		(void)printf("%.*s\n", (int)n, line);
		(void)fflush(stdout);
	}
	return n < 0 ? -errno : 0;
}

/* Prints the problems of a configuration with the name and the lines of its file. Returns false
 * if the answer has none. */
static bool show_problems(const struct ctl *c, const struct json *answer)
{
	const struct json *list = json_get(json_get(answer, "arguments"), "errors");

	if (!c->file || !list || list->type != JSON_LIST)
		return false;
	for (const struct json *e = list->first; e; e = e->next) {
		int64_t line = 0, column = 0;

		const struct json_pos *at;
		const char *text = json_get_str(e, "text");

		(void)json_get_int(e, "line", &line);
		(void)json_get_int(e, "column", &column);
		line -= line > 0; /* the request's first line stands before the text */
		at = c->included ? ctl_text_place(&c->made, line, column) : NULL;
		if (at)
			(void)print_problem(at->file, at->line, at->col, text ? text : "?");
		else
			(void)print_problem(c->file, line, column, text ? text : "?");
	}
	return true;
}

/* Writes {"command": …, "arguments": …}; the text of a file begins on the second line. */
static void write_request(struct ctl *c, struct json *args, struct buf *out)
{
	struct json *request = json_map(&c->arena);

	(void)json_add(&c->arena, request, "command", json_str(&c->arena, c->command));
	if (args && !c->file)
		(void)json_add(&c->arena, request, "arguments", args);
	json_write(request, false, out);
	if (!c->file || out->failed)
		return;
	out->len--; /* the closing brace */
	buf_str(out, ", \"arguments\":\n");
	if (c->included)
		buf_add(out, c->made.text.p, c->made.text.len);
	else
		buf_add(out, c->text.p, c->text.len);
	buf_str(out, "\n}");
}

static int print_answer(const struct ctl *c, const struct buf *in)
{
	struct json_opts o = {.file = "answer", .max_depth = 128};
	struct config_error err = {0};
	struct arena a;
	struct json *answer;
	int64_t result = 1;

	arena_init(&a);
	if (json_parse(span_of(in->p, in->len), &o, &a, &answer, &err) < 0) {
		arena_fini(&a);
		return print_failure("the answer is not JSON", err.text);
	}
	(void)json_get_int(answer, "result", &result);
	if (result == CONTROL_UNSUPPORTED && !c->json && ctl_nearest(c->program, c->command))
		(void)fprintf(stderr, "usherctl: did you mean %s?\n",
			      ctl_nearest(c->program, c->command));
	if (c->json)
		(void)printf("%s", in->p);
	else if (show_problems(c, answer))
		;
	else if (c->show)
		c->show(answer);
	else
		ctl_print(c->command, answer, stdout);
	arena_fini(&a);
	return (int)result;
}

static int not_connected(const struct ctl *c, int err)
{
	(void)fprintf(
		stderr,
		"usherctl: cannot connect to %s: %s; is %s running? (-s PATH names another socket)\n",
		c->socket, usher_strerror(err), ctl_program_name(c->program));
	return 1;
}

static int call_program(struct ctl *c, struct json *args)
{
	auto_close int fd = control_connect(c->socket, c->client ? SOCK_SEQPACKET : SOCK_STREAM,
					    c->timeout);
	struct buf out;
	struct buf in;
	int r;

	if (fd < 0)
		return not_connected(c, fd);
	buf_init(&out);
	buf_init(&in);
	write_request(c, args, &out);
	r = out.failed	? -ENOMEM
	    : c->client ? transfer_message(fd, &out, &in)
			: control_transfer(fd, &out, ANSWER_BYTES, &in);
	r = r < 0 ? print_failure(c->socket, usher_strerror(r)) : print_answer(c, &in);
	if (r == 0 && c->client && strcmp(c->command, "events") == 0)
		r = follow(fd);
	buf_fini(&out);
	buf_fini(&in);
	return r;
}

/* Makes the workers run one line of Lua. Returns the exit code. */
static int run_line(void *ctx, const char *line)
{
	struct ctl *c = ctx;
	struct json *args;

	arena_reset(&c->arena);
	args = json_map(&c->arena);
	c->command = "run";
	(void)json_add(&c->arena, args, "code", json_str(&c->arena, line));
	return call_program(c, args);
}

static int run_console(struct ctl *c)
{
	if (!c->gate)
		return print_failure("console", "only a gate has a console: usherctl gate console");
	c->show = ctl_show_workers;
	return ctl_console(run_line, c);
}

/* Takes a word that names a program. Returns whether it was one. */
static bool take_program(struct ctl *c, const char *word)
{
	if (!word || (strcmp(word, "server") != 0 && strcmp(word, "client") != 0 &&
		      strcmp(word, "gate") != 0))
		return false;
	c->client = word[0] == 'c';
	c->gate = word[0] == 'g';
	c->program = c->client ? CTL_CLIENT : c->gate ? CTL_GATE : CTL_SERVER;
	return true;
}

static const char *default_socket(struct ctl *c, const char *iface)
{
	const char *env = getenv("USHER_CONTROL_SOCKET");

	if (env && env[0] && !iface)
		return env;
	if (c->gate)
		return "/run/usher/gate.sock";
	if (!c->client)
		return "/run/kea/kea4-ctrl-socket";
	(void)snprintf(c->path, sizeof(c->path), "/run/usher/client-%s.sock",
		       iface ? iface : "eth0");
	return c->path;
}

/* Returns a number of seconds from 1 to 86400, else 0. */
static int seconds(const char *s)
{
	char *end;
	long v = strtol(s, &end, 10);

	return *s && !*end && v >= 1 && v <= 86400 ? (int)v : 0;
}

/* Parses the command line. The first word may name the program; options may stand anywhere. */
static int parse(struct ctl *c, int argc, char **argv)
{
	static const struct option longs[] = {
		{"socket", required_argument, NULL, 's'},
		{"json", no_argument, NULL, 'j'},
		{"timeout", required_argument, NULL, 't'},
		{"interface", required_argument, NULL, 'i'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	bool named = take_program(c, argc > 1 ? argv[1] : NULL);
	const char *iface = NULL;
	int o;

	c->timeout = 10;
	if (named)
		optind = 2;
	while ((o = getopt_long(argc, argv, "s:jt:i:hV", longs, NULL)) >= 0) {
		switch (o) {
		case 's':
			c->socket = optarg;
			break;
		case 'i':
			iface = optarg;
			break;
		case 'j':
			c->json = true;
			break;
		case 't':
			c->timeout = seconds(optarg);
			break;
		case 'V':
			(void)puts("usherctl " USHER_VERSION);
			exit(0);
		case 'h':
			(void)fputs(usage, stdout);
			exit(0);
		default:
			return -1;
		}
	}
	if (!named && take_program(c, optind < argc ? argv[optind] : NULL))
		optind++;
	if (!c->socket)
		c->socket = default_socket(c, iface);
	if (optind >= argc || c->timeout <= 0)
		return -1;
	c->command = argv[optind++];
	return 0;
}

/* Prints the help. Returns the exit code. */
static int print_help(const struct ctl *c, const char *command)
{
	if (ctl_help(c->program, command, stdout))
		return 0;
	(void)fprintf(stderr, "usherctl: %s has no command %s", ctl_program_name(c->program),
		      command);
	if (ctl_nearest(c->program, command))
		(void)fprintf(stderr, "; did you mean %s?", ctl_nearest(c->program, command));
	(void)fputc('\n', stderr);
	return 2;
}

int main(int argc, char **argv)
{
	struct ctl c = {0};
	struct json *args;
	int r;

	if (parse(&c, argc, argv) < 0) {
		(void)fputs(usage, stderr);
		return 2;
	}
	if (strcmp(c.command, "help") == 0)
		return print_help(&c, optind < argc ? argv[optind] : NULL);
	arena_init(&c.arena);
	if (strcmp(c.command, "console") == 0)
		r = run_console(&c);
	else
		r = arguments(&c, argv + optind, argc - optind, &args) < 0 ? 2
									   : call_program(&c, args);
	buf_fini(&c.text);
	ctl_text_fini(&c.made);
	arena_fini(&c.arena);
	return r;
}
