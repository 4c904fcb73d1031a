/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Threads at the table: how much they get done together, and how long a row takes to the disk,
 * alone and beside a clean-up of all leases.
 */
#include "lease_bench.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	MAX_THREADS = 16,
	BUSY_RATE = 50000, /* a worker has packets all the time; below, it runs out of them */
};

struct worker {
	struct lease_db *db;
	pthread_t thread;
	uint32_t from, n, done;
	unsigned work; /* turns of a loop between two assignments: the rest of an exchange */
	atomic_bool *stop;
	int64_t cpu;
};

static void *assign_main(void *ctx)
{
	struct worker *w = ctx;
	struct lease_change ch;
	struct lease l;
	int64_t t = cpu_ns();

	for (uint32_t i = 0; !*w->stop; i++) {
		struct lease_client c;

		sample(&l, w->from + (uint32_t)((uint64_t)i * 7919 % w->n));
		c = client_of(&l);
		must(lease_db_assign(w->db, &l, &c, &ch), "assign");
		for (volatile unsigned k = 0; k < w->work; k++)
			continue;
		w->done++;
	}
	w->cpu = cpu_ns() - t;
	return NULL;
}

int bench_contend(int argc, char **argv)
{
	unsigned n = argc > 0 ? (unsigned)atoi(argv[0]) : 2;
	uint32_t leases = argc > 1 ? (uint32_t)atoi(argv[1]) : 1000000;
	unsigned work = argc > 2 ? (unsigned)atoi(argv[2]) : 0;
	struct lease_db *db = bench_db();
	struct worker w[MAX_THREADS];
	atomic_bool stop = false;
	uint64_t done = 0;
	int64_t cpu = 0;

	if (n < 1 || n > MAX_THREADS)
		must(-1, "1 to 16 threads");
	fill(db, 0, leases);
	for (unsigned i = 0; i < n; i++) {
		w[i] = (struct worker){.db = db,
				       .from = leases / n * i,
				       .n = leases / n,
				       .stop = &stop,
				       .work = work};
		must(-pthread_create(&w[i].thread, NULL, assign_main, &w[i]), "pthread_create");
	}
	(void)sleep(2);
	stop = true;
	for (unsigned i = 0; i < n; i++) {
		(void)pthread_join(w[i].thread, NULL);
		done += w[i].done;
		cpu += w[i].cpu;
	}
	printf("%u threads: %.0f assignments/s, %.0f ns CPU each\n", n, (double)done / 2,
	       (double)cpu / (double)done);
	lease_db_free(db);
	return 0;
}

/* --- assign -> durable ------------------------------------------------------------------------ */

static int cmp(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a;
	int64_t y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

struct pending {
	uint64_t seq;
	int64_t at;
};

struct probe {
	struct lease_db *db;
	struct lease_store *store;
	uint32_t n;
	unsigned rate; /* a second */
	unsigned seconds;
	int64_t *took;
	size_t n_took;
	struct pending *queue;
	size_t head, tail;
};

static void reap(struct probe *p)
{
	uint64_t durable = lease_store_durable(p->store);
	int64_t now = mono_ns();

	while (p->head < p->tail && p->queue[p->head].seq <= durable)
		p->took[p->n_took++] = now - p->queue[p->head++].at;
}

/* Open loop: renewals at the given rate, in bursts of those that are due every 50 us. */
static void probe(struct probe *p, const char *what)
{
	size_t total = (size_t)p->rate * p->seconds;
	int64_t start = mono_ns();
	int64_t others;
	struct lease_store_stats a;
	struct lease_store_stats b;
	struct lease_change ch;

	p->took = calloc(total + 1, sizeof(*p->took));
	p->queue = calloc(total + 1, sizeof(*p->queue));
	if (!p->took || !p->queue)
		must(-1, "calloc");
	p->n_took = p->head = p->tail = 0;
	others = process_cpu_ns() - cpu_ns();
	lease_store_stats(p->store, &a);
	while (p->head < total) {
		size_t due = (size_t)((mono_ns() - start) * p->rate / NS_PER_S);

		while (p->tail < total && p->tail < due) {
			struct lease_client c;
			struct lease l;

			sample(&l, (uint32_t)((uint64_t)p->tail * 7919 % p->n));
			c = client_of(&l);
			p->queue[p->tail].at = mono_ns();
			must(lease_db_assign(p->db, &l, &c, &ch), "assign");
			p->queue[p->tail++].seq = ch.seq;
		}
		if (p->rate < BUSY_RATE || p->tail == total)
			lease_store_flush(p->store);
		else
			lease_store_kick(p->store);
		reap(p);
		(void)usleep(20);
		reap(p);
	}
	lease_store_stats(p->store, &b);
	others = process_cpu_ns() - cpu_ns() - others;
	qsort(p->took, p->n_took, sizeof(*p->took), cmp);
	printf("%-10s %u/s: p50 %.3f ms, p99 %.3f ms, max %.3f ms; %.1f rows a commit, %.0f ns CPU of other threads a row\n",
	       what, p->rate, (double)p->took[p->n_took / 2] / NS_PER_MS,
	       (double)p->took[p->n_took * 99 / 100] / NS_PER_MS,
	       (double)p->took[p->n_took - 1] / NS_PER_MS,
	       (double)(b.rows - a.rows) / (double)(b.commits - a.commits),
	       (double)others / (double)total);
	free(p->took);
	free(p->queue);
}

static void wait_for_cleanup(const struct lease_store *store)
{
	char name[4200];

	(void)snprintf(name, sizeof(name), "%s.1", lease_store_path(store));
	while (access(name, F_OK) == 0)
		(void)usleep(100000);
}

int bench_commit(int argc, char **argv)
{
	struct probe p = {.db = bench_db()};
	struct journal_opts o = {.persist = true, .threads = true, .max_delay_us = 2000};
	char path[4096];

	if (argc < 4)
		must(-1, "commit DIR LEASES RATE SECONDS [ROUNDS [DELAY_US]]");
	if (argc > 5)
		o.max_delay_us = (uint32_t)atoi(argv[5]);
	p.n = (uint32_t)atoi(argv[1]);
	p.rate = (unsigned)atoi(argv[2]);
	p.seconds = (unsigned)atoi(argv[3]);
	(void)snprintf(path, sizeof(path), "%s/leases.csv", argv[0]);
	o.path = path;
	fill(p.db, 0, p.n);
	must(journal_open(&o, p.db, &p.store, NULL), "journal_open");
	for (int i = 0; i < (argc > 4 ? atoi(argv[4]) : 3); i++) {
		int64_t t;

		probe(&p, "alone");
		t = mono_ns();
		must(lease_store_cleanup(p.store), "cleanup");
		(void)usleep(20000);
		probe(&p, "clean-up");
		wait_for_cleanup(p.store);
		printf("clean-up took at most %.1f s\n", (double)(mono_ns() - t) / NS_PER_S);
	}
	lease_store_close(p.store);
	lease_db_free(p.db);
	return 0;
}
