/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Logging blocks nobody: an output that hangs (here a function that waits, and a FIFO whose reader
 * sleeps) costs its own lines, counted, and neither the time of the logging thread, nor other
 * outputs, nor the end of the program.
 */
#include "base/log.h"
#include "base/log_queue.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct out {
	atomic_bool hang;
	_Atomic unsigned lines, freed;
};

static bool write_out(void *ctx, uint8_t severity, const char *lines, size_t n)
{
	struct out *o = ctx;

	(void)severity;
	while (o->hang)
		(void)usleep(1000);
	for (size_t i = 0; i < n; i++)
		o->lines += lines[i] == '\n';
	return true;
}

static void freed(void *ctx)
{
	((struct out *)ctx)->freed++;
}

static int64_t ms(void)
{
	return clock_mono_ns(&clock_system) / NS_PER_MS;
}

static void test_order_and_close(void **state)
{
	struct out o = {.hang = false};
	struct log_queue *q = log_queue_new(false, write_out, &o);
	unsigned put = 0;

	(void)state;
	assert_non_null(q);
	for (int i = 0; i < 20000; i++)
		put += log_queue_put(q, 1, "twenty octets a line\n", 21);
	log_queue_flush(q, 5 * NS_PER_S);
	assert_int_equal(o.lines, put);
	log_queue_close(q, freed, 5 * NS_PER_S);
	assert_int_equal(o.freed, 1);
}

static void test_hanging_output(void **state)
{
	static struct out o, other;
	struct log_queue *q = log_queue_new(true, write_out, &o);
	struct log_queue *well = log_queue_new(true, write_out, &other);
	unsigned refused = 0;
	int64_t start = ms();

	(void)state;
	o.hang = true;
	for (int i = 0; i < 20000; i++) {
		refused += !log_queue_put(q, 1, "twenty octets a line\n", 21);
		if (i % 100 == 0)
			assert_true(log_queue_put(well, 1, "x\n", 2));
	}
	assert_true(refused > 1000);
	log_queue_flush(q, 10 * NS_PER_S); /* not for one that hangs */
	log_queue_flush(well, 10 * NS_PER_S);
	assert_int_equal(other.lines, 200);
	log_queue_close(q, freed, 100 * NS_PER_MS);
	assert_true(ms() - start < 8000);
	assert_int_equal(o.freed, 0);
	o.hang = false;
	for (int i = 0; !o.freed && i < 10000; i++)
		(void)usleep(1000);
	assert_int_equal(o.freed, 1);
	log_queue_close(well, freed, NS_PER_S);
}

/* Each kind of file that can be named, with a program that logs a lot. */
static void test_fifo(void **state)
{
	char dir[] = "/tmp/usher-log-XXXXXX";
	char path[64], cmd[96];
	struct log_output o = {.kind = LOG_SINK_FILE, .path = path};
	struct log_rule rule = {"kea-dhcp4", LOG_SEV_DEBUG, &o, 1, 99};
	struct log *log = log_new(&clock_system, "kea-dhcp4");
	int64_t start;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/fifo", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	log_start_threads(log);
	start = ms();
	(void)!log_configure(log, &rule, 1, false); /* nobody reads: refused, or not, but at once */
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_int_equal(log_configure(log, &rule, 1, false), 0);
	for (int i = 0; i < 20000; i++)
		log_msg(log, LOG_DHCP4_PACKET_TRACE, "a line that nobody reads, number %d", i);
	assert_true(ms() - start < 5000);
	log_flush(log, NS_PER_S);
	assert_true(log_lost(log) > 0);
	log_free(log);
	assert_true(ms() - start < 9000);
	(void)close(fd);
	(void)snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	assert_int_equal(system(cmd), 0);
}

static size_t count_in(const char *path)
{
	FILE *f = fopen(path, "re");
	size_t n = 0;
	int c;

	while (f && (c = getc(f)) != EOF)
		n += c == '\n';
	if (f)
		(void)fclose(f);
	return n;
}

/* Two loggers with one file: one descriptor, one rotation, no line lost. */
static void test_shared_file(void **state)
{
	char dir[] = "/tmp/usher-log-XXXXXX";
	char path[64], old[80], cmd[96];
	struct log_output o = {.kind = LOG_SINK_FILE, .path = path, .maxsize = 20000, .maxver = 9};
	struct log_rule rules[] = {{"kea-dhcp4", LOG_SEV_INFO, &o, 1, 0},
				   {"kea-dhcp4.leases", LOG_SEV_INFO, &o, 1, 0}};
	struct log *log = log_new(&clock_system, "kea-dhcp4");
	size_t n;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/log", dir);
	log_start_threads(log);
	assert_int_equal(log_configure(log, rules, 2, false), 0);
	for (int i = 0; i < 500; i++) {
		log_msg(log, LOG_DHCP4_STARTED, "the one logger, line %d", i);
		log_msg(log, LOG_DHCP4_LEASE_ALLOC, "the other logger, line %d", i);
	}
	log_free(log);
	n = count_in(path);
	for (int v = 1; v <= 9; v++) {
		(void)snprintf(old, sizeof(old), "%s.%d", path, v);
		n += count_in(old);
	}
	assert_int_equal(n, 1000);
	(void)snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	assert_int_equal(system(cmd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_and_close),
		cmocka_unit_test(test_hanging_output),
		cmocka_unit_test(test_fifo),
		cmocka_unit_test(test_shared_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
