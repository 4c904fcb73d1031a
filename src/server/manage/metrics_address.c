/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Metrics of subnets and pools: by far the most lines of a text, so their labels are made once. A
 * configuration with more series than metrics-max-series has those of subnets only, or none.
 */
#include "base/ip.h"
#include "config/config.h"
#include "server/core/snapshot.h"
#include "server/manage/metrics_impl.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { LINES = 64 }; /* of one call */

/* --- Which series there are ------------------------------------------------------------------- */

/* Returns the number of series of a subnet or of a pool. */
static size_t count_series(enum stat_scope scope)
{
	uint32_t end = scope == STAT_OF_POOL ? STAT_SUBNET : STAT_N;
	size_t n = 1; /* its utilization */
	struct stat_series s[2];

	for (uint32_t what = STAT_LEASES; what < end; what++)
		n += stat_find_series(what, scope, s);
	return n;
}

/* Returns whether pool i of a subnet is the first one with its pool-id. */
static bool is_first_pool(const struct config_subnet *s, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (s->pools[k].pool_id == s->pools[i].pool_id)
			return false;
	return true;
}

static size_t count_pools(const struct config *cfg)
{
	size_t n = 0;

	for (size_t i = 0; i < cfg->n_subnets; i++)
		for (size_t k = 0; k < cfg->subnets[i].n_pools; k++)
			n += is_first_pool(&cfg->subnets[i], k);
	return n;
}

int metrics_addresses_begin(struct metrics_run *r)
{
	const struct config *cfg = r->snap->cfg;
	size_t of_subnets = cfg->n_subnets * count_series(STAT_OF_SUBNET);
	size_t n_pools = count_pools(cfg), of_pools = n_pools * count_series(STAT_OF_POOL);

	if (of_subnets <= cfg->metrics_max_series) {
		r->n_subnets = cfg->n_subnets;
		r->series = of_subnets;
	}
	if (of_subnets + of_pools <= cfg->metrics_max_series) {
		r->n_pools = n_pools;
		r->series += of_pools;
	}
	r->subnets_omitted = r->n_subnets == cfg->n_subnets ? 0 : of_subnets;
	r->pools_omitted = r->n_pools == n_pools ? 0 : of_pools;
	r->subnets = calloc(r->n_subnets + 1, sizeof(*r->subnets));
	r->pools = calloc(r->n_pools + 1, sizeof(*r->pools));
	return r->subnets && r->pools ? 0 : -ENOMEM;
}

/* --- Reading ---------------------------------------------------------------------------------- */

/* Keeps the labels that are in r->scratch. */
static struct metrics_place keep_labels(struct metrics_run *r)
{
	struct metrics_place p = {(uint32_t)r->labels.len, (uint32_t)r->scratch.len};

	buf_add(&r->labels, r->scratch.p, r->scratch.len);
	return p;
}

static struct span labels_of(const struct metrics_run *r, struct metrics_place p)
{
	return span_of(r->labels.p + p.at, p.len);
}

static void label_subnet(struct metrics_run *r, const struct config_subnet *s)
{
	char id[16];

	(void)snprintf(id, sizeof(id), "%u", s->id);
	buf_reset(&r->scratch);
	metrics_label(&r->m, &r->scratch, "subnet", s->text);
	metrics_label(&r->m, &r->scratch, "subnet_id", id);
	metrics_label(&r->m, &r->scratch, "prefix", s->text);
	metrics_label(&r->m, &r->scratch, "shared_network", s->network ? s->network->name : "");
}

/* Puts the labels of a pool into r->scratch: those of its subnet, and its own. */
static void label_pool(struct metrics_run *r, const struct config_subnet *s, uint32_t pool_id)
{
	struct span subnet = labels_of(r, r->subnets[s->index].labels);
	char text[2 * IP_TEXT_LEN], first[IP_TEXT_LEN], last[IP_TEXT_LEN];
	size_t i = 0;

	while (s->pools[i].pool_id != pool_id)
		i++;
	buf_reset(&r->scratch);
	buf_add(&r->scratch, subnet.p, subnet.n);
	(void)snprintf(text, sizeof(text), "%u", pool_id);
	metrics_label(&r->m, &r->scratch, "pool_id", text);
	(void)snprintf(text, sizeof(text), "%s-%s", ip_text(s->pools[i].first, first),
		       ip_text(s->pools[i].last, last));
	metrics_label(&r->m, &r->scratch, "pool", text);
}

/* Takes a statistic of the subnet that is read, or of one of its pools. */
static void take_value(void *ctx, const struct stat_now *v)
{
	struct metrics_run *r = ctx;
	uint32_t what = v->key.what - STAT_LEASES;

	if (v->key.pool == LEASE_ALL_POOLS) {
		r->subnets[r->subnets_read].v[what] = (uint64_t)v->raw;
		return;
	}
	if (!r->n_pools)
		return;
	if (v->key.what == STAT_TOTAL) { /* the first one of a pool */
		label_pool(r, &r->snap->cfg->subnets[r->subnets_read], v->key.pool);
		r->pools[r->pools_read++].labels = keep_labels(r);
	}
	r->pools[r->pools_read - 1].v[what] = (uint64_t)v->raw;
}

/* Reads the subnets up to number n, and their pools. */
static void read_subnets(struct metrics_run *r, size_t n)
{
	for (; r->subnets_read < n; r->subnets_read++) {
		const struct config_subnet *s = &r->snap->cfg->subnets[r->subnets_read];

		label_subnet(r, s);
		r->subnets[r->subnets_read].labels = keep_labels(r);
		stat_walk_subnet(&r->d->srv, r->snap, s, take_value, r);
	}
}

/* --- Writing ---------------------------------------------------------------------------------- */

/* The statistics that a family publishes. */
struct columns {
	struct column {
		uint32_t what; /* above STAT_LEASES */
		char more[64]; /* labels besides those of the subnet or pool: `,name="value"` */
		size_t more_len;
	} c[STAT_N - STAT_LEASES];
	unsigned n;
};

static void add_column(const struct metrics_run *r, struct columns *k, uint32_t what,
		       const struct stat_series *s)
{
	struct column *c = &k->c[k->n++];
	char text[sizeof(c->more) + 1];
	struct buf b;

	*c = (struct column){.what = what - STAT_LEASES};
	if (!s->label[0])
		return;
	buf_init_over(&b, text, sizeof(text));
	buf_char(&b, '{'); /* so that it is not the first label */
	metrics_label(&r->m, &b, s->label, s->value);
	c->more_len = b.len - 1;
	assert(c->more_len <= sizeof(c->more)); /* a label of metrics.def */
	memcpy(c->more, b.p + 1, c->more_len);
	buf_fini(&b);
}

static void find_columns(const struct metrics_run *r, enum stat_scope scope, struct columns *ret)
{
	uint32_t end = scope == STAT_OF_POOL ? STAT_SUBNET : STAT_N;

	ret->n = 0;
	for (uint32_t what = STAT_LEASES; what < end; what++) {
		struct stat_series s[2];
		unsigned n = stat_find_series(what, scope, s);

		for (unsigned i = 0; i < n; i++)
			if (s[i].family == (enum metric_family)r->family)
				add_column(r, ret, what, &s[i]);
	}
}

static void write_column(struct metrics_run *r, struct span labels, const struct column *c,
			 uint64_t v)
{
	if (c->more_len) {
		buf_reset(&r->scratch);
		buf_add(&r->scratch, labels.p, labels.n);
		buf_add(&r->scratch, c->more, c->more_len);
		labels = span_of(r->scratch.p, r->scratch.len);
	}
	metrics_value(&r->m, labels, v);
}

/* Returns the end of the piece that begins at r->at. */
static size_t end_of_piece(const struct metrics_run *r, size_t n)
{
	return n - r->at < LINES ? n : r->at + LINES;
}

bool metrics_write_subnets(struct metrics_run *r)
{
	size_t end = end_of_piece(r, r->n_subnets);
	struct columns k;

	find_columns(r, STAT_OF_SUBNET, &k);
	read_subnets(r, end);
	for (; r->at < end; r->at++) {
		const struct metrics_subnet *s = &r->subnets[r->at];

		for (unsigned i = 0; i < k.n; i++)
			write_column(r, labels_of(r, s->labels), &k.c[i], s->v[k.c[i].what]);
	}
	return r->at < r->n_subnets;
}

bool metrics_write_pools(struct metrics_run *r)
{
	size_t end = end_of_piece(r, r->n_pools);
	struct columns k;

	find_columns(r, STAT_OF_POOL, &k);
	for (; r->at < end; r->at++) {
		const struct metrics_pool *p = &r->pools[r->at];

		for (unsigned i = 0; i < k.n; i++)
			write_column(r, labels_of(r, p->labels), &k.c[i], p->v[k.c[i].what]);
	}
	return r->at < r->n_pools;
}

bool metrics_write_utilization(struct metrics_run *r)
{
	size_t end = end_of_piece(r, r->n_subnets);

	for (; r->at < end; r->at++) {
		const struct metrics_subnet *s = &r->subnets[r->at];

		metrics_ratio(&r->m, labels_of(r, s->labels), s->v[STAT_INDEX_assigned],
			      s->v[STAT_TOTAL - STAT_LEASES]);
	}
	return r->at < r->n_subnets;
}

bool metrics_write_pool_utilization(struct metrics_run *r)
{
	size_t end = end_of_piece(r, r->n_pools);

	for (; r->at < end; r->at++) {
		const struct metrics_pool *p = &r->pools[r->at];

		metrics_ratio(&r->m, labels_of(r, p->labels), p->v[STAT_INDEX_assigned],
			      p->v[STAT_TOTAL - STAT_LEASES]);
	}
	return r->at < r->n_pools;
}

/* Writes the utilization of a shared network: of all its subnets together. */
static void write_network(struct metrics_run *r, const struct config_network *n)
{
	uint64_t assigned = 0, total = 0;

	for (size_t i = 0; i < n->n_subnets; i++) {
		const struct metrics_subnet *s = &r->subnets[n->subnets[i]->index];

		assigned += s->v[STAT_INDEX_assigned];
		total += s->v[STAT_TOTAL - STAT_LEASES];
	}
	buf_reset(&r->scratch);
	metrics_label(&r->m, &r->scratch, "shared_network", n->name);
	metrics_ratio(&r->m, span_of(r->scratch.p, r->scratch.len), assigned, total);
}

bool metrics_write_networks(struct metrics_run *r)
{
	const struct config *cfg = r->snap->cfg;
	size_t n = r->n_subnets ? cfg->n_networks : 0, end = end_of_piece(r, n);

	for (; r->at < end; r->at++)
		write_network(r, &cfg->networks[r->at]);
	return r->at < n;
}

bool metrics_write_series(struct metrics_run *r)
{
	if (r->family == FAMILY_SERIES) {
		metrics_value(&r->m, SPAN_NULL, r->series);
		return false;
	}
	metrics_labelled(&r->m, "of", "subnets", r->subnets_omitted);
	metrics_labelled(&r->m, "of", "pools", r->pools_omitted);
	return false;
}
