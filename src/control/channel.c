/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Unix command channel. Each connection reads until framing says the request is whole (or the
 * client shut its side down), answers, writes as the socket takes it, and closes. A connection that
 * has not sent a whole request within idle_ns is closed (dripping octets does not help). When all
 * places are taken a few more connections get a moment to send their request, so that half-open
 * ones lock nobody out. All connections together hold a bounded number of octets; long answers are
 * made as they are read.
 */
#include "control/channel.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "config/json/json.h"
#include "config/problems.h"
#include "control/framing.h"
#include "runtime/loop.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Places and time of connections that come when all places are taken. */
enum { RESERVE = 8 };
static const int64_t trial_ns = 250 * NS_PER_MS;

struct conn {
	struct channel *ch;
	struct conn *next;
	int fd;
	struct loop_source *source;
	struct loop_timer *idle;
	struct framing framing;
	struct buf in, out;
	size_t sent, held;	      /* held: octets counted in the channel's sum */
	struct control_stream stream; /* more of the answer; next NULL: none */
	bool answering;
	bool trial;   /* beyond the places there are: it has a moment to send its request */
	bool refused; /* answered, and read to its end so that the reason arrives */
};

struct channel {
	struct channel_opts o;
	char *path;
	struct loop *loop;
	int fd;
	struct loop_source *source;
	struct conn *conns;
	unsigned n_conns;
	size_t held;   /* octets of all connections' requests and answers */
	unsigned busy; /* callbacks that are running */
	bool closed;   /* freed by the last callback, or with the last connection */
	struct channel *next_closing;
};

static void channel_leave(struct channel *c);

struct json *control_answer(struct arena *a, int result, const char *fmt, ...)
{
	struct json *m = json_map(a);
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)json_add(a, m, "result", json_int(a, result));
	(void)json_add(a, m, "text", json_str(a, text));
	return m;
}

static void conn_close(struct conn *c)
{
	struct conn **p;

	for (p = &c->ch->conns; *p; p = &(*p)->next) {
		if (*p == c) {
			*p = c->next;
			break;
		}
	}
	c->ch->n_conns--;
	c->ch->held -= c->held;
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
static void conn_hold(struct conn *c)
{
	size_t now = c->in.cap + c->out.cap;

	c->ch->held += now - c->held;
	c->held = now;
}

/* The next piece of a streamed answer. False: there is none. */
static bool conn_refill(struct conn *c)
{
	if (!c->stream.next)
		return false;
	buf_reset(&c->out);
	c->sent = 0;
	if (!c->stream.next(c->stream.ctx, &c->out)) {
		c->stream.fini(c->stream.ctx);
		c->stream.next = NULL;
		buf_char(&c->out, '\n');
	}
	conn_hold(c);
	return c->out.len > 0 && !c->out.failed;
}

static void conn_event(void *ctx, uint32_t events);

/* Closing with octets unread resets the connection, and the reason is lost on its way. */
static void conn_drain(struct conn *c)
{
	(void)shutdown(c->fd, SHUT_WR);
	c->refused = true;
	loop_timer_set(c->idle, NS_PER_S);
	(void)loop_modify(c->source, EPOLLIN);
}

static void conn_write(struct conn *c)
{
	while (c->sent < c->out.len || conn_refill(c)) {
		ssize_t n = send(c->fd, c->out.p + c->sent, c->out.len - c->sent,
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

static void conn_answer(struct conn *c, const struct json *answer)
{
	c->answering = true;
	loop_timer_set(c->idle, c->ch->o.idle_ns);
	json_write(answer, false, &c->out);
	buf_char(&c->out, '\n');
	buf_fini(&c->in); /* answered: nobody needs it any more */
	conn_hold(c);
	conn_write(c);
}

static void conn_stream(struct conn *c, const struct control_stream *s)
{
	c->answering = true;
	c->stream = *s;
	loop_timer_set(c->idle, c->ch->o.idle_ns);
	buf_fini(&c->in);
	conn_write(c);
}

static void conn_refuse(struct conn *c, const char *why)
{
	struct arena a;

	arena_init(&a);
	log_msg(c->ch->o.log, LOG_COMMAND_SOCKET_READ_FAIL, "%s: %s", c->ch->path, why);
	c->refused = true;
	conn_answer(c, control_answer(&a, CONTROL_ERROR, "%s", why));
	arena_fini(&a);
}

/* The user id at the other end when it connected. */
static uid_t conn_user(const struct conn *c)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	return getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && len == sizeof(cred)
		       ? cred.uid
		       : (uid_t)-1;
}

static void on_problem(void *problems, const struct config_error *e)
{
	const struct config_problems *p = problems;

	/* an error that follows from the one before it has the same place */
	if (!p->n || p->items[p->n - 1].pos.line != e->pos.line ||
	    p->items[p->n - 1].pos.col != e->pos.col)
		config_problems_add(problems, e);
}

/* Parses the octets received so far. Returns the request, or NULL where the parser stops; appends
 * to *problems. */
static struct json *conn_parse(struct conn *c, struct arena *a, struct config_problems *problems)
{
	struct json_opts jo = {.file = "",
			       .dialect = true,
			       .no_include = true,
			       .comments = true,
			       .max_depth = c->ch->o.max_depth,
			       .problem = on_problem,
			       .ctx = problems};
	struct config_error err = {0};
	struct json *request;

	if (json_parse(span_of(c->in.p, c->in.len), &jo, a, &request, &err) == 0)
		return request;
	on_problem(problems, &err);
	return NULL;
}

/* Returns the answer that lists *problems behind `why`. */
static struct json *list_problems(struct arena *a, const struct config_problems *problems,
				  const char *why)
{
	struct json *answer = json_map(a);
	struct buf b;

	buf_init(&b);
	buf_str(&b, why);
	for (size_t i = 0; i < problems->n; i++) {
		const struct config_error *e = &problems->items[i];

		buf_printf(&b, "%sline %u, column %u: %s", i ? "\n" : "", e->pos.line, e->pos.col,
			   e->text);
	}
	(void)json_add(a, answer, "result", json_int(a, CONTROL_ERROR));
	(void)json_add(a, answer, "text", json_str(a, b.failed ? why : b.p));
	(void)json_add(a, answer, "arguments", config_problems_list(problems, a));
	buf_fini(&b);
	return answer;
}

/* Answers a request whose text has problems; more of it may follow, which is read and ignored. */
static struct json *answer_invalid(struct conn *c, const struct json *request,
				   struct config_problems *problems, struct arena *a)
{
	struct channel *ch = c->ch;
	struct json *answer = NULL;

	c->refused = true;
	config_problems_sort(problems);
	if (request && request->type == JSON_MAP && ch->o.invalid) {
		if (ch->o.from)
			ch->o.from(ch->o.ctx, conn_user(c));
		answer = ch->o.invalid(ch->o.ctx, request, problems, a);
	}
	return answer ? answer : list_problems(a, problems, "invalid JSON at ");
}

/* The request is whole: parse, handle, answer. */
static void conn_request(struct conn *c)
{
	struct config_problems problems = {0};
	struct channel *ch = c->ch;
	struct control_stream stream;
	struct json *request;
	struct json *answer;
	bool streamed = false;
	struct arena a;

	arena_init(&a);
	request = conn_parse(c, &a, &problems);
	if (!request || problems.n)
		answer = answer_invalid(c, request, &problems, &a);
	else if (request->type != JSON_MAP)
		answer = control_answer(&a, CONTROL_ERROR, "a command is a map, this is %s",
					json_type_name(request->type));
	else {
		if (ch->o.from)
			ch->o.from(ch->o.ctx, conn_user(c));
		answer = ch->o.handle(ch->o.ctx, request, &a);
	}
	if (ch->o.take_stream)
		streamed = ch->o.take_stream(ch->o.ctx, &stream);
	if (streamed)
		conn_stream(c, &stream);
	else
		conn_answer(c, answer);
	config_problems_fini(&problems);
	arena_fini(&a);
}

/* Answers a request that was not whole in time, with the problems of the octets that came. */
static void conn_late(struct conn *c, const char *why)
{
	struct config_problems problems = {0};
	struct arena a;
	char text[128];

	arena_init(&a);
	if (c->in.len)
		(void)conn_parse(c, &a, &problems);
	if (!problems.n) {
		conn_refuse(c, why);
	} else {
		log_msg(c->ch->o.log, LOG_COMMAND_SOCKET_READ_FAIL, "%s: %s", c->ch->path, why);
		config_problems_sort(&problems);
		(void)snprintf(text, sizeof(text), "%s: ", why);
		c->refused = true;
		conn_answer(c, list_problems(&a, &problems, text));
	}
	config_problems_fini(&problems);
	arena_fini(&a);
}

/* Reads the octets behind the closing brace that have come, so that the verdict does not depend on
 * their pieces. */
static void conn_read_rest(struct conn *c)
{
	char chunk[2048];
	ssize_t n;

	while (c->in.len < c->ch->o.max_request &&
	       (n = recv(c->fd, chunk, sizeof(chunk), MSG_DONTWAIT)) > 0)
		buf_add(&c->in, chunk, (size_t)n);
	conn_hold(c);
}

static void conn_read(struct conn *c)
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
		conn_refuse(c, "other connections hold too much: try again");
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

static void conn_step(struct conn *c, uint32_t events)
{
	char chunk[4096];

	if (c->answering && events & (EPOLLERR | EPOLLHUP))
		conn_close(c);
	else if (c->refused && c->sent == c->out.len) {
		ssize_t n = recv(c->fd, chunk, sizeof(chunk), MSG_DONTWAIT);

		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			conn_close(c);
	} else if (c->answering)
		conn_write(c);
	else
		conn_read(c);
}

static void conn_event(void *ctx, uint32_t events)
{
	struct conn *c = ctx;
	struct channel *ch = c->ch;

	ch->busy++;
	conn_step(c, events);
	channel_leave(ch);
}

static void conn_idle(void *ctx)
{
	struct conn *c = ctx;
	struct channel *ch = c->ch;

	ch->busy++;
	if (c->answering)
		conn_close(c);
	else
		conn_late(c, c->trial ? "too many connections"
				      : "timeout: no whole request came in time");
	channel_leave(ch);
}

/* The oldest connection on trial makes room for one that may have a request. */
static void end_oldest_trial(struct channel *ch)
{
	struct conn *oldest = NULL;
	unsigned n = 0;

	for (struct conn *c = ch->conns; c; c = c->next) {
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

/* The next connection; NULL: there is none, or it cannot be taken. */
static struct conn *conn_accept(struct channel *ch)
{
	int fd = accept4(ch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct conn *c;

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

static void channel_accept(void *ctx, uint32_t events)
{
	struct channel *ch = ctx;
	struct conn *c;

	(void)events;
	ch->busy++;
	c = conn_accept(ch);
	if (c && ch->n_conns > ch->o.max_connections) {
		c->trial = true;
		loop_timer_set(c->idle, trial_ns);
		end_oldest_trial(ch);
	}
	if (c)
		conn_read(c); /* a request that came with the connection is served before others */
	channel_leave(ch);
}

static int path_address(const char *path, struct sockaddr_un *sa)
{
	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(sa->sun_path))
		return -ENAMETOOLONG;
	(void)snprintf(sa->sun_path, sizeof(sa->sun_path), "%s", path);
	return 0;
}

/* Does a server listen at the path? Then it is not ours to remove. 1: there is a socket that nobody
 * answers on. */
static int path_check(const char *path, const struct sockaddr_un *sa)
{
	struct stat st;
	int fd;
	int r;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0 ? -errno : 0;
	(void)close(fd);
	/* one whose backlog is full is alive */
	return r == 0 || r == -EAGAIN ? -EADDRINUSE : 1;
}

int channel_check(const char *path)
{
	char dir[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	struct sockaddr_un sa;
	char *slash;
	int r = path_address(path, &sa);

	if (r < 0)
		return r;
	r = path_check(path, &sa);
	if (r < 0)
		return r;
	(void)snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (slash)
		slash[slash == dir] = '\0';
	return access(slash ? dir : ".", W_OK | X_OK) < 0 ? -errno : 0;
}

static int channel_listen(struct channel *c)
{
	struct sockaddr_un sa;
	mode_t old;
	int r = path_address(c->path, &sa);

	if (r == 0)
		r = path_check(c->path, &sa);
	if (r == 1 && unlink(c->path) < 0)
		r = -errno;
	if (r < 0)
		return r;
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		return -errno;
	old = umask(0777 & ~c->o.mode); /* never open to more than mode, not even for a moment */
	r = bind(c->fd, (const struct sockaddr *)&sa, sizeof(sa));
	(void)umask(old);
	if (r < 0 || listen(c->fd, 128) < 0)
		return -errno;
	return loop_add(c->loop, c->fd, EPOLLIN, channel_accept, c, &c->source);
}

int channel_open(struct loop *loop, const struct channel_opts *o, struct channel **ret)
{
	struct channel *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->o = *o;
	c->o.max_request = o->max_request ? o->max_request : 32U << 20;
	c->o.max_held = o->max_held ? o->max_held : 96U << 20;
	c->o.max_connections = o->max_connections ? o->max_connections : 64;
	c->o.idle_ns = o->idle_ns ? o->idle_ns : 10 * NS_PER_S;
	c->o.max_depth = o->max_depth ? o->max_depth : 64;
	c->loop = loop;
	c->fd = -1;
	c->path = strdup(o->path);
	r = c->path ? channel_listen(c) : -ENOMEM;
	if (r < 0) {
		if (c->fd >= 0)
			(void)close(c->fd);
		free(c->path);
		free(c);
		return r;
	}
	log_msg(o->log, LOG_COMMAND_SOCKET_OPEN, "command channel %s is open", c->path);
	*ret = c;
	return 0;
}

const char *channel_path(const struct channel *c)
{
	return c->path;
}

static void channel_free(struct channel *c)
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

/* The end of a callback. */
static void channel_leave(struct channel *c)
{
	if (--c->busy == 0 && c->closed && (!c->o.closing || !c->conns))
		channel_free(c);
}

void channel_close(struct channel *c)
{
	enum { BACKLOG = 128 };

	if (!c)
		return;
	c->busy++;
	/* each client that has connected is served; the loop reads its request */
	for (int i = 0; c->o.closing && i < BACKLOG && conn_accept(c); i++)
		continue;
	loop_remove(c->source);
	(void)close(c->fd);
	(void)unlink(c->path);
	c->closed = true;
	if (c->o.closing) {
		c->next_closing = *c->o.closing;
		*c->o.closing = c;
	}
	channel_leave(c);
}

void channel_end_closing(struct channel **closing)
{
	while (*closing)
		channel_free(*closing);
}
