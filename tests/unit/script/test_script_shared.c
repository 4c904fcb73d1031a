/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Tables that workers share: against a plain model, their limits, two states on one store, and many
 * threads at once.
 */
#include "unit/unit.h"

#include "base/error.h"
#include "base/ip.h"
#include "base/rng.h"
#include "script/script_open.h"
#include "script/library/shared.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEYS = 300, STEPS = 30000, THREADS = 4, ROUNDS = 2000, SECOND = 1000000000 };

static const struct hash_key key = {3, 4};
static char said[4096];

static void say(void *ctx, struct span line)
{
	size_t at = strlen(said);

	(void)ctx;
	(void)snprintf(said + at, sizeof(said) - at, "%.*s\n", (int)line.n, (const char *)line.p);
}

static struct shared_value number(double v)
{
	return (struct shared_value){.type = SHARED_NUMBER, .number = v};
}

static struct shared_table *table(struct shared_store *s, const char *name, uint32_t max,
				  int64_t ttl_ns)
{
	struct shared_limits l = {max, ttl_ns};
	struct shared_table *t = NULL;

	assert_int_equal(shared_table_open(s, name, &l, &t), 0);
	return t;
}

static double get(struct shared_table *t, double k, int64_t now)
{
	struct shared_value v, n = number(k);
	struct buf b;

	buf_init(&b);
	assert_int_equal(shared_get(t, &n, now, &b, &v), 0);
	assert_true(v.type == SHARED_NIL || v.type == SHARED_NUMBER);
	buf_fini(&b);
	return v.type == SHARED_NIL ? 0 : v.number;
}

static void test_model(void **state)
{
	double model[KEYS] = {0};
	struct shared_store *s;
	struct shared_table *t;
	struct rng rng;
	uint32_t n = 0;

	(void)state;
	rng_seed(&rng, 7);
	assert_int_equal(shared_store_new(0, &key, &s), 0);
	t = table(s, "t", 0, 0);
	for (int step = 1; step < STEPS; step++) {
		uint32_t k = rng_below(&rng, KEYS);
		struct shared_value kv = number(k), v = number(step), nil = {.type = SHARED_NIL},
				    was = number(model[k]);
		double sum;

		switch (rng_below(&rng, 4)) {
		case 0:
			assert_int_equal(shared_set(t, &kv, &nil, 0), 0);
			n -= model[k] != 0;
			model[k] = 0;
			break;
		case 1:
			assert_int_equal(shared_set(t, &kv, &v, 0), 0);
			n += model[k] == 0;
			model[k] = step;
			break;
		case 2:
			assert_int_equal(shared_add(t, &kv, 1, 0, &sum), 0);
			n += model[k] == 0;
			assert_true(sum == ++model[k]);
			break;
		default:
			assert_int_equal(shared_swap(t, &kv, &v, &nil, 0), 0);
			assert_int_equal(shared_swap(t, &kv, model[k] != 0 ? &was : &nil, &v, 0),
					 1);
			n += model[k] == 0;
			model[k] = step;
		}
		assert_int_equal(shared_count(t, 0), n);
	}
	for (uint32_t k = 0; k < KEYS; k++)
		assert_true(get(t, k, 0) == model[k]);
	shared_store_free(s);
}

/* Most entries, longest time, all memory. */
static void test_limits(void **state)
{
	struct shared_limits other = {11, 0};
	struct shared_value k,
		v = number(1),
		text = {.type = SHARED_TEXT,
			.text = span_str(
				"a text that is longer than a number, so that there is no room for many of it")};
	struct shared_store *s;
	struct shared_table *t;
	char name[16];
	int r = 0, n = 0;

	(void)state;
	assert_int_equal(shared_store_new(10000, &key, &s), 0);
	t = table(s, "t", 10, 5 * (int64_t)SECOND);
	assert_int_equal(shared_table_open(s, "t", &other, &t), -USHER_E_EXISTS);
	for (int i = 0; i < 15; i++) {
		k = number(i);
		assert_int_equal(shared_set(t, &k, &v, i), 0);
	}
	assert_int_equal(shared_count(t, 20), 10);
	assert_true(get(t, 4, 20) == 0 && get(t, 5, 20) == 1);
	/* an entry that is written again is young again */
	k = number(5);
	assert_int_equal(shared_set(t, &k, &v, SECOND), 0);
	k = number(99);
	assert_int_equal(shared_set(t, &k, &v, SECOND), 0);
	assert_true(get(t, 5, SECOND) == 1 && get(t, 6, SECOND) == 0);
	assert_int_equal(shared_count(t, 5 * (int64_t)SECOND + 20), 2);
	assert_int_equal(shared_count(t, 6 * (int64_t)SECOND), 0);
	t = table(s, "large", 0, 0);
	for (; r == 0 && n < 1000; n++) {
		k = number(n);
		r = shared_set(t, &k, &text, 0);
	}
	assert_int_equal(r, -USHER_E_LIMIT);
	assert_in_range(n, 10, 100);
	assert_int_equal(shared_count(t, 0), n - 1);
	k = number(0);
	assert_int_equal(shared_set(t, &k, &(struct shared_value){.type = SHARED_NIL}, 0), 0);
	assert_int_equal(shared_set(t, &k, &text, 0), 0);
	for (int i = 2; i < SHARED_TABLES; i++) {
		(void)snprintf(name, sizeof(name), "t%d", i);
		(void)table(s, name, 0, 0);
	}
	assert_int_equal(shared_table_open(s, "one more", &other, &t), -USHER_E_LIMIT);
	shared_store_free(s);
}

static struct script *script_on(struct shared_store *store)
{
	struct script_opts so = {.print = say, .shared = store};
	struct script *s;

	assert_int_equal(script_new(&so, &s), 0);
	return s;
}

static void run(struct script *s, const char *text)
{
	struct script_error err;
	int r = script_run_text(s, "=shared", span_str(text), &err);

	if (r < 0)
		print_error("%s\n", err.text);
	assert_int_equal(r, 0);
}

static void refused(struct script *s, const char *text, const char *why)
{
	struct script_error err;

	assert_true(script_run_text(s, "=shared", span_str(text), &err) < 0);
	if (!strstr(err.text, why))
		print_error("%s\n", err.text);
	assert_non_null(strstr(err.text, why));
}

static void test_lua(void **state)
{
	struct shared_store *store;
	struct script *a, *b;

	(void)state;
	assert_int_equal(shared_store_new(0, &key, &store), 0);
	a = script_on(store);
	b = script_on(store);
	said[0] = '\0';
	run(a,
	    "t = haka.shared('hosts') ipv4 = require('protocol/ipv4')\n"
	    "t.one = 1 t['two'] = 'zwei\\0' t[ipv4.addr('192.0.2.1')] = ipv4.addr('192.0.2.2') t[true] = false t[2] = 2.5");
	run(b,
	    "t = haka.shared('hosts') ipv4 = require('protocol/ipv4')\n"
	    "print(t.one, #t.two, t[ipv4.addr('192.0.2.1')], t[true], t[2], t.none, #t, t:count())\n"
	    "print(t:add('n'), t:add('n', 4), t:swap('n', 4, 9), t:swap('n', 5, 9), t:get('n'))\n"
	    "t:set('add', 7) print(t:get('add'), type(t.add)) t:set('add', nil)\n"
	    "t[2] = nil\n"
	    "for k, v in pairs(t) do print(k, v == 'zwei\\0' and 'zwei' or v) end\n");
	assert_string_equal(said, "1\t5\t192.0.2.2\tfalse\t2.5\tnil\t5\t5\n"
				  "1\t5\tfalse\ttrue\t9\n"
				  "7\tfunction\n"
				  "one\t1\ntwo\tzwei\n192.0.2.1\t192.0.2.2\ntrue\tfalse\nn\t9\n");
	refused(a, "t[nil] = 1", "key: boolean, number, text or address expected, got nil");
	refused(a, "t[0/0] = 1", "got NaN");
	refused(a, "t.x = {}", "value: boolean, number, text or address expected, got table");
	refused(a, "t.x = ('x'):rep(70000)", "at most 65536 octets");
	refused(a, "t:add('two')", "the value is no number");
	refused(a, "t.add = 1", "shared.add is a method");
	refused(a, "haka.shared('hosts', {max = 3})", "is there with other limits");
	refused(a, "haka.shared('')", "1 to 63 octets");
	refused(a, "haka.shared('x', {ttl = -1})", "ttl: a number above 0");
	refused(a, "haka.shared('x', 7)", "table expected");
	/* the content outlives the state that wrote it */
	script_free(a);
	said[0] = '\0';
	run(b, "print(t.one)");
	assert_string_equal(said, "1\n");
	script_free(b);
	/* a state of its own, without a host's store */
	a = script_on(NULL);
	run(a, "assert(haka.shared('hosts').one == nil)");
	script_free(a);
	shared_store_free(store);
}

static void *worker(void *arg)
{
	struct script *s = script_on(arg);

	for (int i = 0; i < ROUNDS; i++)
		run(s,
		    "local t = haka.shared('sum', {max = 50}) t:add('all') t[math.random(100)] = 'some text'\n"
		    "local n = t.all t:add('kept') for k, v in pairs(t) do n = v end");
	script_free(s);
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[THREADS];
	struct shared_store *store;
	struct shared_table *t;
	struct shared_value k = {.type = SHARED_TEXT, .text = span_str("all")}, v;
	struct buf b;

	(void)state;
	assert_int_equal(shared_store_new(0, &key, &store), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, worker, store), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	t = table(store, "sum", 50, 0);
	buf_init(&b);
	assert_int_equal(shared_get(t, &k, 0, &b, &v), 0);
	assert_true(v.number == THREADS * ROUNDS);
	assert_int_equal(shared_count(t, 0), 50);
	buf_fini(&b);
	shared_store_free(store);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_lua),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
