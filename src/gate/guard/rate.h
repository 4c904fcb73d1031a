/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Token buckets, each one number: the time by which all that was taken is paid for (the generic
 * cell rate algorithm). And a table of them of fixed size, by hash: when it is full the one that
 * rested longest goes, and comes back as a full bucket. One thread.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct guard_rate {
	uint32_t a_second; /* 0: no limit */
	uint32_t burst;	   /* at least 1 */
};

/* Returns whether one may be taken now. */
bool guard_rate_ok(const struct guard_rate *r, int64_t paid_ns, int64_t now_ns);
void guard_rate_take(const struct guard_rate *r, int64_t *paid_ns, int64_t now_ns);

struct guard_buckets;

int guard_buckets_new(uint32_t max, struct guard_buckets **ret) must_check;
void guard_buckets_free(struct guard_buckets *t);
/* Returns the bucket of a hash, which is made if there is none; valid until the next call. */
int64_t *guard_buckets_get(struct guard_buckets *t, uint64_t hash);
