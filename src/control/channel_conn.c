/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The connections of a command channel, from accept to close. All of them together hold a bounded
 * number of octets; long answers are made as they are read.
 */
#include "control/channel_impl.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "config/json/json.h"
#include "runtime/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/param.h>
#include <sys/socket.h>
#include <unistd.h>

/* RESERVE: connections on trial, which came when all places were taken. WRITE_LEN: octets of a
 * write; a multiple of 4096, as Kea's. */
enum { RESERVE = 8, WRITE_LEN = 32768 };

static void conn_close(struct control_conn *c)
{
	struct control_conn **p;

	for (p = &c->ch->conns; *p; p = &(*p)->next) {
		if (*p == c) {
			*p = c->next;
			break;
		}
	}
	c->ch->n_conns--;
	c->ch->held -= c->held;
	control_plane_cancel(c->pending);
	if (c->stream.next)
		c->stream.fini(c->stream.ctx);
	loop_remove(c->source);
	loop_timer_free(c->idle);
	(void)close(c->fd);
	buf_fini(&c->in);
	buf_fini(&c->out);
	free(c);
}

/* Brings the channel's count up to date. */
static void conn_hold(struct control_conn *c)
{
	size_t now = c->in.cap + c->out.cap;

	c->ch->held += now - c->held;
	c->held = now;
}

/*
 * Appends pieces of a streamed answer until there is enough for one write. Each write but the last
 * has the same length: some readers take a shorter one for the end of the answer.
 */
static void conn_refill(struct control_conn *c)
{
	while (c->stream.next && c->out.len - c->sent < WRITE_LEN && !c->out.failed) {
		if (c->sent) {
			memmove(c->out.p, c->out.p + c->sent, c->out.len - c->sent);
			c->out.len -= c->sent;
			c->sent = 0;
		}
		if (c->stream.next(c->stream.ctx, &c->out))
			continue;
		c->stream.fini(c->stream.ctx);
		c->stream.next = NULL;
		buf_char(&c->out, '\n');
	}
	conn_hold(c);
}

static void conn_event(void *ctx, uint32_t events);

/* Shuts down the sending side and reads the rest. Closing a connection with octets unread resets
 * it, and the peer would not receive the reason. */
static void conn_drain(struct control_conn *c)
{
	(void)shutdown(c->fd, SHUT_WR);
	c->refused = true;
	loop_timer_set(c->idle, NS_PER_S);
	(void)loop_modify(c->source, EPOLLIN);
}

static void conn_write(struct control_conn *c)
{
	for (;;) {
		ssize_t n;

		conn_refill(c);
		if (c->sent == c->out.len || c->out.failed)
			break;
		n = send(c->fd, c->out.p + c->sent, MIN(c->out.len - c->sent, WRITE_LEN),
			 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			(void)loop_modify(c->source, EPOLLOUT);
			return;
		}
		if (n <= 0)
			break;
		c->sent += (size_t)n;
		loop_timer_set(c->idle, c->ch->o.idle_ns);
	}
	if (c->refused)
		conn_drain(c);
	else
		conn_close(c);
}

static void conn_answer(struct control_conn *c, const struct json *answer)
{
	c->answering = true;
	loop_timer_set(c->idle, c->ch->o.idle_ns);
	json_write_spaced(answer, &c->out);
	buf_char(&c->out, '\n');
	buf_fini(&c->in); /* the request is answered: its octets are not needed any more */
	conn_hold(c);
	conn_write(c);
}

static void conn_stream(struct control_conn *c, const struct control_stream *s)
{
	c->answering = true;
	c->stream = *s;
	loop_timer_set(c->idle, c->ch->o.idle_ns);
	buf_fini(&c->in);
	conn_write(c);
}

static void conn_refuse(struct control_conn *c, const char *why)
{
	struct arena a;

	arena_init(&a);
	log_msg(c->ch->o.log, LOG_COMMAND_SOCKET_READ_FAIL, "%s: %s", c->ch->path, why);
	c->refused = true;
	conn_answer(c, control_answer(&a, CONTROL_ERROR, "%s", why));
	arena_fini(&a);
}

/* Called with the answer to a request, at once or later. */
static void on_answer(void *ctx, const struct json *answer, const struct control_stream *stream)
{
	struct control_conn *c = ctx;
	struct channel *ch = c->ch;

	ch->busy++;
	c->pending = NULL;
	if (stream->next)
		conn_stream(c, stream);
	else
		conn_answer(c, answer);
	channel_leave(ch);
}

/* Parses a complete request and has it answered. The connection may end within. */
static void conn_request(struct control_conn *c)
{
	struct control_reply reply = {on_answer, c};
	struct control_pending *pending;
	struct control_request r;

	control_request_parse(&r, span_of(c->in.p, c->in.len), c->ch->o.max_depth);
	r.from = control_peer(c->fd);
	c->refused = r.problems.n != 0; /* more of it may follow, which is read and ignored */
	buf_fini(&c->in); /* its octets stay counted until the answer: the request has copies */
	pending = control_plane_answer(c->ch->o.plane, &r, &reply);
	if (!pending)
		return;
	c->pending = pending;
	loop_timer_set(c->idle, -1);
	(void)loop_modify(c->source, 0); /* the end of the connection is reported without */
}

/* Answers a request that was not whole in time, with the problems of the octets that came. */
static void conn_late(struct control_conn *c, const char *why)
{
	struct control_request r = {0};
	char text[128];

	if (c->in.len)
		control_request_parse(&r, span_of(c->in.p, c->in.len), c->ch->o.max_depth);
	if (!r.problems.n) {
		conn_refuse(c, why);
	} else {
		log_msg(c->ch->o.log, LOG_COMMAND_SOCKET_READ_FAIL, "%s: %s", c->ch->path, why);
		(void)snprintf(text, sizeof(text), "%s: ", why);
		c->refused = true;
		conn_answer(c, control_problems_answer(&r.arena, &r.problems, text));
	}
	config_problems_fini(&r.problems);
	arena_fini(&r.arena);
}

/* Reads the octets behind the closing brace that have come, so that the verdict does not depend on
 * their pieces. */
static void conn_read_rest(struct control_conn *c)
{
	char chunk[2048];
	ssize_t n;

	while (c->in.len < c->ch->o.max_request &&
	       (n = recv(c->fd, chunk, sizeof(chunk), MSG_DONTWAIT)) > 0)
		buf_add(&c->in, chunk, (size_t)n);
	conn_hold(c);
}

void control_conn_read(struct control_conn *c)
{
	char chunk[8192];
	ssize_t n = recv(c->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
	enum framing_result r;

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			conn_close(c);
		return;
	}
	if (n == 0) {
		if (c->in.len)
			conn_request(c); /* the peer has shut down its side: the octets received are
					    the whole request */
		else
			conn_close(c);
		return;
	}
	if (c->in.len + (size_t)n > c->ch->o.max_request) {
		conn_refuse(c, "request is too long");
		return;
	}
	buf_add(&c->in, chunk, (size_t)n);
	conn_hold(c);
	if (c->ch->held > c->ch->o.max_held || c->in.failed) {
		buf_fini(&c->in);
		conn_refuse(c, "other connections use too much memory: try again");
		return;
	}
	r = framing_feed(&c->framing, span_of(chunk, (size_t)n), c->ch->o.max_depth);
	if (r == FRAMING_TOO_DEEP)
		conn_refuse(c, "request is nested too deeply");
	else if (r == FRAMING_NOT_JSON)
		conn_refuse(c, "invalid JSON: a command is a map");
	else if (r == FRAMING_WHOLE) {
		conn_read_rest(c);
		conn_request(c);
	}
}

static void conn_step(struct control_conn *c, uint32_t events)
{
	char chunk[4096];

	if ((c->answering || c->pending) && events & (EPOLLERR | EPOLLHUP))
		conn_close(c);
	else if (c->pending)
		return;
	else if (c->refused && c->sent == c->out.len) {
		ssize_t n = recv(c->fd, chunk, sizeof(chunk), MSG_DONTWAIT);

		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			conn_close(c);
	} else if (c->answering)
		conn_write(c);
	else
		control_conn_read(c);
}

static void conn_event(void *ctx, uint32_t events)
{
	struct control_conn *c = ctx;
	struct channel *ch = c->ch;

	ch->busy++;
	conn_step(c, events);
	channel_leave(ch);
}

/* Logs the end of a connection whose peer takes nothing of its answer. */
static void log_slow_reader(const struct control_conn *c)
{
	struct control_requester from = control_peer(c->fd);

	log_msg(c->ch->o.log, LOG_COMMAND_SOCKET_WRITE_FAIL,
		"%s: the reader of uid %u, pid %d took nothing of its answer for %lld s",
		c->ch->path, from.uid, (int)from.pid, (long long)(c->ch->o.idle_ns / NS_PER_S));
}

static void conn_idle(void *ctx)
{
	struct control_conn *c = ctx;
	struct channel *ch = c->ch;

	ch->busy++;
	if (c->answering) {
		/* a refused peer has its whole answer, and did not close */
		if (!c->refused || c->sent < c->out.len)
			log_slow_reader(c);
		conn_close(c);
	} else
		conn_late(c, c->trial ? "too many connections"
				      : "timeout: no complete request arrived in time");
	channel_leave(ch);
}

void control_end_oldest_trial(struct channel *ch)
{
	struct control_conn *oldest = NULL;
	unsigned n = 0;

	for (struct control_conn *c = ch->conns; c; c = c->next) {
		if (!c->trial)
			continue;
		oldest = c;
		n++;
	}
	if (ch->n_conns > 2 * ch->o.max_connections &&
	    oldest) /* refused ones that do not read the reason */
		conn_close(oldest);
	else if (n > RESERVE && oldest->answering)
		conn_close(oldest);
	else if (n > RESERVE)
		conn_refuse(oldest, "too many connections");
}

struct control_conn *control_conn_accept(struct channel *ch)
{
	int fd = accept4(ch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct control_conn *c;

	if (fd < 0) {
		if (errno != EAGAIN && errno != ECONNABORTED)
			log_msg(ch->o.log, LOG_COMMAND_SOCKET_ACCEPT_FAIL, "%s: %s", ch->path,
				strerror(errno));
		if (errno == EMFILE || errno == ENFILE)
			(void)usleep(10000); /* the backlog stays readable: do not spin */
		return NULL;
	}
	c = calloc(1, sizeof(*c));
	if (!c || loop_add(ch->loop, fd, EPOLLIN, conn_event, c, &c->source) < 0) {
		free(c);
		(void)close(fd);
		return NULL;
	}
	c->ch = ch;
	c->fd = fd;
	c->next = ch->conns;
	ch->conns = c;
	ch->n_conns++;
	if (loop_timer_new(ch->loop, conn_idle, c, &c->idle) < 0) {
		conn_close(c);
		return NULL;
	}
	loop_timer_set(c->idle, ch->o.idle_ns);
	return c;
}

/* --- The end of a channel ------------------------------------------------------------------------ */

void channel_free(struct channel *c)
{
	for (struct channel **p = c->o.closing; p && *p; p = &(*p)->next_closing) {
		if (*p == c) {
			*p = c->next_closing;
			break;
		}
	}
	while (c->conns)
		conn_close(c->conns);
	free(c->path);
	free(c);
}

void channel_leave(struct channel *c)
{
	if (--c->busy == 0 && c->closed && (!c->o.closing || !c->conns))
		channel_free(c);
}
