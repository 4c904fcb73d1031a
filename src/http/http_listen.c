/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Listeners: accepting connections, the places for them, their time-outs, and the exchange of what
 * a reload changes.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "http/auth.h"
#include "http/request_impl.h"
#include "runtime/loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* SEND_BUFFER: octets that the kernel holds for a reader. Without a bound it would take several
 * megabytes for a reader that takes nothing, and the work to fill them is done in one piece. */
enum { BACKLOG = 128, ACCEPTS = 16, SEND_BUFFER = 128 * 1024 };

#define SWEEP_NS   NS_PER_S
#define REQUEST_NS (10 * NS_PER_S)
#define IDLE_NS	   (30 * NS_PER_S)

/* --- Addresses -------------------------------------------------------------------------------- */

struct endpoint {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
	socklen_t n;
};

static int parse_endpoint(const char *address, uint16_t port, struct endpoint *ret)
{
	*ret = (struct endpoint){0};
	if (inet_pton(AF_INET, address, &ret->v4.sin_addr) == 1) {
		ret->v4.sin_family = AF_INET;
		ret->v4.sin_port = htons(port);
		ret->n = sizeof(ret->v4);
		return 0;
	}
	if (inet_pton(AF_INET6, address, &ret->v6.sin6_addr) == 1) {
		ret->v6.sin6_family = AF_INET6;
		ret->v6.sin6_port = htons(port);
		ret->n = sizeof(ret->v6);
		return 0;
	}
	return -EINVAL;
}

bool http_is_address(const char *address)
{
	struct endpoint e;

	return parse_endpoint(address, 0, &e) == 0;
}

static void write_address(const struct endpoint *e, char text[HTTP_ADDRESS_LEN])
{
	const void *from = e->any.sa_family == AF_INET ? (const void *)&e->v4.sin_addr
						       : (const void *)&e->v6.sin6_addr;

	if (!inet_ntop(e->any.sa_family, from, text, HTTP_ADDRESS_LEN))
		text[0] = '\0';
}

/* Returns a bound socket, or -errno. */
static int bind_socket(const char *address, uint16_t port)
{
	const int on = 1, send_buffer = SEND_BUFFER;
	struct endpoint e;
	int r = parse_endpoint(address, port, &e);
	int fd;

	if (r < 0)
		return r;
	fd = socket(e.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* accepted sockets inherit it */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof(send_buffer));
	if (e.any.sa_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, &e.any, e.n) < 0) {
		r = -errno;
		(void)close(fd);
		return r;
	}
	return fd;
}

int http_check(const char *address, uint16_t port)
{
	int fd = bind_socket(address, port), r = 0;

	if (fd < 0)
		return fd;
	/* a socket that listens shows itself here, and not when another one is bound */
	if (listen(fd, 1) < 0)
		r = -errno;
	(void)close(fd);
	return r;
}

/* --- Connections ------------------------------------------------------------------------------ */

/* Returns the connection whose place a new one takes: the oldest that waits for a request, first of
 * those that never had one. address: only of this one; NULL: of any. */
static struct http_conn *find_idle(const struct http_listener *l, const char *address)
{
	struct http_conn *found = NULL;

	for (struct http_conn *c = l->conns; c; c = c->next) {
		if (c->ended || c->phase == HTTP_BUSY || !c->mhd ||
		    (address && strcmp(c->address, address) != 0))
			continue;
		if (!found || (found->served && !c->served) ||
		    (found->served == c->served && c->since_ns < found->since_ns))
			found = c;
	}
	return found;
}

static unsigned count_conns(const struct http_listener *l, const char *address)
{
	unsigned n = 0;

	for (const struct http_conn *c = l->conns; c; c = c->next)
		n += !c->ended && strcmp(c->address, address) == 0;
	return n;
}

/* Makes a place for a connection from this address. False: all are busy. */
static bool make_place(struct http_listener *l, const char *address)
{
	const char *of = count_conns(l, address) >= l->o.max_per_address ? address : NULL;
	struct http_conn *idle;

	if (!of && l->n_conns < l->o.max_connections)
		return true;
	idle = find_idle(l, of);
	if (!idle)
		return false;
	http_drop(l, HTTP_DROP_PLACE, idle->address);
	http_conn_end(idle);
	return true;
}

/* Sends an answer outside of libmicrohttpd, as far as that is possible without waiting. Nothing
 * over TLS. */
static void send_refusal(const struct http_listener *l, int fd, unsigned status, const char *reason)
{
	char body[128], text[384];
	int n = snprintf(body, sizeof(body), "{ \"result\": %u, \"text\": \"%s\" }\n", status,
			 reason);

	if (l->config->cert)
		return;
	n = snprintf(text, sizeof(text),
		     "HTTP/1.1 %u %s\r\nConnection: close\r\nContent-Type: application/json\r\n"
		     "Content-Length: %d\r\n\r\n%s",
		     status, reason, n, body);
	(void)send(fd, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void refuse_conn(struct http_listener *l, int fd, const char *address)
{
	http_drop(l, HTTP_DROP_BUSY, address);
	send_refusal(l, fd, MHD_HTTP_SERVICE_UNAVAILABLE,
		     "Service Unavailable: too many connections");
	(void)close(fd);
}

/* Hands a connection, which has its place, to libmicrohttpd. */
static void add_conn(struct http_listener *l, int fd, const struct endpoint *from,
		     const char *address)
{
	struct http_server *s = l->servers;
	struct http_conn *c = calloc(1, sizeof(*c));

	if (!c) {
		http_drop(l, HTTP_DROP_SETUP, address);
		(void)close(fd);
		return;
	}
	*c = (struct http_conn){.l = l,
				.server = s,
				.next = l->conns,
				.fd = fd,
				.since_ns = clock_mono_ns(&clock_system)};
	(void)snprintf(c->address, sizeof(c->address), "%s", address);
	l->conns = c;
	l->n_conns++;
	s->n_conns++;
	if (MHD_add_connection(s->d, fd, &from->any, from->n) == MHD_YES)
		return;
	/* it has closed the descriptor */
	http_drop(l, HTTP_DROP_SETUP, address);
	l->conns = c->next;
	l->n_conns--;
	s->n_conns--;
	free(c);
}

static void on_accept(void *listener, uint32_t events)
{
	struct http_listener *l = listener;
	char address[HTTP_ADDRESS_LEN];
	struct endpoint from;
	int fd;

	(void)events;
	for (int i = 0; i < ACCEPTS; i++) {
		from.n = sizeof(from) - sizeof(from.n);
		fd = accept4(l->fd, &from.any, &from.n, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0)
			break;
		l->counts.accepted++;
		write_address(&from, address);
		if (make_place(l, address))
			add_conn(l, fd, &from, address);
		else
			refuse_conn(l, fd, address);
	}
	if (fd < 0 && (errno == EMFILE || errno == ENFILE))
		(void)usleep(10000); /* the backlog stays readable: do not spin */
	loop_timer_set(l->sweep, SWEEP_NS);
	http_server_run(l->servers);
}

/* Ends a connection whose request is late. */
static void end_late(struct http_conn *c)
{
	if (c->phase == HTTP_BODY || !c->served) {
		http_drop(c->l, HTTP_DROP_LATE, c->address);
		if (c->mhd)
			send_refusal(c->l, c->fd, MHD_HTTP_REQUEST_TIMEOUT, "Request Timeout");
	}
	http_conn_end(c);
}

static void on_sweep(void *listener)
{
	struct http_listener *l = listener;
	int64_t now_ns = clock_mono_ns(&clock_system);

	for (struct http_conn *c = l->conns; c; c = c->next) {
		int64_t limit = c->phase == HTTP_WAIT && c->served ? IDLE_NS : REQUEST_NS;

		if (!c->ended && c->phase != HTTP_BUSY && now_ns - c->since_ns > limit)
			end_late(c);
	}
	if (l->conns)
		loop_timer_set(l->sweep, SWEEP_NS);
	for (struct http_server *s = l->servers; s; s = s->next)
		http_server_run(s);
	http_reap(l);
}

/* --- Life ------------------------------------------------------------------------------------- */

static void release_listener(struct http_listener *l)
{
	while (l->servers) {
		struct http_server *s = l->servers;

		l->servers = s->next;
		http_server_free(s);
	}
	loop_remove(l->source);
	if (l->fd >= 0)
		(void)close(l->fd);
	if (l->sweep)
		loop_timer_free(l->sweep);
	http_auth_free(l->auth);
	http_config_drop(l->config);
	free(l);
}

void http_reap(struct http_listener *l)
{
	struct http_server **p = &l->servers;

	while (*p) {
		struct http_server *s = *p;

		if (s->n_conns || s->running || (s == l->servers && !l->closing)) {
			p = &s->next;
			continue;
		}
		*p = s->next;
		http_server_free(s);
	}
	if (l->closing && !l->servers)
		release_listener(l);
}

static int start_listening(struct http_listener *l)
{
	struct endpoint e;
	socklen_t n = sizeof(e) - sizeof(e.n);

	l->fd = bind_socket(l->address, l->port);
	if (l->fd < 0)
		return l->fd;
	if (listen(l->fd, BACKLOG) < 0)
		return -errno;
	if (!l->port && getsockname(l->fd, &e.any, &n) == 0)
		l->port = ntohs(e.any.sa_family == AF_INET ? e.v4.sin_port : e.v6.sin6_port);
	return loop_add(l->loop, l->fd, EPOLLIN, on_accept, l, &l->source);
}

int http_open(struct loop *loop, const struct http_opts *o, struct http_listener **ret)
{
	struct http_listener *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->o = *o;
	l->o.max_connections = o->max_connections ? o->max_connections : 64;
	l->o.max_per_address = o->max_per_address ? o->max_per_address : 16;
	l->o.max_request = o->max_request ? o->max_request : 32U << 20;
	l->o.max_held = o->max_held ? o->max_held : 96U << 20;
	l->loop = loop;
	l->fd = -1;
	l->port = o->port;
	(void)snprintf(l->address, sizeof(l->address), "%s", o->address);
	r = http_config_new(o, &l->config);
	if (r == 0)
		r = http_auth_new(&l->auth);
	if (r == 0)
		r = loop_timer_new(loop, on_sweep, l, &l->sweep);
	if (r == 0)
		r = http_server_new(l, &l->servers);
	if (r == 0)
		r = start_listening(l);
	if (r < 0) {
		release_listener(l);
		return r;
	}
	log_msg(o->log, LOG_HTTP_COMMAND_MGR_SERVICE_STARTED, "%s service is open on %s port %u",
		o->cert ? "HTTPS" : "HTTP", l->address, l->port);
	*ret = l;
	return 0;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

int http_update(struct http_listener *l, const struct http_opts *o)
{
	struct http_config *fresh, *old = l->config;
	struct http_server *s;
	int r = http_config_new(o, &fresh);

	if (r < 0)
		return r;
	l->config = fresh;
	if (!same_text(old->cert, fresh->cert) || !same_text(old->key, fresh->key) ||
	    !same_text(old->trust, fresh->trust)) {
		r = http_server_new(l, &s);
		if (r < 0) {
			l->config = old;
			http_config_drop(fresh);
			return r;
		}
		s->next = l->servers;
		l->servers = s;
		loop_timer_set(l->sweep, 0); /* the old one may have no connection */
	}
	http_config_drop(old);
	return 0;
}

bool http_is(const struct http_listener *l, const char *address, uint16_t port)
{
	return (l->port == port || l->o.port == port) && strcmp(l->address, address) == 0;
}

const char *http_address(const struct http_listener *l)
{
	return l->address;
}

uint16_t http_port(const struct http_listener *l)
{
	return l->o.port;
}

uint16_t http_open_port(const struct http_listener *l)
{
	return l->port;
}

bool http_has_tls(const struct http_listener *l)
{
	return l->config->cert != NULL;
}

void http_close(struct http_listener *l)
{
	log_msg(l->o.log, LOG_HTTP_COMMAND_MGR_SERVICE_STOPPING, "%s service on %s port %u ends",
		l->config->cert ? "HTTPS" : "HTTP", l->address, l->port);
	l->closing = true;
	loop_remove(l->source);
	l->source = NULL;
	(void)close(l->fd);
	l->fd = -1;
	for (struct http_conn *c = l->conns; c; c = c->next)
		if (c->phase == HTTP_WAIT)
			http_conn_end(c);
	loop_timer_set(l->sweep, 0);
}

void http_free(struct http_listener *l)
{
	if (!l)
		return;
	/* libmicrohttpd cannot stop with a suspended connection */
	for (struct http_conn *c = l->conns; c; c = c->next)
		if (c->request && c->request->suspended)
			http_refuse(c->request, MHD_HTTP_SERVICE_UNAVAILABLE, "the service ends");
	release_listener(l);
}
