/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Starting, watching and killing the hook script. It is the leader of a process group of its own,
 * has /dev/null as input, no descriptor of ours but output and errors, and the default signal
 * actions.
 */
#include "client/os/script.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

void script_init(struct script *s, const char *path, int ifindex)
{
	*s = (struct script){.path = path,
			     .ifindex = ifindex,
			     .pidfd = -1,
			     .deadline_ns = SCRIPT_DEADLINE_S * NS_PER_S};
}

int script_add(struct script *s, const struct script_job *job, struct script_result *ret_dropped)
{
	int dropped = 0;

	if (!s->path)
		return 0;
	if (s->n == SCRIPT_QUEUE) {
		*ret_dropped = (struct script_result){s->job[0].id, -ECANCELED};
		memmove(&s->job[0], &s->job[1], sizeof(s->job[0]) * --s->n);
		dropped = 1;
	}
	s->job[s->n++] = *job;
	return dropped;
}

/* Runs in the child and never returns. Makes only calls that are safe after fork. */
static _Noreturn void become_script(const struct script *s, const struct script_job *job)
{
	static struct script_env env; /* the child's own; too much for a stack */
	char iface[IF_NAMESIZE] = "";
	char *argv[3];
	sigset_t none;
	int null;

	(void)setpgid(0, 0);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)signal(SIGXFSZ, SIG_DFL);
	null = open("/dev/null", O_RDWR);
	if (null > 0)
		(void)dup2(null, STDIN_FILENO);
	if (s->quiet || fcntl(STDOUT_FILENO, F_GETFD) < 0)
		(void)dup2(null, STDOUT_FILENO);
	if (s->quiet || fcntl(STDERR_FILENO, F_GETFD) < 0)
		(void)dup2(null, STDERR_FILENO);
	(void)syscall(SYS_close_range, 3U, ~0U, 0U);
	(void)if_indextoname((unsigned)s->ifindex, iface);
	script_env_build(&env, job, iface);
	/* execve does not write to its arguments */
	argv[0] = (char *)(uintptr_t)s->path;
	argv[1] = (char *)(uintptr_t)client_reason_udhcpc((enum client_reason)job->reason);
	argv[2] = NULL;
	(void)execve(s->path, argv, env.var);
	_exit(errno == ENOENT ? 127 : 126);
}

static int start_script(struct script *s, int64_t now_ns)
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		become_script(s, &s->job[0]);
	(void)setpgid(pid, pid); /* parent and child both call it: the group must exist before it
				    can be killed */
	s->pid = pid;
	s->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	s->end_ns = now_ns + s->deadline_ns;
	s->killed = false;
	s->running_id = s->job[0].id;
	return 0;
}

static void shift_jobs(struct script *s)
{
	s->n--;
	memmove(&s->job[0], &s->job[1], sizeof(s->job[0]) * s->n);
}

/* Returns 1 with *ret filled when the script ended, else 0. */
static int reap_script(struct script *s, struct script_result *ret)
{
	int st;
	pid_t r = waitpid(s->pid, &st, WNOHANG);

	if (r == 0 || (r < 0 && errno == EINTR))
		return 0;
	*ret = (struct script_result){.id = s->running_id};
	if (s->killed)
		ret->status = -ETIMEDOUT;
	else if (r < 0)
		ret->status = -errno;
	else
		ret->status = WIFSIGNALED(st) ? 128 + WTERMSIG(st) : WEXITSTATUS(st);
	if (s->pidfd >= 0)
		(void)close(s->pidfd);
	s->pidfd = -1;
	s->pid = 0;
	return 1;
}

int script_poll(struct script *s, int64_t now_ns, struct script_result *ret)
{
	int r;

	if (s->pid) {
		if (reap_script(s, ret))
			return 1;
		if (now_ns < s->end_ns)
			return 0;
		/* a process that cannot be killed either is checked again from time to time */
		s->killed = true;
		s->end_ns = now_ns + NS_PER_S;
		(void)kill(-s->pid, SIGKILL);
		return 0;
	}
	if (!s->n)
		return 0;
	r = start_script(s, now_ns);
	*ret = (struct script_result){s->job[0].id, r};
	shift_jobs(s);
	return r < 0;
}

int64_t script_due(const struct script *s)
{
	if (!s->pid)
		return s->n ? 1 : 0;
	/* without a descriptor to wait for, look often */
	return s->pidfd < 0 ? 1 : s->end_ns;
}
