/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Durations of perfmon: intervals as in Kea, workers at the same time, alarms and their repetition,
 * a change of the subnets.
 */
#include "unit/unit.h"

#include "base/log.h"
#include "config/config.h"
#include "library/perfmon/perfmon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORKERS = 4, EACH = 20000, WALL_S = 1800000000 };

static struct perfmon_alarm alarm_of_test = {.kind = 0,
					     .part = 1,
					     .label = (char[]){"the label"},
					     .low_ns = 10 * NS_PER_MS,
					     .high_ns = 20 * NS_PER_MS,
					     .enabled = true};

static struct virtual_clock now;
static struct config_subnet subnets[] = {{.id = 9, .index = 0}, {.id = 4, .index = 1}};

static void init_perfmon(struct perfmon *p)
{
	*p = (struct perfmon){.params = {.interval_ns = 10 * NS_PER_S,
					 .report_ns = 30 * NS_PER_S,
					 .alarms = &alarm_of_test,
					 .n_alarms = 1},
			      .monitoring = true,
			      .reporting = true,
			      .clock = &now.src,
			      .n_workers = WORKERS};
	virtual_clock_init(&now, WALL_S * NS_PER_S);
	(void)pthread_mutex_init(&p->mu, NULL);
}

static void wait_s(int64_t s)
{
	virtual_clock_set(&now, clock_wall_ns(&now.src) + s * NS_PER_S);
}

struct found {
	uint32_t subnet_id;
	unsigned pair;
	struct perfmon_shown shown;
	bool any;
};

static void match_shown(void *found, const struct perfmon_shown *d)
{
	struct found *f = found;

	if (d->subnet_id != f->subnet_id || d->pair != f->pair)
		return;
	assert_false(f->any);
	f->shown = *d;
	f->any = true;
}

static struct found find_shown(struct perfmon *p, uint32_t subnet_id, unsigned pair)
{
	struct found f = {.subnet_id = subnet_id, .pair = pair};

	perfmon_each(p, match_shown, &f);
	return f;
}

static void test_intervals(void **state)
{
	struct config cfg = {.subnets = subnets, .n_subnets = 2};
	struct perfmon_store *s;
	struct perfmon p;
	struct found f;

	(void)state;
	init_perfmon(&p);
	s = perfmon_store_new(&p, &cfg);
	assert_non_null(s);
	assert_false(find_shown(&p, 0, 5).any);
	perfmon_add(s, 0, 1, 5, 3000);
	perfmon_add(s, 3, 1, 5, 9000);
	perfmon_add(s, 2, -1, 5, 6000);
	perfmon_add(s, WORKERS, 1, 5, 77); /* no such worker */
	f = find_shown(&p, 4, 5);
	assert_true(f.any);
	assert_int_equal(f.shown.past.n, 0);
	assert_int_equal(f.shown.mean_us, -1);
	wait_s(10); /* the width itself still belongs to it */
	perfmon_add(s, 1, 1, 5, 2000);
	assert_int_equal(find_shown(&p, 4, 5).shown.past.n, 0);
	wait_s(1);
	perfmon_add(s, 1, 1, 5, 50000);
	f = find_shown(&p, 4, 5);
	assert_int_equal(f.shown.past.n, 3);
	assert_int_equal(f.shown.past.min, 2000);
	assert_int_equal(f.shown.past.max, 9000);
	assert_int_equal(f.shown.past.total, 14000);
	assert_int_equal(f.shown.past.start_wall_ns, WALL_S * NS_PER_S);
	assert_int_equal(f.shown.mean_us, 4);
	assert_int_equal(find_shown(&p, 0, 5).shown.past.n, 4);
	assert_false(find_shown(&p, 9, 5).any);
	/* a long pause: the next sample ends the last interval */
	atomic_store(&p.reporting, false);
	wait_s(100000);
	perfmon_add(s, 0, 1, 5, 1);
	f = find_shown(&p, 4, 5);
	assert_int_equal(f.shown.past.n, 1);
	assert_int_equal(f.shown.past.total, 50000);
	assert_int_equal(f.shown.mean_us, 4);
	perfmon_store_free(s);
	(void)pthread_mutex_destroy(&p.mu);
}

/* A configuration with other subnets keeps the past intervals of those that it shares; the end of
 * a refused one returns to the one before. */
static void test_subnets(void **state)
{
	struct config_subnet others[] = {{.id = 2, .index = 0}, {.id = 9, .index = 1}};
	struct config cfg = {.subnets = subnets, .n_subnets = 2};
	struct config after = {.subnets = others, .n_subnets = 2};
	struct perfmon_store *s, *t;
	struct perfmon p;

	(void)state;
	init_perfmon(&p);
	s = perfmon_store_new(&p, &cfg);
	perfmon_add(s, 0, 0, 0, 1000);
	perfmon_add(s, 0, 1, 0, 3000);
	wait_s(11);
	perfmon_add(s, 0, 0, 0, 1000);
	perfmon_add(s, 0, 1, 0, 1000);
	t = perfmon_store_new(&p, &after);
	assert_int_equal(find_shown(&p, 9, 0).shown.past.total, 1000);
	assert_int_equal(find_shown(&p, 0, 0).shown.past.total, 4000);
	assert_false(find_shown(&p, 4, 0).any);
	assert_false(find_shown(&p, 2, 0).any);
	perfmon_store_free(t);
	assert_int_equal(find_shown(&p, 4, 0).shown.past.total, 3000);
	perfmon_store_free(s);
	assert_false(find_shown(&p, 0, 0).any);
	(void)pthread_mutex_destroy(&p.mu);
}

struct job {
	struct perfmon_store *s;
	unsigned worker;
};

static void *add_many(void *job)
{
	struct job *j = job;

	for (int i = 1; i <= EACH; i++)
		perfmon_add(j->s, j->worker, 0, 7, i);
	return NULL;
}

/* Samples of all workers are in the interval: none is lost. */
static void test_workers(void **state)
{
	struct config cfg = {.subnets = subnets, .n_subnets = 2};
	struct job jobs[WORKERS];
	pthread_t threads[WORKERS];
	struct perfmon p;
	struct found f;

	(void)state;
	init_perfmon(&p);
	for (unsigned i = 0; i < WORKERS; i++)
		jobs[i].worker = i;
	jobs[0].s = perfmon_store_new(&p, &cfg);
	for (unsigned i = 0; i < WORKERS; i++) {
		jobs[i].s = jobs[0].s;
		assert_int_equal(pthread_create(&threads[i], NULL, add_many, &jobs[i]), 0);
	}
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	wait_s(11);
	perfmon_add(jobs[0].s, 0, 0, 7, 1);
	f = find_shown(&p, 9, 7);
	assert_int_equal(f.shown.past.n, WORKERS * EACH);
	assert_int_equal(f.shown.past.total, (int64_t)WORKERS * EACH * (EACH + 1) / 2);
	assert_int_equal(f.shown.past.min, 1);
	assert_int_equal(f.shown.past.max, EACH);
	perfmon_store_free(jobs[0].s);
	(void)pthread_mutex_destroy(&p.mu);
}

static unsigned count_lines(const char *path, const char *text)
{
	char line[512];
	unsigned n = 0;
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, text) != NULL;
	(void)fclose(f);
	return n;
}

/* Ends an interval whose samples had this duration. */
static void end_with(struct perfmon_store *s, int64_t ms)
{
	perfmon_add(s, 0, -1, 1, ms * NS_PER_MS);
	wait_s(11);
	perfmon_add(s, 1, -1, 1, ms * NS_PER_MS);
}

static void test_alarms(void **state)
{
	char path[] = "/tmp/usher-perfmon-XXXXXX";
	struct log_output output = {.kind = LOG_SINK_FILE, .path = path, .maxver = 1};
	struct log_rule rule = {"kea-dhcp4", LOG_SEV_INFO, &output, 1, 0};
	struct config cfg = {.subnets = subnets, .n_subnets = 2};
	int fd = mkstemp(path);
	struct perfmon_store *s;
	struct perfmon p;

	(void)state;
	init_perfmon(&p);
	p.log = log_new(&clock_system, "kea-dhcp4");
	assert_int_equal(log_configure(p.log, &rule, 1, false), 0);
	s = perfmon_store_new(&p, &cfg);
	end_with(s, 20); /* not above */
	assert_false(alarm_of_test.triggered);
	end_with(s, 21);
	end_with(s, 21);
	assert_int_equal(count_lines(path, "PERFMON_ALARM_TRIGGERED"), 1);
	assert_int_equal(count_lines(path, "WARN"), 1);
	/* between the marks the alarm stays, and is repeated after report_ns, 30 s */
	for (int i = 0; i < 3; i++)
		end_with(s, 15);
	assert_int_equal(count_lines(path, "PERFMON_ALARM_TRIGGERED Alarm for the label has been "
					   "triggered since 2027-01-15 08:00:22.000, reported mean "
					   "duration 15000 us exceeds high-water-ms: 20"),
			 1);
	end_with(s, 9);
	end_with(s, 9);
	assert_int_equal(count_lines(path, "PERFMON_ALARM_CLEARED Alarm for the label has been "
					   "cleared, reported mean duration 9000 us is now below "
					   "low-water-ms: 10"),
			 1);
	assert_int_equal(count_lines(path, "PERFMON_ALARM_TRIGGERED"), 2);
	assert_false(alarm_of_test.triggered);
	perfmon_store_free(s);
	log_free(p.log);
	(void)pthread_mutex_destroy(&p.mu);
	(void)close(fd);
	(void)unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_intervals),
		cmocka_unit_test(test_subnets),
		cmocka_unit_test(test_workers),
		cmocka_unit_test(test_alarms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
