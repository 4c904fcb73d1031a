/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One server of libmicrohttpd in the event loop: its epoll descriptor is watched, and its time-outs
 * are a timer.
 */
#include "base/clock.h"
#include "http/request_impl.h"
#include "runtime/loop.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <sys/epoll.h>

/* MEMORY: of a connection, for the head of a request and for its answer. */
enum { MEMORY = 48 * 1024, TURNS_MAX = 8, SPARE = 64 };

static const char priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";

/* Makes the handshake fail without a valid certificate of the client: libmicrohttpd only asks for
 * one. */
static void require_certificate(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo
		*info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);

	if (!info || !info->tls_session)
		return;
	gnutls_certificate_server_set_request(info->tls_session, GNUTLS_CERT_REQUIRE);
	gnutls_session_set_verify_cert(info->tls_session, NULL, 0);
}

static void begin_conn(struct http_server *s, struct MHD_Connection *mhd, void **context)
{
	const union MHD_ConnectionInfo
		*info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);

	for (struct http_conn *c = s->l->conns; c && info; c = c->next) {
		if (c->server != s || c->fd != info->connect_fd || c->mhd)
			continue;
		c->mhd = mhd;
		*context = c;
		if (s->l->config->trust)
			require_certificate(mhd);
		return;
	}
}

static void forget_conn(struct http_conn *c)
{
	struct http_conn **p = &c->l->conns;

	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	c->server->n_conns--;
	if (!c->ended)
		c->l->n_conns--;
	free(c);
}

static void on_connection(void *server, struct MHD_Connection *mhd, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		begin_conn(server, mhd, context);
	else if (*context)
		forget_conn(*context);
}

void http_conn_end(struct http_conn *c)
{
	if (c->ended)
		return;
	c->ended = true;
	c->l->n_conns--;
	if (c->mhd)
		(void)shutdown(c->fd, SHUT_RDWR);
}

void http_server_run(struct http_server *s)
{
	MHD_UNSIGNED_LONG_LONG ms = 0;
	int turns = 0;

	s->again = s->running;
	if (s->running)
		return;
	s->running = true;
	do {
		s->again = false;
		(void)MHD_run(s->d);
	} while (s->again && ++turns < TURNS_MAX);
	s->running = false;
	if (s->again)
		loop_timer_set(s->timer, 0);
	else if (MHD_get_timeout(s->d, &ms) == MHD_YES)
		loop_timer_set(s->timer, (int64_t)ms * NS_PER_MS);
	else
		loop_timer_set(s->timer, -1);
}

static void on_due(void *server)
{
	struct http_server *s = server;
	struct http_listener *l = s->l;

	http_server_run(s);
	http_reap(l);
}

static void on_ready(void *server, uint32_t events)
{
	(void)events;
	on_due(server);
}

static struct MHD_Daemon *start_daemon(struct http_server *s)
{
	struct http_listener *l = s->l;
	const struct http_config *c = l->config;
	unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME;
	struct MHD_OptionItem options[] = {
		{MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)http_on_completed, l},
		{MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, s},
		{MHD_OPTION_CONNECTION_LIMIT, 2 * (intptr_t)l->o.max_connections + SPARE, NULL},
		{MHD_OPTION_CONNECTION_MEMORY_LIMIT, MEMORY, NULL},
		{MHD_OPTION_CONNECTION_TIMEOUT, 0, NULL},
		{MHD_OPTION_END, 0, NULL},
		{MHD_OPTION_END, 0, NULL},
		{MHD_OPTION_END, 0, NULL},
		{MHD_OPTION_END, 0, NULL},
		{MHD_OPTION_END, 0, NULL},
	};
	size_t n = 5;

	if (c->cert) {
		flags |= MHD_USE_TLS;
		options[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0,
						       (void *)(uintptr_t)c->cert};
		options[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0,
						       (void *)(uintptr_t)c->key};
		options[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0,
						       (void *)(uintptr_t)priorities};
	}
	if (c->cert && c->trust)
		options[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_TRUST, 0,
						       (void *)(uintptr_t)c->trust};
	return MHD_start_daemon(flags, 0, NULL, NULL, http_on_request, l, MHD_OPTION_ARRAY, options,
				MHD_OPTION_END);
}

int http_server_new(struct http_listener *l, struct http_server **ret)
{
	struct http_server *s = calloc(1, sizeof(*s));
	const union MHD_DaemonInfo *info;
	int r = -ENOMEM;

	if (!s)
		return -ENOMEM;
	s->l = l;
	s->d = start_daemon(s);
	info = s->d ? MHD_get_daemon_info(s->d, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (info)
		r = loop_timer_new(l->loop, on_due, s, &s->timer);
	if (info && r == 0)
		r = loop_add(l->loop, info->epoll_fd, EPOLLIN, on_ready, s, &s->source);
	if (r < 0) {
		http_server_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void http_server_free(struct http_server *s)
{
	loop_remove(s->source);
	if (s->timer)
		loop_timer_free(s->timer);
	if (s->d)
		MHD_stop_daemon(s->d);
	free(s);
}
