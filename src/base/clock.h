/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Time comes through a small table, so that replay, scenarios and simulation can give their own.
 * wall_ns: nanoseconds since the epoch (leases, logs). mono_ns: nanoseconds that never step
 * (holds, time-outs, rate limits).
 */
#pragma once

#include <stdint.h>

#define NS_PER_S  1000000000LL
#define NS_PER_MS 1000000LL

struct clock_src {
	int64_t (*wall_ns)(void *ctx);
	int64_t (*mono_ns)(void *ctx);
	void *ctx;
};

static inline int64_t clock_wall_ns(const struct clock_src *c)
{
	return c->wall_ns(c->ctx);
}

static inline int64_t clock_mono_ns(const struct clock_src *c)
{
	return c->mono_ns(c->ctx);
}

/* Returns seconds since the epoch. */
static inline int64_t clock_wall_s(const struct clock_src *c)
{
	return clock_wall_ns(c) / NS_PER_S;
}

/* The machine's own clock. */
extern const struct clock_src clock_system;
/* The machine's own clock as of the last tick, a few milliseconds ago at most, at a fifth of the
 * cost. It serves leases, which count seconds and need the time several times a packet. */
extern const struct clock_src clock_coarse;

/* A clock that is set by hand: wall and mono both move with virtual_clock_set. */
struct virtual_clock {
	int64_t wall;
	int64_t mono;
	struct clock_src src;
};

void virtual_clock_init(struct virtual_clock *v, int64_t wall_ns);
/* Moves both forward to wall_ns; a wall time in the past moves wall only. */
void virtual_clock_set(struct virtual_clock *v, int64_t wall_ns);
