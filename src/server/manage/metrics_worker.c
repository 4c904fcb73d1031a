/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Metrics of packets on their way: stages, times of exchanges, workers. Sums over the workers, or a
 * sample for each.
 */
#include "server/manage/metrics_impl.h"
#include "server/worker/worker.h"

#include <ctype.h>
#include <stdio.h>

static struct span span_of_scratch(const struct metrics_run *r)
{
	return span_of(r->scratch.p, r->scratch.len);
}

bool metrics_write_stages(struct metrics_run *r)
{
	static const char *const verdicts[] = {
		[VERDICT_CONTINUE] = "next",
		[VERDICT_DROP] = "drop",
		[VERDICT_PARK] = "park",
		[VERDICT_DONE] = "answer",
	};
	const struct server *srv = &r->d->srv;
	uint64_t n[STAGE_N][VERDICT_N] = {{0}};

	for (unsigned i = 0; i < srv->n_workers; i++)
		stats_stages(srv->worker_stats[i], n);
	for (unsigned s = 0; s < STAGE_N; s++)
		for (unsigned v = 0; v < VERDICT_N; v++) {
			char name[32];
			size_t k = 0;

			for (const char *c = stage_name((enum stage)s); *c && k < sizeof(name) - 1;
			     c++)
				name[k++] = (char)tolower((unsigned char)*c);
			name[k] = '\0';
			buf_reset(&r->scratch);
			metrics_label(&r->m, &r->scratch, "stage", name);
			metrics_label(&r->m, &r->scratch, "verdict", verdicts[v]);
			metrics_value(&r->m, span_of_scratch(r), n[s][v]);
		}
	return false;
}

bool metrics_write_exchanges(struct metrics_run *r)
{
	static const char *const types[] = {
		[STATS_OFFER] = "offer",
		[STATS_ACK] = "ack",
		[STATS_NAK] = "nak",
	};
	const struct server *srv = &r->d->srv;

	for (unsigned t = 0; t < STATS_ANSWER_N; t++) {
		struct buckets_sum sum = {0};

		for (unsigned i = 0; i < srv->n_workers; i++)
			buckets_read(&srv->worker_stats[i]->exchange[t], &sum);
		buf_reset(&r->scratch);
		metrics_label(&r->m, &r->scratch, "type", types[t]);
		metrics_histogram(&r->m, span_of_scratch(r), &stats_exchange_shape, &sum, true);
	}
	return false;
}

bool metrics_write_parked(struct metrics_run *r)
{
	const struct server *srv = &r->d->srv;
	uint64_t n = 0;

	for (unsigned i = 0; i < srv->n_workers; i++)
		n += worker_parked(srv->workers[i]);
	metrics_value(&r->m, SPAN_NULL, n);
	return false;
}

/* Returns the value of the present family of worker i. */
static uint64_t read_worker(const struct metrics_run *r, unsigned i)
{
	const struct stats *s = r->d->srv.worker_stats[i];

	switch (r->family) {
	case FAMILY_RECEIVE_BATCHES:
		return s->receive_batches;
	case FAMILY_RECEIVE_PACKETS:
		return s->receive_packets;
	case FAMILY_SEND_BATCHES:
		return s->send_batches;
	case FAMILY_SEND_ERRORS:
		return s->drop[DROP_SEND_FAILED];
	case FAMILY_KERNEL_DROPS:
		return s->metric[METRIC_KERNEL_DROPS];
	case FAMILY_SLOTS:
		return worker_slots(r->d->srv.workers[i]);
	default: /* FAMILY_SLOTS_IN_USE */
		return worker_parked(r->d->srv.workers[i]);
	}
}

/* Puts the label of worker i into r->scratch. */
static struct span label_worker(struct metrics_run *r, unsigned i)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%u", i);
	buf_reset(&r->scratch);
	metrics_label(&r->m, &r->scratch, "worker", text);
	return span_of_scratch(r);
}

bool metrics_write_workers(struct metrics_run *r)
{
	for (unsigned i = 0; i < r->d->srv.n_workers; i++)
		metrics_value(&r->m, label_worker(r, i), read_worker(r, i));
	return false;
}

bool metrics_write_busy(struct metrics_run *r)
{
	for (unsigned i = 0; i < r->d->srv.n_workers; i++)
		metrics_seconds(&r->m, label_worker(r, i), worker_busy_ns(r->d->srv.workers[i]));
	return false;
}
