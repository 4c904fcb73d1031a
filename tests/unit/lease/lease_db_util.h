/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The lease table that its tests start with: a virtual clock, clients by number, one pool.
 */
#pragma once

#include "lease/lease_db.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BASE = 0x0a000000, T0 = 1700000000 };

struct fix {
	struct virtual_clock clock;
	struct lease_db *db;
};

static inline int setup(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));
	struct lease_db_opts o = {.hash_key = {1, 2}, .seed = 3, .offer_hold_s = 10};

	virtual_clock_init(&f->clock, T0 * NS_PER_S);
	o.clock = &f->clock.src;
	*state = f;
	return lease_db_new(&o, &f->db);
}

static inline int teardown(void **state)
{
	struct fix *f = *state;

	lease_db_free(f->db);
	free(f);
	return 0;
}

static inline struct lease client(uint32_t n)
{
	struct lease l = {.subnet_id = 1, .valid_lft = 100, .cltt = T0, .hw_len = 6, .hw = {2}};

	memcpy(l.hw + 2, &n, sizeof(n));
	return l;
}

static inline struct lease_client who(const struct lease *l)
{
	return (struct lease_client){lease_client_id(l), lease_hw(l)};
}

static inline void at(struct fix *f, int64_t s)
{
	virtual_clock_set(&f->clock, (T0 + s) * NS_PER_S);
}

static inline int assign(struct fix *f, uint32_t addr, uint32_t n, struct lease_change *ch)
{
	struct lease l = client(n);
	struct lease_client c = who(&l);

	l.addr = addr;
	l.cltt = clock_wall_s(&f->clock.src);
	return lease_db_assign(f->db, &l, &c, ch);
}

static inline struct lease_pools *pool(struct fix *f, uint32_t size, enum lease_allocator a)
{
	struct lease_pool_def d = {.first = BASE,
				   .last = BASE + size - 1,
				   .subnet_id = 1,
				   .allocator = a};
	struct lease_pools *p = NULL;

	assert_int_equal(lease_pools_build(f->db, &d, 1, &p), 0);
	return p;
}

static inline uint8_t state_of(struct fix *f, uint32_t addr)
{
	struct lease l;

	return lease_db_get(f->db, addr, NULL, &l, NULL) == 0 ? l.state : 255;
}
