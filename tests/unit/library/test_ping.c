/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The engine of ping_check on a channel without a network: checks of many addresses at a time,
 * answers in time, late ones and others', errors of the socket, an end with checks in progress.
 */
#include "unit/unit.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "hook/hook.h"
#include "library/ping/ping_check.h"
#include "library/ping/ping_heap.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SENT_MAX = 16384, MANY = 3000, FOREVER_MS = 600000 };

struct sent {
	uint32_t addr;
	uint16_t id, seq;
};

/* A channel: requests are kept, answers come through a socket pair. */
struct fake {
	struct ping_channel c;
	int peer;
	pthread_mutex_t mu;
	pthread_cond_t more;
	struct sent sent[SENT_MAX];
	size_t n;
	int error; /* of the next requests */
	bool arp_asked, *closed;
};

static int keep_request(struct ping_channel *c, uint32_t addr, uint16_t id, uint16_t seq)
{
	struct fake *f = (struct fake *)c;
	int r;

	(void)pthread_mutex_lock(&f->mu);
	r = f->error;
	if (r == 0 || r == -EAGAIN)
		f->sent[f->n++] = (struct sent){addr, id, seq};
	if (r == -EAGAIN)
		f->error = 0; /* there is room again */
	(void)pthread_cond_broadcast(&f->more);
	(void)pthread_mutex_unlock(&f->mu);
	return r;
}

static void keep_arp(struct ping_channel *c, const struct hook_link *link, uint32_t addr)
{
	(void)link, (void)addr;
	((struct fake *)c)->arp_asked = true;
}

static int take_echo(struct ping_channel *c, struct ping_answer *ret)
{
	ssize_t n = recv(c->echo_fd, ret, sizeof(*ret), MSG_DONTWAIT);

	if (n == 0)
		return -ECONNRESET;
	return n < 0 ? 0 : 1;
}

static void close_fake(struct ping_channel *c)
{
	struct fake *f = (struct fake *)c;

	*f->closed = true;
	(void)close(c->echo_fd);
	(void)close(f->peer);
	(void)pthread_mutex_destroy(&f->mu);
	(void)pthread_cond_destroy(&f->more);
	free(f);
}

/* --- Packets ---------------------------------------------------------------------------------- */

/* A packet that waits. */
struct packet_kept {
	struct hook_parked parked; /* first */
	struct arena arena;
	uint64_t memory[64];
	_Atomic int resumed;
};

struct world {
	struct fake *f;
	struct ping_engine *e;
	struct packet_kept *p;
	bool closed;
};

static pthread_mutex_t done_mu = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t done = PTHREAD_COND_INITIALIZER;
static size_t n_done;

static void resume_packet(struct hook_parked *parked)
{
	struct packet_kept *p = (struct packet_kept *)parked;

	(void)atomic_fetch_add(&p->resumed, 1);
	(void)pthread_mutex_lock(&done_mu);
	n_done++;
	(void)pthread_cond_broadcast(&done);
	(void)pthread_mutex_unlock(&done_mu);
}

static void wait_done(size_t n)
{
	(void)pthread_mutex_lock(&done_mu);
	while (n_done < n)
		(void)pthread_cond_wait(&done, &done_mu);
	assert_int_equal(n_done, n);
	(void)pthread_mutex_unlock(&done_mu);
}

static void wait_sent(struct fake *f, size_t n)
{
	(void)pthread_mutex_lock(&f->mu);
	while (f->n < n)
		(void)pthread_cond_wait(&f->more, &f->mu);
	(void)pthread_mutex_unlock(&f->mu);
}

static int open_world(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct fake *f = calloc(1, sizeof(*f));
	int pair[2];

	assert_non_null(w);
	assert_non_null(f);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	f->c = (struct ping_channel){.echo_fd = pair[0],
				     .arp_fd = -1,
				     .send_echo = keep_request,
				     .send_arp = keep_arp,
				     .read_echo = take_echo,
				     .read_arp = take_echo,
				     .close = close_fake};
	f->peer = pair[1];
	f->closed = &w->closed;
	(void)pthread_mutex_init(&f->mu, NULL);
	(void)pthread_cond_init(&f->more, NULL);
	w->f = f;
	w->p = calloc(MANY, sizeof(*w->p));
	assert_non_null(w->p);
	n_done = 0;
	assert_int_equal(ping_engine_new(&f->c, NULL, &w->e), 0);
	*state = w;
	return 0;
}

static int close_world(void **state)
{
	struct world *w = *state;

	ping_engine_free(w->e);
	assert_true(w->closed);
	free(w->p);
	free(w);
	return 0;
}

static enum ping_begun begin_ping(struct world *w, size_t i, uint32_t addr, unsigned requests,
				  unsigned timeout_ms)
{
	struct ping_params params = {.enable = true,
				     .requests = requests,
				     .timeout_ms = timeout_ms};
	struct packet_kept *p = &w->p[i];
	struct usher_call call = {.point = HOOK_LEASE4_OFFER,
				  .arena = &p->arena,
				  .parked = &p->parked};
	enum ping_begun r;

	arena_init_fixed(&p->arena, p->memory, sizeof(p->memory));
	p->parked.refs = 1;
	p->parked.in_use = false;
	p->parked.resume = resume_packet;
	p->resumed = 0;
	r = ping_engine_check(w->e, &call, addr, &params, NULL);
	assert_int_equal(call.took_handle, r == PING_BEGUN);
	if (r == PING_BEGUN)
		usher_unpark(&p->parked); /* the pipeline gives its own reference back */
	return r;
}

static void answer(struct world *w, enum ping_kind kind, const struct sent *s)
{
	struct ping_answer a = {.kind = kind, .addr = s->addr, .id = s->id, .seq = s->seq};

	assert_int_equal(send(w->f->peer, &a, sizeof(a), 0), sizeof(a));
}

/* --- Tests ------------------------------------------------------------------------------------ */

/* Every address of a full table gets its own result: more addresses than the table has buckets. */
static void test_many(void **state)
{
	struct world *w = *state;

	for (uint32_t i = 0; i < MANY; i++)
		assert_int_equal(begin_ping(w, i, 1000 + i, 1, 1000), PING_BEGUN);
	wait_sent(w->f, MANY);
	for (uint32_t i = 0; i < MANY; i += 2) {
		assert_int_equal(w->f->sent[i].addr, 1000 + i);
		answer(w, i % 4 ? PING_UNREACHABLE : PING_REPLY, &w->f->sent[i]);
	}
	wait_done(MANY);
	for (uint32_t i = 0; i < MANY; i++) {
		assert_int_equal(w->p[i].resumed, 1);
		assert_int_equal(w->p[i].parked.in_use, i % 4 == 0);
	}
	/* the table is empty: the address may be checked anew */
	assert_int_equal(begin_ping(w, 0, 1000, 1, 1), PING_BEGUN);
	wait_done(MANY + 1);
}

static void test_busy(void **state)
{
	struct world *w = *state;

	assert_int_equal(begin_ping(w, 0, 7, 1, FOREVER_MS), PING_BEGUN);
	assert_int_equal(begin_ping(w, 1, 7, 1, FOREVER_MS), PING_BUSY);
	assert_int_equal(begin_ping(w, 1, 8, 1, FOREVER_MS), PING_BEGUN);
	wait_sent(w->f, 2);
	answer(w, PING_REPLY, &w->f->sent[0]);
	wait_done(1);
	assert_true(w->p[0].parked.in_use);
	assert_int_equal(begin_ping(w, 0, 7, 1, FOREVER_MS), PING_BEGUN);
}

/* Answers count only for requests of the check in progress: not those of a check before, of another
 * process, or of another address. An earlier request of the check itself counts. */
static void test_late(void **state)
{
	struct world *w = *state;
	struct sent old, wrong;

	assert_int_equal(begin_ping(w, 0, 7, 1, 1), PING_BEGUN);
	wait_done(1);
	assert_false(w->p[0].parked.in_use);
	old = w->f->sent[0];
	answer(w, PING_REPLY, &old); /* nobody waits for it */
	assert_int_equal(begin_ping(w, 0, 7, 3, 100), PING_BEGUN);
	wait_sent(w->f, 2);
	answer(w, PING_REPLY, &old);
	answer(w, PING_UNREACHABLE, &old);
	wrong = w->f->sent[1];
	wrong.id = 999;
	answer(w, PING_REPLY, &wrong);
	wrong = w->f->sent[1];
	wrong.addr = 8;
	answer(w, PING_REPLY, &wrong);
	answer(w, PING_OTHER, &w->f->sent[1]);
	wait_sent(w->f, 3); /* the first request timed out: none of these was taken */
	assert_int_equal(w->p[0].resumed, 0);
	answer(w, PING_REPLY, &w->f->sent[1]);
	wait_done(2);
	assert_true(w->p[0].parked.in_use);
}

static void test_requests(void **state)
{
	struct world *w = *state;
	int64_t began = clock_mono_ns(&clock_system);

	assert_int_equal(begin_ping(w, 0, 7, 4, 20), PING_BEGUN);
	wait_done(1);
	assert_true(clock_mono_ns(&clock_system) - began >= 80 * NS_PER_MS);
	assert_int_equal(w->f->n, 4);
	for (uint16_t i = 0; i < 4; i++) {
		assert_int_equal(w->f->sent[i].id, 1);
		assert_int_equal(w->f->sent[i].seq, 1 + i);
	}
	assert_false(w->p[0].parked.in_use);
}

static void test_errors(void **state)
{
	struct world *w = *state;

	w->f->error = -EHOSTUNREACH;
	assert_int_equal(begin_ping(w, 0, 7, 1, FOREVER_MS), PING_BEGUN);
	wait_done(1);
	assert_false(w->p[0].parked.in_use);
	w->f->error = -EAGAIN; /* once: it is sent later */
	assert_int_equal(begin_ping(w, 0, 7, 1, FOREVER_MS), PING_BEGUN);
	wait_sent(w->f, 2);
	assert_int_equal(w->f->sent[1].addr, 7);
	answer(w, PING_REPLY, &w->f->sent[1]);
	wait_done(2);
	assert_true(w->p[0].parked.in_use);
}

/* An error of the socket ends all checks, and later ones do not begin. */
static void test_broken(void **state)
{
	struct world *w = *state;

	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(begin_ping(w, i, 50 + i, 1, FOREVER_MS), PING_BEGUN);
	wait_sent(w->f, 100);
	assert_int_equal(shutdown(w->f->peer, SHUT_WR), 0);
	wait_done(100);
	for (uint32_t i = 0; i < 100; i++)
		assert_false(w->p[i].parked.in_use);
	assert_int_equal(begin_ping(w, 0, 7, 1, 1), PING_DOWN);
}

/* A request that breaks the socket: the packets behind it in the same batch continue, too. */
static void test_broken_send(void **state)
{
	struct world *w = *state;
	size_t n = 0;

	w->f->error = -EBADF;
	for (uint32_t i = 0; i < 50; i++)
		n += begin_ping(w, i, 50 + i, 1, FOREVER_MS) == PING_BEGUN;
	assert_in_range(n, 1, 50);
	wait_done(n);
}

/* The engine ends with checks in progress: their packets are forgotten, not resumed. */
static void test_stop(void **state)
{
	struct world *w = *state;

	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(begin_ping(w, i, 50 + i, 1, FOREVER_MS), PING_BEGUN);
	ping_engine_free(w->e);
	w->e = NULL;
	assert_true(w->closed);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(w->p[i].resumed, 0);
}

static void test_heap(void **state)
{
	struct ping_heap h = {0};
	struct ping_due d[200];
	int64_t last = 0;

	(void)state;
	for (size_t i = 0; i < 200; i++) {
		assert_true(ping_heap_push(&h, &d[i]));
		d[i].at = (int64_t)(i * 7919 % 200);
		ping_heap_move(&h, &d[i]);
	}
	for (size_t i = 0; i < 200; i += 3)
		ping_heap_pull(&h, &d[i]);
	for (size_t i = 1; i < 200; i += 3) {
		d[i].at += 1000;
		ping_heap_move(&h, &d[i]);
	}
	assert_int_equal(h.n, 133);
	for (struct ping_due *first; (first = ping_heap_first(&h)) != NULL; last = first->at) {
		assert_true(first->at >= last);
		ping_heap_pull(&h, first);
	}
	assert_in_range(last, 1000, 1199);
	ping_heap_fini(&h);
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heap), WORLD_TEST(test_many),	   WORLD_TEST(test_busy),
		WORLD_TEST(test_late),	     WORLD_TEST(test_requests),	   WORLD_TEST(test_errors),
		WORLD_TEST(test_broken),     WORLD_TEST(test_broken_send), WORLD_TEST(test_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
