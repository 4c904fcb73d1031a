/* SPDX-License-Identifier: MPL-2.0 */
/*
 * usherctl: talks to the command channel. One command a call; the answer as a table for people, as JSON
 * with --json. Exit code: 0 done, 1 refused or failed, 2 wrong usage, 3 nothing found.
 */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "config/json.h"
#include "tools/ctl_print.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static const char usage[] =
	"usage: usherctl [server] [-s SOCKET] [--json] COMMAND [ARGUMENTS]\n"
	"\n"
	"ARGUMENTS is a JSON map, or name=value words:\n"
	"  usherctl -s /run/kea/kea4-ctrl-socket lease4-get ip-address=192.0.2.10\n"
	"  usherctl config-set @new.json\n"
	"\n"
	"  -s, --socket PATH  the command channel (else $USHER_CONTROL_SOCKET, else\n"
	"                     /run/kea/kea4-ctrl-socket)\n"
	"  -j, --json         the answer as it came\n"
	"  -t, --timeout S    seconds to wait (10)\n"
	"  list-commands      what the server knows\n";

struct ctl {
	const char *socket;
	const char *command;
	bool json;
	int timeout;
	struct arena arena;
};

static int fail(const char *what, const char *why)
{
	(void)fprintf(stderr, "usherctl: %s: %s\n", what, why);
	return 1;
}

/* "12" an integer, "true" a boolean, everything else a string. */
static struct json *word_value(struct arena *a, const char *s)
{
	char *end;
	long long v;

	if (strcmp(s, "true") == 0 || strcmp(s, "false") == 0)
		return json_bool(a, s[0] == 't');
	errno = 0;
	v = strtoll(s, &end, 10);
	if (*s && !*end && errno == 0)
		return json_int(a, v);
	return json_str(a, s);
}

static int parse_text(struct ctl *c, const char *text, struct json **ret)
{
	struct json_opts o = {.file = text[0] == '@' ? text + 1 : "argument", .dialect = true};
	struct config_error err = {0};
	struct buf b;
	int r;

	if (text[0] == '@')
		r = json_parse_file(text + 1, &o, &c->arena, ret, &err);
	else
		r = json_parse(span_str(text), &o, &c->arena, ret, &err);
	if (r < 0) {
		buf_init(&b);
		config_error_text(&err, &b);
		(void)fail("arguments", b.p ? b.p : usher_strerror(r));
		buf_fini(&b);
	}
	return r;
}

/* name=value words, or one JSON text, or @file. NULL: none. */
static int arguments(struct ctl *c, char **words, int n, struct json **ret)
{
	*ret = NULL;
	if (n == 0)
		return 0;
	if (n == 1 && strchr("{@[", words[0][0]))
		return parse_text(c, words[0], ret);
	*ret = json_map(&c->arena);
	for (int i = 0; i < n; i++) {
		char *eq = strchr(words[i], '=');

		if (!eq) {
			(void)fail(words[i], "expected name=value or a JSON map");
			return -1;
		}
		*eq = '\0';
		(void)json_add(&c->arena, *ret, words[i], word_value(&c->arena, eq + 1));
	}
	return 0;
}

static int connect_to(const struct ctl *c)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct timeval tv = {.tv_sec = c->timeout};
	int fd;

	if (strlen(c->socket) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", c->socket);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0) {
		int e = -errno;

		(void)close(fd);
		return e;
	}
	return fd;
}

static int transfer(int fd, const struct buf *out, struct buf *in)
{
	char chunk[8192];
	size_t sent = 0;
	ssize_t n;

	while (sent < out->len) {
		n = send(fd, out->p + sent, out->len - sent, MSG_NOSIGNAL);
		if (n < 0)
			return -errno;
		sent += (size_t)n;
	}
	(void)shutdown(fd, SHUT_WR);
	while ((n = recv(fd, chunk, sizeof(chunk), 0)) > 0)
		buf_add(in, chunk, (size_t)n);
	return n < 0 ? -errno : in->failed ? -ENOMEM : 0;
}

static int show(const struct ctl *c, const struct buf *in)
{
	struct json_opts o = {.file = "answer", .max_depth = 128};
	struct config_error err = {0};
	struct arena a;
	struct json *answer;
	int64_t result = 1;

	arena_init(&a);
	if (json_parse(span_of(in->p, in->len), &o, &a, &answer, &err) < 0) {
		arena_fini(&a);
		return fail("the answer is no JSON", err.text);
	}
	(void)json_get_int(answer, "result", &result);
	if (c->json)
		(void)printf("%s", in->p);
	else
		ctl_print(c->command, answer, stdout);
	arena_fini(&a);
	return (int)result;
}

static int call(struct ctl *c, struct json *args)
{
	struct json *request = json_map(&c->arena);
	auto_close int fd = connect_to(c);
	struct buf out;
	struct buf in;
	int r;

	if (fd < 0)
		return fail(c->socket, usher_strerror(fd));
	(void)json_add(&c->arena, request, "command", json_str(&c->arena, c->command));
	if (args)
		(void)json_add(&c->arena, request, "arguments", args);
	buf_init(&out);
	buf_init(&in);
	json_write(request, false, &out);
	r = out.failed ? -ENOMEM : transfer(fd, &out, &in);
	r = r < 0 ? fail(c->socket, usher_strerror(r)) : show(c, &in);
	buf_fini(&out);
	buf_fini(&in);
	return r;
}

/* First word may name the program to talk to; there is one so far. */
static int parse(struct ctl *c, int argc, char **argv)
{
	static const struct option longs[] = {
		{"socket", required_argument, NULL, 's'}, {"json", no_argument, NULL, 'j'},
		{"timeout", required_argument, NULL, 't'}, {"help", no_argument, NULL, 'h'}, {0},
	};
	const char *env = getenv("USHER_CONTROL_SOCKET");
	int o;

	c->socket = env && env[0] ? env : "/run/kea/kea4-ctrl-socket";
	c->timeout = 10;
	if (argc > 1 && strcmp(argv[1], "server") == 0)
		optind = 2;
	while ((o = getopt_long(argc, argv, "+s:jt:h", longs, NULL)) >= 0) {
		switch (o) {
		case 's': c->socket = optarg; break;
		case 'j': c->json = true; break;
		case 't': c->timeout = (int)strtol(optarg, NULL, 10); break;
		case 'h':
			(void)fputs(usage, stdout);
			exit(0);
		default:
			return -1;
		}
	}
	if (optind < argc && strcmp(argv[optind], "server") == 0)
		optind++;
	if (optind >= argc || c->timeout <= 0)
		return -1;
	c->command = argv[optind++];
	return 0;
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
	arena_init(&c.arena);
	r = arguments(&c, argv + optind, argc - optind, &args) < 0 ? 2 : call(&c, args);
	arena_fini(&c.arena);
	return r;
}
