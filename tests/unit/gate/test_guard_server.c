/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Bindings from the server's list of leases: a server of the test's own answers the pages, also
 * wrongly.
 */
#include "unit/unit.h"

#include "guard_util.h"

#include "base/clock.h"
#include "base/ip.h"
#include "capture/frames_backend.h"
#include "config/json/json.h"
#include "control/channel.h"
#include "runtime/loop.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	MANY = 2500,
	WAIT_STEPS = 5000,
	STEP_US = 1000,
	ROUND_MS = 10,
	IP_A = GD_POOL,
	IP_B,
	IP_C,
	IP_D
};

/* How the server answers. */
enum lie { TRUE_LIST, BACKWARDS, NO_ADDRESS, REFUSED, UNKNOWN, NO_JSON };

struct lease {
	uint32_t address;
	uint8_t n; /* of its client, as gu_request() has it */
	int state;
	int64_t end_s; /* 0: never */
};

static struct gu u;
static char path[64];
static struct loop *loop;
static struct channel *channel;
static struct control_plane *plane;
static pthread_t thread;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct lease leases[MANY];
static unsigned n_leases;
static enum lie lie;
static _Atomic unsigned asked;
static _Atomic bool ended;
static int64_t real_s, lft_s; /* of leases that end */

static void add_lease(struct arena *a, struct json *list, const struct lease *l)
{
	struct json *m = json_add(a, list, NULL, json_map(a));
	char ip[IP_TEXT_LEN];

	if (lie != NO_ADDRESS)
		(void)json_add(a, m, "ip-address", json_str(a, ip_text(l->address, ip)));
	(void)json_add(a, m, "hw-address", json_printf(a, "02:00:00:00:01:%02x", l->n));
	(void)json_add(a, m, "client-id", json_str(a, "01:02:03"));
	(void)json_add(a, m, "cltt", json_int(a, l->end_s ? l->end_s - lft_s : real_s));
	(void)json_add(a, m, "valid-lft", json_int(a, !l->end_s ? UINT32_MAX : lft_s));
	(void)json_add(a, m, "state", json_int(a, l->state));
}

static struct json *page(const struct json *args, struct arena *a)
{
	struct json *m = json_map(a), *list = json_add(a, m, "leases", json_list(a)), *answer;
	const char *from_text = json_get_str(args, "from");
	uint32_t from = 0;
	int64_t limit = 0, n = 0;

	assert_true(json_get_int(args, "limit", &limit));
	if (strcmp(from_text, "start") != 0)
		assert_int_equal(ip_parse(from_text, strlen(from_text), &from), 0);
	for (unsigned i = 0; i < n_leases && n < limit; i++)
		if (leases[i].address > from || lie == BACKWARDS) {
			add_lease(a, list, &leases[i]);
			n++;
		}
	answer = control_answer(a, n ? CONTROL_OK : CONTROL_EMPTY, "%d", (int)n);
	(void)json_add(a, answer, "arguments", m);
	return answer;
}

static struct json *run_page(struct control_call *c)
{
	struct arena *a = c->arena;
	struct json *answer;

	(void)pthread_mutex_lock(&lock);
	if (lie == REFUSED)
		answer = control_answer(a, CONTROL_ERROR, "leases are being loaded");
	else if (lie == UNKNOWN)
		answer = control_answer(a, CONTROL_UNSUPPORTED, "no such command");
	else if (lie == NO_JSON)
		answer = control_answer(a, CONTROL_OK, "no list");
	else
		answer = page(c->args, a);
	(void)pthread_mutex_unlock(&lock);
	atomic_fetch_add(&asked, 1);
	return answer;
}

static const struct control_command page_row = {.name = "lease4-get-page",
						.fn = run_page,
						.args = "from:text limit:int"};

static void *serve(void *arg)
{
	while (!atomic_load(&ended))
		assert_int_equal(loop_step(arg, ROUND_MS), 0);
	return NULL;
}

static void serve_begin(void)
{
	struct channel_opts o = {.path = path, .mode = 0600};

	atomic_store(&ended, false);
	assert_int_equal(control_plane_new(&(struct control_plane_opts){0}, &plane), 0);
	assert_int_equal(control_plane_add(plane, &page_row, 1), 0);
	o.plane = plane;
	assert_int_equal(channel_open(loop, &o, &channel), 0);
	assert_int_equal(pthread_create(&thread, NULL, serve, loop), 0);
}

static void serve_end(void)
{
	atomic_store(&ended, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	channel_close(channel);
	control_plane_free(plane);
	channel = NULL;
}

static void list(enum lie how, unsigned n, const struct lease *l)
{
	(void)pthread_mutex_lock(&lock);
	lie = how;
	n_leases = n;
	memcpy(leases, l, n * sizeof(*l));
	(void)pthread_mutex_unlock(&lock);
}

/* Another reading begun after now is taken over. */
static void next_round(void)
{
	uint64_t before = gu_count(&u, GUARD_COUNT_SERVER_READS);

	for (int i = 0; i < WAIT_STEPS && gu_count(&u, GUARD_COUNT_SERVER_READS) < before + 2;
	     i++) {
		(void)usleep(STEP_US);
		guard_tick(u.gd, u.now);
	}
	assert_true(gu_count(&u, GUARD_COUNT_SERVER_READS) >= before + 2);
	for (int i = 0; i < 100; i++)
		guard_tick(u.gd, u.now);
}

static int setup(void **state)
{
	(void)state;
	gu_init(&u);
	(void)snprintf(path, sizeof(path), "/tmp/usher-test-%d.sock", (int)getpid());
	(void)snprintf(u.o.server, sizeof(u.o.server), "%s", path);
	u.o.server_ns = NS_PER_S / 50;
	lft_s = 600;
	real_s = time(NULL);
	u.now = (real_s - 100) * NS_PER_S;
	assert_int_equal(loop_new(&loop), 0);
	serve_begin();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	gu_close(&u);
	if (channel)
		serve_end();
	loop_free(loop);
	return 0;
}

static const struct guard_binding *find(uint32_t address)
{
	return guard_find(u.gd, 0, address);
}

static void test_known_from_the_start(void **state)
{
	const struct lease l[] = {{IP_A, 1, 0, real_s + 600},
				  {IP_B, 2, 1, real_s + 600},
				  {IP_C, 3, 0, real_s - 200},
				  {IP_D, 4, 0, 0}};

	(void)state;
	list(TRUE_LIST, 4, l);
	gu_open(&u);
	assert_int_equal(gu_count(&u, GUARD_COUNT_READ), 2);
	assert_null(find(IP_B)); /* declined */
	assert_null(find(IP_C)); /* over */
	assert_int_equal(find(IP_D)->end_ns, INT64_MAX);
	assert_int_equal(find(IP_A)->end_ns, (real_s + 600) * NS_PER_S);
	assert_int_equal(find(IP_A)->id.n, 3);
	assert_int_equal(find(IP_A)->port, GUARD_ANY_PORT);
}

/* Ends at the limits of the numbers: right, or never where no number holds them. */
static void test_lease_times(void **state)
{
	const int64_t most_s = INT64_MAX / NS_PER_S;
	const struct lease l[] = {{IP_A, 1, 0, real_s + 0xfffffffe},
				  {IP_B, 2, 0, most_s},
				  {IP_C, 3, 0, most_s + 1},
				  {IP_D, 4, 0, INT64_C(17000000000)}};

	(void)state;
	lft_s = 0xfffffffe;
	list(TRUE_LIST, 4, l);
	gu_open(&u);
	assert_int_equal(gu_count(&u, GUARD_COUNT_READ), 4);
	assert_int_equal(find(IP_A)->end_ns, (real_s + 0xfffffffe) * NS_PER_S);
	assert_int_equal(find(IP_B)->end_ns, most_s * NS_PER_S);
	assert_int_equal(find(IP_C)->end_ns, INT64_MAX);
	assert_int_equal(find(IP_D)->end_ns, INT64_MAX);
}

/* The wall clock is set ahead by a day: the ends of the server's leases are that clock's. */
static void test_wall_clock_steps(void **state)
{
	struct lease l = {IP_A, 1, 0, real_s + 86400 + 600};
	struct virtual_clock clock;

	(void)state;
	virtual_clock_init(&clock, u.now);
	list(TRUE_LIST, 0, &l);
	gu_open(&u);
	frames_live(u.t.f, &clock.src);
	gate_source(u.t.g, u.t.f);
	clock.wall += 86400 * NS_PER_S;
	list(TRUE_LIST, 1, &l);
	next_round();
	assert_non_null(find(IP_A));
	assert_int_equal(find(IP_A)->end_ns, (real_s + 600) * NS_PER_S);
}

static void test_first_use_tells_the_port(void **state)
{
	struct lease l = {IP_A, 1, 0, real_s + 600};

	(void)state;
	list(TRUE_LIST, 1, &l);
	gu_open(&u);
	assert_true(gu_ip(&u, GU_A, 1, IP_A) > 0);
	assert_int_equal(find(IP_A)->port, GU_A);
	gu_dropped(&u, gu_ip(&u, GU_B, 1, IP_A), GATE_DROP_GUARD_ADDRESS);
}

static void test_pages(void **state)
{
	static struct lease l[MANY];

	(void)state;
	for (unsigned i = 0; i < MANY; i++)
		l[i] = (struct lease){IP_A + i, (uint8_t)i, 0, real_s + 600 + i};
	u.o.max_bindings = MANY;
	list(TRUE_LIST, MANY, l);
	gu_open(&u);
	assert_int_equal(gu_count(&u, GUARD_COUNT_READ), MANY);
	assert_int_equal(atomic_load(&asked) >= 3, 1);
	/* half of them go */
	list(TRUE_LIST, MANY / 2, l);
	next_round();
	assert_int_equal(gu_count(&u, GUARD_COUNT_WITHDRAWN), MANY - MANY / 2);
	assert_non_null(find(IP_A));
	assert_null(find(IP_A + MANY - 1));
	/* more than there is room for: nothing of it is taken */
	guard_free(u.gd);
	gt_close(&u.t);
	u.o.max_bindings = MANY / 2 - 1;
	gu_open(&u);
	assert_int_equal(gu_count(&u, GUARD_COUNT_READ), 0);
	assert_true(gu_count(&u, GUARD_COUNT_SERVER_FAILED) >= 1);
}

static void test_another_client(void **state)
{
	struct lease l = {IP_A, 1, 0, real_s + 600};

	(void)state;
	list(TRUE_LIST, 1, &l);
	gu_open(&u);
	l.n = 2;
	list(TRUE_LIST, 1, &l);
	next_round();
	assert_int_equal(find(IP_A)->mac[5], 2);
	assert_int_equal(gu_count(&u, GUARD_COUNT_TAKEN), 1);
}

/* An acknowledgement that passed since is newer than the list; an older one is not. */
static void test_newer_than_the_list(void **state)
{
	struct lease l = {IP_A, 9, 0, real_s + 600};

	(void)state;
	list(TRUE_LIST, 0, &l);
	gu_open(&u);
	u.now = (real_s + 1000) * NS_PER_S;
	gu_wait(&u, 0);
	gu_lease(&u, GU_A, 1, IP_A);
	l.end_s = real_s + 5000;
	list(TRUE_LIST, 1, &l);
	next_round();
	assert_int_equal(find(IP_A)->port, GU_A);
	assert_int_equal(gu_count(&u, GUARD_COUNT_TAKEN), 0);
	((struct guard_binding *)(uintptr_t)find(IP_A))->since_ns = (real_s - 50) * NS_PER_S;
	next_round();
	assert_int_equal(find(IP_A)->mac[5], 9);
	assert_int_equal(find(IP_A)->port, GUARD_ANY_PORT);
}

/* A binding known from a passing acknowledgement alone is not removed because another server does
 * not list it. */
static void test_not_on_the_list(void **state)
{
	struct lease none = {0};

	(void)state;
	list(TRUE_LIST, 0, &none);
	gu_open(&u);
	gu_lease(&u, GU_A, 1, IP_A);
	next_round();
	assert_non_null(find(IP_A));
	assert_int_equal(gu_count(&u, GUARD_COUNT_WITHDRAWN), 0);
}

static void test_wrong_answers(void **state)
{
	static const enum lie lies[] = {BACKWARDS, NO_ADDRESS, REFUSED, UNKNOWN, NO_JSON};
	static struct lease l[MANY];

	(void)state;
	l[0] = (struct lease){IP_A, 1, 0, real_s + 600};
	list(TRUE_LIST, 1, l);
	gu_open(&u);
	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		uint64_t before = gu_count(&u, GUARD_COUNT_SERVER_FAILED);

		/* backwards shows when a page is full */
		for (unsigned j = 0; j < MANY; j++)
			l[j] = (struct lease){lies[i] == BACKWARDS ? IP_D + MANY - j : IP_D + j, 7,
					      0, real_s + 600};
		list(lies[i], MANY, l);
		next_round();
		assert_true(gu_count(&u, GUARD_COUNT_SERVER_FAILED) > before);
		assert_non_null(find(IP_A));
		assert_null(find(IP_D + 1));
	}
	/* gone, and back */
	serve_end();
	next_round();
	assert_non_null(find(IP_A));
	l[0] = (struct lease){IP_B, 2, 0, real_s + 600};
	list(TRUE_LIST, 1, l);
	serve_begin();
	next_round();
	assert_non_null(find(IP_B));
	assert_null(find(IP_A));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_known_from_the_start, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lease_times, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wall_clock_steps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_first_use_tells_the_port, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_another_client, setup, teardown),
		cmocka_unit_test_setup_teardown(test_newer_than_the_list, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_on_the_list, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_answers, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
