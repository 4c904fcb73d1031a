/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Patterns of log lines: every conversion, widths, times; and outputs with patterns, debug levels
 * and facilities through the log itself. The expectations were compared with lines of Debian's
 * kea-dhcp4.
 */
#include "unit/unit.h"

#include "base/attr.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/log_pattern.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

static const struct log_record record = {
	.wall_ns = 1796133459 * NS_PER_S + 79007000,
	.since_start_ns = 1500 * NS_PER_MS,
	.severity = "INFO",
	.logger = "kea-dhcp4.leases",
	.id = "DHCP4_LEASE_ALLOC",
	.text = "a lease",
	.text_len = 7,
};

static void assert_line(const char *pattern, const char *want)
{
	struct log_pattern *p = log_pattern_new(pattern);
	char line[512];
	size_t n;

	assert_non_null(p);
	for (int i = 0; i < 2; i++) { /* the second from the time that is kept */
		n = log_pattern_line(p, &record, line, sizeof(line));
		assert_true(n > 0 && line[n - 1] == '\n');
		line[n ? n - 1 : 0] = '\0';
		assert_string_equal(line, want);
	}
	log_pattern_free(p);
}

static void test_conversions(void **state)
{
	char want[300];

	(void)state;
	(void)setenv("TZ", "UTC-1", 1);
	(void)setenv("USHER_TEST_WORD", "word", 1);
	assert_line("%D{%Y-%m-%d %H:%M:%S.%q} %-5p [%c] %m\n",
		    "2026-12-01 14:57:39.079 INFO  [kea-dhcp4.leases] DHCP4_LEASE_ALLOC a lease");
	assert_line("%d{%H:%M:%S.%Q %s}|%D", "13:57:39.079.007 1796133459|2026-12-01 14:57:39");
	assert_line("%D{}", "2026-12-01 14:57:39");
	assert_line("%d{%q%%q}", "079%q");
	assert_line(
		"%5.3p|%-12c{1}|%.10c|%20c|%c{2}|%c{9}",
		"NFO|leases      |cp4.leases|    kea-dhcp4.leases|kea-dhcp4.leases|kea-dhcp4.leases");
	assert_line("%-8.4m|%r|%%|%x%X|%E{USHER_TEST_WORD}%E{USHER_NO_SUCH}", "ease|1500|%||word");
	assert_line("a%nb%n", "a\nb");
	assert_line("%Z %5%|%", "%Z %5%|%");
	assert_line("no field", "no field");
	(void)snprintf(want, sizeof(want), "%d/%llu/%d", (int)getpid(),
		       (unsigned long long)pthread_self(), (int)gettid());
	assert_line("%i/%t/%T", want);
	(void)gethostname(want, sizeof(want));
	assert_line("%h", want);
}

static void test_cut(void **state)
{
	struct log_pattern *p = log_pattern_new(
		"%100m%999999999999p%D{%c%c%c%c%c%c%c%c%c%c%c%c%c%c%c%c%c%c%c%c%c%c%c%c%c%c%c%c%c%c%c%c}");
	char line[40];

	(void)state;
	assert_non_null(p);
	for (size_t cap = 1; cap <= sizeof(line); cap++)
		assert_int_equal(log_pattern_line(p, &record, line, cap), cap);
	log_pattern_free(p);
}

static void add_conversion(void *ctx, char c)
{
	char *out = ctx;
	size_t n = strlen(out);

	out[n] = c ? c : '$';
	out[n + 1] = '\0';
}

static void test_unknown(void **state)
{
	char found[32] = "";

	(void)state;
	log_pattern_unknown("%D{%Z} %-5.3p %c{1} %m%n%i%t%T%r%h%H%E{A}%%", add_conversion, found);
	assert_string_equal(found, "");
	log_pattern_unknown("%y %-10x %F %", add_conversion, found);
	assert_string_equal(found, "yxF$");
	assert_true(log_pattern_has("%D %-3.2m", 'm'));
	assert_false(log_pattern_has("%D{%m} m %%m", 'm'));
}

/* The text of a file that the log wrote. */
static const char *text_of(const char *path)
{
	static char buf[4096];
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(buf, 1, sizeof(buf) - 1, f) : 0;

	buf[n] = '\0';
	if (f)
		(void)fclose(f);
	return buf;
}

/* Two forms in one file, hostile text, levels of DEBUG, the logger of the daemon's own messages. */
static void test_outputs(void **state)
{
	char path[] = "/tmp/usher-log-pattern-XXXXXX";
	struct log_output outputs[] = {
		{.kind = LOG_SINK_FILE, .path = path, .maxver = 1, .pattern = "1 %p %c %m%n"},
		{.kind = LOG_SINK_FILE, .path = path, .maxver = 1, .pattern = "2 %m\n"},
		{.kind = LOG_SINK_FILE, .path = path, .maxver = 1, .pattern = "2 %m\n"},
	};
	struct log_rule rules[] = {{"kea-dhcp4", LOG_SEV_INFO, outputs, 3, 0},
				   {"kea-dhcp4.dhcp4", LOG_SEV_ERROR, outputs, 1, 0},
				   {"kea-dhcp4.bad-packets", LOG_SEV_DEBUG, outputs, 1, 15},
				   {"kea-dhcp4.packets", LOG_SEV_DEBUG, outputs, 1, 39}};
	int fd = mkstemp(path);
	struct log *log = log_new(&clock_system, "kea-dhcp4");

	(void)state;
	assert_true(fd >= 0 && log);
	assert_int_equal(log_configure(log, rules, ARRAY_LEN(rules), false), 0);
	log_msg(log, LOG_DHCP4_LEASE_ALLOC, "%s", "host\n1 FATAL\x1b");
	log_msg(log, LOG_DHCP4_STARTED, "no");
	log_msg(log, LOG_DHCP4_CONFIG_LOAD_FAIL, "bad");
	log_msg(log, LOG_DHCP4_PACKET_DROP, "drop");
	log_msg(log, LOG_DHCP4_PACKET_RECEIVED, "no");
	assert_string_equal(text_of(path),
			    "1 INFO kea-dhcp4.leases DHCP4_LEASE_ALLOC host?1 FATAL?\n"
			    "2 DHCP4_LEASE_ALLOC host?1 FATAL?\n"
			    "1 ERROR kea-dhcp4.dhcp4 DHCP4_CONFIG_LOAD_FAIL bad\n"
			    "1 DEBUG kea-dhcp4.bad-packets DHCP4_PACKET_DROP drop\n");
	rules[3].debuglevel = 40;
	assert_int_equal(log_configure(log, rules, ARRAY_LEN(rules), false), 0);
	log_msg(log, LOG_DHCP4_PACKET_RECEIVED, "yes");
	assert_non_null(
		strstr(text_of(path), "1 DEBUG kea-dhcp4.packets DHCP4_PACKET_RECEIVED yes\n"));
	/* messages of Kea with level 50 need it */
	log_msg(log, LOG_DHCP4_PACKET_TRACE, "no");
	rules[3].debuglevel = 50;
	assert_int_equal(log_configure(log, rules, ARRAY_LEN(rules), false), 0);
	log_msg(log, LOG_DHCP4_PACKET_TRACE, "yes");
	assert_null(strstr(text_of(path), "DHCP4_PACKET_TRACE no"));
	assert_non_null(strstr(text_of(path), "DHCP4_PACKET_TRACE yes"));
	assert_int_equal(log_lost(log), 0);
	log_free(log);
	(void)close(fd);
	(void)unlink(path);
}

static void test_facility(void **state)
{
	(void)state;
	assert_int_equal(log_facility("local7"), LOG_LOCAL7);
	assert_int_equal(log_facility("LOCAL0"), LOG_LOCAL0);
	assert_int_equal(log_facility("daemon"), LOG_DAEMON);
	assert_int_equal(log_facility("locker"), -1);
	assert_int_equal(log_least_debuglevel(), 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conversions), cmocka_unit_test(test_cut),
		cmocka_unit_test(test_unknown),	    cmocka_unit_test(test_outputs),
		cmocka_unit_test(test_facility),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
