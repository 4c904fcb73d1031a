/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The cache of host_cache: order of use, replaced entries, references that outlive the cache,
 * growth, threads that look up, insert and flush at the same time.
 */
#include "unit/unit.h"

#include "config/config.h"
#include "library/host_cache/host_cache.h"

#include <stdio.h>
#include <string.h>

enum { MANY = 5000, THREADS = 4, ROUNDS = 2000 };

static struct config *cfg;
static struct arena texts;

static struct json *parse_text(const char *text)
{
	struct json_opts o = {.file = ""};
	struct config_error err = {0};
	struct json *v = NULL;

	assert_int_equal(json_parse(span_str(text), &o, &texts, &v, &err), 0);
	return v;
}

static int load_config(void **state)
{
	struct config_error err = {0};

	(void)state;
	arena_init(&texts);
	return config_load_json(parse_text(
					"{\"Dhcp4\":{\"subnet4\":[{\"id\":1,\"subnet\":\"192.0.2."
					"0/24\"}]}}"),
				NULL, &cfg, &err);
}

static int free_config(void **state)
{
	(void)state;
	config_free(cfg);
	arena_fini(&texts);
	return 0;
}

/* Makes an entry of hardware address n, with an address if addr is not 0. */
static struct cached_host *make_host(unsigned n, unsigned addr)
{
	struct config_error err = {0};
	struct cached_host *h = NULL;
	struct json *v = json_map(&texts);

	(void)json_add(&texts, v, "hw-address",
		       json_printf(&texts, "02:00:00:%02x:%02x:%02x", n >> 16 & 255, n >> 8 & 255,
				   n & 255));
	(void)json_add(&texts, v, "subnet-id4", json_int(&texts, 1));
	if (addr)
		(void)json_add(&texts, v, "ip-address",
			       json_printf(&texts, "10.0.%u.%u", addr >> 8 & 255, addr & 255));
	assert_int_equal(cached_host_read(cfg, v, &h, &err), 0);
	return h;
}

static struct cached_host *find_host(struct host_cache *c, unsigned n)
{
	uint8_t id[] = {2, 0, 0, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};

	return host_cache_find(c, 1, HOST_ID_HW_ADDRESS, span_of(id, sizeof(id)));
}

static bool has_host(struct host_cache *c, unsigned n)
{
	struct cached_host *h = find_host(c, n);
	bool any = h != NULL;

	cached_host_unref(h);
	return any;
}

static void test_order(void **state)
{
	struct host_cache c = {.maximum = 3};

	(void)state;
	assert_int_equal(host_cache_init(&c), 0);
	for (unsigned n = 1; n <= 3; n++)
		assert_int_equal(host_cache_insert(&c, make_host(n, n)), 0);
	assert_true(has_host(&c, 1)); /* the newest now */
	assert_int_equal(host_cache_insert(&c, make_host(4, 4)), 0);
	assert_int_equal(host_cache_size(&c), 3);
	assert_false(has_host(&c, 2));
	assert_int_equal(host_cache_flush(&c, 1), 1);
	assert_false(has_host(&c, 3));
	assert_int_equal(host_cache_flush(&c, UINT64_MAX), 2);
	assert_int_equal(host_cache_flush(&c, 7), 0);
	host_cache_fini(&c);
}

/* An entry that somebody uses stays whole after its removal, and after the end of the cache. */
static void test_references(void **state)
{
	struct host_cache c = {0};
	struct cached_host *h, *other;

	(void)state;
	assert_int_equal(host_cache_init(&c), 0);
	(void)host_cache_insert(&c, make_host(1, 1));
	h = find_host(&c, 1);
	assert_non_null(h);
	/* the same identifier and address: both of the old ones are one entry */
	assert_int_equal(host_cache_insert(&c, make_host(1, 1)), 1);
	other = host_cache_find_addr(&c, 1, 0x0a000001);
	assert_non_null(other);
	assert_ptr_not_equal(h, other);
	/* no longer in the cache */
	assert_int_equal(host_cache_remove(&c, h), 0);
	assert_int_equal(host_cache_remove(&c, other), 1);
	assert_int_equal(host_cache_size(&c), 0);
	assert_null(host_cache_find_addr(&c, 1, 0x0a000001));
	host_cache_fini(&c);
	assert_int_equal(h->host.addr, 0x0a000001);
	assert_int_equal(h->host.id.n, 6);
	cached_host_unref(h);
	cached_host_unref(other);
}

static void test_growth(void **state)
{
	struct host_cache c = {0};
	size_t n;
	struct cached_host **list;

	(void)state;
	assert_int_equal(host_cache_init(&c), 0);
	for (unsigned i = 1; i <= MANY; i++)
		assert_int_equal(host_cache_insert(&c, make_host(i, 0)), 0);
	assert_int_equal(host_cache_size(&c), MANY);
	for (unsigned i = 1; i <= MANY; i++)
		assert_true(has_host(&c, i));
	assert_false(has_host(&c, MANY + 1));
	list = host_cache_list(&c, &n);
	assert_int_equal(n, MANY);
	assert_int_equal(list[0]->host.id.p[5], 1);
	host_cache_fini(&c);
	host_cache_list_free(list, n);
}

/* An entry whose options need more than one block of memory is whole, too. */
static void test_big_entry(void **state)
{
	struct host_cache c = {0};
	struct config_error err = {0};
	struct cached_host *h = NULL;
	struct json *v = json_map(&texts), *list = json_list(&texts), *shown;

	(void)state;
	for (unsigned i = 0; i < 600; i++) {
		struct json *o = json_map(&texts);

		(void)json_add(&texts, o, "code", json_int(&texts, 200 + i % 20));
		(void)json_add(&texts, o, "csv-format", json_bool(&texts, false));
		(void)json_add(&texts, o, "data", json_printf(&texts, "%08X", i));
		(void)json_add(&texts, list, NULL, o);
	}
	(void)json_add(&texts, v, "flex-id", json_str(&texts, "'big'"));
	(void)json_add(&texts, v, "subnet-id4", json_int(&texts, 1));
	(void)json_add(&texts, v, "option-data4", list);
	assert_int_equal(cached_host_read(cfg, v, &h, &err), 0);
	assert_int_equal(h->host.options.n, 600);
	shown = cached_host_show(&texts, h);
	assert_non_null(shown);
	assert_int_equal(json_get(shown, "option-data4")->count, 600);
	assert_string_equal(json_get_str(shown, "flex-id"), "626967");
	assert_int_equal(host_cache_init(&c), 0);
	(void)host_cache_insert(&c, h);
	host_cache_fini(&c);
}

/* --- threads ---------------------------------------------------------------------------------- */

struct shared {
	struct host_cache c;
	struct cached_host *hosts[THREADS][ROUNDS];
};

struct part {
	struct shared *s;
	unsigned number;
	pthread_t thread;
	uint64_t found;
};

static void *use_cache(void *part)
{
	struct part *p = part;
	struct host_cache *c = &p->s->c;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct cached_host *h;

		(void)host_cache_insert(c, p->s->hosts[p->number][i]);
		h = find_host(c, i % 50);
		if (h)
			p->found += h->host.id.p[5] == i % 50;
		if (h && i % 7 == 0)
			(void)host_cache_remove(c, h);
		cached_host_unref(h);
		if (i % 100 == 99)
			(void)host_cache_flush(c, 5);
	}
	return NULL;
}

static void test_threads(void **state)
{
	static struct shared s;
	struct part parts[THREADS] = {0};

	(void)state;
	s.c.maximum = 40;
	assert_int_equal(host_cache_init(&s.c), 0);
	for (unsigned t = 0; t < THREADS; t++)
		for (unsigned i = 0; i < ROUNDS; i++)
			s.hosts[t][i] = make_host(i % 50, 1 + i % 60);
	for (unsigned t = 0; t < THREADS; t++) {
		parts[t] = (struct part){.s = &s, .number = t};
		assert_int_equal(pthread_create(&parts[t].thread, NULL, use_cache, &parts[t]), 0);
	}
	for (unsigned t = 0; t < THREADS; t++) {
		assert_int_equal(pthread_join(parts[t].thread, NULL), 0);
		assert_true(parts[t].found > 0);
	}
	assert_true(host_cache_size(&s.c) <= 40);
	host_cache_fini(&s.c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),	cmocka_unit_test(test_references),
		cmocka_unit_test(test_growth),	cmocka_unit_test(test_big_entry),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, load_config, free_config);
}
