/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The parts of legal_log below its callouts: periods and names of files, durations and JSON, and
 * the writer: nothing is lost while its directory is absent, the queue has its bound, a torn line
 * of a killed process gets its end.
 */
#include "unit/unit.h"
#include "unit/unit_dir.h"

#include "base/clock.h"
#include "config/json/json.h"
#include "library/legal/legal_log.h"
#include "library/legal/legal_writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 };

static char dir[] = "/tmp/usher-legal-XXXXXX";

/* --- periods ---------------------------------------------------------------------------------- */

static time_t at(const char *text)
{
	struct tm tm = {.tm_isdst = -1};

	assert_non_null(strptime(text, "%Y-%m-%d %H:%M:%S", &tm));
	return mktime(&tm);
}

static void check_period(enum legal_unit unit, uint32_t count, const char *began, const char *last,
			 const char *next)
{
	struct legal_period p = {unit, count};

	assert_false(legal_period_over(&p, at(began), at(last)));
	assert_true(legal_period_over(&p, at(began), at(next)));
}

static void test_periods(void **state)
{
	struct legal_period none = {LEGAL_DAY, 0}, longest = {LEGAL_YEAR, UINT32_MAX};

	(void)state;
	check_period(LEGAL_SECOND, 1, "2026-12-02 10:00:00", "2026-12-02 10:00:00",
		     "2026-12-02 10:00:01");
	check_period(LEGAL_DAY, 1, "2026-12-02 23:59:59", "2026-12-02 23:59:59",
		     "2026-12-03 00:00:00");
	check_period(LEGAL_DAY, 3, "2024-02-27 12:00:00", "2024-02-29 23:59:59",
		     "2024-03-01 00:00:00");
	check_period(LEGAL_MONTH, 1, "2026-12-02 23:00:00", "2027-01-01 23:59:59",
		     "2027-01-02 00:00:00");
	/* the end of a month stays the end of a month */
	check_period(LEGAL_MONTH, 1, "2026-01-31 01:00:00", "2026-02-27 23:59:59",
		     "2026-02-28 00:00:00");
	check_period(LEGAL_MONTH, 1, "2026-02-28 01:00:00", "2026-03-30 23:59:59",
		     "2026-03-31 00:00:00");
	check_period(LEGAL_MONTH, 13, "2026-01-30 01:00:00", "2027-02-27 23:59:59",
		     "2027-02-28 00:00:00");
	check_period(LEGAL_YEAR, 1, "2024-02-29 01:00:00", "2025-02-27 23:59:59",
		     "2025-02-28 00:00:00");
	check_period(LEGAL_YEAR, 2, "2026-12-02 01:00:00", "2028-12-01 23:59:59",
		     "2028-12-02 00:00:00");
	assert_true(legal_period_over(&none, at("2026-12-02 01:00:00"), at("2026-12-02 01:00:00")));
	assert_false(
		legal_period_over(&longest, at("2026-12-02 01:00:00"), at("2999-12-02 01:00:00")));
}

static void check_tag(enum legal_unit unit, const char *name, const char *want)
{
	time_t began = 0;
	bool good = legal_tag_read(unit, "a.b", name, &began);

	if (want)
		assert_true(good && began == at(want));
	else
		assert_false(good);
}

static void test_names(void **state)
{
	char tag[LEGAL_TAG_LEN];

	(void)state;
	legal_tag(LEGAL_MONTH, at("2026-12-02 23:00:00"), tag);
	assert_string_equal(tag, "20261202");
	legal_tag(LEGAL_SECOND, 1800000000, tag);
	assert_string_equal(tag, "T00000000001800000000");
	check_tag(LEGAL_DAY, "a.b.20261202.txt", "2026-12-02 00:00:00");
	check_tag(LEGAL_YEAR, "a.b.20240229.txt", "2024-02-29 00:00:00");
	check_tag(LEGAL_DAY, "a.b.20250229.txt", NULL);
	check_tag(LEGAL_DAY, "a.b.20261301.txt", NULL);
	check_tag(LEGAL_DAY, "a.b.20261200.txt", NULL);
	check_tag(LEGAL_DAY, "a.b.2026120x.txt", NULL);
	check_tag(LEGAL_DAY, "a.b.20261202.txt.gz", NULL);
	check_tag(LEGAL_DAY, "a.b.20261202", NULL);
	check_tag(LEGAL_DAY, "a.b.T00000000001800000000.txt", NULL);
	check_tag(LEGAL_DAY, "a.bc.20261202.txt", NULL);
	check_tag(LEGAL_DAY, "a.", NULL);
	check_tag(LEGAL_SECOND, "a.b.T00000000001800000000.txt", "2027-01-15 08:00:00");
	check_tag(LEGAL_SECOND, "a.b.T99999999999999999999.txt", NULL);
	check_tag(LEGAL_SECOND, "a.b.20261202.txt", NULL);
}

static void check_stamp(const char *format, const char *want)
{
	char out[LEGAL_STAMP_LEN];
	size_t n = legal_stamp(format, 1800000000 * NS_PER_S + 7008009, out);

	assert_int_equal(n, strlen(want));
	if (n)
		assert_string_equal(out, want);
}

static void test_stamps(void **state)
{
	(void)state;
	check_stamp("%Y-%m-%d %H:%M:%S %Z", "2027-01-15 08:00:00 UTC");
	check_stamp("%S.%Q!", "00.007.008!");
	check_stamp("%%Q %Q%", "%Q 007.008%");
	check_stamp("", "");
	check_stamp("%c %c %c %c %c %c", "");
}

/* --- texts ------------------------------------------------------------------------------------ */

static void check_duration(uint32_t seconds, const char *want)
{
	struct buf b;

	buf_init(&b);
	legal_log_duration(&b, seconds);
	assert_string_equal(b.p, want);
	buf_fini(&b);
}

static void check_json(const char *text, const char *want)
{
	struct json_opts o = {.file = ""};
	struct config_error err;
	struct arena a;
	struct json *v;
	struct buf b;

	arena_init(&a);
	buf_init(&b);
	assert_int_equal(json_parse(span_str(text), &o, &a, &v, &err), 0);
	legal_log_json(&b, v);
	assert_string_equal(b.p, want);
	buf_fini(&b);
	arena_fini(&a);
}

static void test_texts(void **state)
{
	(void)state;
	check_duration(0, "0 hrs 0 mins 0 secs");
	check_duration(86399, "23 hrs 59 mins 59 secs");
	check_duration(86400, "1 days 0 hrs 0 mins 0 secs");
	check_duration(4294967294U, "49710 days 6 hrs 28 mins 14 secs");
	check_duration(4294967295U, "infinite duration");
	check_json("{}", "{  }");
	check_json("{\"b\":[1,\"x\\\"\",null],\"a\":{\"c\":[]}}",
		   "{ \"a\": { \"c\": [  ] }, \"b\": [ 1, \"x\\\"\", null ] }");
}

/* --- the writer ------------------------------------------------------------------------------- */

static const int64_t now_ns = 1800000000 * NS_PER_S;

static struct legal_target target_in(const char *where)
{
	return (struct legal_target){.dir = where,
				     .base = "x",
				     .period = {LEGAL_DAY, 1},
				     .stamp = "%s",
				     .mark = true};
}

static size_t file_size(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (size_t)st.st_size : 0;
}

static void wait_size(const char *path, size_t n)
{
	for (int i = 0; i < PATIENCE_MS / 5 && file_size(path) < n; i++)
		(void)usleep(5000);
	assert_int_equal(file_size(path), n);
}

/* A target that does not exist yet: records wait, up to the bound, and all are written in order. */
static void test_outage(void **state)
{
	static char big[LEGAL_RECORD_MAX + 1];
	struct legal_target t, other;
	struct legal_writer *w;
	char where[64], path[128], line[64];
	unsigned scripts;
	unsigned n = 0;
	FILE *f;

	(void)state;
	(void)snprintf(where, sizeof(where), "%s/later", dir);
	(void)snprintf(path, sizeof(path), "%s/x.20270115.txt", where);
	t = target_in(where);
	w = legal_writer_new(&t, NULL);
	assert_non_null(w);
	assert_int_equal(legal_writer_put(w, now_ns, span_str("early")), -ESRCH);
	assert_int_equal(legal_writer_start(w, NULL, now_ns), 0);
	assert_int_equal(legal_writer_start(w, NULL, now_ns), 0);
	for (;; n++) {
		int len = snprintf(line, sizeof(line), "%031u", n);
		int r = legal_writer_put(w, now_ns, span_of((const uint8_t *)line, (size_t)len));

		if (r == -EAGAIN)
			break;
		assert_int_equal(r, 0);
	}
	assert_true(n > 100000 && n < LEGAL_QUEUE_BYTES / 31);
	memset(big, 'b', sizeof(big));
	assert_int_equal(legal_writer_put(w, now_ns, span_of((uint8_t *)big, sizeof(big))), -E2BIG);
	assert_int_equal(mkdir(where, 0755), 0);
	wait_size(path, n * (10 + 1 + 31 + 1));
	f = fopen(path, "r");
	for (unsigned i = 0; i < n; i++) {
		unsigned got;

		assert_int_equal(fscanf(f, "1800000000 %u\n", &got), 1);
		assert_int_equal(got, i);
	}
	(void)fclose(f);

	/* a writer fits an equal target */
	other = t;
	assert_true(legal_writer_fits(w, &other));
	other.period.count = 2;
	assert_false(legal_writer_fits(w, &other));
	other = t;
	other.prerotate = "/bin/true";
	assert_false(legal_writer_fits(w, &other));
	assert_ptr_equal(legal_writer_ref(w), w);
	assert_int_equal(legal_writer_unref(w, NULL, &scripts), 0);
	assert_int_equal(legal_writer_put(w, now_ns, span_str("last\nwords\n")), 0);
	assert_int_equal(legal_writer_unref(w, NULL, &scripts), 0);
	wait_size(path, n * 43 + strlen("1800000000-last\n1800000000 words\n"));
}

/* An end during an outage is not waited for; the number of the records is the result. */
static void test_end_in_outage(void **state)
{
	struct legal_target t;
	struct legal_writer *w;
	char where[64], path[128];
	int64_t begin;
	unsigned scripts;

	(void)state;
	(void)snprintf(where, sizeof(where), "%s/never", dir);
	(void)snprintf(path, sizeof(path), "%s/x.20270115.txt", where);
	t = target_in(where);
	w = legal_writer_new(&t, NULL);
	assert_int_equal(legal_writer_start(w, NULL, now_ns), 0);
	for (int i = 0; i < 7; i++)
		assert_int_equal(legal_writer_put(w, now_ns, span_str("x")), 0);
	begin = clock_mono_ns(&clock_system);
	assert_int_equal(legal_writer_unref(w, NULL, &scripts), 7);
	assert_true(clock_mono_ns(&clock_system) - begin < 10 * NS_PER_S);
	/* the thread goes on trying */
	assert_int_equal(mkdir(where, 0755), 0);
	wait_size(path, 7 * 13);
	assert_int_equal(legal_writer_unref(NULL, NULL, &scripts), 0);
}

/* The last line of a killed process has no end. */
static void test_torn_line(void **state)
{
	struct legal_target t = target_in(dir);
	struct legal_writer *w = legal_writer_new(&t, NULL);
	char path[128], text[64] = "";
	unsigned scripts;
	FILE *f;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/x.20270115.txt", dir);
	f = fopen(path, "w");
	(void)fputs("1 whole\n2 to", f);
	(void)fclose(f);
	assert_int_equal(legal_writer_start(w, NULL, now_ns), 0);
	assert_int_equal(legal_writer_put(w, now_ns, span_str("new")), 0);
	assert_int_equal(legal_writer_put(w, now_ns, SPAN_NULL), 0);
	assert_int_equal(legal_writer_unref(w, NULL, &scripts), 0);
	f = fopen(path, "r");
	assert_true(fread(text, 1, sizeof(text) - 1, f) > 0);
	(void)fclose(f);
	assert_string_equal(text, "1 whole\n2 to\n1800000000 new\n");
}

/* Scripts of rotations that do not end: few run, few wait, the others are dropped; records are
 * written. */
static void test_hanging_scripts(void **state)
{
	enum { ROTATIONS = 40, RUNNING = 4, WAITING = 16 };
	struct legal_target t = target_in(dir);
	char script[64], path[128];
	struct legal_writer *w;
	unsigned scripts;
	FILE *f;

	(void)state;
	(void)snprintf(script, sizeof(script), "%s/hang.sh", dir);
	f = fopen(script, "w");
	(void)fputs("#!/bin/sh\necho > \"$1.begun\"\nexec sleep 5\n", f);
	(void)fclose(f);
	assert_int_equal(chmod(script, 0755), 0);
	t.prerotate = script;
	t.period = (struct legal_period){LEGAL_SECOND, 1};
	w = legal_writer_new(&t, NULL);
	assert_int_equal(legal_writer_start(w, NULL, now_ns), 0);
	for (int i = 0; i <= ROTATIONS; i++) {
		assert_int_equal(legal_writer_put(w, now_ns + i * NS_PER_S, span_str("x")), 0);
		if (i == 0 || i > RUNNING)
			continue;
		(void)snprintf(path, sizeof(path), "%s/x.T%020d.txt.begun", dir,
			       1800000000 + i - 1);
		wait_size(path, 1);
	}
	(void)snprintf(path, sizeof(path), "%s/x.T%020d.txt", dir, 1800000000 + ROTATIONS);
	wait_size(path, 13);
	assert_int_equal(legal_writer_unref(w, NULL, &scripts), 0);
	assert_int_equal(scripts, WAITING);
	assert_true(ROTATIONS > RUNNING + WAITING);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_periods),	  cmocka_unit_test(test_names),
		cmocka_unit_test(test_stamps),	  cmocka_unit_test(test_texts),
		cmocka_unit_test(test_outage),	  cmocka_unit_test(test_end_in_outage),
		cmocka_unit_test(test_torn_line), cmocka_unit_test(test_hanging_scripts),
	};
	int r;

	(void)setenv("TZ", "UTC", 1);
	tzset();
	if (!mkdtemp(dir))
		return 1;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	return remove_directory(dir) == 0 ? r : 1;
}
