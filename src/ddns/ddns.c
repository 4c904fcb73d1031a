/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The thread that sends requests. Queue and configuration are shared with other threads, under a
 * lock that is held for some microseconds; the socket is the thread's. While kea-dhcp-ddns is away
 * requests wait, and are merged; it is tried again each second.
 */
#include "ddns/ddns.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/ip.h"
#include "base/log.h"
#include "ddns/ddns_d2.h"
#include "ddns/ddns_queue.h"
#include "runtime/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* TURN: requests of one round of the loop. */
enum { TURN = 64, ADDRESS_MAX = 64 };
static const int64_t retry_ns = NS_PER_S, full_ns = 2 * NS_PER_MS, quiet_ns = 60 * NS_PER_S;

struct ddns {
	struct ddns_opts o;
	bool threaded;
	pthread_t thread;
	/* the thread's */
	struct loop *loop;
	struct loop_source *wake_source;
	struct loop_timer *timer;
	int fd; /* -1: not open */
	uint64_t generation;
	struct config_ddns own; /* its texts are the two behind it */
	char own_server_ip[ADDRESS_MAX], own_sender_ip[ADDRESS_MAX];
	struct buf text;
	int64_t said_away;
	int wake;

	pthread_mutex_t mu; /* of all below */
	struct config_ddns cfg;
	char server_ip[ADDRESS_MAX], sender_ip[ADDRESS_MAX];
	uint64_t cfg_generation;
	struct ddns_queue queue;
	struct ddns_stats st;
	uint64_t lost_said;
	int64_t said_lost;
	bool stop, asleep;
};

static void wake_thread(struct ddns *d)
{
	uint64_t one = 1;

	(void)!write(d->wake, &one, sizeof(one));
}

/* --- Any thread ------------------------------------------------------------------------------- */

/* Returns how many lost requests are to be logged now; 0: none. */
static uint64_t lost_to_say(struct ddns *d)
{
	int64_t now = clock_mono_ns(&clock_system);
	uint64_t n = d->st.lost - d->lost_said;

	if (!n || (d->said_lost && now - d->said_lost < quiet_ns))
		return 0;
	d->said_lost = now;
	d->lost_said = d->st.lost;
	return n;
}

void ddns_submit(struct ddns *d, const struct ddns_request *r)
{
	enum ddns_put put = DDNS_PUT_ADDED;
	uint64_t lost = 0;
	bool wake = false;
	uint32_t max = 0;

	if (!d)
		return;
	if (d->o.sink) {
		d->o.sink(d->o.ctx, r);
		return;
	}
	(void)pthread_mutex_lock(&d->mu);
	if (d->cfg.enabled) {
		max = d->queue.max;
		put = ddns_queue_put(&d->queue, r, d->st.away);
		d->st.queued++;
		d->st.merged += put == DDNS_PUT_MERGED;
		d->st.lost += put == DDNS_PUT_LOST;
		lost = lost_to_say(d);
		wake = d->asleep;
		d->asleep = false;
	}
	(void)pthread_mutex_unlock(&d->mu);
	if (wake)
		wake_thread(d);
	if (lost)
		log_msg(d->o.log, LOG_DHCPSRV_DHCP_DDNS_NCR_REJECTED,
			"the queue of %u requests is full: %llu were dropped, the last one for %s",
			max, (unsigned long long)lost, r->fqdn);
}

void ddns_stats(struct ddns *d, struct ddns_stats *ret)
{
	*ret = (struct ddns_stats){0};
	if (!d)
		return;
	(void)pthread_mutex_lock(&d->mu);
	*ret = d->st;
	ret->waiting = d->queue.n;
	ret->room = d->queue.max;
	ret->enabled = d->cfg.enabled;
	(void)pthread_mutex_unlock(&d->mu);
}

/* --- The thread ------------------------------------------------------------------------------- */

/* Opens the socket of a new configuration. */
static int take_config(struct ddns *d)
{
	bool changed;

	(void)pthread_mutex_lock(&d->mu);
	changed = d->generation != d->cfg_generation;
	d->generation = d->cfg_generation;
	d->own = d->cfg;
	memcpy(d->own_server_ip, d->server_ip, ADDRESS_MAX);
	memcpy(d->own_sender_ip, d->sender_ip, ADDRESS_MAX);
	(void)pthread_mutex_unlock(&d->mu);
	d->own.server_ip = d->own_server_ip;
	d->own.sender_ip = d->own_sender_ip;
	if (changed && d->fd >= 0) {
		(void)close(d->fd);
		d->fd = -1;
	}
	if (d->fd < 0)
		d->fd = ddns_d2_open(&d->own);
	return d->fd < 0 ? d->fd : 0;
}

/* Notes whether requests can be sent; says at most once a minute that they cannot. */
static void note_away(struct ddns *d, int r)
{
	int64_t now = clock_mono_ns(&clock_system);
	uint32_t waiting;
	bool was;

	(void)pthread_mutex_lock(&d->mu);
	was = d->st.away;
	d->st.away = r < 0;
	d->st.failed += r < 0;
	waiting = d->queue.n;
	(void)pthread_mutex_unlock(&d->mu);
	if (r < 0 && (!d->said_away || now - d->said_away >= quiet_ns)) {
		d->said_away = now;
		log_msg(d->o.log, LOG_DHCP4_DDNS_REQUEST_SEND_FAILED,
			"failed sending a request to kea-dhcp-ddns at %s port %u: %s; %u requests "
			"wait, and are tried again each second",
			d->own.server_ip, d->own.server_port, usher_strerror(r), waiting);
	} else if (r == 0 && was) {
		log_msg(d->o.log, LOG_DHCPSRV_DHCP_DDNS_SENDER_STARTED,
			"requests are sent to kea-dhcp-ddns at %s port %u again", d->own.server_ip,
			d->own.server_port);
		d->said_away = 0;
	}
}

/* Takes the next request out of the queue for a moment; it is put back by the result. */
static struct ddns_entry *take_next(struct ddns *d)
{
	struct ddns_entry *e;

	(void)pthread_mutex_lock(&d->mu);
	e = ddns_queue_next(&d->queue);
	if (e)
		e->out = true;
	d->asleep = !e;
	(void)pthread_mutex_unlock(&d->mu);
	return e;
}

static void return_entry(struct ddns *d, struct ddns_entry *e, bool done, bool sent)
{
	(void)pthread_mutex_lock(&d->mu);
	e->out = false;
	if (done)
		ddns_queue_remove(&d->queue, e);
	d->st.sent += sent;
	d->st.lost += done && !sent;
	(void)pthread_mutex_unlock(&d->mu);
}

/* Sends one request. Returns 0; the error after which the sender waits. */
static int send_one(struct ddns *d, struct ddns_entry *e)
{
	int r = ddns_d2_send(d->fd, &e->r, &d->text);
	bool malformed = r == -EMSGSIZE;

	if (r == 0 && log_wants(d->o.log, LOG_DHCPSRV_DHCP_DDNS_NCR_SENT))
		log_msg(d->o.log, LOG_DHCPSRV_DHCP_DDNS_NCR_SENT,
			"NameChangeRequest sent to kea-dhcp-ddns: %.*s", (int)d->text.len - 2,
			d->text.p + 2);
	if (malformed)
		log_msg(d->o.log, LOG_DHCPSRV_DHCP_DDNS_NCR_REJECTED,
			"the request for %s is too long", e->r.fqdn);
	return_entry(d, e, r == 0 || malformed, r == 0);
	return malformed ? 0 : r;
}

/* Sends requests that wait, a bounded number a round. */
static void send_requests(struct ddns *d)
{
	int r = take_config(d);
	struct ddns_entry *e = NULL;
	unsigned n = 0;

	while (r == 0 && n < TURN && (e = take_next(d)) != NULL) {
		r = send_one(d, e);
		n++;
	}
	if (r == -EAGAIN) {
		loop_timer_set(d->timer, full_ns);
		return;
	}
	note_away(d, r);
	if (r < 0 || e)
		loop_timer_set(d->timer, r < 0 ? retry_ns : 0);
}

static void timer_due(void *ddns)
{
	send_requests(ddns);
}

static bool is_away(struct ddns *d)
{
	bool away;

	(void)pthread_mutex_lock(&d->mu);
	away = d->st.away && d->generation == d->cfg_generation;
	(void)pthread_mutex_unlock(&d->mu);
	return away;
}

/* Sends the rest before the thread ends, while that is possible and takes no more than a second. */
static void send_last(struct ddns *d)
{
	int64_t end = clock_mono_ns(&clock_system) + NS_PER_S;
	struct ddns_stats st;

	do {
		send_requests(d);
		ddns_stats(d, &st);
	} while (st.waiting && !st.away && clock_mono_ns(&clock_system) < end);
	loop_stop(d->loop);
}

static void woken(void *ddns, uint32_t events)
{
	struct ddns *d = ddns;
	uint64_t n;
	bool stop;

	(void)events;
	(void)!read(d->wake, &n, sizeof(n));
	(void)pthread_mutex_lock(&d->mu);
	stop = d->stop;
	(void)pthread_mutex_unlock(&d->mu);
	if (stop)
		send_last(d);
	else if (!is_away(d)) /* else the timer tries */
		send_requests(d);
}

static void *run_thread(void *ddns)
{
	struct ddns *d = ddns;
	int r = loop_run(d->loop);

	if (r < 0)
		note_away(d, r);
	return NULL;
}

/* --- The daemon's thread ---------------------------------------------------------------------- */

int ddns_new(const struct ddns_opts *o, struct ddns **ret)
{
	struct ddns *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->o = *o;
	d->fd = d->wake = -1;
	buf_init(&d->text);
	(void)pthread_mutex_init(&d->mu, NULL);
	*ret = d;
	return 0;
}

/* Starts the thread, once. */
static int start_thread(struct ddns *d)
{
	int r;

	if (d->threaded)
		return 0;
	r = ddns_queue_init(&d->queue, d->cfg.max_queue_size);
	d->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (r == 0 && d->wake < 0)
		r = -errno;
	if (r == 0)
		r = loop_new(&d->loop);
	if (r == 0)
		r = loop_add(d->loop, d->wake, EPOLLIN, woken, d, &d->wake_source);
	if (r == 0)
		r = loop_timer_new(d->loop, timer_due, d, &d->timer);
	d->asleep = true;
	if (r == 0)
		r = -pthread_create(&d->thread, NULL, run_thread, d);
	d->threaded = r == 0;
	if (d->threaded)
		(void)pthread_setname_np(d->thread, "ddns");
	return r;
}

/* Gives back what start_thread() made. */
static void drop_thread(struct ddns *d)
{
	loop_timer_free(d->timer);
	loop_remove(d->wake_source);
	loop_free(d->loop);
	if (d->wake >= 0)
		(void)close(d->wake);
	ddns_queue_fini(&d->queue);
	d->timer = NULL;
	d->wake_source = NULL;
	d->loop = NULL;
	d->wake = -1;
}

static bool is_same(const struct config_ddns *a, const struct config_ddns *b)
{
	return a->enabled == b->enabled && a->server_port == b->server_port &&
	       a->sender_port == b->sender_port && strcmp(a->server_ip, b->server_ip) == 0 &&
	       strcmp(a->sender_ip, b->sender_ip) == 0;
}

/* Copies a configuration: its strings end with the snapshot. */
static void set_config(struct ddns *d, const struct config_ddns *cfg)
{
	if (!d->cfg.server_ip || !is_same(&d->cfg, cfg))
		d->cfg_generation++;
	d->cfg = *cfg;
	(void)strncpy(d->server_ip, cfg->server_ip, ADDRESS_MAX - 1);
	(void)strncpy(d->sender_ip, cfg->sender_ip, ADDRESS_MAX - 1);
	d->cfg.server_ip = d->server_ip;
	d->cfg.sender_ip = d->sender_ip;
}

int ddns_configure(struct ddns *d, const struct config_ddns *cfg)
{
	bool threaded;
	int r = 0;

	if (d->o.sink)
		return 0;
	(void)pthread_mutex_lock(&d->mu);
	set_config(d, cfg);
	if (d->threaded)
		ddns_queue_limit(&d->queue, cfg->max_queue_size);
	else if (cfg->enabled)
		r = start_thread(d);
	if (r < 0) {
		d->cfg.enabled = false;
		drop_thread(d);
	}
	threaded = d->threaded;
	d->asleep = false;
	(void)pthread_mutex_unlock(&d->mu);
	if (threaded)
		wake_thread(d);
	if (cfg->enabled && r == 0)
		log_msg(d->o.log, LOG_DHCPSRV_CFGMGR_CFG_DHCP_DDNS,
			"requests for the DNS are sent to kea-dhcp-ddns at %s port %u",
			cfg->server_ip, cfg->server_port);
	return r;
}

void ddns_free(struct ddns *d)
{
	if (!d)
		return;
	if (d->threaded) {
		(void)pthread_mutex_lock(&d->mu);
		d->stop = true;
		(void)pthread_mutex_unlock(&d->mu);
		wake_thread(d);
		(void)pthread_join(d->thread, NULL);
	}
	if (d->queue.n)
		log_msg(d->o.log, LOG_DHCPSRV_DHCP_DDNS_SENDER_STOPPED,
			"%u requests for the DNS were not sent", d->queue.n);
	drop_thread(d);
	if (d->fd >= 0)
		(void)close(d->fd);
	buf_fini(&d->text);
	(void)pthread_mutex_destroy(&d->mu);
	free(d);
}
