/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Measures the cost of the lease layer. One subcommand a question; each prints one line a figure.
 *
 *   lease_bench ops [LEASES]             CPU time of each operation on a table of so many leases;
 * under callgrind (bench/micro/lease_ops.py) its instructions lease_bench pools [FREE_BITS] picking
 * from an empty, a nearly full, a full, a kept pool lease_bench load FILE LEASES         makes the
 * file where it is missing; time to load it, memory lease_bench contend THREADS [LEASES [WORK]]
 *                                        assignments a second by so many threads, with so many
 * turns of an empty loop between two lease_bench commit DIR LEASES RATE SECONDS [ROUNDS
 * [MAX_DELAY_US]] assign -> durable, p50 and p99, alone and beside clean-ups
 */
#include "lease_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	(void)clock_gettime(id, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t cpu_ns(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

int64_t process_cpu_ns(void)
{
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

int64_t mono_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

void must(int r, const char *what)
{
	if (r >= 0)
		return;
	(void)fprintf(stderr, "lease_bench: %s: %d\n", what, r);
	exit(1);
}

void sample(struct lease *l, uint32_t n)
{
	*l = (struct lease){.addr = 0x0a000000 + n,
			    .subnet_id = 1,
			    .valid_lft = 3600 + n % 1000,
			    .hw_len = 6,
			    .hw = {2, 0},
			    .client_id_len = 7,
			    .client_id = {1, 2, 0}};
	memcpy(l->hw + 2, &n, sizeof(n));
	memcpy(l->client_id + 3, &n, sizeof(n));
	l->cltt = clock_wall_s(&clock_system);
}

struct lease_client client_of(const struct lease *l)
{
	return (struct lease_client){lease_client_id(l), lease_hw(l)};
}

struct lease_db *bench_db(void)
{
	struct lease_db_opts o = {.hash_key = {3, 4}, .seed = 5, .offer_hold_s = 10};
	struct lease_db *db = NULL;

	must(lease_db_new(&o, &db), "lease_db_new");
	return db;
}

void fill(struct lease_db *db, uint32_t from, uint32_t n)
{
	struct lease_change ch;
	struct lease l;

	for (uint32_t i = 0; i < n; i++) {
		struct lease_client c;

		sample(&l, from + i);
		c = client_of(&l);
		must(lease_db_assign(db, &l, &c, &ch), "assign");
	}
}

uint64_t resident(void)
{
	unsigned long long size = 0;
	unsigned long long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f || fscanf(f, "%llu %llu", &size, &pages) != 2)
		pages = 0;
	if (f)
		(void)fclose(f);
	return pages * 4096;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} cmds[] = {
		{"ops", bench_ops},	    {"pools", bench_pools},   {"load", bench_load},
		{"contend", bench_contend}, {"commit", bench_commit},
	};

	for (size_t i = 0; argc > 1 && i < sizeof(cmds) / sizeof(cmds[0]); i++)
		if (strcmp(argv[1], cmds[i].name) == 0)
			return cmds[i].run(argc - 2, argv + 2);
	(void)fprintf(stderr,
		      "usage: lease_bench ops|pools|load|contend|commit ... (see its source)\n");
	return 2;
}
