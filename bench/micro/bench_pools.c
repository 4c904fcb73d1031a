/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Picking an address: the cost must not depend on how full the pool is, nor on how many kept,
 * lapsed or reserved addresses it has, nor on the leases of its neighbours.
 */
#include "lease_bench.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 2000, FIRST = 0x0a000000 };

#define OP __attribute__((noinline)) static

struct pick {
	struct lease_db *db;
	struct lease_pools *pools;
	struct lease l;
	struct lease_client c;
	uint32_t next; /* client */
	bool keep;     /* a picked address stays held: the next pick gives another one */
};

/* One function a row, so that callgrind tells them apart. */
#define PICK(name)                                               \
	OP int op_##name(struct pick *p)                         \
	{                                                        \
		return lease_db_pick(p->db, p->pools, 0, &p->l); \
	}
PICK(pick_empty)
PICK(pick_few_free)
PICK(pick_full)
PICK(pick_reserved)
PICK(pick_kept)
PICK(pick_lapsed)
PICK(pick_lapsed_in_turn)
PICK(pick_full_of_lapsed_elsewhere)
#undef PICK

static void measure(struct pick *p, const char *name, int (*op)(struct pick *), int want)
{
	int64_t spent = 0;
	int64_t worst = 0;

	for (int i = 0; i < ROUNDS; i++) {
		int64_t t;
		int r;

		sample(&p->l, p->next++);
		p->c = client_of(&p->l);
		t = cpu_ns();
		r = op(p);
		t = cpu_ns() - t;
		spent += t;
		if (t > worst)
			worst = t;
		if (r != want)
			must(-1, name);
		if (r == 0 && !p->keep)
			lease_db_unhold(p->db, p->l.addr, &p->c);
	}
	printf("%-32s %6.0f ns, worst %.0f us\n", name, (double)spent / ROUNDS,
	       (double)worst / 1000);
}

static void open_pool(struct pick *p, uint32_t first, uint32_t size, const uint32_t *reserved,
		      size_t n)
{
	struct lease_pool_def d = {.first = first,
				   .last = first + size - 1,
				   .subnet_id = 1,
				   .reserved = reserved,
				   .n_reserved = n};

	must(lease_pools_build(p->db, &d, 1, &p->pools), "pools");
}

static void done(struct pick *p)
{
	lease_pools_unref(p->pools);
	lease_db_free(p->db);
}

static void leased(uint32_t size, uint32_t n_free, const char *name, int (*op)(struct pick *),
		   int want)
{
	struct pick p = {.db = bench_db(), .next = 100000000};

	fill(p.db, 0, size - n_free);
	open_pool(&p, FIRST, size, NULL, 0);
	measure(&p, name, op, want);
	done(&p);
}

static void reserved(uint32_t size)
{
	uint32_t *addrs = calloc(size, sizeof(*addrs));
	struct pick p = {.db = bench_db(), .next = 100000000};

	if (!addrs)
		must(-1, "calloc");
	for (uint32_t i = 0; i < size; i++)
		addrs[i] = FIRST + i;
	open_pool(&p, FIRST, size, addrs, size - 10);
	measure(&p, "pick_reserved", op_pick_reserved, 0);
	done(&p);
	free(addrs);
}

/* Puts n leases that ended long ago; state: their lease state. */
static void put_over(struct pick *p, uint32_t from, uint32_t n, uint8_t state)
{
	struct lease_change ch;
	struct lease l;

	for (uint32_t i = 0; i < n; i++) {
		sample(&l, from + i);
		l.cltt -= 100000;
		l.state = state;
		must(lease_db_put(p->db, &l, LEASE_PUT_FORCE, lease_expect_any(), &ch), "put");
	}
}

static void over(uint32_t size, uint8_t state, bool keep, const char *name,
		 int (*op)(struct pick *))
{
	struct pick p = {.db = bench_db(), .next = 100000000, .keep = keep};

	put_over(&p, 0, size, state);
	open_pool(&p, FIRST, size, NULL, 0);
	measure(&p, name, op, 0);
	done(&p);
}

/* A full pool beside one whose leases all ended in the same second. */
static void elsewhere(uint32_t size)
{
	struct pick p = {.db = bench_db(), .next = 100000000};

	fill(p.db, 0, 1000);
	put_over(&p, 1000, size, LEASE_ASSIGNED);
	open_pool(&p, FIRST, 1000, NULL, 0);
	measure(&p, "pick_full_of_lapsed_elsewhere", op_pick_full_of_lapsed_elsewhere,
		-USHER_E_EXHAUSTED);
	done(&p);
}

int bench_pools(int argc, char **argv)
{
	uint32_t size = argc > 0 ? 1U << atoi(argv[0]) : 1U << 20;

	leased(size, size, "pick_empty", op_pick_empty, 0);
	leased(size, 10, "pick_few_free", op_pick_few_free, 0);
	leased(size, 0, "pick_full", op_pick_full, -USHER_E_EXHAUSTED);
	reserved(size);
	over(size, LEASE_RELEASED, false, "pick_kept", op_pick_kept);
	over(size, LEASE_ASSIGNED, false, "pick_lapsed", op_pick_lapsed);
	over(size, LEASE_ASSIGNED, true, "pick_lapsed_in_turn", op_pick_lapsed_in_turn);
	elsewhere(size);
	return 0;
}
