/* SPDX-License-Identifier: MPL-2.0 */
/* Whole files: names in a directory, reading, replacement. */
#include "unit/unit.h"

#include "base/file/file_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/usher-file-text-XXXXXX";

static const char *path_of(const char *name)
{
	static char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void put_file(const char *name, const char *text)
{
	FILE *f = fopen(path_of(name), "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void assert_file(const char *name, const char *text)
{
	struct buf b;

	buf_init(&b);
	assert_int_equal(file_read_text(path_of(name), 100, &b), 0);
	assert_string_equal(b.p ? b.p : "", text);
	buf_fini(&b);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(file_name_in("/a/b/", 5, "x.json"), "x.json");
	assert_string_equal(file_name_in("/a/b/", 5, "/a/b/x.json"), "x.json");
	assert_string_equal(file_name_in("/a/b/c.json", 5, "/a/b/x"), "x");
	assert_string_equal(file_name_in("", 0, "x"), "x");
	assert_null(file_name_in("", 0, "/x"));
	assert_null(file_name_in("/a/b/", 5, "/a/b/"));
	assert_null(file_name_in("/a/b/", 5, ""));
	assert_null(file_name_in("/a/b/", 5, "/a/bc/x"));
	assert_null(file_name_in("/a/b/", 5, "/a/b/../x"));
	assert_null(file_name_in("/a/b/", 5, ".."));
	assert_null(file_name_in("/a/b/", 5, ".x"));
	assert_null(file_name_in("/a/b/", 5, "x\n"));
	assert_null(file_name_in("/a/b/", 5, "x\177"));
}

static void test_reading(void **state)
{
	struct buf b;

	(void)state;
	put_file("text", "0123456789");
	buf_init(&b);
	assert_int_equal(file_read_text(path_of("text"), 10, &b), 0);
	assert_int_equal(file_read_text(path_of("text"), 10, &b), 0);
	assert_string_equal(b.p, "01234567890123456789");
	assert_int_equal(file_read_text(path_of("text"), 9, &b), -EFBIG);
	assert_int_equal(file_read_text(path_of("absent"), 9, &b), -ENOENT);
	assert_int_equal(file_read_text(dir, 9, &b), -EINVAL);
	assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
	assert_int_equal(file_read_text(path_of("fifo"), 9, &b), -EINVAL);
	assert_int_equal(symlink("text", path_of("link")), 0);
	assert_int_equal(file_read_text(path_of("link"), 10, &b), -ELOOP);
	buf_fini(&b);
	(void)unlink(path_of("link"));
	(void)unlink(path_of("fifo"));
	(void)unlink(path_of("text"));
}

/* An existing file passes on its mode; files beside it with the names of new ones stay. */
static void test_replacement(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(file_replace(path_of("made"), span_str("first"), 0600), 0);
	assert_int_equal(stat(path_of("made"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	put_file("made.new", "another program's");
	put_file("made.new1", "and its next");
	assert_int_equal(chmod(path_of("made"), 0644), 0);
	assert_int_equal(file_replace(path_of("made"), span_str("second"), 0600), 0);
	assert_int_equal(stat(path_of("made"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_file("made", "second");
	assert_file("made.new", "another program's");
	assert_file("made.new1", "and its next");
	assert_int_equal(access(path_of("made.new2"), F_OK), -1);
	assert_int_equal(file_replace(path_of("absent/made"), span_str("x"), 0600), -ENOENT);
	/* a directory has the name */
	assert_int_equal(mkdir(path_of("taken"), 0700), 0);
	assert_true(file_replace(path_of("taken"), span_str("x"), 0600) < 0);
	assert_int_equal(access(path_of("taken.new"), F_OK), -1);
	(void)rmdir(path_of("taken"));
	(void)unlink(path_of("made"));
	(void)unlink(path_of("made.new"));
	(void)unlink(path_of("made.new1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_reading),
		cmocka_unit_test(test_replacement),
	};
	int r;

	if (!mkdtemp(dir))
		return 1;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	return rmdir(dir) == 0 ? r : 1;
}
