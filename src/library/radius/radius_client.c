/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The thread polls the sockets of all requests. A request has a socket of its own, with a port that
 * the kernel draws, so that a stranger has to guess port, identifier and authenticator. A response
 * whose signature is wrong is ignored, as if it had not come.
 */
#include "library/radius/radius_client.h"
#include "library/radius/radius_sign.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct radius_client {
	struct log *log;
	void (*turn)(void *ctx);
	void *ctx;
	bool silent; /* nothing is sent, as if no server answered */
	pthread_t thread;
	int wake;
	_Atomic unsigned n_pending;
	pthread_mutex_t mu; /* of all below */
	struct radius_request *added, **added_end;
	bool stop;
	/* the thread's */
	struct radius_request *live[RADIUS_PENDING_MAX];
	size_t n_live;
	struct pollfd fds[RADIUS_PENDING_MAX + 1];
	uint8_t next_id;
};

static void wake_client(const struct radius_client *c)
{
	static const uint64_t one = 1;

	while (write(c->wake, &one, sizeof(one)) < 0 && errno == EINTR)
		continue;
}

int radius_client_send(struct radius_client *c, struct radius_request *r)
{
	bool first;

	if (atomic_fetch_add(&c->n_pending, 1) >= RADIUS_PENDING_MAX) {
		(void)atomic_fetch_sub(&c->n_pending, 1);
		return -EAGAIN;
	}
	r->fd = -1;
	r->octets = NULL;
	r->tried = r->postponed = 0;
	(void)pthread_mutex_lock(&c->mu);
	first = !c->added;
	r->next = NULL;
	*c->added_end = r;
	c->added_end = &r->next;
	(void)pthread_mutex_unlock(&c->mu);
	if (first)
		wake_client(c);
	return 0;
}

/* --- One request ------------------------------------------------------------------------------ */

static void finish_request(struct radius_client *c, struct radius_request *r,
			   enum radius_result result, const struct radius_msg *response)
{
	if (r->fd >= 0)
		(void)close(r->fd);
	free(r->octets);
	r->octets = NULL;
	(void)atomic_fetch_sub(&c->n_pending, 1);
	r->done(r->ctx, result, response);
}

/* Selects the next server: those that answered lately, in their order, then the others. Returns
 * false if there are no more. */
static bool select_server(struct radius_request *r, int64_t now)
{
	const struct radius_service *s = r->service;

	for (size_t i = 0; i < s->n_servers; i++) {
		if (r->tried >> i & 1 || r->postponed >> i & 1)
			continue;
		if (atomic_load_explicit(&s->servers[i].dead_until, memory_order_relaxed) > now) {
			r->postponed |= 1ULL << i;
			continue;
		}
		r->server = i;
		r->tried |= 1ULL << i;
		return true;
	}
	if (!r->postponed)
		return false;
	r->server = (size_t)__builtin_ctzll(r->postponed);
	r->postponed &= r->postponed - 1;
	r->tried |= 1ULL << r->server;
	return true;
}

/* Writes the message for the selected server. */
static bool write_request(struct radius_client *c, struct radius_request *r)
{
	const struct radius_service *s = r->service;
	struct span secret = s->servers[r->server].secret;
	struct sockaddr_in own = {0};
	socklen_t len = sizeof(own);
	struct wr w;

	if (!r->octets)
		r->octets = malloc(RADIUS_LEN_MAX);
	if (!r->octets || getsockname(r->fd, (struct sockaddr *)&own, &len) < 0)
		return false;
	w = wr_init(r->octets, RADIUS_LEN_MAX);
	radius_sign_begin(&w, r->code, c->next_id++, s->with_mac);
	if (r->has_password && !radius_add_password(&w, r->password, secret))
		return false;
	radius_add_be32(&w, RADIUS_NAS_IP_ADDRESS, ntohl(own.sin_addr.s_addr));
	wr_span(&w, r->attrs);
	if (!radius_sign_end(&w, secret))
		return false;
	r->len = w.len;
	return true;
}

static int open_socket(const struct radius_service *s, const struct radius_server *server)
{
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr = s->bind_to};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if ((s->bind_to.s_addr == INADDR_ANY ||
	     bind(fd, (const struct sockaddr *)&own, sizeof(own)) == 0) &&
	    connect(fd, (const struct sockaddr *)&server->addr, sizeof(server->addr)) == 0)
		return fd;
	(void)close(fd);
	return -errno;
}

static void send_once(struct radius_request *r, int64_t now)
{
	r->deadline_ns = now + r->service->timeout_ns;
	if (r->fd >= 0)
		(void)!send(r->fd, r->octets, r->len, MSG_NOSIGNAL); /* a loss: it is sent again */
}

/* Begins with the next server that can be asked. Returns false if there is none. */
static bool try_next_server(struct radius_client *c, struct radius_request *r, int64_t now)
{
	while (select_server(r, now)) {
		if (r->fd >= 0)
			(void)close(r->fd);
		r->attempt = 0;
		r->deadline_ns = now + r->service->timeout_ns;
		if (c->silent)
			return true;
		r->fd = open_socket(r->service, &r->service->servers[r->server]);
		if (r->fd < 0 || !write_request(c, r))
			continue;
		send_once(r, now);
		return true;
	}
	return false;
}

/* Called when the answer did not come in time. Returns false if all was tried. */
static bool try_again(struct radius_client *c, struct radius_request *r, int64_t now)
{
	const struct radius_service *s = r->service;

	if (r->attempt++ < s->retries) {
		send_once(r, now);
		return true;
	}
	if (s->deadtime_ns)
		atomic_store_explicit(&s->servers[r->server].dead_until, now + s->deadtime_ns,
				      memory_order_relaxed);
	return try_next_server(c, r, now);
}

static enum radius_result result_of(const struct radius_request *r, const struct radius_msg *m)
{
	switch (m->code) {
	case RADIUS_ACCESS_ACCEPT:
		return r->code == RADIUS_ACCESS_REQUEST ? RADIUS_OK : RADIUS_FAILED;
	case RADIUS_ACCOUNTING_RESPONSE:
		return r->code == RADIUS_ACCOUNTING_REQUEST ? RADIUS_OK : RADIUS_FAILED;
	case RADIUS_ACCESS_REJECT:
		return r->code == RADIUS_ACCESS_REQUEST ? RADIUS_REJECTED : RADIUS_FAILED;
	default:
		return RADIUS_FAILED;
	}
}

/* Reads the datagrams for a request. Returns whether it ended. */
static bool read_response(struct radius_client *c, struct radius_request *r)
{
	const struct radius_service *s = r->service;
	struct radius_server *server = &s->servers[r->server];
	uint8_t in[RADIUS_LEN_MAX];
	struct radius_msg m;
	ssize_t n;

	while ((n = recv(r->fd, in, sizeof(in), 0)) >= 0) {
		if (!radius_read(span_of(in, (size_t)n), &m) ||
		    !radius_verify(&m, span_of(r->octets, r->len), server->secret, s->with_mac)) {
			log_msg(c->log, LOG_RADIUS_EXCHANGE_RECEIVED_BAD_RESPONSE,
				"a response of %s is malformed, or its signature is wrong",
				server->name);
			continue;
		}
		atomic_store_explicit(&server->dead_until, 0, memory_order_relaxed);
		finish_request(c, r, result_of(r, &m), &m);
		return true;
	}
	return false;
}

/* --- The thread ------------------------------------------------------------------------------- */

static void take_added(struct radius_client *c, int64_t now)
{
	struct radius_request *r, *next;
	uint64_t n;

	(void)!read(c->wake, &n, sizeof(n));
	(void)pthread_mutex_lock(&c->mu);
	r = c->added;
	c->added = NULL;
	c->added_end = &c->added;
	(void)pthread_mutex_unlock(&c->mu);
	for (; r; r = next) {
		next = r->next;
		if (try_next_server(c, r, now))
			c->live[c->n_live++] = r;
		else
			finish_request(c, r, RADIUS_FAILED, NULL);
	}
}

/* Handles answers and time-outs, and forgets the requests that ended. */
static void settle_live(struct radius_client *c, const struct pollfd *fds)
{
	int64_t now = clock_mono_ns(&clock_system);
	size_t kept = 0;

	for (size_t i = 0; i < c->n_live; i++) {
		struct radius_request *r = c->live[i];

		if (fds[i].revents && read_response(c, r))
			continue;
		if (now >= r->deadline_ns && !try_again(c, r, now)) {
			finish_request(c, r, RADIUS_TIMEOUT, NULL);
			continue;
		}
		c->live[kept++] = r;
	}
	c->n_live = kept;
}

/* Returns the time until the next deadline in milliseconds; -1: there is none. */
static int wait_ms(const struct radius_client *c)
{
	int64_t now = clock_mono_ns(&clock_system), least = INT64_MAX;

	for (size_t i = 0; i < c->n_live; i++)
		if (c->live[i]->deadline_ns < least)
			least = c->live[i]->deadline_ns;
	if (least == INT64_MAX)
		return -1;
	return least <= now ? 0 : (int)((least - now + NS_PER_MS - 1) / NS_PER_MS);
}

static bool is_stopped(struct radius_client *c)
{
	bool stop;

	(void)pthread_mutex_lock(&c->mu);
	stop = c->stop;
	(void)pthread_mutex_unlock(&c->mu);
	return stop;
}

static void *run_client(void *client)
{
	struct radius_client *c = client;
	struct pollfd *fds = c->fds;
	bool added;

	while (!is_stopped(c)) {
		for (size_t i = 0; i < c->n_live; i++)
			fds[i] = (struct pollfd){.fd = c->live[i]->fd, .events = POLLIN};
		fds[c->n_live] = (struct pollfd){.fd = c->wake, .events = POLLIN};
		if (poll(fds, c->n_live + 1, wait_ms(c)) < 0)
			continue;
		added = fds[c->n_live].revents;
		settle_live(c, fds);
		if (added)
			take_added(c, clock_mono_ns(&clock_system));
		c->turn(c->ctx);
	}
	for (size_t i = 0; i < c->n_live; i++)
		finish_request(c, c->live[i], RADIUS_FAILED, NULL);
	return NULL;
}

int radius_client_new(struct log *log, bool silent, void (*turn)(void *ctx), void *ctx,
		      struct radius_client **ret)
{
	struct radius_client *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->log = log;
	c->silent = silent;
	c->turn = turn;
	c->ctx = ctx;
	c->added_end = &c->added;
	c->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (c->wake < 0) {
		r = -errno;
		free(c);
		return r;
	}
	(void)pthread_mutex_init(&c->mu, NULL);
	r = -pthread_create(&c->thread, NULL, run_client, c);
	if (r == 0) {
		*ret = c;
		return 0;
	}
	(void)close(c->wake);
	(void)pthread_mutex_destroy(&c->mu);
	free(c);
	return r;
}

void radius_client_free(struct radius_client *c)
{
	if (!c)
		return;
	(void)pthread_mutex_lock(&c->mu);
	c->stop = true;
	(void)pthread_mutex_unlock(&c->mu);
	wake_client(c);
	(void)pthread_join(c->thread, NULL);
	for (struct radius_request *r = c->added, *next; r; r = next) {
		next = r->next;
		finish_request(c, r, RADIUS_FAILED, NULL);
	}
	(void)close(c->wake);
	(void)pthread_mutex_destroy(&c->mu);
	free(c);
}
