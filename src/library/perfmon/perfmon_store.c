/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Durations of exchanges. Each worker adds to cells of its own, and no worker waits for another;
 * the cells of all workers are merged when an interval ends.
 *
 * As in Kea, an interval of a duration begins with its first sample, and ends with the first sample
 * that comes later than its width. That sample's worker takes the lock, merges the interval, and
 * raises alarms. The generation of the duration then moves on, and each worker begins its other
 * cell with its next sample. A worker may add a sample to an interval while it is merged; that
 * sample may be missing in it.
 */
#include "library/perfmon/perfmon.h"

#include "base/log.h"
#include "config/config.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { STRETCH = 64 }; /* durations that are copied in one hold of the lock */

/* A worker's part of a duration in one generation. Written by that worker alone. */
struct cell {
	_Atomic uint32_t generation;
	_Atomic uint64_t n;
	_Atomic int64_t min, max, total;
};

struct duration {
	_Atomic int64_t start_ns;
	_Atomic uint32_t generation; /* 0: no sample yet */
	int64_t start_wall_ns;
	struct perfmon_interval past;
	int64_t mean_us; /* that was reported; -1: none */
};

/* Index of durations and cells: (subnet + 1) * PERFMON_PAIRS + pair; subnet -1: all of them. */
struct perfmon_store {
	struct perfmon *p;
	struct perfmon_store *next;
	size_t n_subnets;
	uint32_t *ids; /* of the subnets */
	struct duration *durations;
	struct cell (**cells)[2]; /* an array of each worker */
};

static size_t index_of(long subnet, unsigned pair)
{
	return (size_t)(subnet + 1) * PERFMON_PAIRS + pair;
}

static uint32_t subnet_id_of(const struct perfmon_store *s, size_t index)
{
	size_t subnet = index / PERFMON_PAIRS;

	return subnet ? s->ids[subnet - 1] : 0;
}

int64_t perfmon_mean(const struct perfmon_interval *i)
{
	return i->n ? i->total / (int64_t)i->n : 0;
}

/* --- Life ------------------------------------------------------------------------------------- */

static void free_parts(struct perfmon_store *s)
{
	for (unsigned w = 0; s->cells && w < s->p->n_workers; w++)
		free(s->cells[w]);
	free(s->cells);
	free(s->durations);
	free(s->ids);
	free(s);
}

static bool alloc_parts(struct perfmon_store *s, const struct config *cfg)
{
	size_t n = (cfg->n_subnets + 1) * PERFMON_PAIRS;
	bool ok;

	s->n_subnets = cfg->n_subnets;
	s->ids = calloc(s->n_subnets + 1, sizeof(*s->ids));
	s->durations = calloc(n, sizeof(*s->durations));
	s->cells = calloc(s->p->n_workers, sizeof(*s->cells));
	ok = s->ids && s->durations && s->cells;
	for (unsigned w = 0; ok && w < s->p->n_workers; w++) {
		s->cells[w] = calloc(n, sizeof(*s->cells[w]));
		ok = s->cells[w] != NULL;
	}
	for (size_t i = 0; ok && i < s->n_subnets; i++)
		s->ids[i] = cfg->subnets[i].id;
	for (size_t i = 0; ok && i < n; i++)
		s->durations[i].mean_us = -1;
	return ok;
}

/* Copies the past intervals of a subnet. Called with the lock. */
static void copy_past(struct perfmon_store *s, long to, const struct perfmon_store *old, long from)
{
	for (unsigned pair = 0; pair < PERFMON_PAIRS; pair++) {
		struct duration *d = &s->durations[index_of(to, pair)];
		const struct duration *o = &old->durations[index_of(from, pair)];

		d->past = o->past;
		d->mean_us = o->mean_us;
	}
}

struct place {
	uint32_t id;
	uint32_t index;
};

static int compare_places(const void *a, const void *b)
{
	uint32_t x = ((const struct place *)a)->id, y = ((const struct place *)b)->id;

	return x < y ? -1 : x > y;
}

/* Copies the past intervals of all subnets that the old store has, too. False: memory is out. */
static bool copy_all(struct perfmon_store *s, const struct perfmon_store *old)
{
	struct place *places = calloc(old->n_subnets + 1, sizeof(*places));

	if (!places)
		return false;
	for (size_t i = 0; i < old->n_subnets; i++)
		places[i] = (struct place){old->ids[i], (uint32_t)i};
	qsort(places, old->n_subnets, sizeof(*places), compare_places);
	copy_past(s, -1, old, -1);
	for (size_t i = 0; i < s->n_subnets; i++) {
		struct place key = {.id = s->ids[i]};
		const struct place *at = bsearch(&key, places, old->n_subnets, sizeof(*places),
						 compare_places);

		if (at)
			copy_past(s, (long)i, old, at->index);
	}
	free(places);
	return true;
}

struct perfmon_store *perfmon_store_new(struct perfmon *p, const struct config *cfg)
{
	struct perfmon_store *s = calloc(1, sizeof(*s));
	bool ok;

	if (!s)
		return NULL;
	s->p = p;
	if (!alloc_parts(s, cfg)) {
		free_parts(s);
		return NULL;
	}
	(void)pthread_mutex_lock(&p->mu);
	ok = !p->stores || copy_all(s, p->stores);
	if (ok) {
		s->next = p->stores;
		p->stores = s;
	}
	(void)pthread_mutex_unlock(&p->mu);
	if (ok)
		return s;
	free_parts(s);
	return NULL;
}

void perfmon_store_free(void *store)
{
	struct perfmon_store *s = store;
	struct perfmon_store **at = &s->p->stores;

	(void)pthread_mutex_lock(&s->p->mu);
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	(void)pthread_mutex_unlock(&s->p->mu);
	free_parts(s);
}

/* --- Alarms ----------------------------------------------------------------------------------- */

static const char *time_text(int64_t ns, char out[40])
{
	time_t s = (time_t)(ns / NS_PER_S);
	struct tm tm;
	size_t n;

	(void)gmtime_r(&s, &tm);
	n = strftime(out, 40, "%Y-%m-%d %H:%M:%S", &tm);
	(void)snprintf(out + n, 40 - n, ".%03d", (int)(ns % NS_PER_S / NS_PER_MS));
	return out;
}

static void report_raised(struct perfmon *p, struct perfmon_alarm *a, int64_t mean_ns)
{
	int64_t now = clock_mono_ns(p->clock);
	char when[40];

	if (a->reported_ns && now - a->reported_ns <= p->params.report_ns)
		return;
	a->reported_ns = now;
	log_msg(p->log, LOG_PERFMON_ALARM_TRIGGERED,
		"Alarm for %s has been triggered since %s, reported mean duration %lld us exceeds "
		"high-water-ms: %lld",
		a->label, time_text(a->since_wall_ns, when), (long long)(mean_ns / 1000),
		(long long)(a->high_ns / NS_PER_MS));
}

/* Compares the mean of an interval with an alarm. Called with the lock. */
static void check_alarm(struct perfmon *p, struct perfmon_alarm *a, int64_t mean_ns)
{
	if (mean_ns < a->low_ns && a->triggered) {
		a->triggered = false;
		log_msg(p->log, LOG_PERFMON_ALARM_CLEARED,
			"Alarm for %s has been cleared, reported mean duration %lld us is now "
			"below low-water-ms: %lld",
			a->label, (long long)(mean_ns / 1000), (long long)(a->low_ns / NS_PER_MS));
	} else if (mean_ns > a->high_ns && !a->triggered) {
		a->triggered = true;
		a->since_wall_ns = clock_wall_ns(p->clock);
		a->reported_ns = 0;
	}
	if (a->triggered)
		report_raised(p, a, mean_ns);
}

static void check_alarms(struct perfmon *p, uint32_t subnet_id, unsigned pair, int64_t mean_ns)
{
	for (size_t i = 0; i < p->params.n_alarms; i++) {
		struct perfmon_alarm *a = &p->params.alarms[i];

		if (a->enabled && a->kind >= 0 && a->part >= 0 && a->subnet_id == subnet_id &&
		    (unsigned)(a->kind * PERFMON_PARTS + a->part) == pair)
			check_alarm(p, a, mean_ns);
	}
}

/* --- Samples ---------------------------------------------------------------------------------- */

static void merge_cell(struct perfmon_interval *to, const struct cell *c)
{
	int64_t min = atomic_load(&c->min), max = atomic_load(&c->max);
	uint64_t n = atomic_load(&c->n);

	if (!n)
		return;
	to->min = !to->n || min < to->min ? min : to->min;
	to->max = !to->n || max > to->max ? max : to->max;
	to->total += atomic_load(&c->total);
	to->n += n;
}

/* Ends the interval of a duration. Called with the lock. */
static void end_interval(struct perfmon_store *s, size_t index)
{
	struct duration *d = &s->durations[index];
	uint32_t g = atomic_load(&d->generation);
	struct perfmon_interval past = {.start_wall_ns = d->start_wall_ns};

	for (unsigned w = 0; w < s->p->n_workers; w++) {
		const struct cell *c = &s->cells[w][index][g & 1];

		if (atomic_load(&c->generation) == g)
			merge_cell(&past, c);
	}
	if (!past.n)
		return;
	d->past = past;
	if (atomic_load(&s->p->reporting))
		d->mean_us = perfmon_mean(&past) / 1000;
	check_alarms(s->p, subnet_id_of(s, index), (unsigned)(index % PERFMON_PAIRS),
		     perfmon_mean(&past));
}

static bool has_ended(const struct perfmon_store *s, const struct duration *d, int64_t now)
{
	return !atomic_load_explicit(&d->generation, memory_order_acquire) ||
	       now - atomic_load_explicit(&d->start_ns, memory_order_relaxed) >
		       s->p->params.interval_ns;
}

/* Begins an interval, unless another worker has done so. */
static void begin_interval(struct perfmon_store *s, size_t index, int64_t now)
{
	struct duration *d = &s->durations[index];
	uint32_t g;

	(void)pthread_mutex_lock(&s->p->mu);
	if (has_ended(s, d, now)) {
		g = atomic_load(&d->generation);
		if (g)
			end_interval(s, index);
		d->start_wall_ns = clock_wall_ns(s->p->clock);
		atomic_store(&d->start_ns, now);
		atomic_store(&d->generation, g + 1 ? g + 1 : 1);
	}
	(void)pthread_mutex_unlock(&s->p->mu);
}

static void add_sample(struct perfmon_store *s, unsigned worker, size_t index, int64_t ns)
{
	struct duration *d = &s->durations[index];
	int64_t now = clock_mono_ns(s->p->clock);
	struct cell *c;
	uint32_t g;

	if (has_ended(s, d, now))
		begin_interval(s, index, now);
	g = atomic_load_explicit(&d->generation, memory_order_relaxed);
	c = &s->cells[worker][index][g & 1];
	if (atomic_load_explicit(&c->generation, memory_order_relaxed) != g) {
		atomic_store_explicit(&c->n, 0, memory_order_relaxed);
		atomic_store_explicit(&c->total, 0, memory_order_relaxed);
		atomic_store_explicit(&c->min, INT64_MAX, memory_order_relaxed);
		atomic_store_explicit(&c->max, 0, memory_order_relaxed);
		atomic_store_explicit(&c->generation, g, memory_order_release);
	}
	if (ns < atomic_load_explicit(&c->min, memory_order_relaxed))
		atomic_store_explicit(&c->min, ns, memory_order_relaxed);
	if (ns > atomic_load_explicit(&c->max, memory_order_relaxed))
		atomic_store_explicit(&c->max, ns, memory_order_relaxed);
	atomic_store_explicit(&c->total, atomic_load_explicit(&c->total, memory_order_relaxed) + ns,
			      memory_order_relaxed);
	atomic_store_explicit(&c->n, atomic_load_explicit(&c->n, memory_order_relaxed) + 1,
			      memory_order_release);
}

void perfmon_add(struct perfmon_store *s, unsigned worker, long subnet, unsigned pair, int64_t ns)
{
	if (worker >= s->p->n_workers)
		return;
	if (subnet >= 0)
		add_sample(s, worker, index_of(subnet, pair), ns);
	add_sample(s, worker, index_of(-1, pair), ns);
}

/* --- Reading ---------------------------------------------------------------------------------- */

/* Copies the durations of a pair, beginning with a subnet, which have samples. Advances *subnet. */
static unsigned copy_stretch(struct perfmon *p, unsigned pair, long *subnet,
			     struct perfmon_shown to[STRETCH])
{
	const struct perfmon_store *s;
	unsigned n = 0;

	(void)pthread_mutex_lock(&p->mu);
	s = p->stores;
	for (unsigned k = 0; s && k < STRETCH && *subnet < (long)s->n_subnets; k++, ++*subnet) {
		size_t index = index_of(*subnet, pair);
		const struct duration *d = &s->durations[index];

		if (d->past.n || atomic_load(&d->generation))
			to[n++] = (struct perfmon_shown){subnet_id_of(s, index), pair, d->past,
							 d->mean_us};
	}
	if (!s || *subnet >= (long)s->n_subnets)
		*subnet = LONG_MAX;
	(void)pthread_mutex_unlock(&p->mu);
	return n;
}

void perfmon_each(struct perfmon *p, perfmon_fn *fn, void *ctx)
{
	struct perfmon_shown some[STRETCH];

	for (unsigned pair = 0; pair < PERFMON_PAIRS; pair++)
		for (long subnet = -1; subnet < LONG_MAX;) {
			unsigned n = copy_stretch(p, pair, &subnet, some);

			for (unsigned i = 0; i < n; i++)
				fn(ctx, &some[i]);
		}
}
