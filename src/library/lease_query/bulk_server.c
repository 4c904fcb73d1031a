/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The server of bulk queries: listens, bounds the connections, and gives each a turn. It outlives
 * configurations that listen at its address: each puts its values into effect and takes them back.
 */
#include "library/lease_query/bulk_impl.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/ip.h"
#include "base/log.h"
#include "runtime/loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* SEND_BUFFER: octets that the kernel holds for a reader. */
enum { BACKLOG = 32, ACCEPTS = 16, SEND_BUFFER = 128 * 1024 };

/* --- Connections ------------------------------------------------------------------------------ */

static void note_refusal(const struct bulk_server *s, uint32_t addr, const char *reason)
{
	char ip[IP_TEXT_LEN];

	bulk_count(s, HOOK_EVENT_BULK_REFUSED);
	if (log_wants(s->o.log, LOG_BULK_LEASE_QUERY_REJECTED_CONNECTION))
		log_msg(s->o.log, LOG_BULK_LEASE_QUERY_REJECTED_CONNECTION, "connection of %s: %s",
			ip_text(addr, ip), reason);
}

/* Accepts a connection, or closes it at once. */
static void admit_conn(struct bulk_server *s, int fd, uint32_t addr)
{
	const struct bulk_use *u = s->uses;
	const char *reason = NULL;
	const int on = 1;

	if (!u)
		reason = "no configuration is in effect";
	else if (!lease_query_may_ask(u->requesters, addr))
		reason = "its address is not among the requesters";
	else if (s->n_conns >= u->params.max_connections)
		reason = "there are max-requester-connections";
	if (reason) {
		note_refusal(s, addr, reason);
		(void)close(fd);
		return;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (bulk_conn_new(s, fd, addr) < 0)
		note_refusal(s, addr, "out of memory or descriptors");
	else
		bulk_count(s, HOOK_EVENT_BULK_ACCEPTED);
}

static void accept_ready(void *server, uint32_t events)
{
	struct bulk_server *s = server;

	(void)events;
	(void)pthread_mutex_lock(&s->mu);
	for (unsigned i = 0; i < ACCEPTS; i++) {
		struct sockaddr_in from = {0};
		socklen_t n = sizeof(from);
		int fd = accept4(s->fd, (struct sockaddr *)(void *)&from, &n,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			admit_conn(s, fd, ntohl(from.sin_addr.s_addr));
			continue;
		}
		/* out of descriptors: again with the next sweep */
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			(void)loop_modify(s->listen_source, 0);
		break;
	}
	(void)pthread_mutex_unlock(&s->mu);
}

void bulk_server_settle(struct bulk_server *s)
{
	bool work = false;

	for (struct bulk_conn **p = &s->conns; *p;) {
		struct bulk_conn *c = *p;

		if (!c->ended) {
			work |= bulk_conn_has_work(c);
			p = &c->next;
			continue;
		}
		*p = c->next;
		s->n_conns--;
		bulk_conn_free(c);
	}
	loop_timer_set(s->work, work && s->uses ? 0 : -1);
}

/* Puts a connection behind the others. */
static void move_last(struct bulk_conn **at)
{
	struct bulk_conn *c = *at;

	*at = c->next;
	while (*at)
		at = &(*at)->next;
	*at = c;
	c->next = NULL;
}

/* Called when queries wait for work: one connection has a step, so that the lock is held for a
 * short time. */
static void work_due(void *server)
{
	struct bulk_server *s = server;
	struct bulk_conn **p = &s->conns;

	(void)pthread_mutex_lock(&s->mu);
	while (*p && !bulk_conn_has_work(*p))
		p = &(*p)->next;
	if (s->uses && *p) {
		bulk_conn_work(*p, s->uses);
		move_last(p);
	}
	bulk_server_settle(s);
	(void)pthread_mutex_unlock(&s->mu);
}

/* Called each second: ends connections that are over. */
static void sweep_due(void *server)
{
	struct bulk_server *s = server;
	int64_t now = clock_mono_ns(&clock_system);

	(void)pthread_mutex_lock(&s->mu);
	for (struct bulk_conn *c = s->uses ? s->conns : NULL; c; c = c->next)
		c->ended |= bulk_conn_is_over(c, s->uses, now);
	bulk_server_settle(s);
	(void)loop_modify(s->listen_source, EPOLLIN);
	loop_timer_set(s->sweep, NS_PER_S);
	(void)pthread_mutex_unlock(&s->mu);
}

/* --- Thread ----------------------------------------------------------------------------------- */

static void wake_due(void *server, uint32_t events)
{
	struct bulk_server *s = server;
	uint64_t n;

	(void)events;
	(void)!read(s->wake, &n, sizeof(n));
	(void)pthread_mutex_lock(&s->mu);
	if (s->stop)
		loop_stop(s->loop);
	(void)pthread_mutex_unlock(&s->mu);
}

static void *run_server(void *server)
{
	struct bulk_server *s = server;
	int r = loop_run(s->loop);

	if (r < 0)
		log_msg(s->o.log, LOG_MT_TCP_LISTENER_MGR_STOPPED, "the thread ended: %s",
			usher_strerror(r));
	return NULL;
}

/* Returns a socket that listens, or -errno. */
static int listen_at(uint32_t ip, uint16_t port)
{
	const int on = 1, send_buffer = SEND_BUFFER;
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(ip)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* accepted sockets inherit it */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof(send_buffer));
	if (bind(fd, (const struct sockaddr *)(const void *)&at, sizeof(at)) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	r = -errno;
	(void)close(fd);
	return r;
}

static int open_server(struct bulk_server *s)
{
	int r = loop_new(&s->loop);

	s->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	s->fd = listen_at(s->o.ip, s->o.port);
	if (r == 0 && s->wake < 0)
		r = -errno;
	if (r == 0 && s->fd < 0)
		r = s->fd;
	if (r == 0)
		r = loop_add(s->loop, s->wake, EPOLLIN, wake_due, s, &s->wake_source);
	if (r == 0)
		r = loop_add(s->loop, s->fd, EPOLLIN, accept_ready, s, &s->listen_source);
	if (r == 0)
		r = loop_timer_new(s->loop, work_due, s, &s->work);
	if (r == 0)
		r = loop_timer_new(s->loop, sweep_due, s, &s->sweep);
	if (r < 0)
		return r;
	loop_timer_set(s->sweep, NS_PER_S);
	r = -pthread_create(&s->thread, NULL, run_server, s);
	s->threaded = r == 0;
	return r;
}

/* Ends the thread, if it runs, and frees everything. */
static void close_server(struct bulk_server *s)
{
	uint64_t one = 1;

	if (s->threaded) {
		(void)pthread_mutex_lock(&s->mu);
		s->stop = true;
		(void)pthread_mutex_unlock(&s->mu);
		(void)!write(s->wake, &one, sizeof(one));
		(void)pthread_join(s->thread, NULL);
		log_msg(s->o.log, LOG_MT_TCP_LISTENER_MGR_STOPPED, "MtTcpListenerMgr stopped.");
	}
	for (struct bulk_conn *next; s->conns; s->conns = next) {
		next = s->conns->next;
		bulk_conn_free(s->conns);
	}
	loop_remove(s->listen_source);
	loop_remove(s->wake_source);
	if (s->work)
		loop_timer_free(s->work);
	if (s->sweep)
		loop_timer_free(s->sweep);
	if (s->loop)
		loop_free(s->loop);
	if (s->fd >= 0)
		(void)close(s->fd);
	if (s->wake >= 0)
		(void)close(s->wake);
	arena_fini(&s->arena);
	(void)pthread_mutex_destroy(&s->mu);
	free(s);
}

int bulk_server_open(const struct bulk_server_opts *o, struct bulk_server **ret)
{
	struct bulk_server *s = calloc(1, sizeof(*s));
	char ip[IP_TEXT_LEN];
	int r;

	if (!s)
		return -ENOMEM;
	s->o = *o;
	s->refs = 1;
	arena_init(&s->arena);
	(void)pthread_mutex_init(&s->mu, NULL);
	r = open_server(s);
	if (r < 0) {
		close_server(s);
		return r;
	}
	log_msg(o->log, LOG_MT_TCP_LISTENER_MGR_STARTED,
		"MtTcpListenerMgr started with 1 threads, listening on address: %s port: %u, no "
		"TLS.",
		ip_text(o->ip, ip), o->port);
	*ret = s;
	return 0;
}

/* --- Configurations --------------------------------------------------------------------------- */

struct bulk_server *bulk_server_ref(struct bulk_server *s)
{
	if (s) {
		(void)pthread_mutex_lock(&s->mu);
		s->refs++;
		(void)pthread_mutex_unlock(&s->mu);
	}
	return s;
}

void bulk_server_unref(struct bulk_server *s)
{
	bool last;

	if (!s)
		return;
	(void)pthread_mutex_lock(&s->mu);
	last = --s->refs == 0;
	(void)pthread_mutex_unlock(&s->mu);
	if (last)
		close_server(s);
}

bool bulk_server_is_at(const struct bulk_server *s, uint32_t ip, uint16_t port)
{
	return s && s->o.ip == ip && s->o.port == port;
}

void bulk_server_use(struct bulk_server *s, struct bulk_use *u)
{
	u->server = bulk_server_ref(s);
	(void)pthread_mutex_lock(&s->mu);
	u->next = s->uses;
	s->uses = u;
	(void)pthread_mutex_unlock(&s->mu);
}

void bulk_server_leave(struct bulk_use *u)
{
	struct bulk_server *s = u->server;

	(void)pthread_mutex_lock(&s->mu);
	for (struct bulk_use **p = &s->uses; *p; p = &(*p)->next)
		if (*p == u) {
			*p = u->next;
			break;
		}
	(void)pthread_mutex_unlock(&s->mu);
	bulk_server_unref(s);
}
