/* SPDX-License-Identifier: MPL-2.0 */
/* Unit tests of src/lease/context/: the relay's information in contexts, its checks, and the
 * upgrade of stored leases. */
#include "unit.h"

#include "base/buf.h"
#include "config/json/json.h"
#include "lease/context/relay_info.h"
#include "lease/context/relay_upgrade.h"
#include "lease/lease_db_util.h"

#include <stdio.h>

/* --- Contexts --------------------------------------------------------------------------------- */

/* The context of an option 82 with the sub-options 1 ("p"), 2 (AB) and 12 (CD). */
#define NEW_FORM                                                                             \
	"{ \"ISC\": { \"relay-agent-info\": { \"relay-id\": \"CD\", \"remote-id\": \"AB\", " \
	"\"sub-options\": \"0x0101700201AB0C01CD\" } } }"
#define OLD_FORM "{\"ISC\":{\"relay-agent-info\":\"0x0101700201ab0c01cd\"}}"

static const uint8_t option[] = {1, 1, 'p', 2, 1, 0xab, 12, 1, 0xcd};

/* Returns a context in one layout of its text. */
static const char *lay_out(struct arena *a, const char *text)
{
	struct json *v = relay_context_parse(a, text, 4096);
	const char *r;
	struct buf b;

	assert_non_null(v);
	buf_init(&b);
	json_write(v, false, &b);
	assert_false(b.failed);
	r = arena_strdup(a, b.p);
	buf_fini(&b);
	return r;
}

enum { STAYS, GONE, CHANGED };

static void check_one(const char *text, enum relay_check how, int result, const char *instead,
		      const char *why)
{
	const char *got = "-", *defect = "-";
	struct arena a;
	int r;

	arena_init(&a);
	r = relay_info_check(&a, text, how, &got, &defect);
	if (r != (result != STAYS))
		fail_msg("%s, check %d: %d", text ? text : "no text", how, r);
	if (result == GONE)
		assert_null(got);
	if (result == CHANGED)
		assert_string_equal(lay_out(&a, got), lay_out(&a, instead));
	if (result != STAYS && why)
		assert_non_null(strstr(defect, why));
	else if (result != STAYS)
		assert_null(defect);
	arena_fini(&a);
}

static void test_checks(void **state)
{
	(void)state;
	check_one(OLD_FORM, RELAY_CHECK_NONE, STAYS, NULL, NULL);
	check_one(OLD_FORM, RELAY_CHECK_FIX, CHANGED, NEW_FORM, NULL);
	check_one(OLD_FORM, RELAY_CHECK_PEDANTIC, CHANGED, NEW_FORM, NULL);
	check_one(NEW_FORM, RELAY_CHECK_PEDANTIC, STAYS, NULL, NULL);
	check_one(NULL, RELAY_CHECK_PEDANTIC, STAYS, NULL, NULL);
	check_one("{\"a\":1}", RELAY_CHECK_PEDANTIC, STAYS, NULL, NULL);
	check_one("{}", RELAY_CHECK_FIX, GONE, NULL, NULL);
	check_one("{\"ISC\":{}}", RELAY_CHECK_FIX, GONE, NULL, NULL);
	check_one("{\"ISC\":7,\"a\":1}", RELAY_CHECK_FIX, CHANGED, "{\"a\":1}", "ISC is not a map");
	check_one("{\"ISC\":{\"relay-agent-info\":7}}", RELAY_CHECK_FIX, GONE, NULL, "neither");
	check_one("{\"ISC\":{\"relay-agent-info\":\"0xzz\",\"b\":2}}", RELAY_CHECK_FIX, CHANGED,
		  "{\"ISC\":{\"b\":2}}", "no hexadecimal");
	/* no JSON: the text stays */
	check_one("{\"ISC\":", RELAY_CHECK_PEDANTIC, STAYS, NULL, NULL);
}

static void test_members(void **state)
{
	static const char *const bad[] = {
		"{\"ISC\":{\"relay-agent-info\":{\"sub-options\":\"0xq\"}}}",
		"{\"ISC\":{\"relay-agent-info\":{\"sub-options\":1}}}",
		"{\"ISC\":{\"relay-agent-info\":{\"remote-id\":\"\"}}}",
		"{\"ISC\":{\"relay-agent-info\":{\"relay-id\":\"xx\"}}}",
	};
	static const char unknown
		[] = "{\"ISC\":{\"relay-agent-info\":{\"sub-options\":\"0x0101\",\"other\":1}}}";
	static const char comment[] =
		"{\"ISC\":{\"relay-agent-info\":{\"sub-options\":\"0x0101\",\"comment\":\"x\"}}}";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		check_one(bad[i], RELAY_CHECK_FIX, STAYS, NULL, NULL);
		check_one(bad[i], RELAY_CHECK_STRICT, GONE, NULL, "no hexadecimal");
		check_one(bad[i], RELAY_CHECK_PEDANTIC, GONE, NULL, "no hexadecimal");
	}
	check_one(unknown, RELAY_CHECK_STRICT, STAYS, NULL, NULL);
	check_one(unknown, RELAY_CHECK_PEDANTIC, GONE, NULL, "unknown member");
	check_one(comment, RELAY_CHECK_PEDANTIC, STAYS, NULL, NULL);
}

static void test_write_and_read(void **state)
{
	static const uint8_t no_ids[] = {1, 1, 'p', 2, 0};
	struct relay_info info;
	struct arena a;
	struct buf b;

	(void)state;
	arena_init(&a);
	buf_init(&b);
	relay_info_write(span_of(option, sizeof(option)), &b);
	assert_string_equal(b.p, NEW_FORM); /* Kea's blanks and order */
	assert_true(relay_info_read(&a, b.p, 4096, &info));
	assert_true(span_eq(info.sub_options, span_of(option, sizeof(option))));
	assert_true(span_eq(info.remote_id, span_of(option + 5, 1)));
	assert_true(span_eq(info.relay_id, span_of(option + 8, 1)));
	assert_true(relay_info_read(&a, OLD_FORM, 4096, &info));
	assert_true(span_eq(info.relay_id, span_of(option + 8, 1)));
	/* a bound of the text */
	assert_true(relay_info_read(&a, NEW_FORM, sizeof(NEW_FORM) - 1, &info));
	assert_false(relay_info_read(&a, NEW_FORM, sizeof(NEW_FORM) - 2, &info));
	assert_false(relay_info_read(&a, "{\"a\":1}", 4096, &info));
	assert_false(relay_info_read(&a, NULL, 4096, &info));
	buf_fini(&b);
	buf_init(&b);
	relay_info_write(span_of(no_ids, sizeof(no_ids)), &b);
	assert_true(relay_info_read(&a, b.p, 4096, &info));
	assert_int_equal(info.remote_id.n, 0);
	assert_null(strstr(b.p, "remote-id"));
	buf_fini(&b);
	arena_fini(&a);
}

/* --- Stored leases ---------------------------------------------------------------------------- */

enum { N_LEASES = 2000 };

static void add_lease(struct fix *f, uint32_t n, const char *context)
{
	struct lease l = client(n);
	struct lease_change ch;

	l.addr = BASE + n;
	l.user_context = context;
	assert_int_equal(lease_db_put(f->db, &l, LEASE_PUT_ADD, lease_expect_any(), &ch), 0);
}

static bool end_now(void *ctx)
{
	(void)ctx;
	return true;
}

static void test_upgrade(void **state)
{
	struct fix *f = *state;
	struct relay_upgrade u = {.db = f->db, .how = RELAY_CHECK_FIX, .ended = end_now};
	struct arena a;

	for (uint32_t i = 0; i < N_LEASES; i++)
		add_lease(f, i, i % 4 == 0 ? OLD_FORM : i % 4 == 1 ? NEW_FORM : NULL);
	assert_int_equal(relay_upgrade_all(&u), 0);
	u.ended = NULL;
	assert_int_equal(relay_upgrade_all(&u), N_LEASES / 4);
	assert_int_equal(relay_upgrade_all(&u), 0);
	arena_init(&a);
	for (uint32_t i = 0; i < N_LEASES; i += 4) {
		struct lease l;

		assert_int_equal(lease_db_get(f->db, BASE + i, &a, &l, NULL), 0);
		assert_string_equal(lay_out(&a, l.user_context), lay_out(&a, NEW_FORM));
	}
	arena_fini(&a);
}

/* --- Running leases --------------------------------------------------------------------------- */

static void add_running(struct fix *f, uint32_t addr, int64_t cltt, uint8_t cid,
			uint8_t lease_state)
{
	struct lease l = client(1);
	struct lease_change ch;

	l.addr = addr;
	l.subnet_id = addr & 7;
	l.cltt = cltt;
	l.state = lease_state;
	l.client_id_len = cid ? 1 : 0;
	l.client_id[0] = cid;
	assert_int_equal(lease_db_put(f->db, &l, LEASE_PUT_ADD, lease_expect_any(), &ch), 0);
}

static void test_running(void **state)
{
	struct fix *f = *state;
	struct lease l = client(1);
	struct lease_client by_hw = {.hw = lease_hw(&l)};
	static const uint8_t seven = 7;
	struct lease_client by_id = {.client_id = span_of(&seven, 1)};
	struct lease_brief b[4];
	bool more;

	at(f, 50);
	add_running(f, BASE + 1, T0 + 10, 0, LEASE_ASSIGNED);
	add_running(f, BASE + 2, T0 + 30, 7, LEASE_ASSIGNED);
	add_running(f, BASE + 3, T0 + 20, 7, LEASE_ASSIGNED);
	add_running(f, BASE + 4, T0 + 40, 8, LEASE_RELEASED);
	add_running(f, BASE + 5, T0 - 60, 7, LEASE_ASSIGNED); /* expired */
	assert_int_equal(lease_db_running(f->db, &by_hw, b, 4, &more), 3);
	assert_false(more);
	assert_int_equal(b[0].addr, BASE + 2);
	assert_int_equal(b[1].addr, BASE + 3);
	assert_int_equal(b[2].addr, BASE + 1);
	assert_int_equal(lease_db_running(f->db, &by_hw, b, 2, &more), 2);
	assert_true(more);
	assert_int_equal(b[0].addr, BASE + 2);
	assert_int_equal(b[1].addr, BASE + 3);
	/* of one second: by address */
	add_running(f, BASE + 6, T0 + 20, 9, LEASE_ASSIGNED);
	add_running(f, BASE, T0 + 20, 9, LEASE_ASSIGNED);
	assert_int_equal(lease_db_running(f->db, &by_hw, b, 3, &more), 3);
	assert_int_equal(b[1].addr, BASE);
	assert_int_equal(b[2].addr, BASE + 3);
	assert_int_equal(lease_db_running(f->db, &by_id, b, 4, &more), 2);
	assert_false(more);
	assert_int_equal(b[0].addr, BASE + 2);
}

static void test_step(void **state)
{
	struct fix *f = *state;
	const struct lease_filter with_info = {.context = "\"ISC\"", .state = -1};
	struct lease page[16];
	uint64_t next = 0;
	size_t n = 0, turns = 0;
	struct arena a;

	arena_init(&a);
	for (uint32_t i = 0; i < N_LEASES; i++)
		add_lease(f, i, i % 100 == 0 ? NEW_FORM : NULL);
	while (next <= UINT32_MAX) {
		n += lease_db_step(f->db, &next, &with_info, &a, page, ARRAY_LEN(page));
		turns++;
	}
	assert_int_equal(n, N_LEASES / 100);
	/* stretches without leases count as well */
	assert_in_range(turns, N_LEASES / 512, 1024);
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checks),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_write_and_read),
		cmocka_unit_test_setup_teardown(test_upgrade, setup, teardown),
		cmocka_unit_test_setup_teardown(test_running, setup, teardown),
		cmocka_unit_test_setup_teardown(test_step, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
