/* SPDX-License-Identifier: MPL-2.0 */
/* Checks of shared objects without loading them. */
#include "unit/unit.h"

#include "base/error.h"
#include "base/object.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static size_t read_whole(const char *path, uint8_t **ret)
{
	FILE *f = fopen(path, "rb");
	long n;

	assert_non_null(f);
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	n = ftell(f);
	rewind(f);
	*ret = malloc((size_t)n);
	assert_non_null(*ret);
	assert_int_equal(fread(*ret, 1, (size_t)n, f), n);
	(void)fclose(f);
	return (size_t)n;
}

/* Looking at libraries: the example is one; cut and changed ones are refused or not, and read
 * within bounds. */
static void test_object(void **state)
{
	static const char *const symbols[] = {"usher_hook_version", "usher_hook_load"};
	static const char *const others[] = {"usher_hook_version", "no_such_symbol"};
	const char *example = getenv("USHER_EXAMPLE");
	char path[] = "/tmp/usher-object-XXXXXX";
	uint8_t *octets;
	size_t n;
	char why[128];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	n = read_whole(example, &octets);
	assert_int_equal(object_check(example, symbols, 2, why, sizeof(why)), 0);
	assert_int_equal(object_check(example, others, 2, why, sizeof(why)), -USHER_E_HOOK);
	assert_non_null(strstr(why, "no_such_symbol"));
	assert_int_equal(object_check("/dev/zero", symbols, 2, why, sizeof(why)), -USHER_E_HOOK);
	assert_int_equal(object_check("/proc/self/exe", symbols, 2, why, sizeof(why)),
			 -USHER_E_HOOK);
	srand(7);
	for (int i = 0; i < 2000; i++) {
		size_t at = (size_t)rand() % (i % 2 ? 2048 : n);
		uint8_t was = octets[at];
		size_t len = i % 4 ? n : (size_t)rand() % n;

		octets[at] = (uint8_t)rand();
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, octets, len, 0), len);
		(void)!object_check(path, symbols, 2, why, sizeof(why));
		octets[at] = was;
	}
	(void)close(fd);
	(void)unlink(path);
	free(octets);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(test_object)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
