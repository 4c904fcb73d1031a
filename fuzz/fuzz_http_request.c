/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Octets of a connection, as a listener for HTTP takes them: the head, the body, the command in it,
 * one request behind the other. The first octet says how they are cut into pieces. Each answer
 * begins with a status line, and at the end no connection and no octet is held.
 */
#include "fuzz.h"

#include "base/arena.h"
#include "config/json/json.h"
#include "http/http.h"
#include "http/request.h"
#include "http/web.h"
#include "runtime/loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROUNDS_MAX = 2000, CONNECTIONS = 8192, ADDRESSES = 250, TRIES = 100 };

static struct json *read_command(struct control_call *c)
{
	return control_answer(c->arena, CONTROL_OK, "%s", c->args ? "with arguments" : "without");
}

static const struct control_command rows[] = {
	{.name = "read", .fn = read_command, .args = "[text:text] [n:int]", .help = "reads"},
	{.name = "write",
	 .fn = read_command,
	 .args = "(m:map) | (l:list)",
	 .help = "writes",
	 .access = CONTROL_WRITE},
};

static struct control_plane *plane;

static void answer_command(void *ctx, struct http_request *r)
{
	(void)ctx;
	http_answer_command(r, plane);
}

static const struct http_route routes[] = {
	{"GET", "/", false, true, http_answer_web},
	{"GET", "/open", true, false, http_answer_web},
	{"POST", "*", false, false, answer_command},
};

static const struct http_user users[] = {{"user", "password", false}, {"viewer", "word", true}};

static struct http_listener *open_listener(struct loop *loop, bool with_users)
{
	struct http_listener *l = NULL;
	struct http_opts o = {.address = "127.0.0.1",
			      .realm = "fuzz",
			      .users = users,
			      .n_users = with_users ? ARRAY_LEN(users) : 0,
			      .routes = {routes, ARRAY_LEN(routes), NULL}};

	fuzz_check(http_open(loop, &o, &l) == 0);
	return l;
}

/* Connects from an address and a port that the kernel chooses. Returns -1: the ports of the
 * address belong to connections that have ended. */
static int try_connect(const struct http_listener *l, uint32_t address)
{
	struct sockaddr_in own = {.sin_family = AF_INET};
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(http_open_port(l))};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	own.sin_addr.s_addr = htonl(address);
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fuzz_check(fd >= 0);
	if (bind(fd, (const struct sockaddr *)&own, sizeof(own)) == 0 &&
	    connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

/* Connects. Another address of its own after some thousand connections: each holds its port for a
 * minute. */
static int connect_to(const struct http_listener *l)
{
	static uint32_t n;
	int fd = -1;

	for (int i = 0; i < TRIES && fd < 0; i++) {
		n += i ? CONNECTIONS : 1;
		fd = try_connect(l, INADDR_LOOPBACK + (n / CONNECTIONS % ADDRESSES));
	}
	fuzz_check(fd >= 0);
	return fd;
}

static void run_loop(struct loop *loop, int rounds)
{
	for (int i = 0; i < rounds; i++)
		fuzz_check(loop_step(loop, 0) == 0);
}

/* Reads the answers until the listener has closed the connection. Returns false if it is still open
 * and had no answer. A part of a request behind an answered one has 30 s to become complete, since
 * libmicrohttpd does not always notice there that nothing follows. */
static bool read_answers(struct loop *loop, int fd)
{
	char text[8192];
	bool first = true;

	for (int i = 0; i < ROUNDS_MAX; i++) {
		ssize_t n = recv(fd, text, sizeof(text), MSG_DONTWAIT);

		if (n == 0 || (n < 0 && errno != EAGAIN))
			return true;
		if (n > 0 && first)
			fuzz_check(n < 5 || memcmp(text, "HTTP/", 5) == 0);
		first = first && n <= 0;
		run_loop(loop, 1);
	}
	return !first;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct loop *loop;
	static struct http_listener *listeners[2];
	int fd;
	size_t piece;
	bool answered;

	if (size < 2 || size > 65536)
		return 0;
	if (!loop) {
		fuzz_check(loop_new(&loop) == 0);
		fuzz_check(control_plane_new(&(struct control_plane_opts){.service = "dhcp4"},
					     &plane) == 0);
		fuzz_check(control_plane_add(plane, rows, ARRAY_LEN(rows)) == 0);
		for (int i = 0; i < 2; i++)
			listeners[i] = open_listener(loop, i);
	}
	fd = connect_to(listeners[data[0] & 1]);
	piece = data[0] / 2U ? data[0] * 8U : size;
	for (size_t at = 1; at < size; at += piece) {
		size_t n = size - at < piece ? size - at : piece;

		if (send(fd, data + at, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			break;
		run_loop(loop, 3);
	}
	(void)shutdown(fd, SHUT_WR);
	answered = read_answers(loop, fd);
	(void)close(fd);
	run_loop(loop, 5);
	/* after several wrong passwords an answer is delayed: the next input has a new listener */
	fuzz_check(answered || data[0] & 1);
	if (!answered) {
		http_free(listeners[1]);
		listeners[1] = open_listener(loop, true);
	}
	return 0;
}
