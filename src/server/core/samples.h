/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The history of statistics: samples of each one, newest first, bounded by their number or by their
 * age, as Kea keeps them. The caller passes the value of a statistic now and then (samples_see); a
 * changed value is a new sample. A statistic that never changed takes no memory. Used by the
 * management thread alone.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct samples;

enum { SAMPLES_DEFAULT = 20, SAMPLES_TOTAL_MAX = 1 << 20 };

/* subnet 0: of the server. pool LEASE_ALL_POOLS: of the whole subnet. */
struct stat_key {
	uint32_t subnet, pool, what;
};

/* How a statistic begins, and the effect of a new configuration on it. */
enum stat_kind {
	STAT_COUNTER,	/* begins at 0, continues */
	STAT_LAZY,	/* begins at 0 and continues, but is absent before its first change */
	STAT_RECOUNTED, /* of a subnet: begins with its value, at each configuration anew */
	STAT_RESTARTED, /* of a subnet: begins at 0, at each configuration anew */
	STAT_SIZE,	/* of a subnet: set by the configuration */
};

struct stat_now {
	struct stat_key key;
	enum stat_kind kind;
	int64_t raw;	  /* the value of its source, which no command moves */
	const char *name; /* of a hook library's; NULL: that of the key */
};

struct sample {
	int64_t value, when_ns;
};

/* At most n samples, or samples of the last n seconds. */
struct sample_limit {
	bool by_age;
	uint32_t n;
};

/* Creates the histories. now_ns: wall clock, the begin of the server's statistics. NULL when
 * memory is out. */
struct samples *samples_new(int64_t now_ns);
void samples_free(struct samples *s);

/* Adds a sample if the value changed. Returns true if it did. */
bool samples_see(struct samples *s, const struct stat_now *v, int64_t now_ns);
/* Returns whether the statistic exists: it is not removed and has begun. */
bool samples_exist(const struct samples *s, const struct stat_now *v);
typedef void (*sample_fn)(void *ctx, const struct sample *sample);
/* Calls fn for the samples, newest first; for at least one if the statistic exists. */
void samples_each(const struct samples *s, const struct stat_now *v, sample_fn fn, void *ctx);

/* Called when a configuration is in effect. Call samples_restart() afterwards for each statistic
 * of its subnets. */
void samples_configured(struct samples *s, int64_t now_ns);
void samples_restart(struct samples *s, const struct stat_now *v, int64_t now_ns);

/* Commands. They return false where there is no such statistic, or no memory. */
bool samples_reset(struct samples *s, const struct stat_now *v, int64_t now_ns) must_check;
bool samples_remove(struct samples *s, const struct stat_now *v, int64_t now_ns) must_check;
bool samples_limit(struct samples *s, const struct stat_now *v, struct sample_limit l,
		   int64_t now_ns) must_check;
/* Resets all existing statistics, each of which samples_see() has received before. */
void samples_reset_all(struct samples *s, int64_t now_ns);
void samples_remove_all(struct samples *s);
/* Sets the limit of all histories, present and future ones. */
void samples_limit_all(struct samples *s, struct sample_limit l);
