/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Two rules in the raw table, set by iptables itself: for received packets, and for packets that
 * this host sends. The kernel may lack nftables' queue statement, so it has to be the variant that
 * speaks the old interface where there is one.
 */
#include "gate/run/queue_rules.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGS_MAX = 24, TEXT_LEN = 32, LEFT_MAX = 64 };

/* Runs a program. quiet: its output on stderr is discarded. */
static int run_command(const char *program, char *const argv[], bool quiet)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none;
	int status = 0, r;
	pid_t pid;

	/* our signals are blocked; the child's are not to be */
	(void)sigemptyset(&none);
	(void)posix_spawnattr_init(&attr);
	(void)posix_spawnattr_setsigmask(&attr, &none);
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	(void)posix_spawn_file_actions_init(&files);
	if (quiet)
		(void)posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY,
						       0);
	r = posix_spawnp(&pid, program, &files, &attr, argv, environ);
	(void)posix_spawn_file_actions_destroy(&files);
	(void)posix_spawnattr_destroy(&attr);
	if (r)
		return -r;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EINVAL;
}

/* Adds or removes one rule of a chain: action "-I" or "-D". */
static int run_one(const char *program, const struct queue_rules *q, const char *action,
		   const char *chain)
{
	char balance[TEXT_LEN], mark[TEXT_LEN];
	const char *args[ARGS_MAX] = {
		program,
		"-w",
		"-t",
		"raw",
		action,
		chain,
		"-m",
		"mark",
		"!",
		"--mark",
		mark,
		"!",
		strcmp(chain, "OUTPUT") == 0 ? "-o" : "-i",
		"lo",
		"-j",
		"NFQUEUE",
		"--queue-balance",
		balance,
	};
	size_t n = 0;

	while (args[n])
		n++;
	if (q->bypass)
		args[n++] = "--queue-bypass";
	(void)snprintf(mark, sizeof(mark), "0x%x", (unsigned)QUEUE_MARK);
	(void)snprintf(balance, sizeof(balance), "%u:%u", q->first, q->first + q->n - 1);
	if (q->n == 1) {
		args[16] = "--queue-num";
		(void)snprintf(balance, sizeof(balance), "%u", q->first);
	}
	return run_command(program, (char *const *)(uintptr_t)args, action[1] == 'D');
}

static int run_both(const char *program, const struct queue_rules *q)
{
	int r = run_one(program, q, "-I", "PREROUTING");

	if (r == 0)
		r = run_one(program, q, "-I", "OUTPUT");
	if (r < 0 && r != -ENOENT)
		(void)run_one(program, q, "-D", "PREROUTING");
	return r;
}

static const char *const programs[] = {"iptables-legacy", "iptables"};

/* Removes rules for these queues that a gate left behind when it was killed: no other program has
 * the queues. */
static void remove_left(const struct queue_rules *q)
{
	for (unsigned i = 0; i < 4; i++) {
		struct queue_rules old = {q->first, q->n, i & 1};

		for (unsigned n = 0;
		     n < LEFT_MAX && run_one(programs[i / 2], &old, "-D", "PREROUTING") == 0; n++)
			;
		for (unsigned n = 0;
		     n < LEFT_MAX && run_one(programs[i / 2], &old, "-D", "OUTPUT") == 0; n++)
			;
	}
}

int queue_rules_add(const struct queue_rules *q)
{
	int r;

	remove_left(q);
	r = run_both(programs[0], q);

	if (r == -ENOENT)
		r = run_both(programs[1], q);
	if (r < 0)
		(void)fprintf(stderr,
			      "usher-gate: --queue-rules: iptables could not set its rules: %s\n",
			      usher_strerror(r));
	return r;
}

void queue_rules_remove(const struct queue_rules *q)
{
	for (unsigned i = 0; i < 2; i++) {
		int r = run_one(programs[i], q, "-D", "PREROUTING");

		if (r != -ENOENT) {
			(void)run_one(programs[i], q, "-D", "OUTPUT");
			return;
		}
	}
}

/* --- Rules of a gate that was killed ---------------------------------------------------------- */

/* Runs the other process: it has nothing but the pipe, which closes when the gate has ended. */
static void watch(const struct queue_rules *q, int fd)
{
	char word;
	ssize_t n;

	(void)dup2(fd, STDERR_FILENO + 1);
	(void)close_range(STDERR_FILENO + 2, ~0U, 0);
	do
		n = read(STDERR_FILENO + 1, &word, 1);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		queue_rules_remove(q);
	_exit(0);
}

int queue_rules_watch(const struct queue_rules *q, int *ret_fd)
{
	sigset_t all, before;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, &before);
	pid = fork();
	if (pid == 0) {
		(void)close(ends[1]);
		(void)setsid();
		(void)prctl(PR_SET_NAME, "usher-gate-rules");
		watch(q, ends[0]);
	}
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	(void)close(ends[0]);
	if (pid < 0) {
		(void)close(ends[1]);
		return -errno;
	}
	*ret_fd = ends[1];
	return 0;
}

void queue_rules_unwatch(int fd)
{
	const char word = 'q';

	if (fd < 0)
		return;
	(void)!write(fd, &word, 1);
	(void)close(fd);
}
