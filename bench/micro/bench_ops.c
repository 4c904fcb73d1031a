/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One operation at a time on a big table, and picks from pools in every state. The functions named
 * op_* are collected by callgrind; leases are drawn by a stride, so that no two neighbours follow.
 */
#include "lease_bench.h"

#include "base/buf.h"
#include "lease/lease_csv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 20000, STRIDE = 7919, GROUP = 64 };

#define OP __attribute__((noinline)) static

struct bench {
	struct lease_db *db;
	struct lease_store *store;
	struct lease_pools *pools;
	uint32_t n; /* leases in the table */
	struct lease l, own[4];
	struct lease_client c;
	struct lease_change ch;
	struct buf row;
	int r;
};

static void pick_client(struct bench *b, uint32_t i)
{
	sample(&b->l, i);
	b->c = client_of(&b->l);
}

OP void op_find_stranger(struct bench *b)
{
	static const uint32_t subnet = 1;

	b->r = (int)lease_db_find(b->db, &b->c, &subnet, 1, NULL, b->own, 4);
}

OP void op_find_own(struct bench *b)
{
	static const uint32_t subnet = 1;

	b->r = (int)lease_db_find(b->db, &b->c, &subnet, 1, NULL, b->own, 4) - 1;
}

OP void op_get(struct bench *b)
{
	b->r = lease_db_get(b->db, b->l.addr, NULL, b->own, NULL);
}

OP void op_pick(struct bench *b)
{
	b->r = lease_db_pick(b->db, b->pools, 0, &b->l);
}

OP void op_find_offered(struct bench *b)
{
	static const uint32_t subnet = 1;

	b->r = (int)lease_db_find(b->db, &b->c, &subnet, 1, NULL, b->own, 4) - 1;
}

OP void op_assign_new(struct bench *b)
{
	b->r = lease_db_assign(b->db, &b->l, &b->c, &b->ch);
}

OP void op_offer_own(struct bench *b)
{
	b->r = lease_db_hold(b->db, &b->l);
}

OP void op_assign_own(struct bench *b)
{
	b->r = lease_db_assign(b->db, &b->l, &b->c, &b->ch);
}

OP void op_renew(struct bench *b)
{
	b->r = lease_db_assign(b->db, &b->l, &b->c, &b->ch);
}

OP void op_release_keep(struct bench *b)
{
	b->r = lease_db_release(b->db, b->l.addr, &b->c, true, &b->ch);
}

OP void op_release_delete(struct bench *b)
{
	b->r = lease_db_release(b->db, b->l.addr, &b->c, false, &b->ch);
}

OP void op_reclaim_64(struct bench *b)
{
	struct lease_reclaim_opts o = {.max_leases = GROUP};
	bool more;

	b->r = (int)lease_db_reclaim(b->db, &o, &more) - GROUP;
}

OP void op_commit_64(struct bench *b)
{
	lease_store_commit_now(b->store);
}

OP void op_format(struct bench *b)
{
	lease_csv_format(&b->l, false, &b->row);
}

OP void op_parse(struct bench *b)
{
	const char *why;

	b->r = lease_csv_parse(b->row.p, b->row.len - 1, LEASE_CSV_COLUMNS, b->own, &why);
}

/* Runs op for ROUNDS leases, committing a group now and then outside of the measured part. */
static void run(struct bench *b, const char *name, void (*op)(struct bench *), uint32_t from,
		uint32_t stride)
{
	int64_t spent = 0;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		int64_t t;

		pick_client(b, from + (uint32_t)((uint64_t)i * stride % b->n));
		t = cpu_ns();
		op(b);
		spent += cpu_ns() - t;
		must(b->r, name);
		if (i % GROUP == GROUP - 1)
			op_commit_64(b);
	}
	printf("%-20s %6.0f ns\n", name, (double)spent / ROUNDS);
}

static void exchange_new(struct bench *b)
{
	int64_t spent[4] = {0};
	int64_t t0;
	int64_t t1;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		pick_client(b, b->n + i);
		t0 = cpu_ns();
		op_find_stranger(b);
		t1 = cpu_ns();
		spent[0] += t1 - t0;
		op_pick(b);
		t0 = cpu_ns();
		spent[1] += t0 - t1;
		must(b->r, "pick");
		op_find_offered(b);
		t1 = cpu_ns();
		spent[2] += t1 - t0;
		op_assign_new(b);
		t0 = cpu_ns();
		spent[3] += t0 - t1;
		must(b->r, "assign");
		if (i % GROUP == GROUP - 1)
			op_commit_64(b);
	}
	printf("%-20s %6.0f ns\n%-20s %6.0f ns\n%-20s %6.0f ns\n%-20s %6.0f ns\n", "find_stranger",
	       (double)spent[0] / ROUNDS, "pick", (double)spent[1] / ROUNDS, "find_offered",
	       (double)spent[2] / ROUNDS, "assign_new", (double)spent[3] / ROUNDS);
}

static void pool_open(struct bench *b, uint32_t first, uint32_t last)
{
	struct lease_pool_def d = {.first = first, .last = last, .subnet_id = 1};

	must(lease_pools_build(b->db, &d, 1, &b->pools), "pools");
}

static void expire_some(struct bench *b)
{
	struct lease l;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		sample(&l, 3 * b->n + i);
		l.cltt -= 2 * 3600 + i % 600;
		must(lease_db_put(b->db, &l, LEASE_PUT_FORCE, lease_expect_any(), &b->ch), "put");
	}
	lease_db_expire_holds(b->db);
}

static void reclaim_all(struct bench *b)
{
	int64_t t = cpu_ns();

	for (uint32_t i = 0; i + GROUP <= ROUNDS; i += GROUP) {
		op_reclaim_64(b);
		must(b->r, "reclaim");
	}
	printf("%-20s %6.0f ns\n", "reclaim", (double)(cpu_ns() - t) / (ROUNDS / GROUP * GROUP));
}

static void rows(struct bench *b)
{
	int64_t t = cpu_ns();

	for (uint32_t i = 0; i < ROUNDS; i++) {
		buf_reset(&b->row);
		op_format(b);
	}
	printf("%-20s %6.0f ns\n", "format", (double)(cpu_ns() - t) / ROUNDS);
	t = cpu_ns();
	for (uint32_t i = 0; i < ROUNDS; i++)
		op_parse(b);
	printf("%-20s %6.0f ns\n", "parse", (double)(cpu_ns() - t) / ROUNDS);
	must(b->r, "parse");
}

int bench_ops(int argc, char **argv)
{
	struct bench b = {.db = bench_db(), .n = argc > 0 ? (uint32_t)atoi(argv[0]) : 1000000};
	char path[] = "/tmp/lease_bench.XXXXXX";
	struct journal_opts o = {.path = path, .persist = true};
	int fd = mkstemp(path);

	must(fd, "mkstemp");
	pool_open(&b, 0x0a000000, 0x0affffff);
	fill(b.db, 0, b.n);
	must(journal_open(&o, b.db, &b.store, NULL), "journal_open");
	exchange_new(&b);
	run(&b, "find_own", op_find_own, 0, STRIDE);
	run(&b, "get", op_get, 0, STRIDE);
	run(&b, "offer_own", op_offer_own, 0, STRIDE);
	run(&b, "assign_own", op_assign_own, 0, STRIDE);
	run(&b, "renew", op_renew, 0, STRIDE + 2);
	run(&b, "release_keep", op_release_keep, 0, b.n / 2 / ROUNDS);
	run(&b, "release_delete", op_release_delete, b.n / 2, b.n / 2 / ROUNDS);
	expire_some(&b);
	reclaim_all(&b);
	rows(&b);
	buf_fini(&b.row);
	lease_pools_unref(b.pools);
	lease_store_close(b.store);
	lease_db_free(b.db);
	(void)remove(path);
	return 0;
}
