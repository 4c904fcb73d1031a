/* SPDX-License-Identifier: MPL-2.0 */
/* The cost of hook libraries: calls, time and memory of each path. */
#include "unit/unit.h"

#include "config/config.h"
#include "hook/hook.h"
#include "hook/hook_lib.h"

#include <errno.h>

enum { CONFIG_REFS = 1000 }; /* more than registries give back */

static int fail_call(usher_call *call, void *ctx)
{
	(void)call;
	(void)ctx;
	return -EIO;
}

static int inside_load(struct usher_lib *lib, const struct hook_registry_opts *o,
		       const struct config_hook_library *conf, struct config_error *err)
{
	(void)o;
	(void)conf;
	(void)err;
	return usher_register(lib, "pkt4_receive", fail_call, NULL);
}

static void inside_unload(struct usher_lib *lib)
{
	(void)lib;
}

static void inside_memory(struct usher_lib *lib, struct hook_memory *m, hook_memory_fn *fn,
			  void *ctx)
{
	(void)lib;
	m->state = 5;
	m->used = 10;
	m->max = 20;
	fn(ctx, m);
}

static const struct hook_builtin builtins[] =
	{{.name = "inside", .load = inside_load, .unload = inside_unload, .memory = inside_memory},
	 {0}};

enum { STEP_NS = 7 };

/* Returns a time that is STEP_NS later at each call. */
static int64_t step_clock(void *now_ns)
{
	return *(int64_t *)now_ns += STEP_NS;
}

struct costs {
	unsigned n, n_memory;
	struct hook_cost last;
	struct hook_memory memory;
};

static void note_cost(void *costs, const struct hook_cost *c)
{
	struct costs *k = costs;

	k->n++;
	k->last = *c;
}

static void note_memory(void *costs, const struct hook_memory *m)
{
	struct costs *k = costs;

	k->n_memory++;
	k->memory = *m;
}

/* Libraries of one path have one row, whose numbers continue in the next registry. */
static void test_cost(void **state)
{
	struct config_hook_library h[] = {{.library = "inside"}, {.library = "inside"}};
	struct config cfg = {.refs = CONFIG_REFS, .hooks = h, .n_hooks = 2};
	int64_t now_ns = 0;
	struct clock_src clock = {.mono_ns = step_clock, .ctx = &now_ns};
	struct hook_registry_opts o = {.cfg = &cfg, .builtins = builtins, .clock = &clock};
	struct usher_call c = {.point = HOOK_PKT4_RECEIVE};
	struct hook_registry *old = NULL, *r = NULL;
	struct config_error err = {0};
	struct costs k = {0};

	(void)state;
	assert_int_equal(hook_registry_new(&o, &old, &err), 0);
	(void)hook_call(old, &c);
	hook_costs_each(old, note_cost, &k);
	assert_int_equal(k.n, 1);
	assert_string_equal(k.last.library, "inside");
	assert_int_equal(k.last.calls, 2);
	assert_int_equal(k.last.ns, 2 * STEP_NS);

	o.before = old;
	assert_int_equal(hook_registry_new(&o, &r, &err), 0);
	(void)hook_call(old, &c); /* a packet that is late */
	hook_registry_unref(old);
	(void)hook_call(r, &c);
	hook_costs_each(r, note_cost, &k);
	assert_int_equal(k.n, 2);
	assert_int_equal(k.last.calls, 6);
	assert_int_equal(k.last.ns, 6 * STEP_NS);
	hook_memory_each(r, note_memory, &k);
	assert_int_equal(k.n_memory, 2);
	assert_int_equal(k.memory.number, 2);
	assert_int_equal(k.memory.state, 5);
	assert_int_equal(k.memory.used, 10);
	assert_int_equal(k.memory.max, 20);
	hook_costs_each(NULL, note_cost, &k);
	hook_memory_each(NULL, note_memory, &k);
	assert_int_equal(k.n + k.n_memory, 4);
	hook_registry_unref(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
