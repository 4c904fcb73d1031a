/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The base layer: cursors, arenas, buffers, texts of addresses, hash, random numbers, clocks,
 * errors, and the log with the rotation of its files.
 */
#include "unit/unit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/cursor.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/ip.h"
#include "base/log.h"
#include "base/rng.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_reader(void **state)
{
	static const uint8_t data[] = {1, 2, 3, 4, 5, 6, 7, 8};
	struct rd r = rd_init(span_of(data, sizeof(data)));
	uint8_t two[2] = {9, 9};
	struct rd sub;

	(void)state;
	assert_int_equal(rd_u8(&r), 1);
	assert_int_equal(rd_be16(&r), 0x0203);
	assert_int_equal(rd_be32(&r), 0x04050607);
	sub = rd_sub(&r, 1);
	assert_int_equal(rd_u8(&sub), 8);
	assert_int_equal(rd_left(&r), 0);
	assert_true(rd_ok(&r));
	assert_int_equal(rd_be16(&r), 0);
	assert_false(rd_ok(&r));
	rd_copy(&r, two, 2); /* sticky: zeros from now on */
	assert_int_equal(two[0] | two[1], 0);
	assert_int_equal(rd_left(&r), 0);
	assert_false(rd_ok(&sub) && rd_sub(&r, 0).n);
	r = rd_init(SPAN_NULL);
	assert_int_equal(rd_bytes(&r, 0).n, 0);
	assert_true(rd_ok(&r));
	assert_int_equal(rd_bytes(&r, SIZE_MAX).n, 0);
	assert_false(rd_ok(&r));
}

static void test_writer(void **state)
{
	uint8_t out[8];
	struct wr w = wr_init(out, sizeof(out));

	(void)state;
	wr_u8(&w, 1);
	wr_be16(&w, 0x0203);
	wr_be32(&w, 0x04050607);
	wr_be16(&w, 0xffff); /* does not fit: nothing is written */
	assert_false(wr_ok(&w));
	assert_int_equal(w.len, 7);
	wr_u8(&w, 9);
	assert_int_equal(w.len, 7);
	assert_memory_equal(out, "\1\2\3\4\5\6\7", 7);
	w = wr_init(out, sizeof(out));
	wr_zero(&w, 4);
	wr_patch_be16(&w, 2, 0xabcd);
	assert_int_equal(out[3], 0xcd);
	wr_patch_be16(&w, 3, 1);
	assert_false(wr_ok(&w));
}

static void test_arena_fixed(void **state)
{
	uint8_t mem[256];
	struct arena a;
	uint8_t *p;

	(void)state;
	arena_init_fixed(&a, mem + 1, sizeof(mem) - 1);
	p = arena_zalloc(&a, 10);
	assert_non_null(p);
	assert_int_equal((uintptr_t)p % 16, 0);
	assert_null(arena_alloc(&a, 300));
	assert_null(arena_calloc(&a, SIZE_MAX / 2, 3));
	assert_null(arena_alloc(&a, SIZE_MAX - 3));
	while (arena_alloc(&a, 16))
		;
	arena_reset(&a);
	assert_ptr_equal(arena_alloc(&a, 1), p);
	assert_string_equal(arena_printf(&a, "%d-%s", 5, "x"), "5-x");
}

static void test_arena_growing(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a);
	assert_non_null(arena_calloc(&a, 0, 8)); /* nothing is not a failure */
	for (int i = 0; i < 100; i++)
		assert_non_null(arena_alloc(&a, 3000));
	assert_non_null(arena_alloc(&a, 1 << 20));
	assert_string_equal(arena_strdup(&a, "text"), "text");
	arena_reset(&a);
	assert_string_equal(arena_strndup(&a, "text", 2), "te");
	arena_fini(&a);
	arena_fini(&a);
}

static void test_buf_over(void **state)
{
	char mem[16];
	struct buf b;
	char *s;

	(void)state;
	buf_init_over(&b, mem, sizeof(mem));
	buf_str(&b, "fifteen octets.");
	assert_ptr_equal(b.p, mem);
	buf_char(&b, '!');
	assert_ptr_not_equal(b.p, mem);
	assert_string_equal(b.p, "fifteen octets.!");
	buf_fini(&b);
	buf_init_over(&b, mem, sizeof(mem));
	buf_str(&b, "short");
	s = buf_take(&b);
	assert_ptr_not_equal(s, mem);
	assert_string_equal(s, "short");
	free(s);
	buf_fini(&b);
}

/* Numbers and octets as texts; memory that just suffices is not left. */
static void test_buf_values(void **state)
{
	static const uint8_t octets[] = {0x00, 0xa9, 0xff, 0x10, 0x7e};
	char mem[15];
	struct buf b;

	(void)state;
	buf_init_over(&b, mem, sizeof(mem));
	buf_hex(&b, span_of(octets, 5), ':');
	assert_ptr_equal(b.p, mem);
	assert_string_equal(b.p, "00:a9:ff:10:7e");
	buf_reset(&b);
	buf_hex(&b, span_of(octets, 3), 0);
	buf_hex(&b, SPAN_NULL, ':');
	assert_string_equal(b.p, "00a9ff");
	buf_reset(&b);
	buf_printf(&b, "%d:%s", 14, "ten octets.");
	assert_ptr_equal(b.p, mem);
	assert_string_equal(b.p, "14:ten octets.");
	buf_printf(&b, "%s", "more");
	assert_ptr_not_equal(b.p, mem);
	assert_string_equal(b.p, "14:ten octets.more");
	buf_reset(&b);
	buf_number(&b, 0);
	buf_number(&b, INT64_MIN);
	buf_number(&b, INT64_MAX);
	buf_number(&b, -10);
	assert_string_equal(b.p, "0-92233720368547758089223372036854775807-10");
	assert_int_equal(b.len, strlen(b.p));
	buf_fini(&b);
}

static void test_buf(void **state)
{
	struct buf b;
	char *s;

	(void)state;
	buf_init(&b);
	for (int i = 0; i < 1000; i++)
		buf_printf(&b, "%d,", i);
	assert_int_equal(b.len, 3890);
	assert_int_equal(strlen(b.p), b.len);
	buf_reset(&b);
	buf_hex(&b, span_of("\1\xab", 2), ':');
	assert_string_equal(b.p, "01:ab");
	s = buf_take(&b);
	assert_string_equal(s, "01:ab");
	free(s);
	s = buf_take(&b);
	assert_string_equal(s, "");
	free(s);
	assert_false(buf_reserve(&b, SIZE_MAX));
	assert_true(b.failed);
	buf_fini(&b);
}

static void test_ip(void **state)
{
	static const char *const bad[] = {"",		"1.2.3",   "1.2.3.4.",
					  "1.2.3.256",	"1..2.3",  "1.2.3.4 ",
					  "0001.2.3.4", "a.b.c.d", "-1.2.3.4"};
	char text[IP_TEXT_LEN];
	uint32_t addr = 7;

	(void)state;
	assert_int_equal(ip_parse("192.0.2.1", 9, &addr), 0);
	assert_int_equal(addr, 0xc0000201);
	assert_string_equal(ip_text(UINT32_MAX, text), "255.255.255.255");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(ip_parse(bad[i], strlen(bad[i]), &addr), -USHER_E_SYNTAX);
	assert_int_equal(addr, 0xc0000201);
	assert_int_equal(ip_mask(0), 0);
	assert_int_equal(ip_mask(32), UINT32_MAX);
	assert_int_equal(ip_mask(9), 0xff800000);
}

static int hex(const char *s, uint8_t *out, size_t cap)
{
	return hex_parse(s, strlen(s), out, cap);
}

static void test_hex(void **state)
{
	uint8_t out[4];

	(void)state;
	assert_int_equal(hex("01:aB", out, 4), 2);
	assert_int_equal(out[1], 0xab);
	assert_int_equal(hex("1:a", out, 4), 2);
	assert_int_equal(hex("0x01ab", out, 4), 2);
	assert_int_equal(hex("123", out, 4), 2);
	assert_int_equal(out[0], 1);
	assert_int_equal(hex("", out, 0), 0);
	assert_int_equal(hex("01:", out, 4), -USHER_E_SYNTAX);
	assert_int_equal(hex("012:3", out, 4), -USHER_E_SYNTAX);
	assert_int_equal(hex("0g", out, 4), -USHER_E_SYNTAX);
	assert_int_equal(hex("0102030405", out, 4), -USHER_E_NOSPACE);
	assert_int_equal(hex("1:2:3:4:5", out, 4), -USHER_E_NOSPACE);
}

static void test_hash_and_rng(void **state)
{
	struct hash_key k = {1, 2};
	struct hash_key other = {1, 3};
	unsigned seen[10] = {0};
	struct rng a, b;

	(void)state;
	assert_true(hash_bytes(&k, span_str("x")) == hash_bytes(&k, span_str("x")));
	assert_true(hash_bytes(&k, span_str("x")) != hash_bytes(&other, span_str("x")));
	assert_true(hash_bytes(&k, span_of("\0", 1)) != hash_bytes(&k, SPAN_NULL));
	rng_seed(&a, 5);
	rng_seed(&b, 5);
	assert_true(rng_u64(&a) == rng_u64(&b));
	for (int i = 0; i < 1000; i++)
		seen[rng_below(&a, 10)]++;
	for (size_t i = 0; i < 10; i++)
		assert_in_range(seen[i], 50, 150);
	assert_int_equal(rng_below(&a, 1), 0);
}

static void test_clock(void **state)
{
	struct virtual_clock v;
	int64_t mono;

	(void)state;
	virtual_clock_init(&v, 5 * NS_PER_S);
	mono = clock_mono_ns(&v.src);
	virtual_clock_set(&v, 7 * NS_PER_S);
	assert_int_equal(clock_wall_s(&v.src), 7);
	assert_int_equal(clock_mono_ns(&v.src) - mono, 2 * NS_PER_S);
	virtual_clock_set(&v, 1);
	assert_int_equal(clock_mono_ns(&v.src) - mono, 2 * NS_PER_S);
	assert_true(clock_wall_s(&clock_system) > 1600000000);
}

static void test_error(void **state)
{
	(void)state;
	assert_string_equal(usher_strerror(-USHER_E_TRUNCATED), "input ends before the field does");
	assert_string_equal(usher_strerror(-ENOENT), strerror(ENOENT));
	assert_string_equal(usher_strerror(-99999), "unknown error");
}

static long file_size(const char *dir, const char *name)
{
	char path[128];
	long n = -1;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "rbe");
	if (!f)
		return -1;
	if (fseek(f, 0, SEEK_END) == 0)
		n = ftell(f);
	(void)fclose(f);
	(void)unlink(path);
	return n;
}

static void test_log_rotation(void **state)
{
	char dir[] = "/tmp/usher-unit-XXXXXX";
	char path[64];
	struct log_output o = {.kind = LOG_SINK_FILE, .path = path, .maxsize = 1000, .maxver = 2};
	struct log_rule rule = {"kea-dhcp4", LOG_SEV_INFO, &o, 1, 0};
	struct log *log = log_new(&clock_system, "kea-dhcp4");

	(void)state;
	assert_non_null(log);
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/log", dir);
	assert_int_equal(log_configure(log, &rule, 1, false), 0);
	assert_true(log_on(log, LOG_DHCP4_STARTED));
	assert_false(log_on(log, LOG_DHCP4_PACKET_SEND));
	assert_false(log_on(NULL, LOG_DHCP4_STARTED));
	for (int i = 0; i < 100; i++)
		log_msg(log, LOG_DHCP4_STARTED, "line %d\nwith a second one", i);
	assert_int_equal(log_lost(log), 0);
	log_free(log);
	assert_in_range(file_size(dir, "log"), 1, 1000);
	assert_in_range(file_size(dir, "log.1"), 800, 1000);
	assert_in_range(file_size(dir, "log.2"), 800, 1000);
	assert_int_equal(file_size(dir, "log.3"), -1);
	assert_int_equal(rmdir(dir), 0);
}

/* A file that cannot be opened is opened by log_reopen(), once its directory is there. */
static void test_log_missing_directory(void **state)
{
	char dir[] = "/tmp/usher-unit-XXXXXX";
	char sub[64];
	char path[80];
	struct log_output o = {.kind = LOG_SINK_FILE, .path = path, .maxver = 1};
	struct log_rule rule = {"kea-dhcp4", LOG_SEV_INFO, &o, 1, 0};
	struct log *log = log_new(&clock_system, "kea-dhcp4");

	(void)state;
	assert_non_null(log);
	assert_non_null(mkdtemp(dir));
	(void)snprintf(sub, sizeof(sub), "%s/logs", dir);
	(void)snprintf(path, sizeof(path), "%s/log", sub);
	assert_int_equal(log_configure(log, &rule, 1, false), 0);
	log_msg(log, LOG_DHCP4_STARTED, "to stdout");
	assert_int_equal(mkdir(sub, 0700), 0);
	log_reopen(log);
	log_msg(log, LOG_DHCP4_STARTED, "to the file");
	log_free(log);
	assert_true(file_size(sub, "log") > 0);
	assert_int_equal(rmdir(sub), 0);
	assert_int_equal(rmdir(dir), 0);
}

/* --- lines that wait for the loggers of a configuration --------------------------------------- */

struct log_world {
	char dir[32];
	char path[48];
	struct log_output output;
	struct log_rule rule;
	struct log *log;
};

/* rule: debug lines into a file, as a configuration has it that is not in force yet. */
static void open_log_world(struct log_world *w)
{
	(void)snprintf(w->dir, sizeof(w->dir), "/tmp/usher-unit-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	(void)snprintf(w->path, sizeof(w->path), "%s/log", w->dir);
	w->output = (struct log_output){.kind = LOG_SINK_FILE, .path = w->path, .maxver = 1};
	w->rule = (struct log_rule){"kea-dhcp4", LOG_SEV_DEBUG, &w->output, 1, 99};
	w->log = log_new(&clock_system, "kea-dhcp4");
	assert_non_null(w->log);
}

/* Closes the log and compares the texts of its lines, one behind the other. */
static void close_log_world(struct log_world *w, const char *expected)
{
	char line[256];
	char got[256] = "";
	FILE *f;

	log_free(w->log);
	f = fopen(w->path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		const char *text = strstr(line, "text ");

		line[strcspn(line, "\n")] = '\0';
		if (text)
			(void)snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s;", text);
	}
	if (f)
		(void)fclose(f);
	(void)unlink(w->path);
	assert_int_equal(rmdir(w->dir), 0);
	assert_string_equal(got, expected);
}

/* A start keeps all lines, for the outputs of its configuration. */
static void test_log_hold(void **state)
{
	struct log_world w;

	(void)state;
	open_log_world(&w);
	log_msg(w.log, LOG_DHCP4_STARTED, "text 0");
	log_hold(w.log);
	log_msg(w.log, LOG_LIMITS_CONFIGURED_RATE_LIMIT_BY_SUBNET, "text 1");
	log_msg(w.log, LOG_DHCP4_STARTED, "text 2");
	assert_int_equal(log_configure(w.log, &w.rule, 1, false), 0);
	log_release(w.log);
	log_msg(w.log, LOG_LIMITS_CONFIGURED_RATE_LIMIT_BY_SUBNET, "text 3");
	close_log_world(&w, "text 1;text 2;text 3;");
}

/* Standard output gets the kept lines that it does not have. */
static void test_log_hold_stdout(void **state)
{
	static const struct log_output standard = {.kind = LOG_SINK_STDOUT};
	struct log_world w;
	int before = dup(STDOUT_FILENO);
	int fd;

	(void)state;
	open_log_world(&w);
	w.rule.outputs = &standard;
	(void)fflush(stdout);
	fd = open(w.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	assert_true(before >= 0 && fd >= 0);
	assert_int_equal(dup2(fd, STDOUT_FILENO), STDOUT_FILENO);
	log_hold(w.log);
	log_msg(w.log, LOG_LIMITS_CONFIGURED_RATE_LIMIT_BY_SUBNET, "text 1");
	log_msg(w.log, LOG_DHCP4_STARTED, "text 2");
	assert_int_equal(log_configure(w.log, &w.rule, 1, false), 0);
	log_release(w.log);
	assert_int_equal(dup2(before, STDOUT_FILENO), STDOUT_FILENO);
	(void)close(before);
	(void)close(fd);
	close_log_world(&w, "text 2;text 1;");
}

static void *write_stranger(void *log)
{
	log_msg(log, LOG_LIMITS_CONFIGURED_RATE_LIMIT_BY_SUBNET, "text 9");
	log_msg(log, LOG_DHCP4_STARTED, "text 2");
	return NULL;
}

/* A reload keeps the lines of its own thread that no output wants so far; the others are written at
 * once, and once. */
static void test_log_hold_own(void **state)
{
	struct log_world w;
	pthread_t other;

	(void)state;
	open_log_world(&w);
	w.rule.severity = LOG_SEV_INFO;
	assert_int_equal(log_configure(w.log, &w.rule, 1, false), 0);
	log_hold_own(w.log);
	log_msg(w.log, LOG_LIMITS_CONFIGURED_RATE_LIMIT_BY_SUBNET, "text 4");
	log_msg(w.log, LOG_DHCP4_STARTED, "text 1");
	assert_int_equal(pthread_create(&other, NULL, write_stranger, w.log), 0);
	assert_int_equal(pthread_join(other, NULL), 0);
	w.rule.severity = LOG_SEV_DEBUG;
	assert_int_equal(log_configure(w.log, &w.rule, 1, false), 0);
	log_release(w.log);
	/* a reload that is refused */
	w.rule.severity = LOG_SEV_INFO;
	assert_int_equal(log_configure(w.log, &w.rule, 1, false), 0);
	log_hold_own(w.log);
	log_msg(w.log, LOG_LIMITS_CONFIGURED_RATE_LIMIT_BY_SUBNET, "text 9");
	log_forget(w.log);
	log_release(w.log);
	close_log_world(&w, "text 1;text 2;text 4;");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log_missing_directory),
		cmocka_unit_test(test_reader),
		cmocka_unit_test(test_writer),
		cmocka_unit_test(test_arena_fixed),
		cmocka_unit_test(test_arena_growing),
		cmocka_unit_test(test_buf),
		cmocka_unit_test(test_buf_over),
		cmocka_unit_test(test_buf_values),
		cmocka_unit_test(test_ip),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_hash_and_rng),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_log_rotation),
		cmocka_unit_test(test_log_hold),
		cmocka_unit_test(test_log_hold_stdout),
		cmocka_unit_test(test_log_hold_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
