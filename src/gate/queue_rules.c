/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Two rules in the raw table, set by iptables itself: what comes in, and what this host sends. The kernel may lack
 * nftables' queue statement, so it has to be the variant that speaks the old interface where there is one.
 */
#include "gate/queue_rules.h"

#include "base/error.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGS_MAX = 24, TEXT_LEN = 32 };

static int run(const char *program, char *const argv[])
{
	posix_spawnattr_t attr;
	sigset_t none;
	int status = 0, r;
	pid_t pid;

	/* our signals are blocked; the child's are not to be */
	(void)sigemptyset(&none);
	(void)posix_spawnattr_init(&attr);
	(void)posix_spawnattr_setsigmask(&attr, &none);
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	r = posix_spawnp(&pid, program, NULL, &attr, argv, environ);
	(void)posix_spawnattr_destroy(&attr);
	if (r)
		return -r;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EINVAL;
}

/* One rule of a chain: action "-I" or "-D". */
static int one(const char *program, const struct queue_rules *q, const char *action, const char *chain)
{
	char balance[TEXT_LEN], mark[TEXT_LEN];
	const char *args[ARGS_MAX] = {
		program, "-w", "-t", "raw", action, chain, "-m", "mark", "!", "--mark", mark, "!",
		strcmp(chain, "OUTPUT") == 0 ? "-o" : "-i", "lo", "-j", "NFQUEUE", "--queue-balance", balance,
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
	return run(program, (char *const *)(uintptr_t)args);
}

static int both(const char *program, const struct queue_rules *q)
{
	int r = one(program, q, "-I", "PREROUTING");

	if (r == 0)
		r = one(program, q, "-I", "OUTPUT");
	if (r < 0 && r != -ENOENT)
		(void)one(program, q, "-D", "PREROUTING");
	return r;
}

static const char *const programs[] = {"iptables-legacy", "iptables"};

int queue_rules_add(const struct queue_rules *q)
{
	int r = both(programs[0], q);

	if (r == -ENOENT)
		r = both(programs[1], q);
	if (r < 0)
		(void)fprintf(stderr, "usher-gate: --queue-rules: iptables could not set its rules: %s\n", usher_strerror(r));
	return r;
}

void queue_rules_remove(const struct queue_rules *q)
{
	for (unsigned i = 0; i < 2; i++) {
		int r = one(programs[i], q, "-D", "PREROUTING");

		if (r != -ENOENT) {
			(void)one(programs[i], q, "-D", "OUTPUT");
			return;
		}
	}
}
