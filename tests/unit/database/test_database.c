/* SPDX-License-Identifier: MPL-2.0 */
/* Values in the binary format of PostgreSQL's protocol, and rows of leases as parameters of
 * statements. */
#include "database/database_impl.h"
#include "database/database_value.h"
#include "lease/postgresql/pg_impl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

static uint64_t be(const char *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | (uint8_t)p[i];
	return v;
}

static void test_array(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b);
	database_array_begin(&b, DATABASE_INT8, 2);
	database_array_int8(&b, 1);
	database_array_int8(&b, -2);
	assert_int_equal(b.len, 20 + 2 * 12);
	assert_int_equal(be(b.p, 4), 1);
	assert_int_equal(be(b.p + 4, 4), 0);
	assert_int_equal(be(b.p + 8, 4), 20);
	assert_int_equal(be(b.p + 12, 4), 2);
	assert_int_equal(be(b.p + 16, 4), 1);
	assert_int_equal(be(b.p + 20, 4), 8);
	assert_int_equal(be(b.p + 24, 8), 1);
	assert_int_equal(be(b.p + 36, 8), (uint64_t)-2);
	buf_reset(&b);
	database_array_begin(&b, DATABASE_TEXT, 0);
	assert_int_equal(b.len, 12);
	assert_int_equal(be(b.p, 4), 0);
	buf_fini(&b);
}

static void test_time(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b);
	database_put_time(&b, 946684801);
	assert_int_equal(be(b.p, 8), 1000000);
	buf_reset(&b);
	database_put_time(&b, 4102444800LL);
	assert_int_equal(be(b.p, 8), (4102444800ULL - 946684800ULL) * 1000000);
	buf_fini(&b);
}

/* Octets that a database of encoding UTF8 refuses must not undo the rows beside them. */
static void test_text(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"plain", "plain"},
		{"m\xc3\xbc", "m\xc3\xbc"},
		{"\xe2\x82\xac", "\xe2\x82\xac"},
		{"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
		{"\xff\xfe", "??"},
		{"a\xc3", "a?"},
		{"\xc0\xaf", "??"},
		{"\xed\xa0\x80", "???"},
		{"\xf4\x90\x80\x80", "????"},
		{"\xe2\x82", "??"},
	};
	struct buf b;

	(void)state;
	buf_init(&b);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t n = strlen(cases[i].in);

		buf_reset(&b);
		database_array_text(&b, span_of(cases[i].in, n));
		assert_int_equal(be(b.p, 4), n);
		assert_int_equal(b.len, 4 + n);
		assert_memory_equal(b.p + 4, cases[i].out, n);
	}
	buf_fini(&b);
}

static struct pg_store *new_store(int version)
{
	struct pg_store *p = calloc(1, sizeof(*p));
	struct database *d = calloc(1, sizeof(*d));

	assert_non_null(p);
	assert_non_null(d);
	d->schema.version = version;
	d->schema.has_pool_id = version >= 17;
	d->schema.has_released_state = version >= 23;
	p->database = d;
	p->o.clock = &clock_system;
	buf_init(&p->values);
	return p;
}

static void free_store(struct pg_store *p)
{
	buf_fini(&p->values);
	free(p->database);
	free(p);
}

static struct lease sample(void)
{
	struct lease l = {.addr = 0x0a4d000a,
			  .valid_lft = 3600,
			  .cltt = 1700000000,
			  .subnet_id = 7,
			  .pool_id = 3,
			  .hw_len = 6,
			  .client_id_len = 7,
			  .fqdn_fwd = true,
			  .user_context = "{ \"a\": 1 }"};

	memcpy(l.hw, "\2\0\0\0\0\1", 6);
	memcpy(l.client_id, "\1\2\0\0\0\0\1", 7);
	(void)snprintf(l.hostname, sizeof(l.hostname), "host");
	return l;
}

static void test_row(void **state)
{
	struct pg_row was = {.was_hw_len = 6, .was_cid_len = 2};
	struct lease l = sample(), back;
	struct buf b;
	struct pg_row *r;

	(void)state;
	buf_init(&b);
	pg_row_put(&b, &l, false, 5, NULL, NULL);
	pg_row_put(&b, &l, true, 6, &was, (const uint8_t *)"ABCDEFgh");
	r = pg_row_at(&b, 0);
	assert_int_equal(r->len % 8, 0);
	pg_row_lease(r, &back);
	assert_int_equal(back.addr, l.addr);
	assert_int_equal(back.row, 5);
	assert_true(lease_same_identity(&back, &l));
	assert_string_equal(back.hostname, "host");
	r = pg_row_at(&b, r->len);
	assert_int_equal(r->seq, 6);
	assert_true(r->deleted && r->replaces);
	assert_int_equal(pg_row_at(&b, 0)->len + r->len, b.len);
	buf_fini(&b);
}

/* Returns the value of one element of an array with one element. */
static struct span element(const struct database_params *p, unsigned i)
{
	assert_int_equal(be((const char *)p->value[i].p + 12, 4), 1);
	return span_of(p->value[i].p + 24, p->value[i].n - 24);
}

static void test_claim(void **state)
{
	struct pg_store *p = new_store(34);
	struct lease l = sample();
	struct database_params params;
	struct pg_row *r;
	struct buf b;

	(void)state;
	buf_init(&b);
	pg_row_put(&b, &l, false, 1, NULL, NULL);
	r = pg_row_at(&b, 0);
	pg_claim_params(p, &r, 1, &params);
	assert_int_equal(params.n, 13);
	assert_int_equal(be((const char *)element(&params, 0).p, 8), l.addr);
	assert_true(span_eq(element(&params, 1), lease_hw(&l)));
	assert_true(span_eq(element(&params, 2), lease_client_id(&l)));
	assert_int_equal(be((const char *)element(&params, 4).p, 8),
			 (1700000000ULL + 3600 - 946684800) * 1000000);
	assert_true(span_eq(element(&params, 8), span_str("host")));
	assert_true(span_eq(element(&params, 10), span_str("{ \"a\": 1 }")));
	assert_int_equal(be((const char *)element(&params, 11).p, 8), 3);
	/* a lease without end: the time of its last message */
	r->valid_lft = LEASE_INFINITE;
	pg_claim_params(p, &r, 1, &params);
	assert_int_equal(be((const char *)element(&params, 4).p, 8),
			 (1700000000ULL - 946684800) * 1000000);
	buf_fini(&b);
	free_store(p);
}

/* A schema without the state "released" has no place for such a row: it is deleted. */
static void test_released(void **state)
{
	struct pg_store *old = new_store(13), *new = new_store(23);
	struct pg_row r = {.state = LEASE_RELEASED};
	struct database_params params;
	struct pg_row *one = &r;

	(void)state;
	assert_true(pg_row_is_deletion(old, &r));
	assert_false(pg_row_is_deletion(new, &r));
	pg_claim_params(old, &one, 1, &params);
	assert_int_equal(params.n, 12); /* no pool_id */
	free_store(old);
	free_store(new);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_array), cmocka_unit_test(test_time),
		cmocka_unit_test(test_text),  cmocka_unit_test(test_row),
		cmocka_unit_test(test_claim), cmocka_unit_test(test_released),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
