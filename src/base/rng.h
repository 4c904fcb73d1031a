/* SPDX-License-Identifier: MPL-2.0 */
/*
 * xoshiro256**: quick, good enough for picking addresses and jitter, repeatable from a seed.
 * Not for secrets. One thread at a time.
 */
#pragma once

#include <stdint.h>

struct rng {
	uint64_t s[4];
};

void rng_seed(struct rng *r, uint64_t seed);
/* Seeds from the kernel's entropy. */
void rng_seed_system(struct rng *r);
uint64_t rng_u64(struct rng *r);
/* Returns a uniformly distributed number in [0, n); n > 0. */
uint32_t rng_below(struct rng *r, uint32_t n);
