/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Crash images of the journal. A random load runs over the fake disk; a ledger keeps, for every
 * address, each state it ever had, when it came about and when it was acknowledged (both counted
 * in recorded disk changes). The files after a crash must load, and every address must be in its
 * last acknowledged state or a later one: with "commit" after every crash, with "interval" and
 * "none" when the process was killed. When the machine crashed, "interval" may lose leases
 * acknowledged in the last interval and no older ones, "none" anything, but nobody gets a lease
 * that never was.
 */
#include "base/error.h"
#include "fake/fake_files.h"
#include "lease/journal/journal.h"
#include "lease/lease_db.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { N_ADDRS = 40, BASE = 0x0a000000, PATH_LEN = 16, INTERVAL_MS = 1500 };
static const char path[PATH_LEN] = "/l/leases.csv";

struct version {
	bool there;
	struct lease l;
	uint64_t seq;
	size_t born, acked, safe; /* SIZE_MAX: not */
	int64_t acked_ns;
};

struct ledger {
	struct version *v[N_ADDRS];
	size_t n[N_ADDRS];
};

struct world {
	struct fake_files disk;
	struct virtual_clock clock;
	struct lease_db *db;
	struct lease_store *store;
	struct ledger ledger;
	struct rng rng;
	enum lease_durability durability;
};

static struct lease_db *new_db(const struct clock_src *clock)
{
	struct lease_db_opts o = {.clock = clock,
				  .hash_key = {1, 2},
				  .seed = 3,
				  .offer_hold_s = 10};
	struct lease_db *db = NULL;

	assert_int_equal(lease_db_new(&o, &db), 0);
	return db;
}

static int open_store(const struct world *w, struct fake_files *disk, struct lease_db *db,
		      struct lease_store **ret)
{
	struct journal_opts o = {.path = path,
				 .persist = true,
				 .files = &disk->ops,
				 .clock = &w->clock.src,
				 .durability = w->durability,
				 .interval_ms = INTERVAL_MS};

	return journal_open(&o, db, ret, NULL);
}

/* Returns whether times agree: a released lease that was reclaimed has lifetime 0, in the file 1.
 */
static bool same_times(const struct lease *a, const struct lease *b)
{
	if (a->state == LEASE_RECLAIMED && a->valid_lft <= 1 && b->valid_lft <= 1)
		return a->cltt + a->valid_lft == b->cltt + b->valid_lft;
	return a->valid_lft == b->valid_lft && a->cltt == b->cltt;
}

static bool same(const struct lease *a, const struct lease *b)
{
	return a->state == b->state && same_times(a, b) && a->subnet_id == b->subnet_id &&
	       span_eq(lease_hw(a), lease_hw(b)) &&
	       span_eq(lease_client_id(a), lease_client_id(b)) &&
	       strcmp(a->hostname, b->hostname) == 0;
}

static void note_changes(struct world *w)
{
	struct lease_store_stats st;

	lease_store_stats(w->store, &st);
	for (uint32_t i = 0; i < N_ADDRS; i++) {
		struct ledger *g = &w->ledger;
		struct version v = {.seq = st.rows,
				    .born = w->disk.n_ops,
				    .acked = SIZE_MAX,
				    .safe = SIZE_MAX};
		const struct version *last = g->n[i] ? &g->v[i][g->n[i] - 1] : NULL;

		v.there = lease_db_get(w->db, BASE + i, NULL, &v.l, NULL) == 0;
		if (last ? last->there == v.there && (!v.there || same(&last->l, &v.l)) : !v.there)
			continue;
		g->v[i] = realloc(g->v[i], (g->n[i] + 1) * sizeof(v));
		assert_non_null(g->v[i]);
		g->v[i][g->n[i]++] = v;
	}
}

static void note_acks(struct world *w)
{
	uint64_t durable = lease_store_durable(w->store);
	struct lease_store_stats st;

	lease_store_stats(w->store, &st);
	for (int i = 0; i < N_ADDRS; i++)
		for (size_t k = 0; k < w->ledger.n[i]; k++) {
			struct version *v = &w->ledger.v[i][k];

			if (v->acked == SIZE_MAX && v->seq <= durable) {
				v->acked = w->disk.n_ops;
				v->acked_ns = w->clock.mono;
			}
			if (v->acked != SIZE_MAX && v->safe == SIZE_MAX && st.unsynced == 0)
				v->safe = w->disk.n_ops;
			/* the bound of a loss by a crash of the machine */
			if (w->durability != LEASE_SYNC_NONE && lease_store_up(w->store) &&
			    v->acked != SIZE_MAX && v->safe == SIZE_MAX)
				assert_true(w->clock.mono - v->acked_ns < INTERVAL_MS * NS_PER_MS);
		}
}

static void random_change(struct world *w)
{
	uint32_t i = rng_below(&w->rng, N_ADDRS);
	uint32_t who = rng_below(&w->rng, N_ADDRS);
	struct lease_change ch;
	struct lease l = {.addr = BASE + i,
			  .subnet_id = 1,
			  .valid_lft = 5 + rng_below(&w->rng, 60),
			  .hw_len = 6,
			  .hw = {2, 0, 0, 0, 0, (uint8_t)who},
			  .cltt = clock_wall_s(&w->clock.src)};
	struct lease_client c = {.hw = lease_hw(&l)};
	struct lease_reclaim_opts ro = {.max_leases = 3};
	bool more;

	(void)snprintf(l.hostname, sizeof(l.hostname), "h,%u", who);
	switch (rng_below(&w->rng, 10)) {
	case 0:
		(void)!lease_db_release(w->db, l.addr, &c, who & 1, &ch);
		break;
	case 1:
		(void)!lease_db_decline(w->db, l.addr, &c, 30, &ch);
		break;
	case 2:
		(void)!lease_db_del(w->db, l.addr, lease_expect_any(), &ch);
		break;
	case 3:
		(void)lease_db_reclaim(w->db, &ro, &more);
		break;
	case 4:
		(void)lease_db_flush_reclaimed(w->db, 20, 2);
		break;
	default:
		(void)!lease_db_assign(w->db, &l, &c, &ch);
	}
}

static void step(struct world *w)
{
	virtual_clock_set(&w->clock, w->clock.wall + rng_below(&w->rng, 300) * NS_PER_MS);
	random_change(w);
	note_changes(w);
	if (rng_below(&w->rng, 3))
		return;
	lease_store_commit_now(w->store);
	note_acks(w);
	if (rng_below(&w->rng, 20) == 0)
		(void)!lease_store_cleanup(w->store);
}

static void world_init(struct world *w, uint64_t seed, enum lease_durability durability)
{
	*w = (struct world){.durability = durability};
	rng_seed(&w->rng, seed);
	virtual_clock_init(&w->clock, 1700000000 * NS_PER_S);
	fake_files_init(&w->disk);
	w->db = new_db(&w->clock.src);
}

static void world_fini(struct world *w)
{
	lease_store_close(w->store);
	lease_db_free(w->db);
	fake_files_fini(&w->disk);
	for (int i = 0; i < N_ADDRS; i++)
		free(w->ledger.v[i]);
}

/* Has the crash to leave this state or a later one? */
static bool must_last(const struct world *w, const struct version *v, size_t at,
		      enum fake_loss loss)
{
	if (loss == FAKE_LOSE_NOTHING || w->durability == LEASE_SYNC_COMMIT)
		return v->acked <= at;
	return w->durability == LEASE_SYNC_INTERVAL && v->safe <= at;
}

static bool address_ok(const struct world *w, uint32_t i, size_t at, enum fake_loss loss,
		       bool there, const struct lease *l)
{
	const struct ledger *g = &w->ledger;
	size_t k = g->n[i];
	bool acked = false;

	while (k > 0 && !acked) {
		const struct version *v = &g->v[i][--k];

		acked = must_last(w, v, at, loss);
		if (v->born <= at && v->there == there && (!there || same(&v->l, l)))
			return true;
	}
	return !acked && !there;
}

static unsigned n_images;

static void check_image(struct world *w, struct fake_files *image, size_t at, enum fake_loss loss)
{
	struct lease_db *db = new_db(&w->clock.src);
	struct lease_store *store = NULL;
	struct lease l;

	assert_int_equal(open_store(w, image, db, &store), 0);
	for (uint32_t i = 0; i < N_ADDRS; i++) {
		bool there = lease_db_get(db, BASE + i, NULL, &l, NULL) == 0;

		if (!address_ok(w, i, at, loss, there, &l))
			fail_msg("address %u wrong after a crash at %zu of %zu, loss %d", i, at,
				 w->disk.n_ops, (int)loss);
	}
	n_images++;
	/* and it serves on */
	lease_store_commit_now(store);
	assert_true(lease_store_up(store));
	lease_store_close(store);
	lease_db_free(db);
}

static void check_images(struct world *w, unsigned n, size_t from)
{
	for (unsigned k = 0; k < n; k++) {
		size_t at = from + rng_below(&w->rng, (uint32_t)(w->disk.n_ops - from) + 1);
		struct fake_files image;

		enum fake_loss loss = k % 8 == 0   ? FAKE_LOSE_UNSYNCED
				      : k % 8 == 1 ? FAKE_LOSE_NOTHING
						   : FAKE_LOSE_SOME;

		fake_files_crash(&w->disk, at, loss, &w->rng, &image);
		check_image(w, &image, at, loss);
		fake_files_fini(&image);
	}
}

static void maybe_break(struct world *w)
{
	static const int errs[] = {ENOSPC, EIO, EROFS};

	w->disk.short_writes = rng_below(&w->rng, 4) == 0;
	if (rng_below(&w->rng, 40))
		return;
	w->disk.err = errs[rng_below(&w->rng, 3)];
	w->disk.first = w->disk.calls + 1 + rng_below(&w->rng, 5);
	w->disk.last = w->disk.first + rng_below(&w->rng, 6);
}

static void random_crashes(enum lease_durability durability)
{
#ifdef __SANITIZE_ADDRESS__
	enum { SEEDS = 10 };
#else
	enum { SEEDS = 30 };
#endif

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct world w;

		world_init(&w, seed, durability);
		assert_int_equal(open_store(&w, &w.disk, w.db, &w.store), 0);
		for (int i = 0; i < 500; i++) {
			if (seed % 3)
				maybe_break(&w);
			step(&w);
		}
		check_images(&w, 150, 3);
		world_fini(&w);
	}
}

static void test_random_crashes(void **state)
{
	(void)state;
	random_crashes(LEASE_SYNC_COMMIT);
}

static void test_random_crashes_interval(void **state)
{
	(void)state;
	random_crashes(LEASE_SYNC_INTERVAL);
}

static void test_random_crashes_none(void **state)
{
	(void)state;
	random_crashes(LEASE_SYNC_NONE);
}

/*
 * How far the crash after `at` is from the one before: each change of the disk that soon follows a
 * failed call, some of the later ones. The changes before the call are those of the run whose call
 * before it failed. USHER_LONG: all of them.
 */
static size_t stride(size_t since)
{
#ifdef __SANITIZE_ADDRESS__
	enum { EACH = 4, THEN = 30 };
#else
	enum { EACH = 24, THEN = 5 };
#endif
	return since < EACH || getenv("USHER_LONG") ? 1 : THEN;
}

/* Fails call n once; true: the run had fewer calls. */
static bool run_failing(uint64_t n, int err, enum lease_durability durability)
{
	struct fake_files image;
	struct world w;
	size_t from = 3;
	bool untouched;
	int r;

	world_init(&w, 77, durability);
	w.disk.first = w.disk.last = n;
	w.disk.err = err;
	r = open_store(&w, &w.disk, w.db, &w.store);
	if (r < 0)
		assert_int_equal(open_store(&w, &w.disk, w.db, &w.store), 0);
	for (int i = 0; i < 120; i++) {
		if (i == 30 || i == 80)
			(void)!lease_store_cleanup(w.store);
		if (w.disk.calls < n && w.disk.n_ops > from && !getenv("USHER_LONG"))
			from = w.disk.n_ops;
		step(&w);
	}
	untouched = w.disk.calls < n;
	for (int i = 0; i < 40; i++) {
		virtual_clock_set(&w.clock, w.clock.wall + 100 * NS_PER_MS);
		lease_store_commit_now(w.store);
		note_acks(&w);
	}
	assert_true(lease_store_up(w.store));
	for (int i = 0; i < N_ADDRS; i++)
		if (w.ledger.n[i])
			assert_true(w.ledger.v[i][w.ledger.n[i] - 1].acked != SIZE_MAX);
	for (size_t at = from; at <= w.disk.n_ops; at += stride(at - from)) {
		fake_files_crash(&w.disk, at, FAKE_LOSE_SOME, &w.rng, &image);
		check_image(&w, &image, at, FAKE_LOSE_SOME);
		fake_files_fini(&image);
	}
	fake_files_crash(&w.disk, w.disk.n_ops, FAKE_LOSE_UNSYNCED, &w.rng, &image);
	check_image(&w, &image, w.disk.n_ops, FAKE_LOSE_UNSYNCED);
	fake_files_fini(&image);
	world_fini(&w);
	return untouched;
}

static void test_every_call_fails_once(void **state)
{
	static const int errs[] = {ENOSPC, EIO, EROFS};
	uint64_t n = 1;

	(void)state;
	while (!run_failing(n, errs[n % 3], LEASE_SYNC_COMMIT))
		n++;
	for (uint64_t k = 1; !run_failing(k, errs[k % 3], LEASE_SYNC_INTERVAL); k++)
		continue;
	print_message("failed each of %llu calls once; %u crash images in all\n",
		      (unsigned long long)n - 1, n_images);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_crashes),
		cmocka_unit_test(test_random_crashes_interval),
		cmocka_unit_test(test_random_crashes_none),
		cmocka_unit_test(test_every_call_fails_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
