/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The parts of the library perfmon: parameters (perfmon_read.c), durations and alarms
 * (perfmon_store.c), commands (perfmon_command.c), callouts (perfmon.c).
 */
#pragma once

#include "base/arena.h"
#include "base/clock.h"
#include "hook/hook.h"
#include "wire/dhcp4.h"

#include <pthread.h>
#include <stdatomic.h>

struct config;
struct json;
struct library_problems;
struct log;

/* Kinds of exchanges, and the parts of one: a duration of a subnet is one of these pairs. */
enum { PERFMON_KINDS = 5, PERFMON_PARTS = 3, PERFMON_PAIRS = PERFMON_KINDS * PERFMON_PARTS };
struct perfmon_kind {
	enum dhcp4_type query, response;
};
struct perfmon_part {
	const char *start, *stop; /* events */
};
extern const struct perfmon_kind perfmon_kinds[PERFMON_KINDS];
extern const struct perfmon_part perfmon_parts[PERFMON_PARTS];

/* --- Parameters ------------------------------------------------------------------------------- */

struct perfmon_alarm {
	int kind, part; /* -1: of no duration that there is */
	uint32_t subnet_id;
	char *label;
	int64_t low_ns, high_ns;
	bool enabled, triggered;
	int64_t since_wall_ns;
	int64_t reported_ns; /* monotonic; 0: not yet */
};

struct perfmon_params {
	bool monitoring, reporting;
	int64_t interval_ns, report_ns;
	struct perfmon_alarm *alarms;
	size_t n_alarms;
};

/* Reads the library's parameters (NULL: none), and reports mistakes. The alarms are in arena. */
void perfmon_read(struct library_problems *p, const struct json *map, struct arena *arena,
		  struct perfmon_params *ret);

/* --- Durations -------------------------------------------------------------------------------- */

/* The durations of the past interval of a pair of a subnet, in nanoseconds. n is 0: none. */
struct perfmon_interval {
	int64_t start_wall_ns;
	uint64_t n;
	int64_t min, max, total;
};

struct perfmon_store;

/* All stores of a library, newest first, and its alarms. The lock is taken once an interval for
 * each duration, and by commands. */
struct perfmon {
	struct arena arena;
	struct perfmon_params params;
	_Atomic bool monitoring, reporting;
	const struct clock_src *clock;
	unsigned n_workers;
	struct log *log;
	pthread_mutex_t mu; /* of the list, the past intervals, and the alarms */
	struct perfmon_store *stores;
};

/* Makes the durations of a configuration. They continue the past intervals of the store before.
 * NULL: memory is out. */
struct perfmon_store *perfmon_store_new(struct perfmon *p, const struct config *cfg) must_check;
void perfmon_store_free(void *store);
/* Adds a duration of a subnet (its index; -1: none) and of all subnets. Any thread; workers do not
 * wait for each other. */
void perfmon_add(struct perfmon_store *s, unsigned worker, long subnet, unsigned pair, int64_t ns);

struct perfmon_shown {
	uint32_t subnet_id; /* 0: all subnets */
	unsigned pair;
	struct perfmon_interval past;
	int64_t mean_us; /* that was reported as a statistic; -1: none */
};
typedef void perfmon_fn(void *ctx, const struct perfmon_shown *d);
/* Calls fn for each duration that has samples, in the order of pairs and subnets. */
void perfmon_each(struct perfmon *p, perfmon_fn *fn, void *ctx);
/* Returns the mean of an interval, in nanoseconds. */
int64_t perfmon_mean(const struct perfmon_interval *i);

/* --- Commands --------------------------------------------------------------------------------- */

int perfmon_commands(usher_lib *lib, struct perfmon *p) must_check;
