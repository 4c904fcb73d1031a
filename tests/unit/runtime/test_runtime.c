/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The event loop, with callbacks that change the lists being walked; jobs in the background;
 * interface tables, and, as root, the monitor in a network namespace of its own.
 */
#include "unit/unit.h"

#include "base/clock.h"
#include "runtime/background.h"
#include "runtime/iface.h"
#include "runtime/loop.h"

#include <errno.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <arpa/inet.h>
#include <unistd.h>

static struct loop *loop;

static int setup(void **state)
{
	(void)state;
	return loop_new(&loop);
}

static int teardown(void **state)
{
	(void)state;
	loop_free(loop);
	return 0;
}

/* --- descriptors ------------------------------------------------------------------------------ */

struct fd_case {
	int fd;
	struct loop_source *source;
	struct fd_case *other; /* removed by whichever comes first */
	unsigned n;
	uint32_t events;
};

static void fd_init(struct fd_case *c, loop_fd_fn fn)
{
	*c = (struct fd_case){.fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)};
	assert_true(c->fd >= 0);
	assert_int_equal(loop_add(loop, c->fd, EPOLLIN, fn, c, &c->source), 0);
}

static void fd_fini(struct fd_case *c)
{
	loop_remove(c->source);
	(void)close(c->fd);
}

static void fd_count(void *ctx, uint32_t events)
{
	struct fd_case *c = ctx;

	c->n++;
	c->events = events;
}

static void fd_remove_self(void *ctx, uint32_t events)
{
	struct fd_case *c = ctx;

	fd_count(c, events);
	loop_remove(c->source);
	c->source = NULL;
}

static void fd_remove_other(void *ctx, uint32_t events)
{
	struct fd_case *c = ctx;

	fd_count(c, events);
	fd_fini(c->other);
	c->other->source = NULL;
}

static void test_fd(void **state)
{
	struct fd_case c;
	uint64_t v;

	(void)state;
	fd_init(&c, fd_count);
	assert_int_equal(loop_step(loop, 0), 0);
	assert_int_equal(loop_step(loop, 0), 0); /* still readable */
	assert_int_equal(c.n, 2);
	assert_int_equal(c.events, EPOLLIN);
	assert_int_equal(read(c.fd, &v, sizeof(v)), sizeof(v));
	assert_int_equal(loop_step(loop, 0), 0);
	assert_int_equal(c.n, 2);
	assert_int_equal(loop_modify(c.source, EPOLLOUT), 0);
	assert_int_equal(loop_step(loop, 0), 0);
	assert_int_equal(c.events, EPOLLOUT);
	assert_int_equal(loop_modify(c.source, 0), 0);
	assert_int_equal(loop_step(loop, 0), 0);
	assert_int_equal(c.n, 3);
	assert_int_equal(loop_add(loop, c.fd, EPOLLIN, fd_count, &c, &c.source), -EEXIST);
	fd_fini(&c);
	loop_remove(NULL);
	assert_int_equal(loop_add(loop, -1, EPOLLIN, fd_count, &c, &c.source), -EBADF);
}

static void test_fd_removal_inside(void **state)
{
	struct fd_case a;
	struct fd_case b;

	(void)state;
	fd_init(&a, fd_remove_self);
	assert_int_equal(loop_step(loop, 0), 0);
	assert_int_equal(loop_step(loop, 0), 0);
	assert_int_equal(a.n, 1);
	fd_fini(&a);
	/* both are ready in one round: the first removes the other, whose event must not come */
	fd_init(&a, fd_remove_other);
	fd_init(&b, fd_remove_other);
	a.other = &b;
	b.other = &a;
	assert_int_equal(loop_step(loop, 0), 0);
	assert_int_equal(a.n + b.n, 1);
	fd_fini(a.source ? &a : &b);
}

/* --- timers ----------------------------------------------------------------------------------- */

struct timer_case {
	struct loop_timer *timer;
	struct timer_case *other;
	int64_t again_ns; /* < 0: not again */
	unsigned n;
	unsigned order;
};

static unsigned fired;

static void timer_fire(void *ctx)
{
	struct timer_case *c = ctx;

	c->n++;
	c->order = ++fired;
	if (c->again_ns >= 0)
		loop_timer_set(c->timer, c->again_ns);
	if (c->other) {
		loop_timer_free(c->other->timer);
		c->other->timer = NULL;
	}
}

static void timer_free_self(void *ctx)
{
	struct timer_case *c = ctx;

	c->n++;
	loop_timer_free(c->timer);
	c->timer = NULL;
}

static void timer_stop_loop(void *ctx)
{
	struct timer_case *c = ctx;

	c->n++;
	loop_stop(loop);
}

static void timer_new(struct timer_case *c, loop_timer_fn fn)
{
	*c = (struct timer_case){.again_ns = -1};
	assert_int_equal(loop_timer_new(loop, fn, c, &c->timer), 0);
}

static void run_ms(int ms)
{
	int64_t end = clock_mono_ns(&clock_system) + ms * NS_PER_MS;

	while (clock_mono_ns(&clock_system) < end)
		assert_int_equal(loop_step(loop, 5), 0);
}

static void test_timer(void **state)
{
	struct timer_case early;
	struct timer_case late;
	struct timer_case never;
	int64_t start = clock_mono_ns(&clock_system);

	(void)state;
	fired = 0;
	timer_new(&early, timer_fire);
	timer_new(&late, timer_stop_loop);
	timer_new(&never, timer_fire);
	loop_timer_set(late.timer, 30 * NS_PER_MS);
	loop_timer_set(early.timer, 10 * NS_PER_MS);
	loop_timer_set(never.timer, 5 * NS_PER_MS);
	loop_timer_set(never.timer, -1);
	assert_int_equal(loop_run(loop), 0);
	assert_true(clock_mono_ns(&clock_system) - start >= 30 * NS_PER_MS);
	assert_int_equal(early.n, 1);
	assert_int_equal(late.n, 1);
	assert_int_equal(never.n, 0);
	loop_timer_free(early.timer);
	loop_timer_free(NULL);
	/* the others are the loop's to free */
}

static void test_timer_again(void **state)
{
	struct timer_case c;

	(void)state;
	timer_new(&c, timer_fire);
	c.again_ns = 2 * NS_PER_MS;
	loop_timer_set(c.timer, 0);
	run_ms(50);
	assert_in_range(c.n, 3, 26);
}

static void test_timer_removal_inside(void **state)
{
	struct timer_case a;
	struct timer_case b;
	struct timer_case self;

	(void)state;
	timer_new(&a, timer_fire);
	timer_new(&b, timer_fire);
	timer_new(&self, timer_free_self);
	a.other = &b;
	b.other = &a;
	loop_timer_set(a.timer, 0);
	loop_timer_set(b.timer, 0);
	loop_timer_set(self.timer, 0);
	run_ms(10);
	assert_int_equal(a.n + b.n, 1);
	assert_int_equal(self.n, 1);
	assert_null(self.timer);
}

/* --- tables ----------------------------------------------------------------------------------- */

static void test_table(void **state)
{
	struct iface i[2] = {
		{.ifindex = 3,
		 .name = "eth0",
		 .n_addrs = 2,
		 .addrs = {{0xc0000201, 24}, {0x0a000001, 31}}},
		{.ifindex = 7, .name = "eth1", .n_addrs = 1, .addrs = {{0xc6336401, 30}}},
	};
	struct iface_table *t = iface_table_new(i, 2);
	struct iface_table *u = iface_table_new(i, 2);

	(void)state;
	assert_non_null(t);
	assert_true(iface_table_eq(t, u));
	assert_ptr_equal(iface_by_index(t, 7), &t->items[1]);
	assert_ptr_equal(iface_by_name(t, "eth0"), &t->items[0]);
	assert_null(iface_by_index(t, 4));
	assert_null(iface_by_name(t, "eth"));
	assert_null(iface_by_index(NULL, 3));
	assert_true(iface_owns(t, 0xc6336401));
	assert_false(iface_owns(t, 0xc6336402));
	assert_true(iface_is_broadcast(&t->items[0], 0xc00002ff));
	assert_false(iface_is_broadcast(&t->items[0], 0x0a000001)); /* RFC 3021: /31 has none */
	assert_true(iface_is_broadcast(&t->items[1], 0xc6336403));
	u->items[1].up = true;
	assert_false(iface_table_eq(t, u));
	assert_false(iface_table_eq(NULL, t));
	iface_table_unref(iface_table_ref(t));
	iface_table_unref(t);
	iface_table_unref(u);
	iface_table_unref(NULL);
}

/* --- the monitor ------------------------------------------------------------------------------ */

static unsigned changes;

static void changed(void *ctx)
{
	(void)ctx;
	changes++;
}

static void wait_change(void)
{
	int64_t end = clock_mono_ns(&clock_system) + 2 * NS_PER_S;

	while (!changes && clock_mono_ns(&clock_system) < end)
		assert_int_equal(loop_step(loop, 10), 0);
	assert_true(changes > 0);
	while (loop_step(loop, 20) == 0 && changes) /* the rest of the same change */
		changes = 0;
}

static void if_ioctl(unsigned long what, short flags, const char *ip)
{
	struct ifreq r = {0};
	struct sockaddr_in sin = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)snprintf(r.ifr_name, sizeof(r.ifr_name), "lo");
	if (ip) {
		sin.sin_addr.s_addr = inet_addr(ip);
		memcpy(&r.ifr_addr, &sin, sizeof(sin));
	} else {
		r.ifr_flags = flags;
	}
	assert_int_equal(ioctl(fd, what, &r), 0);
	(void)close(fd);
}

static const struct iface *read_lo(struct iface_table **t)
{
	const struct iface *i;

	iface_table_unref(*t);
	assert_int_equal(iface_table_read(t), 0);
	i = iface_by_name(*t, "lo");
	assert_non_null(i);
	return i;
}

static void test_monitor(void **state)
{
	struct iface_table *t = NULL;
	struct iface_monitor *m;
	const struct iface *lo;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(iface_monitor_open(loop, changed, NULL, &m), 0);
	lo = read_lo(&t);
	assert_true(lo->loopback && !lo->up && !lo->n_addrs);
	changes = 0;
	if_ioctl(SIOCSIFFLAGS, IFF_UP, NULL);
	wait_change();
	lo = read_lo(&t);
	assert_true(lo->up && lo->running);
	assert_int_equal(lo->n_addrs, 1);
	assert_int_equal(lo->addrs[0].addr, 0x7f000001);
	assert_int_equal(lo->addrs[0].prefix_len, 8);
	if_ioctl(SIOCSIFADDR, 0, "127.0.0.9");
	wait_change();
	assert_int_equal(read_lo(&t)->addrs[0].addr, 0x7f000009);
	if_ioctl(SIOCSIFFLAGS, 0, NULL);
	wait_change();
	assert_false(read_lo(&t)->up);
	assert_int_equal(system("ip link add veth-a type veth peer name veth-b"), 0);
	wait_change();
	(void)read_lo(&t);
	assert_non_null(iface_by_name(t, "veth-a"));
	assert_int_equal(iface_by_name(t, "veth-b")->arp_type, 1);
	assert_int_equal(system("ip link set veth-a name renamed && ip link del veth-b"), 0);
	wait_change();
	(void)read_lo(&t);
	assert_int_equal(t->n, 1);
	iface_table_unref(t);
	iface_monitor_close(m);
	iface_monitor_close(NULL);
}

/* --- Jobs in the background ------------------------------------------------------------------- */

struct job {
	struct background_job job; /* first */
	struct background *b;
	struct job *then; /* added when this one finishes */
	char *order;	  /* of the work and the ends of all jobs */
	char work_name, finish_name;
	bool waits; /* until the end is requested */
	bool worked, finished, ended, in_loop;
	pthread_t loop_thread;
};

static void job_work(struct background_job *j)
{
	struct job *k = (struct job *)j;

	k->worked = true;
	k->in_loop = pthread_equal(pthread_self(), k->loop_thread) != 0;
	strncat(k->order, &k->work_name, 1);
	while (k->waits && !background_is_ending(k->b))
		(void)usleep(1000);
}

static void job_finish(struct background_job *j, bool ended)
{
	struct job *k = (struct job *)j;

	k->finished = true;
	k->ended = ended;
	assert_true(pthread_equal(pthread_self(), k->loop_thread));
	strncat(k->order, &k->finish_name, 1);
	if (k->then)
		background_add(k->b, &k->then->job);
}

static struct job job_of(struct background *b, char *order, char name)
{
	return (struct job){.job = {job_work, job_finish, NULL},
			    .b = b,
			    .order = order,
			    .work_name = name,
			    .finish_name = (char)(name - 'a' + 'A'),
			    .loop_thread = pthread_self()};
}

static void test_background_in_order(void **state)
{
	struct background *b = NULL;
	char order[16] = "";
	struct job x, y, z;
	int64_t end = clock_mono_ns(&clock_system) + 10 * NS_PER_S;

	(void)state;
	assert_int_equal(background_new(loop, &b), 0);
	x = job_of(b, order, 'x');
	y = job_of(b, order, 'y');
	z = job_of(b, order, 'z');
	x.then = &z; /* behind y, which was added before */
	background_add(b, &x.job);
	background_add(b, &y.job);
	assert_false(x.finished);
	assert_int_equal(background_count(b), 2);
	while (background_count(b) && clock_mono_ns(&clock_system) < end)
		assert_int_equal(loop_step(loop, 10), 0);
	assert_string_equal(order, "xXyYzZ");
	assert_false(x.in_loop || y.in_loop || z.in_loop);
	assert_false(x.ended || y.ended || z.ended);
	background_free(b);
	background_free(NULL);
}

/* A queue that is freed waits for the job in progress; jobs behind it have no work any more. */
static void test_background_ended(void **state)
{
	struct background *b = NULL;
	char order[16] = "";
	struct job x, y;

	(void)state;
	assert_int_equal(background_new(loop, &b), 0);
	x = job_of(b, order, 'x');
	y = job_of(b, order, 'y');
	x.waits = true;
	background_add(b, &x.job);
	background_add(b, &y.job);
	assert_false(background_is_ending(b));
	background_free(b);
	assert_string_equal(order, "xXY");
	assert_true(x.ended && y.ended && !y.worked);
	assert_false(background_is_ending(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_fd, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fd_removal_inside, setup, teardown),
		cmocka_unit_test_setup_teardown(test_timer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_timer_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_timer_removal_inside, setup, teardown),
		cmocka_unit_test_setup_teardown(test_background_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_background_ended, setup, teardown),
		cmocka_unit_test_setup_teardown(test_table, setup, teardown),
		cmocka_unit_test_setup_teardown(test_monitor, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
