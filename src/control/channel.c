/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Unix command channel. Each connection reads until framing says the request is whole (or the
 * client shut its side down), answers, writes as the socket takes it, and closes. A connection that
 * has not sent a whole request within idle_ns is closed (dripping octets does not help). When all
 * places are taken a few more connections get a moment to send their request, so that half-open
 * ones lock nobody out. All connections together hold a bounded number of octets; long answers are
 * made as they are read.
 */
#include "control/channel_impl.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "config/json/json.h"
#include "config/json/problems.h"
#include "runtime/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Time of a connection that comes when all places are taken. */
static const int64_t trial_ns = 250 * NS_PER_MS;

static void channel_accept(void *ctx, uint32_t events)
{
	struct channel *ch = ctx;
	struct control_conn *c;

	(void)events;
	ch->busy++;
	c = control_conn_accept(ch);
	if (c && ch->n_conns > ch->o.max_connections) {
		c->trial = true;
		loop_timer_set(c->idle, trial_ns);
		control_end_oldest_trial(ch);
	}
	if (c)
		control_conn_read(
			c); /* a request that came with the connection is served before others */
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

/* Checks a path. Returns 1 for a socket without a listener, which may be removed; 0: the path is
 * free; -EADDRINUSE: a server listens there; -EEXIST or another -errno. */
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
	/* a server whose backlog is full is running */
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

unsigned channel_connections(const struct channel *c)
{
	return c->n_conns;
}

void channel_close(struct channel *c)
{
	enum { BACKLOG = 128 };

	if (!c)
		return;
	c->busy++;
	/* each client that has connected is served; the loop reads its request */
	for (int i = 0; c->o.closing && i < BACKLOG && control_conn_accept(c); i++)
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
