/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The rows of lease_fields.def: a value of each field survives the lease file, the table, and the
 * JSON of commands. The tests know kinds, not fields, so a new row is tested by itself.
 */
#include "unit/unit.h"

#include "base/clock.h"
#include "lease/lease_csv.h"
#include "lease/lease_db.h"
#include "lease/json/lease_json.h"
#include "unit/lease_file.h"

#include <stdio.h>
#include <string.h>

enum { T0 = 1700000000 };

/* Sets a field to a value of its kind that differs from that of every other row. */
static void set_value(const struct lease_field *f, struct lease *l)
{
	size_t row = (size_t)(f - lease_fields);
	char text[64];

	switch (f->kind) {
	case LEASE_KIND_HARDWARE:
		l->hw_len = LEASE_HW_MAX;
		memset(l->hw, 0xa0 + (int)row, l->hw_len);
		return;
	case LEASE_KIND_CLIENT_ID:
		l->client_id_len = LEASE_CLIENT_ID_MAX;
		memset(l->client_id, 0xa0 + (int)row, l->client_id_len);
		return;
	case LEASE_KIND_TEXT:
		(void)snprintf(text, sizeof(text), "text-%zu,&#x\x01", row);
		lease_field_set_text(f, l, text, strlen(text));
		return;
	case LEASE_KIND_CONTEXT:
		lease_field_set_context(f, l, "{\"a\":[1,true]}");
		return;
	case LEASE_KIND_FLAG:
		lease_field_set_number(f, l, 1);
		return;
	case LEASE_KIND_STATE:
		lease_field_set_number(f, l, LEASE_RELEASED);
		return;
	case LEASE_KIND_TIME:
		lease_field_set_number(f, l, T0 + (int64_t)row);
		return;
	case LEASE_KIND_ADDRESS:
	case LEASE_KIND_LIFETIME:
	case LEASE_KIND_NUMBER:
	case LEASE_KIND_OPTIONAL:
		lease_field_set_number(f, l, 0x7fff0000 + (int64_t)row);
		return;
	}
}

/* A lease with the least that the file and the commands ask for. */
static struct lease least(void)
{
	return (struct lease){.addr = 0xc0000201,
			      .valid_lft = 60,
			      .cltt = T0,
			      .hw_len = 1,
			      .hw = {2}};
}

static void assert_field(const struct lease_field *f, const struct lease *a, const struct lease *b)
{
	switch (f->kind) {
	case LEASE_KIND_HARDWARE:
		assert_true(span_eq(lease_hw(a), lease_hw(b)));
		return;
	case LEASE_KIND_CLIENT_ID:
		assert_true(span_eq(lease_client_id(a), lease_client_id(b)));
		return;
	case LEASE_KIND_TEXT:
		assert_string_equal(lease_field_text(f, a), lease_field_text(f, b));
		return;
	case LEASE_KIND_CONTEXT:
		assert_int_equal(!lease_field_text(f, a), !lease_field_text(f, b));
		if (lease_field_text(f, a))
			assert_string_equal(lease_field_text(f, a), lease_field_text(f, b));
		return;
	case LEASE_KIND_ADDRESS:
	case LEASE_KIND_LIFETIME:
	case LEASE_KIND_TIME:
	case LEASE_KIND_NUMBER:
	case LEASE_KIND_OPTIONAL:
	case LEASE_KIND_FLAG:
	case LEASE_KIND_STATE:
		assert_int_equal(lease_field_number(f, a), lease_field_number(f, b));
		return;
	}
}

static void assert_lease(const struct lease *a, const struct lease *b)
{
	for (size_t i = 0; i < LEASE_FIELDS; i++)
		assert_field(&lease_fields[i], a, b);
}

/* The lease as both readers of lease files read its row, which stays in *row. */
static void through_file(const struct lease *l, struct buf *row, struct lease *ret)
{
	struct lease usual;
	struct buf copy = {0};
	const char *why = "";

	lease_csv_format(l, false, row);
	buf_add(&copy, row->p, row->len);
	assert_int_equal(lease_csv_parse_any(row->p, row->len - 1, LEASE_CSV_COLUMNS, ret, &why),
			 0);
	if (lease_csv_scan((const uint8_t *)copy.p, (const uint8_t *)copy.p + copy.len - 1, &usual))
		assert_lease(&usual, ret);
	buf_fini(&copy);
}

static void through_json(const struct lease *l, struct arena *a, struct lease *ret)
{
	struct json *args = lease_to_json(a, l);
	struct lease_json_problem problem = {""};

	/* commands take the end of the lease */
	(void)json_add(a, args, "expire", json_int(a, lease_expire(l)));
	*ret = (struct lease){.cltt = 0};
	assert_int_equal(lease_from_json(args, a, ret, &problem), 0);
	assert_string_equal(problem.text, "");
}

static void through_table(const struct lease *l, struct arena *a, struct lease *ret)
{
	struct lease_db_opts o = {.clock = &clock_system, .offer_hold_s = 1};
	struct lease_change change;
	struct lease_db *db;

	assert_int_equal(lease_db_new(&o, &db), 0);
	assert_int_equal(lease_db_put(db, l, LEASE_PUT_ADD, lease_expect_any(), &change), 0);
	assert_int_equal(lease_db_get(db, l->addr, a, ret, NULL), 0);
	lease_db_free(db);
}

static void assert_survives(const struct lease *l)
{
	struct lease from_file, from_table, from_json;
	struct buf row = {0};
	struct arena a;

	arena_init(&a);
	through_file(l, &row, &from_file);
	assert_lease(l, &from_file);
	through_table(&from_file, &a, &from_table);
	assert_lease(l, &from_table);
	through_json(&from_table, &a, &from_json);
	assert_lease(l, &from_json);
	buf_fini(&row);
	arena_fini(&a);
}

static void test_each_survives(void **state)
{
	struct lease all = least();

	(void)state;
	for (size_t i = 0; i < LEASE_FIELDS; i++) {
		struct lease l = least();

		set_value(&lease_fields[i], &l);
		assert_survives(&l);
		set_value(&lease_fields[i], &all);
		assert_survives(&all);
	}
}

/* The column of a row, which is cut into its columns. */
static char *column_of(char *row, size_t k)
{
	row[strcspn(row, "\n")] = '\0';
	for (; k > 0; k--) {
		row = strchr(row, ',');
		assert_non_null(row);
		row++;
	}
	row[strcspn(row, ",")] = '\0';
	return row;
}

/* A field is in the column of its own place in the table. */
static void test_column(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEASE_FIELDS; i++) {
		for (size_t k = 0; k < LEASE_FIELDS; k++) {
			struct lease plain = least(), changed = least();
			struct buf a = {0}, b = {0};
			bool same;

			set_value(&lease_fields[i], &changed);
			lease_csv_format(&plain, false, &a);
			lease_csv_format(&changed, false, &b);
			same = strcmp(column_of(a.p, k), column_of(b.p, k)) == 0;
			/* a longer lease ends later */
			if (lease_fields[i].kind != LEASE_KIND_LIFETIME ||
			    lease_fields[k].kind != LEASE_KIND_TIME)
				assert_int_equal(same, i != k);
			buf_fini(&a);
			buf_fini(&b);
		}
	}
}

static void test_header(void **state)
{
	(void)state;
	assert_string_equal(lease_csv_head(), LEASE_FILE_HEADER "\n");
	assert_int_equal(LEASE_CSV_HEAD_LEN, strlen(lease_csv_head()));
}

/* The names of JSON are sorted, and a field has its value under its name. */
static void test_json_names(void **state)
{
	struct lease l = least();
	const char *before = "";
	struct json *m;
	struct arena a;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < LEASE_FIELDS; i++)
		set_value(&lease_fields[i], &l);
	m = lease_to_json(&a, &l);
	assert_int_equal(m->count, LEASE_FIELDS);
	for (const struct json *v = m->first; v; v = v->next) {
		assert_true(strcmp(before, v->key) < 0);
		before = v->key;
	}
	for (size_t i = 0; i < LEASE_FIELDS; i++)
		assert_non_null(json_get(m, lease_fields[i].json));
	arena_fini(&a);
}

static void assert_refused(const char *args, const char *text)
{
	struct json_opts o = {.file = ""};
	struct config_error err;
	struct lease_json_problem problem;
	struct lease l = {.addr = 0};
	struct json *m;
	struct arena a;

	arena_init(&a);
	assert_int_equal(json_parse(span_str(args), &o, &a, &m, &err), 0);
	assert_true(lease_from_json(m, &a, &l, &problem) < 0);
	assert_string_equal(problem.text, text);
	arena_fini(&a);
}

static void test_refusals(void **state)
{
	(void)state;
	assert_refused("{}", "missing parameter 'ip-address' (<wire>:1:1)");
	assert_refused("{\"ip-address\": \"192.0.2.1\"}",
		       "missing parameter 'hw-address' (<wire>:1:1)");
	assert_refused("{\"ip-address\": \"192.0.2.1\", \"hw-address\": \"0203\"}",
		       "invalid format of the decoded string '0203'");
	assert_refused("{\"ip-address\": \"192.0.2.1\", \"hw-address\": \"02\", \"state\": 4}",
		       "DHCPv4 leases do not support registered state");
	assert_refused("{\"ip-address\": \"192.0.2.1\", \"hw-address\": \"02\", \"expire\": 0}",
		       "expiration time must be positive for address 192.0.2.1");
	assert_refused("{\"ip-address\": \"192.0.2.1\", \"hw-address\": \"02\", \"valid-lft\": -1}",
		       "out of range value (-1) specified for parameter 'valid-lft' (<wire>:1:62)");
	assert_refused(
		"{\"ip-address\": \"192.0.2.1\", \"hw-address\": \"02\", \"user-context\": 1}",
		"Invalid user context '1' is not a JSON map.");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_survives), cmocka_unit_test(test_column),
		cmocka_unit_test(test_header),	      cmocka_unit_test(test_json_names),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
