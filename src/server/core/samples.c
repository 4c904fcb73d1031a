/* SPDX-License-Identifier: MPL-2.0 */
/*
 * An open-addressed table of series. A statistic without a series has its first value since the
 * time when the statistics of its kind began. A series holds the newest sample and a ring of older
 * ones; `base` is subtracted from the source's value, which is how reset and removal work without
 * touching the source. SAMPLES_TOTAL_MAX bounds the samples of all rings together: beyond it a
 * series replaces its oldest one.
 */
#include "server/core/samples.h"

#include "base/clock.h"
#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

struct series {
	struct stat_key key;
	bool used;
	bool removed;
	int64_t base;
	struct sample newest;
	struct sample_limit limit;
	struct sample *ring; /* of the older ones */
	uint32_t n, cap, oldest;
};

struct samples {
	struct series *t;
	size_t n, cap;
	size_t total;		   /* samples in rings */
	struct sample_limit limit; /* of new ones */
	int64_t since_ns[2];	   /* of the server, of subnets */
	bool removed[2];	   /* remove-all: those without a series do not exist */
};

static bool of_subnet(const struct stat_key *k)
{
	return k->subnet != 0;
}

struct samples *samples_new(int64_t now_ns)
{
	struct samples *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->limit.n = SAMPLES_DEFAULT;
	s->since_ns[0] = s->since_ns[1] = now_ns;
	return s;
}

void samples_free(struct samples *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->cap; i++)
		free(s->t[i].ring);
	free(s->t);
	free(s);
}

/* --- one series ------------------------------------------------------------------------------- */

static const struct sample *ring_at(const struct series *e, uint32_t i)
{
	return &e->ring[(e->oldest + i) % e->cap];
}

static void ring_drop(struct samples *s, struct series *e)
{
	e->oldest = (e->oldest + 1) % e->cap;
	e->n--;
	s->total--;
}

static void clear_series_ring(struct samples *s, struct series *e)
{
	s->total -= e->n;
	free(e->ring);
	e->ring = NULL;
	e->n = e->cap = e->oldest = 0;
}

/* Makes room for one more of the older samples, by growth where the bounds permit it. Returns
 * false if there is none. */
static bool ring_room(struct samples *s, struct series *e)
{
	uint32_t cap = e->cap ? e->cap * 2 : 4;
	struct sample *ring;

	if (e->n < e->cap && s->total < SAMPLES_TOTAL_MAX)
		return true;
	ring = s->total < SAMPLES_TOTAL_MAX ? malloc(cap * sizeof(*ring)) : NULL;
	if (!ring) {
		if (!e->n)
			return false;
		ring_drop(s, e);
		return true;
	}
	for (uint32_t i = 0; i < e->n; i++)
		ring[i] = *ring_at(e, i);
	free(e->ring);
	e->ring = ring;
	e->cap = cap;
	e->oldest = 0;
	return true;
}

static bool too_many(const struct series *e)
{
	if (!e->n)
		return false;
	if (!e->limit.by_age)
		return e->n + 1 > e->limit.n;
	return e->newest.when_ns - ring_at(e, 0)->when_ns > (int64_t)e->limit.n * NS_PER_S;
}

static void trim_series(struct samples *s, struct series *e)
{
	while (too_many(e))
		ring_drop(s, e);
	if (!e->n)
		clear_series_ring(s, e);
}

static void push_sample(struct samples *s, struct series *e, int64_t value, int64_t now_ns)
{
	bool older = e->limit.by_age || e->limit.n > 1;

	if (older && ring_room(s, e)) {
		e->ring[(e->oldest + e->n) % e->cap] = e->newest;
		e->n++;
		s->total++;
	}
	e->newest = (struct sample){value, now_ns};
	trim_series(s, e);
}

static void begin_series(struct samples *s, struct series *e, int64_t value, int64_t now_ns)
{
	clear_series_ring(s, e);
	e->removed = false;
	e->newest = (struct sample){value, now_ns};
}

/* --- the table -------------------------------------------------------------------------------- */

static struct series *probe_series(struct series *t, size_t cap, const struct stat_key *k)
{
	size_t i = hash_u32(k->subnet ^ hash_u32(k->pool ^ hash_u32(k->what))) & (cap - 1);

	while (t[i].used && memcmp(&t[i].key, k, sizeof(*k)) != 0)
		i = (i + 1) & (cap - 1);
	return &t[i];
}

static struct series *find_series(const struct samples *s, const struct stat_key *k)
{
	struct series *e = s->cap ? probe_series(s->t, s->cap, k) : NULL;

	return e && e->used ? e : NULL;
}

static bool grow_table(struct samples *s)
{
	size_t cap = s->cap ? s->cap * 2 : 256;
	struct series *t = calloc(cap, sizeof(*t));

	if (!t)
		return false;
	for (size_t i = 0; i < s->cap; i++)
		if (s->t[i].used)
			*probe_series(t, cap, &s->t[i].key) = s->t[i];
	free(s->t);
	s->t = t;
	s->cap = cap;
	return true;
}

static int64_t first_value(const struct stat_now *v)
{
	return v->kind == STAT_SIZE ? v->raw : 0;
}

static bool is_absent(const struct samples *s, const struct stat_now *v)
{
	return v->kind == STAT_LAZY || s->removed[of_subnet(&v->key)];
}

/* Returns the series of a statistic, created with its first value. NULL when memory is out. */
static struct series *take_series(struct samples *s, const struct stat_now *v)
{
	struct series *e = find_series(s, &v->key);

	if (e)
		return e;
	if ((s->n + 1) * 2 > s->cap && !grow_table(s))
		return NULL;
	e = probe_series(s->t, s->cap, &v->key);
	*e = (struct series){
		.key = v->key,
		.used = true,
		.removed = is_absent(s, v),
		.newest = {first_value(v), s->since_ns[of_subnet(&v->key)]},
		.limit = s->limit,
	};
	if (e->removed && v->kind == STAT_SIZE)
		e->base = v->raw;
	s->n++;
	return e;
}

bool samples_see(struct samples *s, const struct stat_now *v, int64_t now_ns)
{
	struct series *e = find_series(s, &v->key);
	int64_t value;

	if (!e && v->raw == first_value(v))
		return false;
	e = take_series(s, v);
	if (!e)
		return false;
	value = v->raw - e->base;
	if (e->removed ? value == 0 : value == e->newest.value)
		return false;
	if (e->removed)
		begin_series(s, e, value, now_ns);
	else
		push_sample(s, e, value, now_ns);
	return true;
}

bool samples_exist(const struct samples *s, const struct stat_now *v)
{
	const struct series *e = find_series(s, &v->key);

	return e ? !e->removed : !is_absent(s, v);
}

void samples_each(const struct samples *s, const struct stat_now *v, sample_fn fn, void *ctx)
{
	const struct series *e = find_series(s, &v->key);
	struct sample first = {first_value(v), s->since_ns[of_subnet(&v->key)]};

	if (!samples_exist(s, v))
		return;
	fn(ctx, e ? &e->newest : &first);
	for (uint32_t i = e ? e->n : 0; i > 0; i--)
		fn(ctx, ring_at(e, i - 1));
}

/* --- configurations --------------------------------------------------------------------------- */

void samples_configured(struct samples *s, int64_t now_ns)
{
	s->since_ns[1] = now_ns;
	s->removed[1] = false;
}

void samples_restart(struct samples *s, const struct stat_now *v, int64_t now_ns)
{
	struct series *e = find_series(s, &v->key);

	if (v->kind == STAT_LAZY || (v->kind == STAT_COUNTER && e && !e->removed))
		return;
	if (!e && v->raw == first_value(v))
		return;
	e = take_series(s, v);
	if (!e)
		return;
	if (v->kind == STAT_RECOUNTED || v->kind == STAT_SIZE)
		e->base = 0;
	else
		e->base = v->raw;
	e->limit = s->limit;
	begin_series(s, e, v->raw - e->base, now_ns);
}

/* --- commands --------------------------------------------------------------------------------- */

static struct series *take_existing(struct samples *s, const struct stat_now *v, int64_t now_ns)
{
	(void)samples_see(s, v, now_ns);
	return samples_exist(s, v) ? take_series(s, v) : NULL;
}

bool samples_reset(struct samples *s, const struct stat_now *v, int64_t now_ns)
{
	struct series *e = take_existing(s, v, now_ns);

	if (!e)
		return false;
	e->base = v->raw;
	begin_series(s, e, 0, now_ns);
	return true;
}

bool samples_remove(struct samples *s, const struct stat_now *v, int64_t now_ns)
{
	struct series *e = take_existing(s, v, now_ns);

	if (!e)
		return false;
	e->base = v->raw;
	begin_series(s, e, 0, now_ns);
	e->removed = true;
	return true;
}

bool samples_limit(struct samples *s, const struct stat_now *v, struct sample_limit l,
		   int64_t now_ns)
{
	struct series *e = take_existing(s, v, now_ns);

	if (!e)
		return false;
	e->limit = l;
	trim_series(s, e);
	return true;
}

void samples_reset_all(struct samples *s, int64_t now_ns)
{
	s->since_ns[0] = s->since_ns[1] = now_ns;
	for (size_t i = 0; i < s->cap; i++) {
		struct series *e = &s->t[i];

		if (!e->used || e->removed)
			continue;
		e->base += e->newest.value;
		begin_series(s, e, 0, now_ns);
	}
}

void samples_remove_all(struct samples *s)
{
	s->removed[0] = s->removed[1] = true;
	for (size_t i = 0; i < s->cap; i++) {
		struct series *e = &s->t[i];

		if (!e->used || e->removed)
			continue;
		e->base += e->newest.value;
		clear_series_ring(s, e);
		e->removed = true;
	}
}

void samples_limit_all(struct samples *s, struct sample_limit l)
{
	s->limit = l;
	for (size_t i = 0; i < s->cap; i++) {
		if (!s->t[i].used)
			continue;
		s->t[i].limit = l;
		trim_series(s, &s->t[i]);
	}
}
