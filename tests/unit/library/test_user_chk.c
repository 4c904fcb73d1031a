/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The parts of user_chk below its callouts: the registry with the places of its mistakes, the files
 * that are refused, and the keeper: an outage, the bound of its queue, a registry that changes.
 */
#include "unit/unit.h"
#include "unit/unit_dir.h"

#include "base/clock.h"
#include "base/error.h"
#include "config/json/json.h"
#include "library/user_chk/user_chk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 };

static char dir[] = "/tmp/usher-user-chk-XXXXXX";

static const char *path_of(const char *name)
{
	static char path[2][128];
	static unsigned n;

	n ^= 1U;
	(void)snprintf(path[n], sizeof(path[n]), "%s/%s", dir, name);
	return path[n];
}

static void write_text(const char *name, const char *text)
{
	FILE *f = fopen(path_of(name), "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* --- the registry ----------------------------------------------------------------------------- */

static void test_registry(void **state)
{
	static const uint8_t first[] = {2, 0, 0, 0, 0, 1}, short_id[] = {2, 0, 0, 0, 0};
	struct config_error err;
	struct file_mark mark;
	const struct user *u;
	struct users *users;

	(void)state;
	write_text("r",
		   "{\"type\":\"HW_ADDR\",\"id\":\"02:00:00:00:00:01\",\"bootfile\":\"b\"}\r\n\n"
		   "{ \"type\": \"DUID\", \"id\": \"0102\" }  \n"
		   "{\"id\":\"FFfF\",\"type\":\"HW_ADDR\",\"tftp_server\":\"t\"}\n"
		   "{\"type\":\"HW_ADDR\",\"id\":\"00:00:00:00\"}");
	users = users_read(path_of("r"), &mark, &err);
	assert_non_null(users);
	assert_int_equal(users->n, 3);
	assert_int_equal(users->n_others, 1);
	assert_true(mark.size > 0 && mark.ino);
	u = users_find(users, span_of(first, sizeof(first)));
	assert_non_null(u);
	assert_true(span_eq(u->bootfile, span_str("b")) && !u->tftp_server.n);
	assert_null(users_find(users, span_of(short_id, sizeof(short_id))));
	assert_null(users_find(users, SPAN_NULL));
	u = users_find(users, span_of("\xff\xff", 2));
	assert_true(u && span_eq(u->tftp_server, span_str("t")));
	u = users_default(users);
	assert_true(u && !u->bootfile.n);
	users_free(users);
	users_free(NULL);
}

/* A text is refused at a line and column, with words of the reason. */
static void check_refusal(const char *text, unsigned line, unsigned col, const char *reason)
{
	struct config_error err = {0};
	struct file_mark mark;

	write_text("r", text);
	assert_null(users_read(path_of("r"), &mark, &err));
	assert_non_null(strstr(err.text, reason));
	assert_int_equal(err.pos.line, line);
	assert_int_equal(err.pos.col, col);
	assert_string_equal(err.file, path_of("r"));
}

static void test_refusals(void **state)
{
	(void)state;
	check_refusal("{\"type\":\"DUID\",\"id\":\"01\"}\n{", 2, 2, "");
	check_refusal("\n\n[]", 3, 1, "a map is expected");
	check_refusal("{\"type\":\"HW_ADDR\",\"id\":1}", 1, 24, "must be a string");
	check_refusal("{\"id\":\"01\"}", 1, 1, "HW_ADDR or DUID");
	check_refusal("{\"type\":\"X\",\"id\":\"01\"}", 1, 9, "HW_ADDR or DUID");
	check_refusal("{\"type\":\"DUID\"}", 1, 1, "hexadecimal digits");
	check_refusal("{\"type\":\"DUID\",\"id\":\"\"}", 1, 21, "hexadecimal digits");
	check_refusal("{\"type\":\"DUID\",\"id\":\"0g\"}", 1, 21, "hexadecimal digits");
	check_refusal("{\"type\":\"DUID\",\"id\":\"012\"}", 1, 21, "hexadecimal digits");
	check_refusal("{\"type\":\"HW_ADDR\",\"id\":\"1:0\"}\n{\"type\":\"HW_ADDR\",\"id\":\"10\"}",
		      0, 0, "user 10 is there twice");
}

static void check_file(const char *path, const char *reason)
{
	struct config_error err = {0};
	struct file_mark mark;

	assert_null(users_read(path, &mark, &err));
	assert_non_null(strstr(err.text, reason));
	assert_non_null(strstr(err.text, path));
	assert_int_equal(err.pos.line, 0);
}

static void test_files(void **state)
{
	(void)state;
	write_text("r", "");
	assert_int_equal(symlink(path_of("r"), path_of("link")), 0);
	assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
	assert_int_equal(truncate(path_of("r"), USER_REGISTRY_MAX + 1), 0);
	check_file(path_of("r"), "larger than 16 MiB");
	check_file(path_of("link"), "must not be a link");
	check_file(path_of("fifo"), "a regular file is expected");
	check_file(dir, "a regular file is expected");
	check_file(path_of("absent"), "No such file");
}

/* --- the keeper ------------------------------------------------------------------------------- */

static struct user_keeper *keeper_of(const char *outcome)
{
	struct config_error err;
	struct file_mark mark;
	struct users *users = users_read(path_of("r"), &mark, &err);
	struct user_keeper *k;

	assert_non_null(users);
	k = user_keeper_new(path_of("r"), outcome, users, &mark, NULL);
	assert_non_null(k);
	return k;
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

static bool knows(struct user_keeper *k, const char *id)
{
	uint8_t mem[64];
	struct arena arena;
	struct user u;
	bool failed;

	arena_init_fixed(&arena, mem, sizeof(mem));
	return user_keeper_find(k, span_str(id), &arena, &u, &failed) && !failed;
}

/* The directory of the outcomes is absent: they wait, up to the bound, and are written when it is
 * there. */
static void test_outage(void **state)
{
	char where[64], path[128];
	struct user_keeper *k;
	size_t n = 0;

	(void)state;
	write_text("r", "");
	(void)snprintf(where, sizeof(where), "%s/later", dir);
	(void)snprintf(path, sizeof(path), "%s/out", where);
	k = keeper_of(path);
	assert_int_equal(user_keeper_start(k), 0);
	while (user_keeper_put(k, span_str("0123456789\n")) == 0)
		n += 11;
	/* the thread may have taken one queue already */
	assert_true(n <= 2 * USER_OUTCOME_BYTES && n > USER_OUTCOME_BYTES - 11);
	assert_int_equal(mkdir(where, 0755), 0);
	wait_size(path, n);
	/* a file that is moved away is made anew */
	assert_int_equal(rename(path, path_of("moved")), 0);
	(void)usleep(1100000);
	assert_int_equal(user_keeper_put(k, span_str("x\n")), 0);
	wait_size(path, 2);
	assert_int_equal(user_keeper_put(k, span_str("y\n")), 0);
	assert_int_equal(user_keeper_free(k), 0);
	assert_int_equal(file_size(path), 4);
}

/* An end during an outage is not waited for; the number of the octets is the result. */
static void test_end_in_outage(void **state)
{
	int64_t begin = clock_mono_ns(&clock_system);
	struct user_keeper *k;
	char path[128];

	(void)state;
	write_text("r", "");
	(void)snprintf(path, sizeof(path), "%s/never/out", dir);
	k = keeper_of(path);
	assert_int_equal(user_keeper_start(k), 0);
	assert_int_equal(user_keeper_put(k, span_str("xyz\n")), 0);
	assert_int_equal(user_keeper_free(k), 4);
	assert_true(clock_mono_ns(&clock_system) - begin < 10 * NS_PER_S);
	assert_int_equal(user_keeper_free(NULL), 0);
	(void)snprintf(path, sizeof(path), "%s/never", dir);
	assert_int_equal(mkdir(path, 0755), 0);
	(void)snprintf(path, sizeof(path), "%s/never/out", dir);
	wait_size(path, 4);
}

static void wait_user(struct user_keeper *k, const char *id, bool known)
{
	for (int i = 0; i < PATIENCE_MS / 5 && knows(k, id) != known; i++)
		(void)usleep(5000);
	assert_int_equal(knows(k, id), known);
}

static void test_changes(void **state)
{
	struct user_keeper *k;

	(void)state;
	write_text("r", "{\"type\":\"HW_ADDR\",\"id\":\"61\"}");
	k = keeper_of(path_of("out"));
	assert_int_equal(user_keeper_start(k), 0);
	assert_true(knows(k, "a") && !knows(k, "b"));
	write_text("r", "{\"type\":\"HW_ADDR\",\"id\":\"62\"}");
	wait_user(k, "b", true);
	assert_false(knows(k, "a"));
	/* one that cannot be read changes nothing */
	write_text("r", "{\"type\":\"HW_ADDR\",\"id\":\"61\"}\n{");
	(void)usleep(1500000);
	assert_true(knows(k, "b") && !knows(k, "a"));
	write_text("new", "{\"type\":\"HW_ADDR\",\"id\":\"63\"}");
	assert_int_equal(rename(path_of("new"), path_of("r")), 0);
	wait_user(k, "c", true);
	assert_int_equal(unlink(path_of("r")), 0);
	(void)usleep(1500000);
	assert_true(knows(k, "c"));
	assert_int_equal(user_keeper_free(k), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_registry),      cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_files),	      cmocka_unit_test(test_outage),
		cmocka_unit_test(test_end_in_outage), cmocka_unit_test(test_changes),
	};
	int r;

	if (!mkdtemp(dir))
		return 1;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	return remove_directory(dir) == 0 ? r : 1;
}
