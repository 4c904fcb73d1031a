/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The system clock and the virtual one. CLOCK_BOOTTIME, not MONOTONIC: a suspended machine's
 * holds and time-outs keep counting.
 */
#include "base/clock.h"

#include <stddef.h>
#include <time.h>

static int64_t read_ns(clockid_t id)
{
	struct timespec ts = {0};

	(void)clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static int64_t system_wall(void *ctx)
{
	(void)ctx;
	return read_ns(CLOCK_REALTIME);
}

static int64_t system_mono(void *ctx)
{
	(void)ctx;
	return read_ns(CLOCK_BOOTTIME);
}

const struct clock_src clock_system = {system_wall, system_mono, NULL};

static int64_t coarse_wall(void *ctx)
{
	(void)ctx;
	return read_ns(CLOCK_REALTIME_COARSE);
}

/* Reads CLOCK_MONOTONIC_COARSE, because there is no coarse CLOCK_BOOTTIME. A hold therefore
 * outlives a suspended machine, which costs nobody anything. */
static int64_t coarse_mono(void *ctx)
{
	(void)ctx;
	return read_ns(CLOCK_MONOTONIC_COARSE);
}

const struct clock_src clock_coarse = {coarse_wall, coarse_mono, NULL};

static int64_t virtual_wall(void *ctx)
{
	const struct virtual_clock *v = ctx;

	return v->wall;
}

static int64_t virtual_mono(void *ctx)
{
	const struct virtual_clock *v = ctx;

	return v->mono;
}

void virtual_clock_init(struct virtual_clock *v, int64_t wall_ns)
{
	v->wall = wall_ns;
	v->mono = NS_PER_S;
	v->src = (struct clock_src){virtual_wall, virtual_mono, v};
}

void virtual_clock_set(struct virtual_clock *v, int64_t wall_ns)
{
	if (wall_ns > v->wall)
		v->mono += wall_ns - v->wall;
	v->wall = wall_ns;
}
