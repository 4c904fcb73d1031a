/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Children of a pool: their environment, descriptors, signals and group; the bounds of their
 * number, queue and time; the end of a pool while they run.
 */
#include "base/child.h"

#include "base/clock.h"
#include "unit/unit_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 20000 };

static char dir[] = "/tmp/usher-child-XXXXXX";

static struct {
	_Atomic unsigned n[CHILD_KILLED + 1];
	_Atomic int value;
} events;

static void note_event(void *ctx, enum child_event e, const char *program, int value)
{
	assert_ptr_equal(ctx, &events);
	assert_non_null(program);
	events.value = value;
	events.n[e]++;
}

static const char *path_of(const char *name)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static char *write_script(const char *name, const char *body)
{
	char *path = strdup(path_of(name));
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	(void)fprintf(f, "#!/bin/sh\n%s\n", body);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0755), 0);
	return path;
}

static struct child_pool *open_pool(unsigned running, unsigned queued, int64_t deadline_ns)
{
	struct child_limits limits = {running, queued, deadline_ns, 100 * NS_PER_MS};
	struct child_pool *p = child_pool_new(&limits, note_event, &events);

	assert_non_null(p);
	memset(&events, 0, sizeof(events));
	assert_int_equal(child_pool_start(p), 0);
	return p;
}

/* Waits until a file has n octets at least. */
static void wait_file(const char *name, off_t n)
{
	struct stat st;

	for (int i = 0; i < PATIENCE_MS / 5; i++) {
		if (stat(path_of(name), &st) == 0 && st.st_size >= n)
			return;
		(void)usleep(5000);
	}
	fail_msg("%s has not %ld octets", name, (long)n);
}

static void wait_event(enum child_event e, unsigned n)
{
	for (int i = 0; i < PATIENCE_MS / 5 && events.n[e] < n; i++)
		(void)usleep(5000);
	assert_true(events.n[e] >= n);
}

static void read_file(const char *name, char *out, size_t cap)
{
	int fd = open(path_of(name), O_RDONLY);
	ssize_t n;

	assert_true(fd >= 0);
	n = read(fd, out, cap - 1);
	assert_true(n >= 0);
	out[n] = '\0';
	(void)close(fd);
}

static struct span env_of(const char *texts, size_t n)
{
	return span_of((const uint8_t *)texts, n);
}

/* A child has its argument, exactly the given environment, /dev/null, and nothing else of ours. The
 * script reads its signals with builtins: a shell blocks signals for a moment before it waits for
 * another program, and that program would see them blocked. */
static void test_world(void **state)
{
	char *script = write_script("world",
				    "exec >\"$OUT.new\"\n"
				    "echo \"arg $1\"\n"
				    "tr '\\0' '\\n' </proc/$$/environ | sort\n"
				    "for n in 3 4 5 6 7 8 9; do\n"
				    "[ -e /proc/$$/fd/$n ] && echo \"descriptor $n\"\n"
				    "done\n"
				    "readlink /proc/$$/fd/0 /proc/$$/fd/2\n"
				    "while read -r key value; do case $key in\n"
				    "SigBlk:|SigIgn:) echo \"$key $value\";;\n"
				    "esac done </proc/$$/status\n"
				    "[ $(cut -d' ' -f5 /proc/$$/stat) = $$ ] && echo leader\n"
				    "mv \"$OUT.new\" \"$OUT\"");
	struct child_pool *p;
	char env[256], out[2048];
	const char *ignored;
	sigset_t set, old;
	int extra = open("/dev/zero", O_RDONLY); /* without O_CLOEXEC */
	int n;

	(void)state;
	(void)sigfillset(&set);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)pthread_sigmask(SIG_BLOCK, &set, &old);
	p = open_pool(4, 4, 10 * NS_PER_S);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	n = snprintf(env, sizeof(env), "OUT=%s%cEMPTY=%cSPACE=a b%c", path_of("world.out"), 0, 0,
		     0);
	assert_int_equal(child_run(p, script, "lease4_renew", env_of(env, (size_t)n)), 0);
	wait_file("world.out", 1);
	read_file("world.out", out, sizeof(out));
	assert_non_null(strstr(out, "arg lease4_renew\nEMPTY=\nOUT=/tmp/"));
	assert_non_null(strstr(out, "\nSPACE=a b\n/dev/null\n/dev/null\n"));
	assert_null(strstr(out, "PATH="));
	ignored = strstr(out, "SigBlk: 0000000000000000\nSigIgn: ");
	assert_non_null(ignored);
	/* the C library ignores its own signals, 32 and 33 */
	assert_int_equal(strtoull(strrchr(ignored, ' '), NULL, 16) & 0x7fffffff, 0);
	assert_non_null(strstr(out, "leader\n"));
	assert_int_equal(child_pool_unref(p), 0);
	(void)close(extra);
	free(script);
}

/* Runs beyond the places wait; runs beyond the queue are refused; all others are run. */
static void test_bounds(void **state)
{
	char *script = write_script("slow", "while [ ! -e \"$GATE\" ]; do sleep 0.02; done\n"
					    "echo >>\"$OUT\"");
	struct child_pool *p = open_pool(2, 3, 60 * NS_PER_S);
	char env[256];
	int n, queued = 0, refused = 0;

	(void)state;
	n = snprintf(env, sizeof(env), "GATE=%s/gate%cOUT=%s/slow.out%cPATH=/usr/bin:/bin%c", dir,
		     0, dir, 0, 0);
	for (int i = 0; i < 50; i++) {
		int r = child_run(p, script, "x", env_of(env, (size_t)n));

		queued += r == 0;
		refused += r == -EAGAIN;
		(void)usleep(2000);
	}
	assert_int_equal(queued, 5);
	assert_int_equal(refused, 45);
	(void)close(open(path_of("gate"), O_CREAT | O_WRONLY, 0600));
	wait_file("slow.out", 5);
	assert_int_equal(child_pool_unref(p), 0);
	assert_int_equal(events.n[CHILD_LATE], 0);
	free(script);
}

/* A child that is late gets SIGTERM, then SIGKILL; its place is free afterwards, and the group is
 * gone. */
static void test_deadline(void **state)
{
	char *stubborn = write_script("stubborn",
				      "trap '' TERM\n(trap '' TERM; echo $$ >\"$OUT\"; "
				      "while :; do sleep 1; done) &\nwhile :; do sleep 1; done");
	char *mild = write_script("mild", "sleep 1000");
	struct child_pool *p = open_pool(1, 4, 200 * NS_PER_MS);
	char env[256];
	int n, group;

	(void)state;
	n = snprintf(env, sizeof(env), "OUT=%s/pids%cPATH=/usr/bin:/bin%c", dir, 0, 0);
	assert_int_equal(child_run(p, stubborn, "x", env_of(env, (size_t)n)), 0);
	assert_int_equal(child_run(p, mild, "x", env_of(env, (size_t)n)), 0);
	assert_int_equal(child_run(p, "/nowhere/script", "x", SPAN_NULL), 0);
	wait_event(CHILD_KILLED, 1);
	group = events.value;
	wait_event(CHILD_LATE, 2);
	wait_event(CHILD_UNSTARTED, 1);
	assert_int_equal(events.value, ENOENT);
	assert_int_equal(events.n[CHILD_KILLED], 1);
	for (int i = 0; i < PATIENCE_MS / 5 && kill(-group, 0) == 0; i++)
		(void)usleep(5000);
	assert_int_equal(kill(-group, 0), -1);
	assert_int_equal(child_pool_unref(p), 0);
	free(stubborn);
	free(mild);
}

/* The end of a pool begins the runs that have a place, discards the others, and does not wait for
 * children. Two references are one pool. */
static void test_end(void **state)
{
	char *script = write_script("long", "echo >>\"$OUT\"\nexec sleep 2");
	struct child_pool *p = open_pool(2, 10, 60 * NS_PER_S);
	struct child_limits limits = {1, 1, NS_PER_S, NS_PER_S};
	struct child_pool *idle = child_pool_new(&limits, NULL, NULL);
	int64_t begin = clock_mono_ns(&clock_system);
	char env[256];
	int n;

	(void)state;
	n = snprintf(env, sizeof(env), "OUT=%s/long.out%cPATH=/usr/bin:/bin%c", dir, 0, 0);
	for (int i = 0; i < 7; i++)
		assert_int_equal(child_run(p, script, "x", env_of(env, (size_t)n)), 0);
	assert_ptr_equal(child_pool_ref(p), p);
	assert_int_equal(child_pool_unref(p), 0);
	wait_file("long.out", 2);
	assert_int_equal(child_pool_unref(p), 5);
	assert_true(clock_mono_ns(&clock_system) - begin < 15 * NS_PER_S);
	assert_int_equal(child_run(idle, script, "x", SPAN_NULL), -ESRCH);
	assert_int_equal(child_pool_unref(idle), 0);
	assert_int_equal(child_pool_unref(NULL), 0);
	(void)sleep(3); /* the thread ends with its children, and frees the pool */
	free(script);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_world),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_end),
	};
	int r;

	if (!mkdtemp(dir))
		return 1;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	return remove_directory(dir) == 0 ? r : 1;
}
