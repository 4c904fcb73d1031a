/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The command channel: where a request ends, and a real socket in a temporary directory whose event
 * loop runs in the test.
 */
#include "unit/unit.h"

#include "base/buf.h"
#include "base/clock.h"
#include "config/json/json.h"
#include "control/channel.h"
#include "control/framing.h"
#include "runtime/background.h"
#include "runtime/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* --- framing ---------------------------------------------------------------------------------- */

static enum framing_result feed_at(const char *text, size_t cut)
{
	struct framing f = {0};
	struct span s = span_str(text);
	enum framing_result r = framing_feed(&f, span_sub(s, 0, cut), 4);

	return r != FRAMING_MORE ? r : framing_feed(&f, span_sub(s, cut, s.n), 4);
}

/* However the text is cut in two, and octet by octet. */
static void assert_framing(const char *text, enum framing_result want)
{
	struct framing f = {0};
	enum framing_result r = FRAMING_MORE;

	for (size_t cut = 0; cut <= strlen(text); cut++)
		assert_int_equal(feed_at(text, cut), want);
	for (const char *p = text; *p && r == FRAMING_MORE; p++)
		r = framing_feed(&f, span_of(p, 1), 4);
	assert_int_equal(r, want);
}

static void test_framing_whole(void **state)
{
	(void)state;
	assert_framing("{}", FRAMING_WHOLE);
	assert_framing(" \r\n\t{ \"command\": \"x\" }", FRAMING_WHOLE);
	assert_framing("[ {}, [] ]", FRAMING_WHOLE);
	assert_framing("{\"a\": {\"b\": [1, {\"c\": 2}]}}", FRAMING_WHOLE);
	assert_framing("{\"a\": \"}\"}", FRAMING_WHOLE);
	assert_framing("{\"a\": \"\\\"}\\\\\"}", FRAMING_WHOLE);
	assert_framing("{\"a\": \"// # /* }\"}", FRAMING_WHOLE);
}

static void test_framing_comments(void **state)
{
	(void)state;
	assert_framing("// a }\n{}", FRAMING_WHOLE);
	assert_framing("# a }\n{}", FRAMING_WHOLE);
	assert_framing("/* a } */{}", FRAMING_WHOLE);
	assert_framing("/***/{}", FRAMING_WHOLE);
	assert_framing("{ /* } **/ }", FRAMING_WHOLE);
	assert_framing("{ // }\n}", FRAMING_WHOLE);
	assert_framing("{ # }\n}", FRAMING_WHOLE);
	/* a quote in a comment begins no string */
	assert_framing("{ // it is 5\" long\n}", FRAMING_WHOLE);
	assert_framing("{ # \"\n}", FRAMING_WHOLE);
	assert_framing("{ /* \" */ }", FRAMING_WHOLE);
}

static void test_framing_more(void **state)
{
	(void)state;
	assert_framing("", FRAMING_MORE);
	assert_framing(" \n", FRAMING_MORE);
	assert_framing("{", FRAMING_MORE);
	assert_framing("{\"a\": \"}", FRAMING_MORE);
	assert_framing("{\"a\": \"\\\"}", FRAMING_MORE);
	assert_framing("{ // }", FRAMING_MORE);
	assert_framing("{ /* } * /", FRAMING_MORE);
	assert_framing("/", FRAMING_MORE);
	assert_framing("{\"a\": \"}\\", FRAMING_MORE);
}

static void test_framing_bad(void **state)
{
	(void)state;
	assert_framing("GET / HTTP/1.1", FRAMING_NOT_JSON);
	assert_framing("\"{}\"", FRAMING_NOT_JSON);
	assert_framing("}", FRAMING_NOT_JSON);
	assert_framing("/x{}", FRAMING_NOT_JSON);
	assert_framing("{\"a\": \"}\n", FRAMING_WHOLE); /* the parser stops there */
	assert_framing("{\"a\": \"}\\\n", FRAMING_WHOLE);
	assert_framing("{ / }", FRAMING_WHOLE); /* for the parser to refuse */
	assert_framing("[[[[]]]]", FRAMING_WHOLE);
	assert_framing("[[[[[", FRAMING_TOO_DEEP);
	assert_framing("{\"a\":[{\"b\":[{", FRAMING_TOO_DEEP);
}

/* --- the channel ------------------------------------------------------------------------------ */

static char dir[64];
static char path[96];

#define REQUEST "{ \"command\": \"x\" }"

struct world {
	struct loop *loop;
	struct channel *ch;
	struct background *background; /* of long commands; NULL: they run in the loop */
	struct control_plane *plane;
	_Atomic bool release; /* long commands end their work */
	unsigned n_handled, n_freed;
	size_t answer_len; /* octets of text in the answer */
	bool close_inside;
};

static struct json *run_plain(struct control_call *c)
{
	struct world *w = c->program;
	struct json *m = control_answer(c->arena, CONTROL_OK, "yes");
	char *big;

	w->n_handled++;
	if (w->answer_len) {
		big = malloc(w->answer_len);
		assert_non_null(big);
		memset(big, 'x', w->answer_len);
		(void)json_add(c->arena, m, "big", json_strn(c->arena, big, w->answer_len));
		free(big);
	}
	if (w->close_inside) {
		channel_close(w->ch);
		w->ch = NULL;
	}
	return m;
}

/* An answer of a million pieces costs the memory of one write. */
struct counter {
	unsigned n, ended;
	size_t largest;
};

static bool stream_next(void *ctx, struct buf *out)
{
	struct counter *c = ctx;

	buf_printf(out, "%s%u", c->n ? "," : "{\"text\": \"\", \"result\": 0, \"list\": [", c->n);
	c->largest = out->cap > c->largest ? out->cap : c->largest;
	if (++c->n < 200000)
		return true;
	buf_str(out, "]}");
	return false;
}

static void stream_fini(void *ctx)
{
	((struct counter *)ctx)->ended++;
}

static struct counter counter;

static struct json *run_stream(struct control_call *c)
{
	counter = (struct counter){0};
	c->stream = (struct control_stream){stream_next, stream_fini, &counter};
	return NULL;
}

/* The work of a long command lasts until the test releases it, or the background ends. */
static void wait_for_release(struct control_call *c)
{
	struct world *w = c->program;

	while (!w->release && !background_is_ending(c->background))
		(void)usleep(1000);
	c->result = w;
}

static void count_freed(void *result)
{
	((struct world *)result)->n_freed++;
}

static void work_long(struct control_call *c)
{
	wait_for_release(c);
	c->free_result = count_freed;
}

static const struct control_command commands[] = {
	{.name = "long", .fn = run_plain, .work = work_long, .args = "[name:text]"},
	{.name = "long-stream", .fn = run_stream, .work = work_long, .args = ""},
	{.name = "x", .fn = run_plain, .args = ""},
	{.name = "}", .fn = run_plain, .args = ""},
	{.name = "stream", .fn = run_stream, .args = ""},
};

static void world_open(struct world *w, struct channel_opts o)
{
	struct control_plane_opts po = {.program = w, .max_waiting = 2};

	memset(w, 0, sizeof(*w));
	assert_int_equal(loop_new(&w->loop), 0);
	assert_int_equal(background_new(w->loop, &w->background), 0);
	po.background = w->background;
	assert_int_equal(control_plane_new(&po, &w->plane), 0);
	assert_int_equal(control_plane_add(w->plane, commands, ARRAY_LEN(commands)), 0);
	o.path = path;
	o.mode = o.mode ? o.mode : 0660;
	o.plane = w->plane;
	assert_int_equal(channel_open(w->loop, &o, &w->ch), 0);
}

static void world_free(struct world *w)
{
	background_free(w->background);
	control_plane_free(w->plane);
	loop_free(w->loop);
}

static void world_close(struct world *w)
{
	channel_close(w->ch);
	world_free(w);
	assert_int_equal(access(path, F_OK), -1);
}

static int dial(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	assert_int_equal(connect(fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static void turn(struct world *w, int rounds)
{
	for (int i = 0; i < rounds; i++)
		assert_int_equal(loop_step(w->loop, 1), 0);
}

static void say(struct world *w, int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	turn(w, 4);
}

/* Reads until the other side closes, running the loop; false: it did not close in 5 s. */
static bool listen_to(struct world *w, int fd, struct buf *out, size_t chunk)
{
	int64_t end = clock_mono_ns(&clock_system) + 5 * NS_PER_S;
	static char buf[65536];

	while (clock_mono_ns(&clock_system) < end) {
		ssize_t n = recv(fd, buf, chunk < sizeof(buf) ? chunk : sizeof(buf), 0);

		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return true;
		if (n > 0)
			buf_add(out, buf, (size_t)n);
		turn(w, 1);
	}
	return false;
}

/* The answer's result; its text is checked to hold `text`. Closes fd. */
static int64_t answer_of(struct world *w, int fd, const char *text)
{
	struct config_error err;
	struct buf b = {0};
	struct arena a;
	struct json *v;
	int64_t result = -1;

	arena_init(&a);
	assert_true(listen_to(w, fd, &b, 65536));
	assert_int_equal(json_parse(span_of(b.p, b.len), &(struct json_opts){0}, &a, &v, &err), 0);
	assert_true(json_get_int(v, "result", &result));
	assert_non_null(json_get_str(v, "text"));
	if (!strstr(json_get_str(v, "text"), text))
		fail_msg("\"%s\" does not hold \"%s\"", json_get_str(v, "text"), text);
	arena_fini(&a);
	buf_fini(&b);
	(void)close(fd);
	return result;
}

static int64_t ask(struct world *w, const char *request, const char *text)
{
	int fd = dial();

	say(w, fd, request);
	return answer_of(w, fd, text);
}

static void test_request(void **state)
{
	struct world w;
	int fd;

	(void)state;
	world_open(&w, (struct channel_opts){0});
	assert_string_equal(channel_path(w.ch), path);
	assert_int_equal(ask(&w, "{ \"command\": \"x\" }", "yes"), 0);
	assert_int_equal(ask(&w, "# c\n{ /* d */ \"command\": \"x\" }", "yes"), 0);
	fd = dial(); /* octet by octet */
	for (const char *p = "{\"command\": \"}\"}"; *p; p++)
		say(&w, fd, (char[]){*p, '\0'});
	assert_int_equal(answer_of(&w, fd, "yes"), 0);
	assert_int_equal(w.n_handled, 3);
	world_close(&w);
}

static void test_garbage(void **state)
{
	struct world w;
	int fd;

	(void)state;
	world_open(&w, (struct channel_opts){0});
	assert_int_equal(ask(&w, "GET / HTTP/1.1\r\n\r\n", "invalid JSON"), 1);
	assert_int_equal(ask(&w, "[ 1 ]", "a command must be a map"), 1);
	assert_int_equal(ask(&w, "{ command }", "line 1, column 3"), 1);
	assert_int_equal(ask(&w, "{} {}", "invalid JSON"), 1);
	assert_int_equal(ask(&w, "{ \"a\": 1, \"a\": 2 }", "invalid JSON"), 1);
	fd = dial(); /* half a request, and its side shut */
	say(&w, fd, "{ \"command\": ");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_int_equal(answer_of(&w, fd, "invalid JSON"), 1);
	fd = dial(); /* nothing at all */
	turn(&w, 3);
	(void)close(fd);
	turn(&w, 3);
	assert_int_equal(w.n_handled, 0);
	assert_int_equal(ask(&w, REQUEST, "yes"), 0); /* it still serves */
	world_close(&w);
}

/* All problems of a text that is no JSON, with their places; also when it is refused for another
 * reason. */
static void test_all_problems(void **state)
{
	static const char bad[] = "{ \"a\": 1, \"a\": 2,\n \"b\": yes,\n \"c\": 1 \"d\": 2 }";
	struct world w;
	int fd;

	(void)state;
	world_open(&w, (struct channel_opts){.idle_ns = 200 * NS_PER_MS});
	assert_int_equal(ask(&w, bad, "line 1, column 11: duplicate"), 1);
	assert_int_equal(ask(&w, bad, "line 2, column 7: found"), 1);
	assert_int_equal(ask(&w, bad, "line 3, column 9: found"), 1);
	/* at once, not after the time-out: the string cannot end any more */
	assert_int_equal(ask(&w, "{ \"a\": no,\n \"b: 1,\n", "invalid JSON at line 1, column 8"),
			 1);
	assert_int_equal(ask(&w, "{ \"a\": no, \"b\": [",
			     "timeout: no complete request arrived in time: line 1, column 8"),
			 1);
	fd = dial(); /* octets behind the end, in another piece */
	assert_int_equal(send(fd, "{}", 2, MSG_NOSIGNAL), 2);
	say(&w, fd, " }");
	assert_int_equal(answer_of(&w, fd, "line 1, column 4"), 1);
	assert_int_equal(w.n_handled, 0);
	world_close(&w);
}

static void test_idle(void **state)
{
	struct world w;
	int silent;
	int half;

	(void)state;
	world_open(&w, (struct channel_opts){.idle_ns = 50 * NS_PER_MS});
	silent = dial();
	half = dial();
	say(&w, half, "{ \"command\":");
	assert_int_equal(answer_of(&w, silent, "timeout"), 1);
	assert_int_equal(answer_of(&w, half, "timeout"), 1);
	world_close(&w);
}

static void test_too_long(void **state)
{
	struct world w;
	char text[300];

	(void)state;
	world_open(&w, (struct channel_opts){.max_request = 256});
	(void)snprintf(text, sizeof(text), "{ \"command\": \"%*s\" }", 230, "x");
	assert_int_equal(ask(&w, text, "not supported"), 2);
	(void)snprintf(text, sizeof(text), "{ \"command\": \"%*s\" }", 270, "x");
	assert_int_equal(ask(&w, text, "too long"), 1);
	world_close(&w);
}

static void test_too_deep(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, (struct channel_opts){.max_depth = 4});
	assert_int_equal(ask(&w, "{\"command\":\"x\",\"arguments\":{\"a\":[[]]}}", "yes"), 0);
	assert_int_equal(ask(&w, "{\"a\":[[[[]]]]}", "too deep"), 1);
	world_close(&w);
}

static void test_too_many(void **state)
{
	struct world w;
	int fd[3];

	(void)state;
	world_open(&w, (struct channel_opts){.max_connections = 3});
	for (int i = 0; i < 3; i++)
		fd[i] = dial();
	turn(&w, 6);
	assert_int_equal(ask(&w, "", "too many connections"), 1);
	(void)close(fd[0]);
	turn(&w, 3);
	assert_int_equal(ask(&w, REQUEST, "yes"), 0); /* a place is free again */
	(void)close(fd[1]);
	(void)close(fd[2]);
	world_close(&w);
}

/* Any number of open, silent connections does not delay a request that arrives at once. */
static void test_half_open(void **state)
{
	struct world w;
	int fd[40];

	(void)state;
	world_open(&w, (struct channel_opts){.max_connections = 4});
	for (int i = 0; i < 40; i++) {
		fd[i] = dial();
		turn(&w, 2);
	}
	for (int i = 0; i < 40; i++)
		assert_int_equal(ask(&w, REQUEST, "yes"), 0);
	for (int i = 0; i < 40; i++)
		(void)close(fd[i]);
	world_close(&w);
}

static void test_stream(void **state)
{
	struct world w;
	int fd;

	(void)state;
	world_open(&w, (struct channel_opts){0});
	assert_int_equal(ask(&w, "{ \"command\": \"stream\" }", ""), 0);
	assert_int_equal(counter.n, 200000);
	assert_int_equal(counter.ended, 1);
	assert_true(counter.largest <= 65536);
	/* one that goes away in the middle is put away too */
	fd = dial();
	say(&w, fd, "{ \"command\": \"stream\" }");
	(void)close(fd);
	turn(&w, 20);
	assert_int_equal(counter.ended, 1);
	world_close(&w);
}

static void test_mode(void **state)
{
	struct world w;
	struct stat st;

	(void)state;
	for (unsigned mode = 0600; mode <= 0660; mode += 060) {
		world_open(&w, (struct channel_opts){.mode = mode});
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, mode);
		world_close(&w);
	}
}

/* The file of a server that died is replaced; that of a living one, and any other file, is not. */
static void test_path(void **state)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct channel_opts o = {.path = path, .mode = 0660};
	struct channel *second;
	struct world w;
	int fd;

	(void)state;
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
	(void)close(fd); /* the file stays */
	world_open(&w, (struct channel_opts){0});
	assert_int_equal(channel_open(w.loop, &o, &second), -EADDRINUSE);
	assert_int_equal(ask(&w, REQUEST, "yes"), 0);
	world_close(&w);

	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	(void)close(fd);
	w = (struct world){0};
	assert_int_equal(loop_new(&w.loop), 0);
	assert_int_equal(channel_open(w.loop, &o, &second), -EEXIST);
	assert_int_equal(unlink(path), 0);
	o.path = "/a/directory/that/is/not/there";
	assert_int_equal(channel_open(w.loop, &o, &second), -ENOENT);
	o.path =
		"/a/name/that/is/too/long/for/the/address/of/a/unix/socket/which/takes/108/octets/and/not/one/more/than/that/whatever";
	assert_int_equal(channel_open(w.loop, &o, &second), -ENAMETOOLONG);
	world_free(&w);
}

/* A channel that is closed serves those who are there to their end: one that reads, one that has
 * sent half of its request, one that was not even accepted. Without a list of closing channels all
 * of them are cut off. */
static void test_close_in_between(void **state)
{
	struct channel *closing = NULL;
	struct buf b = {0};
	struct world w;
	int reads, half, fresh;

	(void)state;
	world_open(&w, (struct channel_opts){.closing = &closing});
	w.answer_len = 4U << 20;
	reads = dial();
	say(&w, reads, REQUEST);
	turn(&w, 10);
	w.answer_len = 0;
	half = dial();
	say(&w, half, "{ \"command\":");
	fresh = dial();
	channel_close(w.ch);
	assert_int_equal(access(path, F_OK), -1);
	assert_non_null(closing);
	say(&w, fresh, "{ \"command\": \"x\" }");
	assert_int_equal(answer_of(&w, fresh, "yes"), 0);
	say(&w, half, "\"x\" }");
	assert_int_equal(answer_of(&w, half, "yes"), 0);
	assert_true(listen_to(&w, reads, &b, 32768));
	assert_in_range(b.len, 4U << 20, (4U << 20) + 100);
	turn(&w, 4);
	assert_null(closing); /* it has gone by itself */
	buf_fini(&b);
	(void)close(reads);
	world_free(&w);

	world_open(&w, (struct channel_opts){.closing = &closing});
	w.answer_len = 4U << 20;
	w.close_inside = true; /* by the request that is answered, which is as long */
	reads = dial();
	say(&w, reads, REQUEST);
	assert_true(listen_to(&w, reads, &b, 32768));
	assert_in_range(b.len, 4U << 20, (4U << 20) + 100);
	turn(&w, 4);
	assert_null(closing);
	buf_fini(&b);
	(void)close(reads);
	world_free(&w);

	world_open(&w, (struct channel_opts){.closing = &closing});
	half = dial();
	say(&w, half, "{");
	channel_close(w.ch);
	channel_end_closing(&closing);
	assert_null(closing);
	assert_true(listen_to(&w, half, &b, 100));
	buf_fini(&b);
	(void)close(half);
	world_free(&w);
}

/* 4 MiB do not fit into a socket; the reader takes its time, and another is served meanwhile. */
static void test_slow_reader(void **state)
{
	struct buf b = {0};
	struct world w;
	int fd;

	(void)state;
	world_open(&w, (struct channel_opts){0});
	w.answer_len = 4U << 20;
	fd = dial();
	say(&w, fd, REQUEST);
	turn(&w, 10);
	w.answer_len = 0;
	assert_int_equal(ask(&w, REQUEST, "yes"), 0);
	assert_true(listen_to(&w, fd, &b, 32768));
	assert_in_range(b.len, 4U << 20, (4U << 20) + 100);
	assert_memory_equal(b.p + b.len - 5, "x\" }\n", 5);
	buf_fini(&b);
	(void)close(fd);

	w.answer_len = 4U << 20; /* and one who goes away in the middle */
	fd = dial();
	say(&w, fd, REQUEST);
	(void)close(fd);
	turn(&w, 5);
	w.answer_len = 0;
	assert_int_equal(ask(&w, REQUEST, "yes"), 0);
	world_close(&w);
}

/* A reader that takes a read of less than 4096 octets for the end of the answer gets all of it. */
static void test_writes_of_one_length(void **state)
{
	static const char *const requests[] = {REQUEST, "{ \"command\": \"stream\" }"};
	static char chunk[4096];
	struct world w;

	(void)state;
	world_open(&w, (struct channel_opts){0});
	w.answer_len = 1U << 20;
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		int fd = dial();
		size_t len = 0;
		ssize_t n;

		say(&w, fd, requests[i]);
		do {
			n = recv(fd, chunk, sizeof(chunk), 0);
			if (n < 0)
				turn(&w, 1);
			else
				len += (size_t)n;
		} while (n < 0 || n == (ssize_t)sizeof(chunk));
		assert_true(len > 1U << 20);
		assert_true(n > 1 && chunk[n - 2] == '}' && chunk[n - 1] == '\n');
		(void)close(fd);
		turn(&w, 3);
	}
	world_close(&w);
}

/* config-set may take the very channel away that it came by. */
static void test_closed_by_request(void **state)
{
	struct world w;
	int other;

	(void)state;
	world_open(&w, (struct channel_opts){0});
	w.close_inside = true;
	other = dial();
	turn(&w, 3);
	assert_int_equal(ask(&w, REQUEST, "yes"), 0);
	assert_null(w.ch);
	assert_int_equal(recv(other, (char[1]){0}, 1, 0), 0);
	(void)close(other);
	world_close(&w);
}

/* --- Long commands ---------------------------------------------------------------------------- */

static const char long_request[] = "{ \"command\": \"long\" }";

/* While a long command works, other connections are answered, and its own has no time limit. */
static void test_long_command(void **state)
{
	struct world w;
	int fd, more, one_too_many;

	(void)state;
	world_open(&w, (struct channel_opts){.idle_ns = 100 * NS_PER_MS});
	fd = dial();
	say(&w, fd, long_request);
	more = dial();
	say(&w, more, "{ \"command\": \"long\", \"arguments\": { \"name\": \"x\" } }");
	assert_int_equal(ask(&w, REQUEST, "yes"), 0);
	assert_int_equal(ask(&w, "{ \"command\": \"long\", \"arguments\": { \"name\": 1 } }",
			     "'name' parameter must be a string"),
			 1);
	one_too_many = dial();
	say(&w, one_too_many, long_request);
	assert_int_equal(answer_of(&w, one_too_many, "2 long commands wait already"), 1);
	turn(&w, 150);
	assert_int_equal(w.n_handled, 1);
	w.release = true;
	assert_int_equal(answer_of(&w, fd, "yes"), 0);
	assert_int_equal(answer_of(&w, more, "yes"), 0);
	assert_int_equal(w.n_handled, 3);
	assert_int_equal(w.n_freed, 2);
	world_close(&w);
}

static void wait_for_answers(struct world *w, unsigned n)
{
	int64_t end = clock_mono_ns(&clock_system) + 10 * NS_PER_S;

	while (w->n_handled < n && clock_mono_ns(&clock_system) < end)
		turn(w, 1);
	assert_int_equal(w->n_handled, n);
}

/* A connection that ends gives up the answer; the command is carried out. */
static void test_long_command_given_up(void **state)
{
	struct world w;
	int fd;

	(void)state;
	world_open(&w, (struct channel_opts){0});
	fd = dial();
	say(&w, fd, long_request);
	(void)close(fd);
	fd = dial();
	say(&w, fd, "{ \"command\": \"long-stream\" }");
	(void)close(fd);
	turn(&w, 20);
	w.release = true;
	wait_for_answers(&w, 1);
	while (w.n_freed < 2)
		turn(&w, 1);
	assert_int_equal(counter.ended, 1);
	assert_int_equal(ask(&w, REQUEST, "yes"), 0);
	world_close(&w);
}

/* A peer that has shut its side down waits for the answer. */
static void test_long_command_half_closed(void **state)
{
	struct world w;
	int fd;

	(void)state;
	world_open(&w, (struct channel_opts){0});
	fd = dial();
	say(&w, fd, long_request);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	turn(&w, 20);
	w.release = true;
	assert_int_equal(answer_of(&w, fd, "yes"), 0);
	world_close(&w);
}

/* A channel that is closed while a long command works serves its connection to the end. */
static void test_long_command_closing(void **state)
{
	struct channel *closing = NULL;
	struct world w;
	int fd;

	(void)state;
	world_open(&w, (struct channel_opts){.closing = &closing});
	fd = dial();
	say(&w, fd, long_request);
	channel_close(w.ch);
	assert_non_null(closing);
	w.release = true;
	assert_int_equal(answer_of(&w, fd, "yes"), 0);
	turn(&w, 3);
	assert_null(closing);
	world_free(&w);
}

/* The program ends while one long command works and another waits: none is carried out. */
static void test_long_command_ended(void **state)
{
	struct world w;
	int fd[2];

	(void)state;
	world_open(&w, (struct channel_opts){0});
	for (int i = 0; i < 2; i++) {
		fd[i] = dial();
		say(&w, fd[i], long_request);
	}
	background_free(w.background); /* the channel is still there: it sends the refusal */
	w.background = NULL;
	assert_int_equal(answer_of(&w, fd[0], "the program ends"), 1);
	assert_int_equal(answer_of(&w, fd[1], "the program ends"), 1);
	assert_int_equal(w.n_handled, 0);
	assert_int_equal(w.n_freed, 1); /* the other one did no work */
	world_close(&w);
}

/* The channel ends before the background does. */
static void test_long_command_without_channel(void **state)
{
	struct world w;
	int fd;

	(void)state;
	world_open(&w, (struct channel_opts){0});
	fd = dial();
	say(&w, fd, long_request);
	world_close(&w);
	assert_int_equal(w.n_handled, 0);
	assert_int_equal(w.n_freed, 1);
	(void)close(fd);
}

static int group_setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/usher-control-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/sock", dir);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_framing_whole),
		cmocka_unit_test(test_framing_comments),
		cmocka_unit_test(test_framing_more),
		cmocka_unit_test(test_framing_bad),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_all_problems),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_too_deep),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_half_open),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_mode),
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_close_in_between),
		cmocka_unit_test(test_close_in_between),
		cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_writes_of_one_length),
		cmocka_unit_test(test_closed_by_request),
		cmocka_unit_test(test_long_command),
		cmocka_unit_test(test_long_command_given_up),
		cmocka_unit_test(test_long_command_half_closed),
		cmocka_unit_test(test_long_command_closing),
		cmocka_unit_test(test_long_command_ended),
		cmocka_unit_test(test_long_command_without_channel),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
