/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The file of reservations: acknowledged changes are there after a crash at any moment; a failing
 * disk changes nothing; damage is kept aside, or refused.
 */
#include "unit.h"

#include "fake/fake_files.h"

#include "base/arena.h"
#include "base/log.h"
#include "config/json/json.h"
#include "server/hosts/host_file.h"

#include <errno.h>
#include <string.h>

static const char path[] = "leases.csv.reservations";

struct world {
	struct fake_files disk;
	struct host_file *f;
	struct arena a;
};

static struct world *open_world(void)
{
	static struct world w;

	fake_files_init(&w.disk);
	w.f = host_file_new(path, &w.disk.ops, NULL);
	assert_non_null(w.f);
	arena_init(&w.a);
	return &w;
}

static void close_world(struct world *w)
{
	host_file_free(w->f);
	fake_files_fini(&w->disk);
	arena_fini(&w->a);
}

static struct json *host_of(struct arena *a, const char *hostname)
{
	struct json *m = json_map(a);

	assert_non_null(json_add(a, m, "hostname", json_str(a, hostname)));
	return m;
}

static int put(struct world *w, const char *key, const char *hostname)
{
	return host_file_put(w->f, key, 1, host_of(&w->a, hostname));
}

/* Returns the state as "key=hostname key=hostname", or the error. */
static const char *state_of(struct world *w, bool repair)
{
	struct config_error err = {0};
	struct json *list = NULL;
	struct buf b;
	const char *text;

	if (host_file_read(w->f, repair, &w->a, &list, &err) < 0)
		return arena_printf(&w->a, "%u: %s", err.pos.line, err.text);
	buf_init(&b);
	for (const struct json *v = list->first; v; v = v->next)
		buf_printf(&b, "%s%s=%s", b.len ? " " : "", json_get_str(v, "key"),
			   json_get_str(json_get(v, "reservation"), "hostname"));
	text = arena_strdup(&w->a, b.p ? b.p : "");
	buf_fini(&b);
	return text;
}

static void write_lines(struct world *w, const char *text)
{
	fake_files_put(&w->disk, path, text, strlen(text));
}

static void test_changes(void **s)
{
	struct world *w = open_world();

	(void)s;
	assert_string_equal(state_of(w, true), "");
	assert_null(fake_files_get(&w->disk, path));
	assert_int_equal(put(w, "a", "1"), 0);
	assert_int_equal(put(w, "b", "2"), 0);
	assert_int_equal(put(w, "a", "3"), 0);
	assert_string_equal(state_of(w, true), "a=3 b=2");
	assert_int_equal(host_file_delete(w->f, "a"), 0);
	assert_int_equal(host_file_delete(w->f, "unknown"), 0);
	assert_string_equal(state_of(w, true), "b=2");
	assert_int_equal(put(w, "a", "4"), 0);
	assert_string_equal(state_of(w, true), "a=4 b=2");
	close_world(w);
}

/* Every crash leaves the acknowledged changes, perhaps with the one under way. */
static void test_crashes(void **s)
{
	static const char *const after[] = {"", "a=1", "a=1 b=2", "a=3 b=2", "b=2"};
	struct rng rng;
	size_t acked[5] = {0};
	struct world *w = open_world();

	(void)s;
	rng_seed(&rng, 7);
	assert_int_equal(put(w, "a", "1"), 0);
	acked[1] = w->disk.n_ops;
	assert_int_equal(put(w, "b", "2"), 0);
	acked[2] = w->disk.n_ops;
	assert_int_equal(put(w, "a", "3"), 0);
	acked[3] = w->disk.n_ops;
	assert_int_equal(host_file_delete(w->f, "a"), 0);
	acked[4] = w->disk.n_ops;
	for (size_t n = 0; n <= w->disk.n_ops; n++)
		for (int turn = 0; turn < 40; turn++) {
			struct world c = {0};
			enum fake_loss loss = turn == 0	  ? FAKE_LOSE_NOTHING
					      : turn == 1 ? FAKE_LOSE_UNSYNCED
							  : FAKE_LOSE_SOME;
			const char *state;
			size_t k = 0;

			fake_files_crash(&w->disk, n, loss, &rng, &c.disk);
			c.f = host_file_new(path, &c.disk.ops, NULL);
			arena_init(&c.a);
			while (k < 4 && acked[k + 1] <= n)
				k++;
			state = state_of(&c, true);
			if (strcmp(state, after[k]) != 0 &&
			    !(k < 4 && strcmp(state, after[k + 1]) == 0))
				fail_msg("after %zu operations: '%s', not '%s'", n, state,
					 after[k]);
			/* and the next change is as good as ever */
			assert_int_equal(put(&c, "z", "9"), 0);
			assert_non_null(strstr(state_of(&c, true), "z=9"));
			close_world(&c);
		}
	close_world(w);
}

static void fail_next(struct world *w, unsigned calls, int err, bool short_writes)
{
	w->disk.mask = calls;
	w->disk.first = w->disk.calls + 1;
	w->disk.last = UINT64_MAX;
	w->disk.err = err;
	w->disk.short_writes = short_writes;
}

static void mend(struct world *w)
{
	w->disk.mask = 0;
	w->disk.short_writes = false;
}

static void test_full_disk(void **s)
{
	static const unsigned calls[] = {FAKE_CALL_OPEN, FAKE_CALL_WRITE, FAKE_CALL_SYNC,
					 FAKE_CALL_WRITE | FAKE_CALL_OTHER};

	(void)s;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		for (int shorter = 0; shorter < 2; shorter++) {
			struct world *w = open_world();

			assert_int_equal(put(w, "a", "1"), 0);
			fail_next(w, calls[i], ENOSPC, shorter);
			assert_int_equal(put(w, "b", "2"), -ENOSPC);
			assert_int_equal(host_file_delete(w->f, "a"), -ENOSPC);
			mend(w);
			assert_int_equal(put(w, "c", "3"), 0);
			assert_string_equal(state_of(w, true), "a=1 c=3");
			close_world(w);
		}
}

static void test_torn_line(void **s)
{
	static const char whole[] = "{\"key\":\"a\",\"subnet-id\":1,\"reservation\":{\"hostname\":"
				    "\"1\"}}";
	const struct fake_file *torn;
	struct world *w = open_world();

	(void)s;
	/* the part of a line: it stays as long as nobody may repair, then it is kept aside */
	write_lines(w, arena_printf(&w->a, "%s\n{\"key\":\"b\",\"subn", whole));
	assert_string_equal(state_of(w, false), "a=1");
	assert_null(fake_files_get(&w->disk, "leases.csv.reservations.torn"));
	assert_int_equal(put(w, "c", "3"), 0);
	torn = fake_files_get(&w->disk, "leases.csv.reservations.torn");
	assert_non_null(torn);
	assert_memory_equal(torn->p, "{\"key\":\"b\",\"subn", torn->len);
	assert_string_equal(state_of(w, true), "a=1 c=3");
	close_world(w);

	/* by a reading that may repair */
	w = open_world();
	write_lines(w, arena_printf(&w->a, "%s\n{\"ke", whole));
	assert_string_equal(state_of(w, true), "a=1");
	assert_memory_equal(fake_files_get(&w->disk, "leases.csv.reservations.torn")->p, "{\"ke",
			    4);
	assert_int_equal(fake_files_get(&w->disk, path)->len, strlen(whole) + 1);
	close_world(w);

	/* a whole line without its end */
	w = open_world();
	write_lines(w, whole);
	assert_string_equal(state_of(w, true), "a=1");
	assert_int_equal(put(w, "c", "3"), 0);
	assert_null(fake_files_get(&w->disk, "leases.csv.reservations.torn"));
	assert_string_equal(state_of(w, true), "a=1 c=3");
	close_world(w);
}

static void test_broken_lines(void **s)
{
	static const struct {
		const char *text, *expect;
	} cases[] = {
		{"{\"key\":\"a\",\"deleted\":true}\n{\"key\":\n", "2: "},
		{"[]\n", "1: a line needs 'key'"},
		{"\n\n{\"key\":\"a\",\"subnet-id\":-1,\"reservation\":{}}\n", "3: a line needs"},
		{"{\"key\":\"a\",\"subnet-id\":1,\"reservation\":[]}\n", "1: a line needs"},
		{"{\"key\":\"a\",\"deleted\":false}\n", "1: a line needs"},
	};

	(void)s;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world *w = open_world();
		const char *state;

		write_lines(w, cases[i].text);
		state = state_of(w, true);
		if (strncmp(state, cases[i].expect, strlen(cases[i].expect)) != 0)
			fail_msg("'%s', not '%s'", state, cases[i].expect);
		assert_int_equal(fake_files_get(&w->disk, path)->len, strlen(cases[i].text));
		close_world(w);
	}
}

static void test_compaction(void **s)
{
	struct world *w = open_world();
	size_t before;

	(void)s;
	assert_int_equal(put(w, "b", "2"), 0);
	for (int i = 0; i < 1200; i++)
		assert_int_equal(put(w, "a", "1"), 0);
	before = fake_files_get(&w->disk, path)->len;
	/* not while another server may use the file */
	assert_string_equal(state_of(w, false), "b=2 a=1");
	assert_int_equal(fake_files_get(&w->disk, path)->len, before);
	/* a failure leaves it as it is */
	fail_next(w, FAKE_CALL_RENAME, EIO, false);
	assert_string_equal(state_of(w, true), "b=2 a=1");
	assert_int_equal(fake_files_get(&w->disk, path)->len, before);
	mend(w);
	assert_string_equal(state_of(w, true), "b=2 a=1");
	assert_true(fake_files_get(&w->disk, path)->len < 200);
	assert_int_equal(put(w, "c", "3"), 0);
	assert_string_equal(state_of(w, true), "b=2 a=1 c=3");
	close_world(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes),	     cmocka_unit_test(test_crashes),
		cmocka_unit_test(test_full_disk),    cmocka_unit_test(test_torn_line),
		cmocka_unit_test(test_broken_lines), cmocka_unit_test(test_compaction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
