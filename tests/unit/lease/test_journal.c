/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The journal: reading existing files (torn, zeroed, damaged, old, half cleaned up), and the real
 * disk with its threads.
 */
#include "base/error.h"
#include "fake/fake_files.h"
#include "lease/journal/journal_impl.h"
#include "lease/lease_csv.h"
#include "lease/journal/journal.h"
#include "lease/lease_db.h"
#include "unit/lease_file.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

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

static uint8_t hw_at(struct fix *f, uint8_t last)
{
	struct lease l;

	return lease_db_get(f->db, 0x0a000000 + last, NULL, &l, NULL) == 0 ? l.hw[5] : 0;
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

static void test_empty(void **state)
{
	struct fix *f = *state;

	assert_int_equal(open_it(f, 0), 0);
	assert_int_equal(live_len(f), strlen(HEAD));
	assert_string_equal(lease_store_path(f->store), path);
}

static void test_last_row_wins(void **state)
{
	struct fix *f = *state;

	put(f, "",
	    HEAD ROW("1", "01") ROW("2", "02")
		    ROW("1", "03") "10.0.0.2,02:00:00:00:00:02,,0,1700000000,1,0,0,,0,,0\n"
				   "10.0.0.3,02:00:00:00:00:09,,0,1700000000,1,0,0,,3,,0\n");
	assert_int_equal(open_it(f, 1), 0);
	assert_int_equal(hw_at(f, 1), 3);
	assert_int_equal(hw_at(f, 2), 0);
	assert_int_equal(hw_at(f, 3), 9); /* released, kept for its client */
	assert_int_equal(f->st.leases, 2);
}

static void test_torn(void **state)
{
	static const char good[] = HEAD ROW("1", "01");

	for (size_t cut = 1; cut < strlen(ROW("2", "02")) - 1; cut++) {
		struct fix *f = *state;

		fake_files_put(&f->disk, path, HEAD ROW("1", "01") ROW("2", "02"),
			       strlen(good) + cut);
		assert_int_equal(open_it(f, 1), 0);
		assert_int_equal(hw_at(f, 1), 1);
		assert_int_equal(hw_at(f, 2), 0);
		assert_int_equal(live_len(f), strlen(good));
		assert_int_equal(f->st.torn_bytes, cut);
		assert_int_equal(f->st.first_bad_line, 3);
		assert_int_equal(f->st.bad_rows, 0);
		(void)teardown(state);
		(void)setup(state);
	}
}

static void test_zeroes(void **state)
{
	static const char good[] = HEAD ROW("1", "01");
	static const char next[] = ROW("2", "02");
	char text[8192] = {0};
	struct fix *f = *state;

	memcpy(text, good, strlen(good));
	fake_files_put(&f->disk, path, text, strlen(good) + 4096);
	assert_int_equal(open_it(f, 1), 0);
	assert_int_equal(live_len(f), strlen(good));
	assert_int_equal(f->st.torn_bytes, 4096);
	(void)teardown(state);
	(void)setup(state);
	f = *state;
	memcpy(text + strlen(good) + 4096, next, strlen(next));
	fake_files_put(&f->disk, path, text, strlen(good) + 4096 + strlen(next));
	assert_int_equal(open_it(f, 1), 0);
	assert_int_equal(hw_at(f, 2), 2);
	assert_int_equal(f->st.bad_rows, 1);
}

static void test_damage(void **state)
{
	static const char text[] = HEAD ROW("1", "01") "garbage,,,\n" ROW("2",
									  "02") "x\n" ROW("3",
											  "03");
	struct fix *f = *state;

	put(f, "", text);
	assert_int_equal(open_it(f, 1), -USHER_E_LIMIT);
	assert_int_equal(open_it(f, 2), 0);
	assert_int_equal(f->st.bad_rows, 2);
	assert_int_equal(f->st.first_bad_line, 3);
	assert_string_equal(f->st.first_bad_file, path);
	assert_int_equal(hw_at(f, 2), 2);
	assert_int_equal(hw_at(f, 3), 3);
	assert_int_equal(live_len(f), strlen(text));
}

static void test_stages(void **state)
{
	struct fix *f = *state;

	put(f, ".2", HEAD ROW("1", "01") ROW("2", "02"));
	put(f, ".1", HEAD ROW("1", "03"));
	put(f, ".output", "half");
	put(f, "", HEAD ROW("3", "05"));
	assert_int_equal(open_it(f, 1), 0);
	assert_int_equal(hw_at(f, 1), 3);
	assert_int_equal(hw_at(f, 2), 2);
	assert_int_equal(hw_at(f, 3), 5);
	assert_null(fake_files_get(&f->disk, "/l/leases.csv.output"));
	for (int i = 0; i < 6; i++)
		lease_store_commit_now(f->store); /* continues the clean-up by itself */
	assert_null(fake_files_get(&f->disk, "/l/leases.csv.1"));
	assert_null(fake_files_get(&f->disk, "/l/leases.csv.completed"));
	assert_int_equal(fake_files_get(&f->disk, "/l/leases.csv.2")->len,
			 strlen(HEAD) + 3 * strlen(ROW("1", "01")));
}

static void test_completed(void **state)
{
	struct fix *f = *state;

	put(f, ".completed", HEAD ROW("1", "01"));
	put(f, ".2", HEAD ROW("2", "02"));
	put(f, ".1", HEAD ROW("2", "03"));
	put(f, "", HEAD ROW("3", "05"));
	assert_int_equal(open_it(f, 1), 0);
	assert_int_equal(hw_at(f, 1), 1);
	assert_int_equal(hw_at(f, 2), 0);
	assert_null(fake_files_get(&f->disk, "/l/leases.csv.1"));
	assert_non_null(fake_files_get(&f->disk, "/l/leases.csv.2"));
}

static void test_old_header(void **state)
{
	struct fix *f = *state;

	put(f, "",
	    "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname\n"
	    "10.0.0.1,02:00:00:00:00:07,,3600,1700003600,1,0,0,h\n");
	assert_int_equal(open_it(f, 1), 0);
	assert_int_equal(hw_at(f, 1), 7);
	assert_int_equal(live_len(f), strlen(HEAD));
}

static void test_down_and_up(void **state)
{
	struct fix *f = *state;
	struct lease_change ch;
	struct lease_store_stats st;
	uint64_t epoch;
	int efd = eventfd(0, EFD_NONBLOCK);
	uint64_t n;

	assert_int_equal(open_it(f, 0), 0);
	assert_int_equal(lease_store_notify(f->store, efd), 0);
	epoch = lease_store_epoch(f->store);
	f->disk.mask = FAKE_CALL_WRITE;
	f->disk.first = 1;
	f->disk.last = UINT64_MAX;
	f->disk.calls = 0;
	f->disk.err = ENOSPC;
	assert_int_equal(assign(f->db, 1, &ch), 0);
	assert_int_equal(lease_store_wait(f->store, ch.seq, NS_PER_S), -USHER_E_STORE_DOWN);
	assert_false(lease_store_up(f->store));
	assert_int_equal(lease_store_epoch(f->store), epoch + 1);
	assert_int_equal(read(efd, &n, sizeof(n)), sizeof(n));
	f->disk.last = 0;
	virtual_clock_set(&f->clock, f->clock.wall + NS_PER_S);
	lease_store_commit_now(f->store);
	assert_true(lease_store_up(f->store));
	assert_int_equal(lease_store_durable(f->store), ch.seq);
	assert_int_equal(read(efd, &n, sizeof(n)), sizeof(n));
	lease_store_stats(f->store, &st);
	assert_int_equal(st.pending, 0);
	lease_store_unnotify(f->store, efd);
	(void)close(efd);
}

/* A full disk that has room again is served from within a quarter of a second, however long it was
 * full. */
static void test_back_soon(void **state)
{
	struct fix *f = *state;
	struct lease_change ch;

	assert_int_equal(open_it(f, 0), 0);
	f->disk.mask = FAKE_CALL_WRITE;
	f->disk.first = 1;
	f->disk.last = UINT64_MAX;
	f->disk.calls = 0;
	f->disk.err = ENOSPC;
	assert_int_equal(assign(f->db, 1, &ch), 0);
	for (int i = 0; i < 200; i++) {
		lease_store_commit_now(f->store);
		virtual_clock_set(&f->clock, f->clock.wall + 100 * NS_PER_MS);
	}
	assert_false(lease_store_up(f->store));
	f->disk.last = 0;
	virtual_clock_set(&f->clock, f->clock.wall + 200 * NS_PER_MS);
	lease_store_commit_now(f->store);
	assert_true(lease_store_up(f->store));
}

static void test_no_persist(void **state)
{
	struct fix *f = *state;
	struct journal_opts o = {.persist = false, .clock = &f->clock.src};
	struct lease_change ch;

	assert_int_equal(journal_open(&o, f->db, &f->store, NULL), 0);
	assert_int_equal(assign(f->db, 1, &ch), 0);
	assert_int_equal(lease_store_wait(f->store, ch.seq, 0), 0);
	assert_string_equal(lease_store_path(f->store), "");
}

static size_t n_syncs(const struct fix *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->disk.n_ops; i++)
		n += f->disk.op[i].kind == FAKE_SYNC;
	return n;
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

static void test_interval(void **state)
{
	struct fix *f = *state;
	size_t before;

	open_mode(f, LEASE_SYNC_INTERVAL, 100);
	before = n_syncs(f);
	commit_one(f, 1);
	virtual_clock_set(&f->clock, f->clock.wall + 60 * NS_PER_MS);
	commit_one(f, 2);
	assert_int_equal(n_syncs(f), before);
	expect_stats(f, 0, 2);
	virtual_clock_set(&f->clock, f->clock.wall + 39 * NS_PER_MS);
	lease_store_commit_now(f->store);
	expect_stats(f, 0, 2);
	virtual_clock_set(&f->clock, f->clock.wall + NS_PER_MS);
	lease_store_commit_now(f->store);
	assert_int_equal(n_syncs(f), before + 1);
	expect_stats(f, 1, 0);
	/* nothing new, nothing to sync */
	virtual_clock_set(&f->clock, f->clock.wall + NS_PER_S);
	lease_store_commit_now(f->store);
	expect_stats(f, 1, 0);
	/* put aside by a clean-up: synced first */
	commit_one(f, 3);
	assert_int_equal(lease_store_cleanup(f->store), 0);
	for (int i = 0; i < 6; i++)
		lease_store_commit_now(f->store);
	expect_stats(f, 2, 0);
}

static void test_interval_sync_fails(void **state)
{
	struct fix *f = *state;

	open_mode(f, LEASE_SYNC_INTERVAL, 100);
	commit_one(f, 1);
	f->disk.mask = FAKE_CALL_SYNC;
	f->disk.calls = 0;
	f->disk.first = f->disk.last = 1;
	virtual_clock_set(&f->clock, f->clock.wall + 100 * NS_PER_MS);
	lease_store_commit_now(f->store);
	assert_false(lease_store_up(f->store));
	virtual_clock_set(&f->clock, f->clock.wall + NS_PER_S);
	lease_store_commit_now(f->store);
	assert_true(lease_store_up(f->store));
	/* only the row in doubt, in a new live file; the old one ends before it */
	assert_int_equal(
		live_len(f),
		strlen(HEAD) + strlen("10.0.0.1,02:00:01:00:00:00,,3600,1700003600,1,0,0,,0,,0\n"));
	assert_int_equal(fake_files_get(&f->disk, "/l/leases.csv.1")->len, strlen(HEAD));
	expect_stats(f, 1, 0);
}

static void test_never_synced(void **state)
{
	struct fix *f = *state;
	size_t before;

	open_mode(f, LEASE_SYNC_NONE, 0);
	before = n_syncs(f);
	for (uint32_t i = 0; i < 5; i++) {
		commit_one(f, i);
		virtual_clock_set(&f->clock, f->clock.wall + 10 * NS_PER_S);
		lease_store_commit_now(f->store);
	}
	assert_int_equal(n_syncs(f), before);
	expect_stats(f, 0, 5);
}

/* --- the real disk ---------------------------------------------------------------------------- */

struct load {
	struct lease_db *db;
	struct lease_store *store;
	uint32_t from, n;
};

static void *load_main(void *ctx)
{
	struct load *l = ctx;
	struct lease_change ch = {0};

	for (uint32_t i = 0; i < l->n; i++) {
		if (assign(l->db, l->from + i, &ch) < 0)
			abort();
		if (i % 64 == 63 && lease_store_wait(l->store, ch.seq, 10 * NS_PER_S) < 0)
			abort();
	}
	return lease_store_wait(l->store, ch.seq, 10 * NS_PER_S) < 0 ? l : NULL;
}

static void run_load(struct fix *f, struct lease_store *s)
{
	struct load load[3];
	pthread_t t[3];

	for (uint32_t i = 0; i < 3; i++) {
		load[i] = (struct load){f->db, s, i * 100000, 5000};
		assert_int_equal(pthread_create(&t[i], NULL, load_main, &load[i]), 0);
	}
	for (int k = 0; k < 5; k++) {
		(void)!lease_store_cleanup(s);
		(void)usleep(20000);
	}
	for (int i = 0; i < 3; i++) {
		void *r;

		assert_int_equal(pthread_join(t[i], &r), 0);
		assert_null(r);
	}
}

/* Milliseconds until seq is durable. */
static int64_t durable_after(const struct lease_store *s, uint64_t seq)
{
	int64_t from = clock_mono_ns(&clock_system);

	for (int k = 0; lease_store_durable(s) < seq && k < 10000; k++)
		(void)usleep(1000);
	assert_true(lease_store_durable(s) >= seq);
	return (clock_mono_ns(&clock_system) - from) / NS_PER_MS;
}

/* Kicked rows gather for the delay, flushed ones go at once, and so do enough of them. */
static void test_gather(void **state)
{
	enum { DELAY_MS = 2000 };
	struct fix *f = *state;
	char dir[] = "/tmp/usher-journal-XXXXXX";
	char name[64], cmd[96];
	struct journal_opts o = {.path = name,
				 .persist = true,
				 .threads = true,
				 .max_delay_us = DELAY_MS * 1000};
	struct journal_load_stats st;
	struct lease_change ch;
	struct lease_store *s;

	assert_non_null(mkdtemp(dir));
	(void)snprintf(name, sizeof(name), "%s/leases.csv", dir);
	lease_db_free(f->db);
	db_make(f, &clock_system);
	assert_int_equal(journal_open(&o, f->db, &s, &st), 0);
	assert_int_equal(assign(f->db, 1, &ch), 0);
	lease_store_flush(s);
	assert_true(durable_after(s, ch.seq) < DELAY_MS / 2);
	assert_int_equal(assign(f->db, 2, &ch), 0);
	lease_store_kick(s);
	assert_true(durable_after(s, ch.seq) >= DELAY_MS / 2);
	assert_int_equal(assign(f->db, 3, &ch), 0);
	lease_store_kick(s);
	(void)usleep(10000);
	lease_store_flush(s);
	assert_true(durable_after(s, ch.seq) < DELAY_MS / 2);
	assert_int_equal(assign(f->db, 4, &ch), 0);
	lease_store_kick(s);
	(void)usleep(10000);
	for (uint32_t i = 5; i < 600; i++)
		assert_int_equal(assign(f->db, i, &ch), 0);
	assert_true(durable_after(s, 500) < DELAY_MS / 2);
	lease_store_close(s);
	(void)snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	assert_int_equal(system(cmd), 0);
}

static void test_threads(void **state)
{
	struct fix *f = *state;
	char dir[] = "/tmp/usher-journal-XXXXXX";
	char name[64], cmd[96];
	struct journal_opts o = {.path = name,
				 .persist = true,
				 .threads = true,
				 .max_delay_us = 1000,
				 .interval_ms = 10};
	struct lease_store *s;
	struct journal_load_stats st;

	assert_non_null(mkdtemp(dir));
	(void)snprintf(name, sizeof(name), "%s/leases.csv", dir);
	for (int round = 0; round < 3; round++) {
		lease_db_free(f->db);
		db_make(f, &clock_system);
		o.durability = (enum lease_durability)round;
		assert_int_equal(journal_open(&o, f->db, &s, &st), 0);
		assert_int_equal(st.leases, round ? 15000 : 0);
		assert_int_equal(st.bad_rows, 0);
		run_load(f, s);
		lease_store_close(s);
	}
	(void)snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	assert_int_equal(system(cmd), 0);
}

/* A disk whose syncs fail now and then, below running threads and a clean-up. */
static atomic_bool sick;

static int sick_fdatasync(void *ctx, int fd)
{
	return sick ? -EIO : file_ops_system.fdatasync(ctx, fd);
}

static void *stubborn_main(void *ctx)
{
	struct load *l = ctx;
	struct lease_change ch = {0};

	for (uint32_t i = 0; i < l->n; i++) {
		if (assign(l->db, l->from + i, &ch) < 0)
			abort();
		while (i % 16 == 15 && lease_store_wait(l->store, ch.seq, 10 * NS_PER_S) < 0)
			(void)usleep(1000);
	}
	return NULL;
}

static void make_sick(struct lease_store *s, int times)
{
	while (times-- > 0) {
		(void)!lease_store_cleanup(s);
		(void)usleep(3000);
		sick = true;
		(void)usleep(30000);
		sick = false;
		for (int k = 0; !lease_store_up(s) && k < 5000; k++)
			(void)usleep(1000);
		assert_true(lease_store_up(s));
	}
}

static void sick_round(struct fix *f, const struct journal_opts *o, bool first)
{
	struct journal_load_stats st;
	struct lease_store *s;
	struct load load[3];
	pthread_t t[3];

	assert_int_equal(journal_open(o, f->db, &s, &st), 0);
	assert_int_equal(st.leases, first ? 0 : 6000);
	for (uint32_t i = 0; first && i < 3; i++) {
		load[i] = (struct load){f->db, s, i * 100000, 2000};
		assert_int_equal(pthread_create(&t[i], NULL, stubborn_main, &load[i]), 0);
	}
	if (first)
		make_sick(s, 3);
	for (int i = 0; first && i < 3; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
	lease_store_close(s);
}

static void test_sick_disk(void **state)
{
	struct fix *f = *state;
	char dir[] = "/tmp/usher-journal-XXXXXX";
	char name[64], cmd[96];
	struct file_ops files = file_ops_system;
	struct journal_opts o = {.path = name, .persist = true, .threads = true, .files = &files};

	files.fdatasync = sick_fdatasync;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(name, sizeof(name), "%s/leases.csv", dir);
	for (int round = 0; round < 2; round++) {
		lease_db_free(f->db);
		db_make(f, &clock_system);
		sick_round(f, &o, round == 0);
	}
	(void)snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	assert_int_equal(system(cmd), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_empty),
		T(test_last_row_wins),
		T(test_torn),
		T(test_zeroes),
		T(test_damage),
		T(test_stages),
		T(test_completed),
		T(test_old_header),
		T(test_down_and_up),
		T(test_back_soon),
		T(test_no_persist),
		T(test_interval),
		T(test_interval_sync_fails),
		T(test_never_synced),
		T(test_gather),
		T(test_threads),
		T(test_sick_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
