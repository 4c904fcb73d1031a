/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The checks in progress, in a thread of their own: workers add checks, and continue with other
 * packets; the thread sends requests, reads answers and times out.
 *
 * A check lies in the memory of its parked packet, which stays until the thread gives the handle
 * back: that is the last access. The table by address is shared, under a lock that is held for a
 * look-up only; all else of a check is the thread's. Identifier and sequence number of requests
 * come from one counter, so the numbers of a check lie between its first and its last one.
 */
#include "library/ping/ping_check.h"
#include "library/ping/ping_heap.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/ip.h"
#include "base/log.h"
#include "hook/hook.h"
#include "runtime/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { BUCKETS = 1024, READ_MAX = 256, FIRST_NUMBER = 0x00010001 };

static const int64_t retry_ns = 5 * NS_PER_MS; /* of a request that the socket had no room for */

struct check {
	struct ping_due due;
	struct check *next;	/* in its bucket */
	struct check *next_new; /* not yet seen by the thread */
	usher_parked *parked;
	struct ping_params params;
	struct hook_link link;
	bool has_link;
	uint32_t addr;
	uint32_t first, last; /* numbers of its requests */
	uint32_t sent;
};

struct ping_engine {
	struct ping_channel *channel;
	struct log *log;
	pthread_t thread;
	bool threaded;
	struct loop *loop;
	struct loop_source *echo_source, *arp_source, *wake_source;
	struct loop_timer *timer;
	int wake;
	uint32_t number; /* of the next request */
	struct ping_heap heap;
	pthread_mutex_t mu; /* of all below */
	struct check *buckets[BUCKETS];
	struct check *new, **new_tail;
	bool down, stop;
};

/* --- The table -------------------------------------------------------------------------------- */

static struct check **find_check(struct ping_engine *e, uint32_t addr)
{
	struct check **p = &e->buckets[hash_u32(addr) % BUCKETS];

	while (*p && (*p)->addr != addr)
		p = &(*p)->next;
	return p;
}

static void wake_thread(struct ping_engine *e)
{
	uint64_t one = 1;

	(void)!write(e->wake, &one, sizeof(one));
}

enum ping_begun ping_engine_check(struct ping_engine *e, usher_call *call, uint32_t addr,
				  const struct ping_params *p, const struct hook_link *link)
{
	struct check *c = arena_new(call->arena, struct check);
	enum ping_begun r = PING_DOWN;
	char ip[IP_TEXT_LEN];
	struct check **at;

	if (!c)
		return PING_DOWN;
	c->params = *p;
	c->has_link = link != NULL;
	if (link)
		c->link = *link;
	c->addr = addr;
	(void)pthread_mutex_lock(&e->mu);
	at = find_check(e, addr);
	if (*at)
		r = PING_BUSY;
	else if (!e->down)
		c->parked = usher_park(call);
	if (c->parked) {
		*at = c;
		*e->new_tail = c;
		e->new_tail = &c->next_new;
		r = PING_BEGUN;
	}
	(void)pthread_mutex_unlock(&e->mu);
	if (r != PING_BEGUN)
		return r;
	if (log_wants(e->log, LOG_PING_CHECK_MGR_START_PING_CHECK))
		log_msg(e->log, LOG_PING_CHECK_MGR_START_PING_CHECK, "for %s", ip_text(addr, ip));
	wake_thread(e);
	return r;
}

/* --- Deadlines -------------------------------------------------------------------------------- */

/* Returns the check with the earliest deadline, NULL: there is none. */
static struct check *first_check(const struct ping_engine *e)
{
	/* the deadline is the first member */
	return (struct check *)(void *)ping_heap_first(&e->heap);
}

static void set_due(struct ping_engine *e, struct check *c, int64_t after_ns)
{
	c->due.at = clock_mono_ns(&clock_system) + after_ns;
	ping_heap_move(&e->heap, &c->due);
}

static void set_timer(struct ping_engine *e)
{
	const struct check *c = first_check(e);
	int64_t left = c ? c->due.at - clock_mono_ns(&clock_system) : -1;

	loop_timer_set(e->timer, c && left < 0 ? 0 : left);
}

/* --- Checks ----------------------------------------------------------------------------------- */

/* Gives the packet of a check back, and with it the memory of the check. */
static void return_packet(struct ping_engine *e, struct check *c, bool in_use)
{
	usher_parked *parked = c->parked;

	(void)pthread_mutex_lock(&e->mu);
	*find_check(e, c->addr) = c->next;
	(void)pthread_mutex_unlock(&e->mu);
	if (in_use)
		usher_unpark_in_use(parked);
	else
		usher_unpark(parked);
}

/* Ends a check: its packet continues, and the address is free or in use. */
static void finish_check(struct ping_engine *e, struct check *c, bool in_use)
{
	char ip[IP_TEXT_LEN];

	if (!in_use && log_wants(e->log, LOG_PING_CHECK_MGR_LEASE_FREE_TO_USE))
		log_msg(e->log, LOG_PING_CHECK_MGR_LEASE_FREE_TO_USE, "address %s is free to use",
			ip_text(c->addr, ip));
	ping_heap_pull(&e->heap, &c->due);
	return_packet(e, c, in_use);
}

/* Stops checking: all addresses count as free. */
static void shut_channel(struct ping_engine *e, enum log_id id, int why)
{
	struct check *c;

	log_msg(e->log, id, "error %s", usher_strerror(why));
	log_msg(e->log, LOG_PING_CHECK_MGR_CHANNEL_DOWN,
		"the ICMP socket failed (%s): addresses are not checked until the next "
		"configuration",
		usher_strerror(why));
	log_msg(e->log, LOG_PING_CHECK_CHANNEL_STOP, "channel is stopping operations");
	loop_remove(TAKE(e->echo_source));
	loop_remove(TAKE(e->arp_source));
	(void)pthread_mutex_lock(&e->mu);
	e->down = true;
	(void)pthread_mutex_unlock(&e->mu);
	while ((c = first_check(e)) != NULL)
		finish_check(e, c, false);
}

/* Returns whether an error of sending concerns the address or the network, and not the socket. */
static bool is_unreachable(int e)
{
	return e == -ENETUNREACH || e == -EHOSTUNREACH || e == -ENETDOWN || e == -ENOBUFS ||
	       e == -EACCES || e == -EPERM;
}

/* Handles a request that could not be sent. */
static void fail_request(struct ping_engine *e, struct check *c, int r)
{
	char ip[IP_TEXT_LEN];

	if (r == -EAGAIN || r == -EINTR) {
		set_due(e, c, retry_ns);
	} else if (is_unreachable(r)) {
		if (log_wants(e->log, LOG_PING_CHECK_CHANNEL_NETWORK_WRITE_ERROR))
			log_msg(e->log, LOG_PING_CHECK_CHANNEL_NETWORK_WRITE_ERROR,
				"occurred trying to ping %s, error %s", ip_text(c->addr, ip),
				usher_strerror(r));
		finish_check(e, c, false);
	} else {
		shut_channel(e, LOG_PING_CHECK_CHANNEL_SOCKET_WRITE_FAILED, r);
	}
}

static void send_request(struct ping_engine *e, struct check *c)
{
	uint16_t id = (uint16_t)(e->number >> 16);
	uint16_t seq = (uint16_t)e->number;
	int r = e->channel->send_echo(e->channel, c->addr, id, seq);
	char ip[IP_TEXT_LEN];

	if (r < 0) {
		fail_request(e, c, r);
		return;
	}
	if (log_wants(e->log, LOG_PING_CHECK_CHANNEL_ECHO_REQUEST_SENT))
		log_msg(e->log, LOG_PING_CHECK_CHANNEL_ECHO_REQUEST_SENT,
			"to address %s, id %u, sequence %u", ip_text(c->addr, ip), id, seq);
	if (!c->sent++)
		c->first = e->number;
	c->last = e->number++;
	if (c->has_link)
		e->channel->send_arp(e->channel, &c->link, c->addr);
	set_due(e, c, c->params.timeout_ms * NS_PER_MS);
}

/* Called when a request had no answer in time, or had no room in the socket. */
static void continue_check(struct ping_engine *e, struct check *c)
{
	bool enough = c->sent >= c->params.requests;
	char ip[IP_TEXT_LEN];

	if (c->sent && log_wants(e->log, LOG_PING_CHECK_MGR_REPLY_TIMEOUT_EXPIRED))
		log_msg(e->log, LOG_PING_CHECK_MGR_REPLY_TIMEOUT_EXPIRED,
			"for %s, ECHO REQUEST %u of %u, reply-timeout %u", ip_text(c->addr, ip),
			c->sent, c->params.requests, c->params.timeout_ms);
	if (enough) {
		finish_check(e, c, false);
		return;
	}
	if (c->sent && log_wants(e->log, LOG_PING_CHECK_MGR_NEXT_ECHO_SCHEDULED))
		log_msg(e->log, LOG_PING_CHECK_MGR_NEXT_ECHO_SCHEDULED,
			"for %s, scheduling ECHO_REQUEST %u of %u", ip_text(c->addr, ip),
			c->sent + 1, c->params.requests);
	send_request(e, c);
}

/* --- Answers ---------------------------------------------------------------------------------- */

/* Returns the check that an answer belongs to. NULL: none. */
static struct check *match_answer(struct ping_engine *e, const struct ping_answer *a)
{
	uint32_t number = (uint32_t)a->id << 16 | a->seq;
	struct check *c;

	(void)pthread_mutex_lock(&e->mu);
	c = *find_check(e, a->addr);
	(void)pthread_mutex_unlock(&e->mu);
	if (!c || !c->sent)
		return NULL;
	if (a->kind == PING_ARP)
		return c->has_link && c->link.ifindex == a->ifindex ? c : NULL;
	/* the counter goes around */
	return number - c->first <= c->last - c->first ? c : NULL;
}

static void log_echo_answer(struct ping_engine *e, enum log_id id, const struct ping_answer *a)
{
	char ip[IP_TEXT_LEN];

	if (log_wants(e->log, id))
		log_msg(e->log, id, "%s %s, id %u, sequence %u",
			a->kind == PING_UNREACHABLE ? "for" : "from", ip_text(a->addr, ip), a->id,
			a->seq);
}

static void take_answer(struct ping_engine *e, const struct ping_answer *a)
{
	struct check *c = a->kind == PING_OTHER ? NULL : match_answer(e, a);
	char ip[IP_TEXT_LEN];

	if (!c) {
		if (a->kind == PING_REPLY)
			log_echo_answer(e, LOG_PING_CHECK_MGR_RECEIVED_UNEXPECTED_ECHO_REPLY, a);
		else if (a->kind == PING_UNREACHABLE)
			log_echo_answer(e, LOG_PING_CHECK_MGR_RECEIVED_UNEXPECTED_UNREACHABLE_MSG,
					a);
		return;
	}
	if (a->kind == PING_ARP) {
		if (log_wants(e->log, LOG_USHER_PING_CHECK_ARP_REPLY))
			log_msg(e->log, LOG_USHER_PING_CHECK_ARP_REPLY, "from %s",
				ip_text(a->addr, ip));
	} else if (a->kind == PING_REPLY) {
		log_echo_answer(e, LOG_PING_CHECK_CHANNEL_ECHO_REPLY_RECEIVED, a);
		log_echo_answer(e, LOG_PING_CHECK_MGR_RECEIVED_ECHO_REPLY, a);
	} else {
		log_echo_answer(e, LOG_PING_CHECK_MGR_RECEIVED_UNREACHABLE_MSG, a);
	}
	finish_check(e, c, a->kind != PING_UNREACHABLE);
}

/* Called when the socket has packets. A bounded number a round: timers wait behind it. */
static void echo_ready(void *engine, uint32_t events)
{
	struct ping_engine *e = engine;
	struct ping_answer a;
	int r = 1;

	(void)events;
	for (unsigned n = 0; n < READ_MAX && r > 0; n++) {
		r = e->channel->read_echo(e->channel, &a);
		if (r > 0)
			take_answer(e, &a);
	}
	if (r < 0)
		shut_channel(e, LOG_PING_CHECK_CHANNEL_SOCKET_READ_FAILED, r);
	set_timer(e);
}

static void arp_ready(void *engine, uint32_t events)
{
	struct ping_engine *e = engine;
	struct ping_answer a;
	int r = 1;

	(void)events;
	for (unsigned n = 0; n < READ_MAX && r > 0; n++) {
		r = e->channel->read_arp(e->channel, &a);
		if (r > 0)
			take_answer(e, &a);
	}
	if (r < 0) /* checks continue by echo */
		loop_remove(TAKE(e->arp_source));
	set_timer(e);
}

/* --- The thread ------------------------------------------------------------------------------- */

static void timer_due(void *engine)
{
	struct ping_engine *e = engine;
	int64_t now = clock_mono_ns(&clock_system);
	struct check *c;

	while ((c = first_check(e)) != NULL && c->due.at <= now)
		continue_check(e, c);
	set_timer(e);
}

/* Begins the checks of a list. Without a channel, or memory, their addresses count as free. */
static void begin_checks(struct ping_engine *e, struct check *c)
{
	for (struct check *next; c; c = next) {
		next = c->next_new;
		if (!e->down && ping_heap_push(&e->heap, &c->due))
			send_request(e, c);
		else
			return_packet(e, c, false);
	}
}

static void woken(void *engine, uint32_t events)
{
	struct ping_engine *e = engine;
	struct check *new;
	uint64_t n;
	bool stop;

	(void)events;
	(void)!read(e->wake, &n, sizeof(n));
	(void)pthread_mutex_lock(&e->mu);
	new = e->new;
	e->new = NULL;
	e->new_tail = &e->new;
	stop = e->stop;
	(void)pthread_mutex_unlock(&e->mu);
	if (stop) {
		loop_stop(e->loop);
		return;
	}
	begin_checks(e, new);
	set_timer(e);
}

static void *run_engine(void *engine)
{
	struct ping_engine *e = engine;
	int r = loop_run(e->loop);

	if (r < 0)
		shut_channel(e, LOG_PING_CHECK_UNEXPECTED_READ_ERROR, r);
	return NULL;
}

static int open_engine(struct ping_engine *e)
{
	struct ping_channel *c = e->channel;
	int r = loop_new(&e->loop);

	e->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (r == 0 && e->wake < 0)
		r = -errno;
	if (r == 0)
		r = loop_add(e->loop, e->wake, EPOLLIN, woken, e, &e->wake_source);
	if (r == 0 && c->echo_fd >= 0)
		r = loop_add(e->loop, c->echo_fd, EPOLLIN, echo_ready, e, &e->echo_source);
	if (r == 0 && c->arp_fd >= 0)
		r = loop_add(e->loop, c->arp_fd, EPOLLIN, arp_ready, e, &e->arp_source);
	if (r == 0)
		r = loop_timer_new(e->loop, timer_due, e, &e->timer);
	if (r == 0)
		r = -pthread_create(&e->thread, NULL, run_engine, e);
	e->threaded = r == 0;
	return r;
}

int ping_engine_new(struct ping_channel *channel, struct log *log, struct ping_engine **ret)
{
	struct ping_engine *e = calloc(1, sizeof(*e));
	int r;

	if (!e) {
		channel->close(channel);
		return -ENOMEM;
	}
	e->channel = channel;
	e->log = log;
	e->wake = -1;
	e->number = FIRST_NUMBER;
	e->new_tail = &e->new;
	(void)pthread_mutex_init(&e->mu, NULL);
	r = open_engine(e);
	if (r < 0) {
		ping_engine_free(e);
		return r;
	}
	*ret = e;
	return 0;
}

void ping_engine_free(struct ping_engine *e)
{
	if (!e)
		return;
	if (e->threaded) {
		(void)pthread_mutex_lock(&e->mu);
		e->stop = true;
		(void)pthread_mutex_unlock(&e->mu);
		wake_thread(e);
		(void)pthread_join(e->thread, NULL);
	}
	loop_remove(e->echo_source);
	loop_remove(e->arp_source);
	loop_remove(e->wake_source);
	if (e->timer)
		loop_timer_free(e->timer);
	loop_free(e->loop);
	if (e->wake >= 0)
		(void)close(e->wake);
	e->channel->close(e->channel);
	ping_heap_fini(&e->heap);
	(void)pthread_mutex_destroy(&e->mu);
	free(e);
}
