/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The hook library "lua" under threads: a state a worker without locks, a shared one for everybody
 * else, handles of parked packets that are given back exactly once by any party, and a bound on the
 * cost of a rule without end. The last test prints the cost of rules. The view of hook points in
 * rules: tests/scenario/lua.scn.
 */
#include "unit/unit.h"

#include "base/clock.h"
#include "base/error.h"
#include "config/config.h"
#include "hook/hook.h"
#include "server/run/builtins.h"
#include "wire/dhcp4.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ARENA_LEN = 4096, WORKERS = 4, MORE_THREADS = 3, CALLS = 3000, PARKED = 64 };
#define RUNAWAY_NS_MAX (20 * NS_PER_S) /* a second where nothing else slows it down */

static struct {
	char path[64];
	struct json params, script;
	struct config_hook_library conf;
	struct config cfg;
	struct hook_registry *r;
	_Atomic unsigned bad, resumed;
} w;

static void load(const char *text)
{
	struct hook_registry_opts o = {.cfg = &w.cfg,
				       .builtins = server_builtins,
				       .n_threads = WORKERS,
				       .clock = &clock_system};
	struct config_error err = {0};
	int fd;

	memset(&w, 0, sizeof(w));
	(void)snprintf(w.path, sizeof(w.path), "/tmp/usher-test-XXXXXX");
	fd = mkstemp(w.path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
	w.script = (struct json){.type = JSON_STRING,
				 .key = "script",
				 .s = w.path,
				 .n = strlen(w.path)};
	w.params = (struct json){.type = JSON_MAP,
				 .first = &w.script,
				 .last = &w.script,
				 .count = 1};
	w.conf = (struct config_hook_library){.library = "lua", .parameters = &w.params};
	w.cfg.refs = 1000; /* more than registries give back */
	w.cfg.hooks = &w.conf;
	w.cfg.n_hooks = 1;
	if (hook_registry_new(&o, &w.r, &err) < 0)
		fail_msg("%s", err.text);
}

static int teardown(void **state)
{
	(void)state;
	hook_registry_unref(w.r);
	(void)unlink(w.path);
	return 0;
}

/* A packet with its own memory, as a worker's slot has it. */
struct slot {
	struct hook_parked parked; /* first: resume casts back */
	struct arena arena;
	_Alignas(16) uint8_t mem[ARENA_LEN];
	struct dhcp4_msg query;
};

static void resume(struct hook_parked *p)
{
	(void)p;
	w.resumed++;
}

static void slot_begin(struct slot *s, uint32_t xid)
{
	arena_init_fixed(&s->arena, s->mem, sizeof(s->mem));
	dhcp4_init(&s->query, &s->arena);
	s->query.xid = xid;
	s->query.hlen = 6;
	s->query.chaddr[5] = (uint8_t)xid;
	s->parked.refs = 1;
	s->parked.resume = resume;
	w.bad += dhcp4_opt_set_u8(&s->query, 53, DHCP4_REQUEST) < 0;
}

static enum usher_next_step call(enum hook_point p, struct slot *s)
{
	struct usher_call c = {.point = p, .cfg = &w.cfg, .iface = "eth0"};

	if (s) {
		c.query = &s->query;
		c.arena = &s->arena;
		c.parked = &s->parked;
	}
	return hook_call(w.r, &c);
}

/* --- states ----------------------------------------------------------------------------------- */

static void *worker(void *arg)
{
	struct slot s;

	memset(&s, 0, sizeof(s));
	for (uint32_t i = 0; i < CALLS; i++) {
		uint32_t xid = (uint32_t)(uintptr_t)arg << 16 | i;

		slot_begin(&s, xid);
		/* every seventh is dropped, and the values that the script wrote are this
		 * packet's */
		w.bad += call(HOOK_PKT4_RECEIVE, &s) !=
			 (xid % 7 == 0 ? USHER_DROP : USHER_CONTINUE);
		w.bad += s.query.secs != (uint16_t)(xid % 1000) || !dhcp4_opt(&s.query, 12);
	}
	return NULL;
}

static void *manager(void *arg)
{
	(void)arg;
	for (int i = 0; i < CALLS; i++)
		w.bad += call(HOOK_LEASE4_EXPIRE, NULL) != USHER_SKIP;
	return NULL;
}

static void test_states(void **state)
{
	pthread_t t[WORKERS + MORE_THREADS + 1];

	(void)state;
	load("local n = 0 haka.rule{ on = haka.dissectors.dhcp.events.pkt4_receive, when = { type = 'request' },\n"
	     " eval = function (msg, call) n = n + 1 local t = {} for i = 1, 20 do t[i] = {i} end\n"
	     " msg.secs = msg.xid % 1000 msg.options[12] = 'host-' .. n\n"
	     " if msg.xid % 7 == 0 then call:drop() end end }\n"
	     "haka.rule{ on = haka.dissectors.dhcp.events.lease4_expire, eval = function (msg, call)\n"
	     " assert(msg == nil) call:skip() end }");
	/* more threads than there are states: they share one */
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		assert_int_equal(pthread_create(&t[i], NULL, i ? worker : manager,
						(void *)(uintptr_t)i),
				 0);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
	assert_int_equal(w.bad, 0);
	assert_int_equal(hook_failures(w.r), 0);
}

/* --- parking ---------------------------------------------------------------------------------- */

static struct slot parked_slots[WORKERS][PARKED];

/* Parks, and lets every second one go from the next packet; the pipeline's own reference goes
 * too. */
static void *parker(void *arg)
{
	struct slot *slots = parked_slots[(uintptr_t)arg];

	for (uint32_t i = 0; i < PARKED; i++) {
		slot_begin(&slots[i], i);
		(void)call(HOOK_LEASES4_COMMITTED, &slots[i]);
		if (atomic_fetch_sub(&slots[i].parked.refs, 1) == 1)
			w.resumed++; /* all handles were back already */
	}
	return NULL;
}

static void *retire(void *arg)
{
	(void)arg;
	(void)usleep(1000);
	hook_registry_retire(w.r);
	return NULL;
}

/* Every packet is resumed once, whether a rule, the collector or the end of the configuration
 * released it. */
static void test_parking(void **state)
{
	pthread_t t[WORKERS + 1];

	(void)state;
	load("local waiting = {} local n = 0\n"
	     "haka.rule{ on = haka.dissectors.dhcp.events.leases4_committed, eval = function (msg, call)\n"
	     " n = n + 1 if n % 2 == 0 then waiting[n - 1]:unpark() waiting[n - 1] = nil end\n"
	     " if n % 5 ~= 0 then waiting[n] = call:park() else waiting[n] = call:park() call:park() end\n"
	     " if n % 11 == 0 then waiting[n] = nil error('after parking') end end }");
	for (size_t i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, parker, (void *)(uintptr_t)i), 0);
	assert_int_equal(pthread_create(&t[WORKERS], NULL, retire, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
	assert_int_equal(w.resumed, WORKERS * PARKED);
	assert_true(hook_failures(w.r) > 0);
}

/* Handles that a state holds at its end are given back, too. */
static void test_parked_at_unload(void **state)
{
	static struct slot s;

	(void)state;
	load("haka.rule{ on = haka.dissectors.dhcp.events.leases4_committed, eval = function (msg, call)\n"
	     " kept = call:park() end }");
	memset(&s, 0, sizeof(s));
	slot_begin(&s, 1);
	assert_int_equal(call(HOOK_LEASES4_COMMITTED, &s), USHER_PARK);
	assert_int_equal(atomic_fetch_sub(&s.parked.refs, 1), 2);
	assert_int_equal(w.resumed, 0);
	hook_registry_unref(w.r);
	w.r = NULL;
	assert_int_equal(w.resumed, 1);
}

/* --- limits ----------------------------------------------------------------------------------- */

static void test_runaway(void **state)
{
	static struct slot s;
	int64_t start = clock_mono_ns(&clock_system);

	(void)state;
	load("haka.rule{ on = haka.dissectors.dhcp.events.pkt4_receive, eval = function ()\n"
	     " while true do pcall(function () while true do end end) end end }");
	memset(&s, 0, sizeof(s));
	slot_begin(&s, 1);
	assert_int_equal(call(HOOK_PKT4_RECEIVE, &s), USHER_CONTINUE);
	assert_int_equal(hook_failures(w.r), 1);
	assert_true(clock_mono_ns(&clock_system) - start < RUNAWAY_NS_MAX);
	(void)printf("a rule without end: %.0f ms\n",
		     (double)(clock_mono_ns(&clock_system) - start) / (double)NS_PER_MS);
}

/* Prints the cost of a rule that reads two fields, and of one whose `when` does not hold. Not
 * judged. */
static void test_cost(void **state)
{
	static struct slot s;
	int64_t start;

	(void)state;
	load("haka.rule{ on = haka.dissectors.dhcp.events.pkt4_receive, when = { type = 'request' },\n"
	     " eval = function (msg, call) if msg.hops > 3 or call.subnet_id then call:drop() end end }\n"
	     "haka.rule{ on = haka.dissectors.dhcp.events.pkt4_send, when = { type = 'discover' }, eval = print }");
	memset(&s, 0, sizeof(s));
	slot_begin(&s, 1);
	for (int i = 0; i < 2; i++) {
		start = clock_mono_ns(&clock_system);
		for (int n = 0; n < CALLS * 10; n++)
			assert_int_equal(call(i ? HOOK_PKT4_SEND : HOOK_PKT4_RECEIVE, &s),
					 USHER_CONTINUE);
		(void)printf("%s: %.0f ns\n", i ? "a rule whose when does not hold" : "a rule",
			     (double)(clock_mono_ns(&clock_system) - start) / (CALLS * 10));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_states, teardown),
		cmocka_unit_test_teardown(test_parking, teardown),
		cmocka_unit_test_teardown(test_parked_at_unload, teardown),
		cmocka_unit_test_teardown(test_runaway, teardown),
		cmocka_unit_test_teardown(test_cost, teardown),
	};

	return cmocka_run_group_tests_name("lua_hook", tests, NULL, NULL);
}
