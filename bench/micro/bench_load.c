/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Loading a lease file at start: time and memory. The file is the result of a clean-up, rows by
 * address; it is read from the page cache.
 */
#include "lease_bench.h"

#include "base/buf.h"
#include "lease/lease_csv.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void make_file(const char *path, uint32_t n)
{
	FILE *f = fopen(path, "wxe");
	struct buf b = {0};
	struct lease l;

	if (!f)
		return;
	(void)fputs(lease_csv_head(), f);
	for (uint32_t i = 0; i < n; i++) {
		sample(&l, i);
		l.valid_lft = 1000000;
		buf_reset(&b);
		lease_csv_format(&l, false, &b);
		if (fwrite(b.p, 1, b.len, f) != b.len)
			must(-1, "fwrite");
	}
	buf_fini(&b);
	must(fclose(f), "fclose");
}

int bench_load(int argc, char **argv)
{
	uint32_t n = argc > 1 ? (uint32_t)atoi(argv[1]) : 1000000;
	struct journal_opts o = {.path = argc > 0 ? argv[0] : "", .persist = true, .threads = true};
	struct journal_load_stats st;
	struct lease_store *store;
	struct lease_db *db;
	uint64_t before;
	int64_t wall;
	int64_t cpu;
	int64_t all;

	if (argc < 2)
		must(-1, "load FILE LEASES");
	make_file(o.path, n);
	db = bench_db();
	before = resident();
	wall = mono_ns();
	cpu = cpu_ns();
	all = process_cpu_ns();
	must(journal_open(&o, db, &store, &st), "journal_open");
	wall = mono_ns() - wall;
	cpu = cpu_ns() - cpu;
	all = process_cpu_ns() - all;
	printf("%llu leases: %.3f s, CPU %.3f s here and %.3f s in all, %.1f octets a lease\n",
	       (unsigned long long)st.leases, (double)wall / NS_PER_S, (double)cpu / NS_PER_S,
	       (double)all / NS_PER_S, (double)(resident() - before) / (double)st.leases);
	lease_store_close(store);
	lease_db_free(db);
	return 0;
}
