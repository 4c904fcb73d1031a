/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The journal after a sync, a rename or a sync of the directory that failed once: the server serves
 * again from memory, without room for a second copy of the table, and a machine that crashes then
 * has every acknowledged row.
 */
#include "base/error.h"
#include "fake/fake_files.h"
#include "lease/journal/journal_impl.h"
#include "lease/lease_csv.h"
#include "lease/journal/journal.h"
#include "lease/lease_db.h"
#include "unit/lease_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define HEAD	   LEASE_FILE_HEADER "\n"
#define ROW(a, hw) "10.0.0." a ",02:00:00:00:00:" hw ",,3600,1700003600,1,0,0,,0,,0\n"
static const char path[] = "/l/leases.csv";

struct fix {
	struct fake_files disk;
	struct virtual_clock clock;
	struct lease_db *db;
	struct lease_store *store;
	struct journal_load_stats st;
};

static void db_make(struct fix *f, const struct clock_src *clock)
{
	struct lease_db_opts o = {.clock = clock, .hash_key = {1, 2}, .offer_hold_s = 10};

	assert_int_equal(lease_db_new(&o, &f->db), 0);
}

static int setup(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));

	fake_files_init(&f->disk);
	virtual_clock_init(&f->clock, 1700000000 * NS_PER_S);
	db_make(f, &f->clock.src);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	lease_store_close(f->store);
	lease_db_free(f->db);
	fake_files_fini(&f->disk);
	free(f);
	return 0;
}

static int open_it(struct fix *f, uint32_t max_errors)
{
	struct journal_opts o = {.path = path,
				 .persist = true,
				 .files = &f->disk.ops,
				 .clock = &f->clock.src,
				 .max_row_errors = max_errors};

	return journal_open(&o, f->db, &f->store, &f->st);
}

static void put(struct fix *f, const char *suffix, const char *text)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "%s%s", path, suffix);
	fake_files_put(&f->disk, name, text, strlen(text));
}

static size_t live_len(const struct fix *f)
{
	return fake_files_get(&f->disk, path)->len;
}

static int assign(struct lease_db *db, uint32_t n, struct lease_change *ch)
{
	struct lease l = {.addr = 0x0a000000 + n,
			  .subnet_id = 1,
			  .valid_lft = 3600,
			  .cltt = 1700000000,
			  .hw_len = 6,
			  .hw = {2}};
	struct lease_client c;

	memcpy(l.hw + 2, &n, sizeof(n));
	c = (struct lease_client){.hw = lease_hw(&l)};
	return lease_db_assign(db, &l, &c, ch);
}

static size_t octets_written(const struct fix *f, size_t from)
{
	size_t n = 0;

	for (size_t i = from; i < f->disk.n_ops; i++)
		n += f->disk.op[i].kind == FAKE_WRITE ? f->disk.op[i].len : 0;
	return n;
}

/* One sync fails, and there is no room for a second copy of the table: none is needed. */
static void failed_sync_without_room(struct fix *f, bool cleaning)
{
	struct lease_change ch;
	size_t from;

	if (cleaning)
		put(f, ".1", HEAD ROW("250", "01"));
	assert_int_equal(open_it(f, 0), 0);
	for (uint32_t i = 0; i < 200; i++)
		assert_int_equal(assign(f->db, i, &ch), 0);
	f->disk.room = 1;
	lease_store_commit_now(f->store);
	f->disk.mask = FAKE_CALL_SYNC;
	f->disk.calls = 0;
	f->disk.first = f->disk.last = 1;
	from = f->disk.n_ops;
	assert_int_equal(assign(f->db, 201, &ch), 0);
	lease_store_commit_now(f->store);
	assert_false(lease_store_up(f->store));
	virtual_clock_set(&f->clock, f->clock.wall + 150 * NS_PER_MS);
	lease_store_commit_now(f->store);
	assert_true(lease_store_up(f->store));
	assert_int_equal(lease_store_durable(f->store), ch.seq);
	assert_true(octets_written(f, from) < 3 * strlen(HEAD) + 2 * strlen(ROW("201", "01")));
}

static void test_failed_sync_needs_no_room(void **state)
{
	failed_sync_without_room(*state, false);
}

static void test_failed_sync_in_cleanup(void **state)
{
	failed_sync_without_room(*state, true);
}

static void open_mode(struct fix *f, enum lease_durability mode, uint32_t interval_ms)
{
	struct journal_opts o = {.path = path,
				 .persist = true,
				 .files = &f->disk.ops,
				 .clock = &f->clock.src,
				 .durability = mode,
				 .interval_ms = interval_ms};

	assert_int_equal(journal_open(&o, f->db, &f->store, &f->st), 0);
}

static void expect_stats(const struct fix *f, uint64_t syncs, uint64_t unsynced)
{
	struct lease_store_stats st;

	lease_store_stats(f->store, &st);
	assert_int_equal(st.syncs, syncs);
	assert_int_equal(st.unsynced, unsynced);
	assert_int_equal(st.pending, 0);
}

static void commit_one(struct fix *f, uint32_t n)
{
	struct lease_change ch;
	size_t len = live_len(f);

	assert_int_equal(assign(f->db, n, &ch), 0);
	assert_true(lease_store_durable(f->store) < ch.seq);
	lease_store_commit_now(f->store);
	assert_int_equal(lease_store_durable(f->store), ch.seq);
	assert_true(live_len(f) > len); /* written before it may be answered, in every mode */
}

enum { OLD_ROWS = 200, DOUBTFUL_ROWS = 3 };

/* Rows that are synced, rows that were acknowledged since, a sync of these that fails n_fails
 * times, and a row more. */
static void fail_interval_sync(struct fix *f, uint64_t n_fails)
{
	struct lease_change ch;

	open_mode(f, LEASE_SYNC_INTERVAL, 100);
	for (uint32_t i = 0; i < OLD_ROWS; i++)
		assert_int_equal(assign(f->db, i, &ch), 0);
	lease_store_commit_now(f->store);
	virtual_clock_set(&f->clock, f->clock.wall + 100 * NS_PER_MS);
	lease_store_commit_now(f->store);
	expect_stats(f, 1, 0);
	for (uint32_t i = 0; i < DOUBTFUL_ROWS; i++)
		commit_one(f, OLD_ROWS + i);
	f->disk.mask = FAKE_CALL_SYNC;
	f->disk.calls = 0;
	f->disk.first = 1;
	f->disk.last = n_fails;
	virtual_clock_set(&f->clock, f->clock.wall + 100 * NS_PER_MS);
	lease_store_commit_now(f->store);
	assert_false(lease_store_up(f->store));
	assert_int_equal(assign(f->db, OLD_ROWS + DOUBTFUL_ROWS, &ch), 0);
}

/* Asserts the content after a crash that loses unsynced data: a whole number of rows for each
 * address. */
static void expect_after_crash(struct fix *f, uint32_t n)
{
	struct journal_opts o = {.path = path, .persist = true, .clock = &f->clock.src};
	struct fake_files image;
	struct lease_store *store;
	struct lease_db *db = f->db;
	struct rng rng;
	struct lease l;

	rng_seed(&rng, 1);
	fake_files_crash(&f->disk, f->disk.n_ops, FAKE_LOSE_UNSYNCED, &rng, &image);
	o.files = &image.ops;
	db_make(f, &f->clock.src);
	assert_int_equal(journal_open(&o, f->db, &store, &f->st), 0);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(lease_db_get(f->db, 0x0a000000 + i, NULL, &l, NULL), 0);
	assert_int_equal(f->st.bad_rows, 0);
	lease_store_close(store);
	lease_db_free(f->db);
	f->db = db;
	fake_files_fini(&image);
}

/* One sync of an interval fails, and there is no room for a second copy of the table: none is
 * needed. */
static void interval_without_room(struct fix *f, bool cleaning)
{
	size_t from;

	if (cleaning)
		put(f, ".1", HEAD ROW("250", "01"));
	f->disk.room = 1;
	fail_interval_sync(f, 1);
	from = f->disk.n_ops;
	virtual_clock_set(&f->clock, f->clock.wall + 150 * NS_PER_MS);
	lease_store_commit_now(f->store);
	assert_true(lease_store_up(f->store));
	assert_true(octets_written(f, from) < 3 * strlen(HEAD) + (DOUBTFUL_ROWS + 1) * 70);
	lease_store_commit_now(f->store);
	expect_stats(f, 2, 1);
	virtual_clock_set(&f->clock, f->clock.wall + 100 * NS_PER_MS);
	lease_store_commit_now(f->store);
	expect_stats(f, 3, 0);
	expect_after_crash(f, OLD_ROWS + DOUBTFUL_ROWS + 1);
}

static void test_interval_sync_needs_no_room(void **state)
{
	interval_without_room(*state, false);
}

static void test_interval_sync_in_cleanup(void **state)
{
	interval_without_room(*state, true);
}

/* Ten seconds of syncs that fail: the rows in doubt are written again each time, never the
 * table. */
static void test_interval_sync_fails_long(void **state)
{
	struct fix *f = *state;
	size_t from;

	f->disk.room = 1;
	fail_interval_sync(f, UINT64_MAX);
	from = f->disk.n_ops;
	for (int i = 0; i < 100; i++) {
		virtual_clock_set(&f->clock, f->clock.wall + 100 * NS_PER_MS);
		lease_store_commit_now(f->store);
	}
	assert_false(lease_store_up(f->store));
	assert_true(octets_written(f, from) < 100 * 2 * (strlen(HEAD) + DOUBTFUL_ROWS * 70));
	assert_true(live_len(f) < strlen(HEAD) + (OLD_ROWS + DOUBTFUL_ROWS + 1) * 70);
	f->disk.last = 0;
	virtual_clock_set(&f->clock, f->clock.wall + 150 * NS_PER_MS);
	lease_store_commit_now(f->store);
	assert_true(lease_store_up(f->store));
	expect_after_crash(f, OLD_ROWS + DOUBTFUL_ROWS);
}

/* A rotation whose rename or sync of the directory fails leaves the live file as it was: no copy of
 * the table is needed. */
static void rotation_fails(struct fix *f, unsigned mask, uint64_t nth)
{
	struct lease_change ch;
	size_t from;

	assert_int_equal(open_it(f, 0), 0);
	for (uint32_t i = 0; i < OLD_ROWS; i++)
		assert_int_equal(assign(f->db, i, &ch), 0);
	lease_store_commit_now(f->store);
	f->disk.room = 1;
	assert_int_equal(lease_store_cleanup(f->store), 0);
	f->disk.mask = mask;
	f->disk.calls = 0;
	f->disk.first = f->disk.last = nth;
	from = f->disk.n_ops;
	for (int i = 0; i < 3 && lease_store_up(f->store); i++)
		lease_store_commit_now(f->store);
	assert_false(lease_store_up(f->store));
	f->disk.mask = 0;
	assert_int_equal(assign(f->db, OLD_ROWS, &ch), 0);
	for (int i = 0; i < 3; i++) {
		virtual_clock_set(&f->clock, f->clock.wall + 150 * NS_PER_MS);
		lease_store_commit_now(f->store);
	}
	assert_true(lease_store_up(f->store));
	assert_int_equal(lease_store_durable(f->store), ch.seq);
	assert_true(octets_written(f, from) < 3 * strlen(HEAD) + 2 * 70);
	expect_after_crash(f, OLD_ROWS + 1);
}

static void test_rotation_fails(void **state)
{
	/* the syncs of a rotation: the new file's own, then the directory's three */
	for (uint64_t n = 2; n <= 4; n++) {
		rotation_fails(*state, FAKE_CALL_SYNC, n);
		(void)teardown(state);
		(void)setup(state);
	}
	for (uint64_t n = 1; n <= 2; n++) {
		rotation_fails(*state, FAKE_CALL_RENAME, n);
		(void)teardown(state);
		(void)setup(state);
	}
}

/* Rows that wait for the sync of a long interval take a bounded memory: they are synced early. */
static void test_tail_is_bounded(void **state)
{
	enum { ROWS = 90000, GROUP = 1000 };
	struct fix *f = *state;
	struct lease_store_stats st;
	struct lease_change ch;

	open_mode(f, LEASE_SYNC_INTERVAL, 600000);
	for (uint32_t i = 0; i < ROWS; i++) {
		assert_int_equal(assign(f->db, i, &ch), 0);
		if (i % GROUP == GROUP - 1)
			lease_store_commit_now(f->store);
	}
	lease_store_stats(f->store, &st);
	assert_true(st.syncs >= 1);
	assert_true(st.unsynced < ROWS);
	assert_int_equal(st.pending, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_failed_sync_needs_no_room),
		T(test_failed_sync_in_cleanup),
		T(test_interval_sync_needs_no_room),
		T(test_interval_sync_in_cleanup),
		T(test_interval_sync_fails_long),
		T(test_rotation_fails),
		T(test_tail_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
