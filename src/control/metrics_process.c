/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The metrics of the process itself (metrics_process.def), from /proc/self. A value that cannot be
 * read is 0.
 */
#include "control/metrics.h"

#include "base/clock.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

enum process_family {
#define FAMILY(symbol, name, type, unit, labels, help) PROCESS_##symbol,
#include "control/metrics_process.def"
#undef FAMILY
};

static const struct metrics_family families[] = {
#define FAMILY(symbol, name, type, unit, labels, help) {name, METRICS_##type, unit, help},
#include "control/metrics_process.def"
#undef FAMILY
};

static int64_t read_cpu_ns(void)
{
	struct rusage u;
	int64_t s, us;

	if (getrusage(RUSAGE_SELF, &u) < 0)
		return 0;
	s = u.ru_utime.tv_sec + u.ru_stime.tv_sec;
	us = u.ru_utime.tv_usec + u.ru_stime.tv_usec;
	return s * NS_PER_S + us * 1000;
}

/* Reads the sizes of the address space and of the memory in RAM, in octets. */
static void read_memory(uint64_t *ret_virtual, uint64_t *ret_resident)
{
	unsigned long long size = 0, resident = 0;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	FILE *f = fopen("/proc/self/statm", "re");

	if (f && fscanf(f, "%llu %llu", &size, &resident) != 2)
		size = resident = 0;
	if (f)
		(void)fclose(f);
	*ret_virtual = size * page;
	*ret_resident = resident * page;
}

static uint64_t count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *e;
	uint64_t n = 0;

	if (!dir)
		return 0;
	while ((e = readdir(dir)) != NULL)
		n += e->d_name[0] != '.';
	(void)closedir(dir);
	return n ? n - 1 : 0; /* without that of the directory itself */
}

static uint64_t read_fd_limit(void)
{
	struct rlimit r;

	return getrlimit(RLIMIT_NOFILE, &r) == 0 ? r.rlim_cur : 0;
}

void metrics_process(struct metrics *m, int64_t started_ns)
{
	uint64_t virtual, resident;

	read_memory(&virtual, &resident);
	metrics_begin(m, &families[PROCESS_CPU]);
	metrics_seconds(m, (struct span){0}, read_cpu_ns());
	metrics_begin(m, &families[PROCESS_RESIDENT]);
	metrics_value(m, (struct span){0}, resident);
	metrics_begin(m, &families[PROCESS_VIRTUAL]);
	metrics_value(m, (struct span){0}, virtual);
	metrics_begin(m, &families[PROCESS_OPEN_FDS]);
	metrics_value(m, (struct span){0}, count_fds());
	metrics_begin(m, &families[PROCESS_MAX_FDS]);
	metrics_value(m, (struct span){0}, read_fd_limit());
	metrics_begin(m, &families[PROCESS_START]);
	metrics_seconds(m, (struct span){0}, started_ns);
}
