/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A fixed number of connections; one more is closed at once. A request is read whole or refused.
 */
#include "client/os/control.h"

#include "config/json/json.h"
#include "control/transport.h"
#include "runtime/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct conn {
	struct control *control;
	int fd; /* -1: free */
	bool subscribed;
	struct loop_source *source;
};

struct control {
	struct control_owner owner;
	struct loop *loop;
	int fd;
	struct loop_source *source;
	struct conn conn[CONTROL_CLIENTS];
};

static void accept_connection(void *ctx, uint32_t events);

/* Watches the listening socket; pauses while there is no descriptor for a new connection,
 * because the socket would stay readable. */
static int watch_listener(struct control *c)
{
	return c->source ? 0 : loop_add(c->loop, c->fd, EPOLLIN, accept_connection, c, &c->source);
}

static void close_conn(struct conn *c)
{
	loop_remove(c->source);
	c->source = NULL;
	(void)close(c->fd);
	c->fd = -1;
	c->subscribed = false;
	if (watch_listener(c->control) < 0)
		c->control->owner.problem(c->control->owner.ctx, "control", "no more connections");
}

static bool send_conn(struct conn *c, const void *p, size_t n)
{
	if (send(c->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)n)
		return true;
	close_conn(c);
	return false;
}

/* Answers a request. The answer is built outside of the request's arena, because it must fit a
 * message. */
static void answer_request(struct conn *c, struct span text)
{
	struct json_opts o = {.file = "", .max_depth = 8};
	struct config_error err = {0};
	struct json *request = NULL, *reply;
	struct control_requester from = control_peer(c->fd);
	bool subscribe = false;
	struct arena a;
	struct buf out;

	arena_init(&a);
	buf_init(&out);
	if (json_parse(text, &o, &a, &request, &err) < 0)
		reply = control_answer(&a, CONTROL_ERROR, "the request is not JSON: %s", err.text);
	else
		reply = c->control->owner.answer(c->control->owner.ctx, request, &from, &a,
						 &subscribe);
	if (reply)
		json_write(reply, false, &out);
	if (out.failed || !out.len || out.len > CONTROL_ANSWER_MAX)
		close_conn(c);
	else if (send_conn(c, out.p, out.len))
		c->subscribed |= subscribe;
	buf_fini(&out);
	arena_fini(&a);
}

static void read_conn(void *ctx, uint32_t events)
{
	struct conn *c = ctx;
	char text[CONTROL_REQUEST_MAX] uninit;
	ssize_t n;

	(void)events;
	if (c->fd < 0)
		return;
	n = recv(c->fd, text, sizeof(text), MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || (size_t)n > sizeof(text)) {
		close_conn(c);
		return;
	}
	answer_request(c, span_of(text, (size_t)n));
}

static void accept_connection(void *ctx, uint32_t events)
{
	struct control *ctl = ctx;
	int fd = accept4(ctl->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
		loop_remove(ctl->source);
		ctl->source = NULL;
	}
	if (fd < 0)
		return;
	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		struct conn *c = &ctl->conn[i];

		if (c->fd >= 0)
			continue;
		*c = (struct conn){.control = ctl, .fd = fd};
		if (loop_add(ctl->loop, fd, EPOLLIN, read_conn, c, &c->source) < 0)
			close_conn(c);
		return;
	}
	(void)close(fd);
}

bool control_listened(const struct control *c)
{
	for (size_t i = 0; c && i < CONTROL_CLIENTS; i++)
		if (c->conn[i].subscribed)
			return true;
	return false;
}

void control_event(struct control *c, struct span json)
{
	for (size_t i = 0; c && i < CONTROL_CLIENTS; i++)
		if (c->conn[i].subscribed)
			(void)send_conn(&c->conn[i], json.p, json.n);
}

/* Removes a socket that refuses connections: no process listens behind it. A file of another
 * kind stays. Returns 0 or -errno. */
static int remove_dead(const struct sockaddr_un *sa)
{
	struct stat st;
	int fd, r;

	if (lstat(sa->sun_path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	r = connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0 ? -errno : 0;
	(void)close(fd);
	if (r == -ENOENT)
		return 0;
	if (r != -ECONNREFUSED)
		return -EADDRINUSE;
	return unlink(sa->sun_path) < 0 ? -errno : 0;
}

static int listen_at(struct control *c, const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int r;

	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	memcpy(sa.sun_path, path, strlen(path));
	c->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return -errno;
	/* a socket has its mode before it has a name: at no time does its file grant more rights */
	if (fchmod(c->fd, 0600) < 0)
		return -errno;
	r = bind(c->fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
	if (r == -EADDRINUSE) {
		r = remove_dead(&sa);
		if (r == 0)
			r = bind(c->fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
	}
	if (r == 0 && listen(c->fd, CONTROL_CLIENTS) < 0)
		r = -errno;
	return r < 0 ? r : watch_listener(c);
}

int control_open(const struct control_owner *o, struct loop *loop, const char *path,
		 struct control **ret)
{
	struct control *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->owner = *o;
	c->loop = loop;
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		c->conn[i].fd = -1;
	r = listen_at(c, path);
	if (r < 0)
		control_close(c);
	else
		*ret = c;
	return r;
}

void control_close(struct control *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		if (c->conn[i].fd >= 0)
			close_conn(&c->conn[i]);
	loop_remove(c->source);
	c->source = NULL;
	if (c->fd >= 0)
		(void)close(c->fd);
	free(c);
}
