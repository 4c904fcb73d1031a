/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Edits against whole loads: after each random edit the tree of the configuration is loaded anew,
 * and both configurations must give equal trees, hashes and look-ups. Refused edits change nothing,
 * and every configuration before stays as it was.
 */
#include "unit/unit.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "config/config.h"
#include "config/edit/config_edit.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const char text[] =
	"{\"Dhcp4\": {\"valid-lifetime\": 600, \"client-classes\": [{\"name\": \"a\"}],\n"
	"\"reservations\": [{\"hw-address\": \"02:00:00:00:00:01\", \"hostname\": \"one\"}],\n"
	"\"subnet4\": [{\"id\": 20, \"subnet\": \"10.20.0.0/16\", \"pools\": [{\"pool\": "
	"\"10.20.1.0/24\"}],\n"
	"  \"relay\": {\"ip-addresses\": [\"10.20.0.1\"]},\n"
	"  \"reservations\": [{\"hw-address\": \"02:00:00:00:00:02\", \"ip-address\": "
	"\"10.20.0.9\"}]},\n"
	" {\"id\": 10, \"subnet\": \"10.10.0.0/16\", \"interface\": \"eth0\"}],\n"
	"\"shared-networks\": [{\"name\": \"n\", \"valid-lifetime\": 300, \"subnet4\": [\n"
	"  {\"id\": 31, \"subnet\": \"10.31.0.0/16\", \"pools\": [{\"pool\": \"10.31.1.0/24\"}]},\n"
	"  {\"id\": 30, \"subnet\": \"10.30.0.0/16\"}]}]}}";

static struct arena arena;
static unsigned seed;
static struct config_error err;

static unsigned rnd(unsigned n)
{
	return (unsigned)rand_r(&seed) % n;
}

static int setup(void **state)
{
	(void)state;
	seed = 3;
	arena_init(&arena);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static struct json *parse(const char *fmt, ...) printf_like(1, 2);
static struct json *parse(const char *fmt, ...)
{
	struct json_opts o = {.file = ""};
	struct json *v = NULL;
	char buf[4096];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	assert_int_equal(json_parse(span_str(arena_strdup(&arena, buf)), &o, &arena, &v, &err), 0);
	return v;
}

static struct config *load(const struct json *root)
{
	struct config *c = NULL;

	if (config_load_json(root, NULL, &c, &err) < 0)
		fail_msg("%s", err.text);
	return c;
}

static void assert_equal_trees(const struct config *a, const struct config *b)
{
	struct buf x, y;

	buf_init(&x);
	buf_init(&y);
	json_write(config_effective(a), true, &x);
	json_write(config_effective(b), true, &y);
	assert_string_equal(x.p, y.p);
	assert_string_equal(config_hash(a), config_hash(b));
	buf_fini(&x);
	buf_fini(&y);
}

static uint32_t id_of(const struct config_subnet *s)
{
	return s ? s->id : 0;
}

static void assert_equal_lookups(const struct config *a, const struct config *b)
{
	assert_int_equal(a->n_subnets, b->n_subnets);
	assert_int_equal(a->n_pools, b->n_pools);
	assert_int_equal(a->n_hosts, b->n_hosts);
	assert_int_equal(a->host_id_types, b->host_id_types);
	for (size_t i = 0; i < a->n_subnets; i++) {
		const struct config_subnet *s = &a->subnets[i];
		const struct config_subnet *t = &b->subnets[i];

		assert_int_equal(s->index, i);
		assert_int_equal(s->id, t->id);
		assert_int_equal(s->params.valid_lifetime.value, t->params.valid_lifetime.value);
		assert_int_equal(s->network != NULL, t->network != NULL);
		if (s->network)
			assert_int_equal(s->network->n_subnets, t->network->n_subnets);
		assert_ptr_equal(config_subnet_by_id(a, s->id), s);
		assert_int_equal(id_of(config_subnet_containing(a, s->prefix + 5, NULL)),
				 id_of(config_subnet_containing(b, s->prefix + 5, NULL)));
		assert_int_equal(id_of(config_subnet_by_relay(a, s->prefix + 1, NULL)),
				 id_of(config_subnet_by_relay(b, s->prefix + 1, NULL)));
	}
	assert_int_equal(id_of(config_subnet_by_interface(a, "eth0", NULL)),
			 id_of(config_subnet_by_interface(b, "eth0", NULL)));
	for (size_t i = 0; i < a->n_pools; i++) {
		assert_int_equal(a->pools[i]->index, i);
		assert_int_equal(a->pools[i]->first, b->pools[i]->first);
		assert_int_equal(a->pool_subnets[i]->id, b->pool_subnets[i]->id);
	}
	for (size_t i = 0; i < a->n_hosts; i++) {
		const struct config_host *h = &a->hosts[i];
		const struct config_host *g = config_host_by_id(b, h->subnet_id, h->id_type, h->id);

		assert_ptr_equal(config_host_by_id(a, h->subnet_id, h->id_type, h->id), h);
		assert_non_null(g);
		assert_int_equal(g->addr, h->addr);
		if (h->addr)
			assert_ptr_equal(config_host_by_addr(a, h->subnet_id, h->addr), h);
	}
}

/* Returns a random change, which may be refused. */
static struct config_change random_change(const struct config *c)
{
	unsigned id = 10 * (1 + rnd(4)) + rnd(2), host = rnd(12);
	struct config_change k = {.kind = (enum config_change_kind)rnd(4), .id = id};

	if (k.kind == CHANGE_PUT_SUBNET) {
		k.node = parse("{\"id\": %u, \"subnet\": \"10.%u.0.0/16\", \"pools\": [{\"pool\": "
			       "\"10.%u.%u.0/24\"}], \"client-classes\": [\"a\"], \"relay\": "
			       "{\"ip-addresses\": [\"10.%u.0.1\"]}, \"interface\": \"%s\"}",
			       id, id, id, rnd(200), id, rnd(2) ? "eth0" : "");
	} else if (k.kind == CHANGE_PUT_HOST) {
		k.id = rnd(3) ? id : 0;
		k.index = UINT32_MAX;
		k.node = k.id ? parse("{\"hw-address\": \"02:00:00:00:00:%02x\", \"ip-address\": "
				      "\"10.%u.0.%u\"}",
				      host, id, host)
			      : parse("{\"client-id\": \"01:%02x\", \"hostname\": \"h%u\"}", host,
				      host);
	} else if (k.kind == CHANGE_DELETE_HOST) {
		k.index = rnd((unsigned)c->n_hosts + 1);
	}
	return k;
}

static void test_random_edits(void **state)
{
	enum { STEPS = 600, KEPT = 8 };
	struct config *old[KEPT] = {0};
	char hash[KEPT][65];
	struct config *c = load(parse("%s", text));
	unsigned refused = 0;

	(void)state;
	for (int i = 0; i < STEPS; i++) {
		struct config_change k[2] = {random_change(c), random_change(c)};
		struct config *next = NULL, *whole;
		int at = i % KEPT;
		int r = config_edit(c, k, 1 + rnd(2), NULL, &next, &err);

		if (r < 0) {
			refused++;
			assert_int_equal(r, -USHER_E_CONFIG);
			continue;
		}
		whole = load(config_effective(next));
		assert_equal_trees(next, whole);
		assert_equal_lookups(next, whole);
		config_free(whole);
		if (old[at])
			assert_string_equal(config_hash(old[at]), hash[at]);
		config_free(old[at]);
		old[at] = c; /* without its last reference, it stays as it was */
		(void)snprintf(hash[at], sizeof(hash[at]), "%s", config_hash(c));
		c = next;
	}
	assert_in_range(refused, STEPS / 10, STEPS * 9 / 10);
	config_free(c);
	for (int i = 0; i < KEPT; i++)
		config_free(old[i]);
}

/* The tree of a configuration follows the order of its text, not that of the ids. */
static void test_order_of_the_text(void **state)
{
	struct config *c = load(parse("%s", text));
	const struct json *dhcp4 = json_get(config_effective(c), "Dhcp4");
	const struct json *list = json_get(dhcp4, "subnet4");
	int64_t id = 0;

	(void)state;
	assert_true(json_get_int(list->first, "id", &id));
	assert_int_equal(id, 20);
	list = json_get(json_get(dhcp4, "shared-networks")->first, "subnet4");
	assert_true(json_get_int(list->first, "id", &id));
	assert_int_equal(id, 31);
	config_free(c);
}

/* Edits that need a whole load, and refused ones. */
static void test_refused(void **state)
{
	static const struct {
		const char *node, *error;
	} cases[] = {
		{"{\"subnet\": \"10.1.0.0/16\"}", "the subnet needs 'id'"},
		{"{\"id\": 1, \"subnet\": \"10.1.0.0/16\", \"colour\": 1}",
		 "unknown keyword 'colour'"},
		{"{\"id\": 1, \"subnet\": \"10.10.0.0/16\"}", "already defined with id"},
		{"{\"id\": 1, \"subnet\": \"10.1.0.0/16\", \"pools\": [{\"pool\": \"10.2.0.0/24\"}]}",
		 "is not inside subnet"},
		{"{\"id\": 1, \"subnet\": \"10.1.0.0/16\", \"valid-lifetime\": \"x\"}",
		 "'valid-lifetime'"},
	};
	struct config *c = load(parse("%s", text)), *next = NULL;
	struct config_change k = {.kind = CHANGE_PUT_SUBNET};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		err = (struct config_error){0};
		k.node = parse("%s", cases[i].node);
		assert_int_equal(config_edit(c, &k, 1, NULL, &next, &err), -USHER_E_CONFIG);
		if (!strstr(err.text, cases[i].error))
			fail_msg("'%s' lacks '%s'", err.text, cases[i].error);
	}
	k.node = parse("{\"id\": 1, \"subnet\": \"10.1.0.0/16\", \"client-classes\": [\"new\"]}");
	assert_int_equal(config_edit(c, &k, 1, NULL, &next, &err), -ESTALE);
	assert_int_equal(c->n_subnets, 4);
	config_free(c);
}

/* After a bounded number of edits a whole load is due. */
static void test_bounded_pieces(void **state)
{
	struct config *c = load(parse("%s", text));
	struct config_change k = {.kind = CHANGE_PUT_SUBNET};
	int n = 0, r = 0;

	(void)state;
	k.node = parse("{\"id\": 1, \"subnet\": \"10.1.0.0/16\"}");
	for (; r == 0 && n < 2000; n++) {
		struct config *next = NULL;

		r = config_edit(c, &k, 1, NULL, &next, &err);
		if (r == 0) {
			config_free(c);
			c = next;
		}
	}
	assert_int_equal(r, -ESTALE);
	assert_in_range(n, 100, 1100);
	config_free(c);
}

/* One subnet more among ten thousand: in milliseconds, where the load takes hundreds. */
static void test_cost(void **state)
{
	enum { N = 10000, TRIES = 5 };
	struct json *root = parse("{\"Dhcp4\": {\"subnet4\": []}}");
	struct json *list = json_get(json_get(root, "Dhcp4"), "subnet4");
	struct config_change k = {.kind = CHANGE_PUT_SUBNET};
	int64_t began, whole, best = INT64_MAX;
	struct config *c;

	(void)state;
	for (int i = 1; i <= N; i++)
		(void)json_add(&arena, list, NULL,
			       parse("{\"id\": %d, \"subnet\": \"10.%d.%d.0/24\", \"pools\": "
				     "[{\"pool\": \"10.%d.%d.0/25\"}]}",
				     i, i / 250, i % 250, i / 250, i % 250));
	began = clock_mono_ns(&clock_system);
	c = load(root);
	whole = clock_mono_ns(&clock_system) - began;
	for (int i = 0; i < TRIES; i++) {
		struct config *next = NULL;
		int64_t took;

		k.node = parse("{\"id\": %d, \"subnet\": \"172.16.%d.0/24\"}", N + 1 + i, i);
		began = clock_mono_ns(&clock_system);
		assert_int_equal(config_edit(c, &k, 1, NULL, &next, &err), 0);
		took = clock_mono_ns(&clock_system) - began;
		best = took < best ? took : best;
		config_free(c);
		c = next;
	}
	print_message("load %.1f ms, edit %.1f ms\n", (double)whole / 1e6, (double)best / 1e6);
	assert_true(best * 4 < whole);
	config_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_random_edits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_order_of_the_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounded_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cost, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
