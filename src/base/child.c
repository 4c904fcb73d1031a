/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One thread starts the children with posix_spawn(), which copies no page tables and suspends only
 * the thread that calls it, and waits for their ends in poll(). The mutex covers the queue alone.
 * Callers never wait for it longer than a few instructions. The last reference and the thread both
 * use the pool; the later one to finish frees it.
 */
#include "base/child.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CLOSE_WAIT_MS = 300, LOOK_MS = 50, FIRST_OTHER_FD = 3 };

/* A run that waits. */
struct child_job {
	struct child_job *next;
	size_t n_env;
	char text[]; /* program, argument, environment, each text with its NUL */
};

struct child {
	pid_t pid; /* of its group, too; 0: this place is free */
	int pidfd; /* -1: it is looked at now and then */
	int64_t end_ns;
	bool late;
	char *program;
};

struct child_pool {
	_Atomic unsigned refs;
	struct child_limits limits;
	pthread_mutex_t mu; /* of the queue, and of closed, started and left */
	pthread_cond_t drained;
	struct child_job *first, **end;
	unsigned n;
	bool started, closed, left;
	int wake; /* an event descriptor */
	pthread_mutex_t report_mu;
	child_report *report;
	void *report_ctx;
	/* the thread's */
	unsigned n_running;
	struct child *children;
	struct pollfd *fds;
};

static void free_pool(struct child_pool *p)
{
	(void)pthread_mutex_destroy(&p->mu);
	(void)pthread_mutex_destroy(&p->report_mu);
	(void)pthread_cond_destroy(&p->drained);
	if (p->wake >= 0)
		(void)close(p->wake);
	free(p->children);
	free(p->fds);
	free(p);
}

struct child_pool *child_pool_new(const struct child_limits *limits, child_report *report,
				  void *ctx)
{
	struct child_pool *p = calloc(1, sizeof(*p));
	pthread_condattr_t attr;

	if (!p)
		return NULL;
	p->refs = 1;
	p->limits = *limits;
	p->report = report;
	p->report_ctx = ctx;
	p->end = &p->first;
	(void)pthread_mutex_init(&p->mu, NULL);
	(void)pthread_mutex_init(&p->report_mu, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&p->drained, &attr);
	(void)pthread_condattr_destroy(&attr);
	p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	p->children = calloc(limits->running, sizeof(*p->children));
	p->fds = calloc(limits->running + 1UL, sizeof(*p->fds));
	if (p->wake >= 0 && p->children && p->fds)
		return p;
	free_pool(p);
	return NULL;
}

struct child_pool *child_pool_ref(struct child_pool *p)
{
	(void)atomic_fetch_add(&p->refs, 1);
	return p;
}

static void report_event(struct child_pool *p, enum child_event e, const char *program, int value)
{
	(void)pthread_mutex_lock(&p->report_mu);
	if (p->report)
		p->report(p->report_ctx, e, program, value);
	(void)pthread_mutex_unlock(&p->report_mu);
}

static void wake_thread(struct child_pool *p)
{
	static const uint64_t one = 1;

	(void)!write(p->wake, &one, sizeof(one));
}

/* --- The start of a child --------------------------------------------------------------------- */

/* Sets the signals: none is blocked, and none is ignored. Returns 0 or an errno. */
static int set_attributes(posix_spawnattr_t *attr)
{
	sigset_t none, all;
	int e;

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	(void)sigdelset(&all, SIGKILL);
	(void)sigdelset(&all, SIGSTOP);
	e = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
						   POSIX_SPAWN_SETSIGDEF);
	if (!e)
		e = posix_spawnattr_setpgroup(attr, 0);
	if (!e)
		e = posix_spawnattr_setsigmask(attr, &none);
	return e ? e : posix_spawnattr_setsigdefault(attr, &all);
}

/* Gives a child /dev/null, and no other descriptor. Returns 0 or an errno. */
static int set_descriptors(posix_spawn_file_actions_t *files)
{
	int e = posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDWR, 0);

	if (!e)
		e = posix_spawn_file_actions_adddup2(files, STDIN_FILENO, STDOUT_FILENO);
	if (!e)
		e = posix_spawn_file_actions_adddup2(files, STDIN_FILENO, STDERR_FILENO);
	return e ? e : posix_spawn_file_actions_addclosefrom_np(files, FIRST_OTHER_FD);
}

static int spawn_program(pid_t *ret_pid, char *const argv[], char *const envp[])
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	int e = posix_spawnattr_init(&attr);

	if (e)
		return e;
	e = posix_spawn_file_actions_init(&files);
	if (!e) {
		e = set_attributes(&attr);
		if (!e)
			e = set_descriptors(&files);
		if (!e)
			e = posix_spawn(ret_pid, argv[0], &files, &attr, argv, envp);
		(void)posix_spawn_file_actions_destroy(&files);
	}
	(void)posix_spawnattr_destroy(&attr);
	return e;
}

static char *next_text(char *s)
{
	return s + strlen(s) + 1;
}

/* Starts the program of a job. Returns 0 or an errno. */
static int spawn_job(struct child_job *job, pid_t *ret_pid)
{
	char **envp = calloc(job->n_env + 1, sizeof(*envp));
	char *argv[3] = {job->text, next_text(job->text), NULL};
	char *env = next_text(argv[1]);
	int e;

	if (!envp)
		return ENOMEM;
	for (size_t i = 0; i < job->n_env; i++, env = next_text(env))
		envp[i] = env;
	e = spawn_program(ret_pid, argv, envp);
	free(envp);
	return e;
}

static void start_job(struct child_pool *p, struct child_job *job)
{
	struct child *c = p->children;
	pid_t pid;
	int e = spawn_job(job, &pid);

	if (e) {
		report_event(p, CHILD_UNSTARTED, job->text, e);
		return;
	}
	while (c->pid)
		c++;
	*c = (struct child){.pid = pid,
			    .pidfd = (int)syscall(SYS_pidfd_open, pid, 0),
			    .end_ns = clock_mono_ns(&clock_system) + p->limits.deadline_ns,
			    .program = strdup(job->text)};
	p->n_running++;
}

static struct child_job *take_job(struct child_pool *p)
{
	struct child_job *job = p->first;

	p->first = job->next;
	if (!p->first)
		p->end = &p->first;
	p->n--;
	return job;
}

/* Starts queued runs while there are places. Called with mu held, which it releases meanwhile. */
static void start_jobs(struct child_pool *p)
{
	while (p->n && p->n_running < p->limits.running) {
		struct child_job *job = take_job(p);

		(void)pthread_mutex_unlock(&p->mu);
		start_job(p, job);
		free(job);
		(void)pthread_mutex_lock(&p->mu);
	}
	if (!p->n)
		(void)pthread_cond_broadcast(&p->drained);
}

/* --- The end of a child ----------------------------------------------------------------------- */

/* Signals the group of a child that is past its deadline. */
static void press_child(struct child_pool *p, struct child *c, int64_t now_ns)
{
	const char *program = c->program ? c->program : "";
	bool first = !c->late;

	(void)kill(-c->pid, first ? SIGTERM : SIGKILL);
	c->end_ns = first ? now_ns + p->limits.grace_ns : INT64_MAX;
	c->late = true;
	report_event(p, first ? CHILD_LATE : CHILD_KILLED, program, c->pid);
}

/* Frees the place of a child that has ended. The remaining processes in the group of a late child
 * are killed while the number of the group cannot belong to another one yet. */
static void reap_child(struct child_pool *p, struct child *c)
{
	siginfo_t info = {0};

	if (waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && !info.si_pid)
		return;
	if (c->late)
		(void)kill(-c->pid, SIGKILL);
	(void)waitpid(c->pid, NULL, WNOHANG);
	if (c->pidfd >= 0)
		(void)close(c->pidfd);
	free(c->program);
	*c = (struct child){0};
	p->n_running--;
}

/* Waits for an event: a new run, the end of a child, a deadline. */
static void wait_event(struct child_pool *p)
{
	int64_t next = INT64_MAX;
	int64_t now = clock_mono_ns(&clock_system);
	int64_t ms = -1;
	nfds_t n = 0;
	uint64_t events;

	p->fds[n++] = (struct pollfd){.fd = p->wake, .events = POLLIN};
	for (unsigned i = 0; i < p->limits.running; i++) {
		const struct child *c = &p->children[i];

		if (!c->pid)
			continue;
		if (c->end_ns < next)
			next = c->end_ns;
		if (c->pidfd >= 0)
			p->fds[n++] = (struct pollfd){.fd = c->pidfd, .events = POLLIN};
		else if (now + LOOK_MS * NS_PER_MS < next)
			next = now + LOOK_MS * NS_PER_MS;
	}
	if (next != INT64_MAX)
		ms = next <= now ? 0 : (next - now + NS_PER_MS - 1) / NS_PER_MS;
	(void)poll(p->fds, n, ms > INT32_MAX ? INT32_MAX : (int)ms);
	(void)!read(p->wake, &events, sizeof(events));
}

static void check_children(struct child_pool *p)
{
	int64_t now = clock_mono_ns(&clock_system);

	for (unsigned i = 0; i < p->limits.running; i++) {
		struct child *c = &p->children[i];

		if (c->pid)
			reap_child(p, c);
		if (c->pid && c->end_ns <= now)
			press_child(p, c, now);
	}
}

static void *watch_children(void *pool)
{
	struct child_pool *p = pool;
	bool last;

	(void)pthread_mutex_lock(&p->mu);
	for (;;) {
		start_jobs(p);
		if (p->closed && !p->n && !p->n_running)
			break;
		(void)pthread_mutex_unlock(&p->mu);
		wait_event(p);
		check_children(p);
		(void)pthread_mutex_lock(&p->mu);
	}
	last = p->left;
	p->started = false;
	(void)pthread_mutex_unlock(&p->mu);
	if (last)
		free_pool(p);
	return NULL;
}

/* --- Users ------------------------------------------------------------------------------------ */

int child_pool_start(struct child_pool *p)
{
	pthread_t thread;
	int e = 0;

	(void)pthread_mutex_lock(&p->mu);
	if (!p->started) {
		e = pthread_create(&thread, NULL, watch_children, p);
		p->started = e == 0;
		if (p->started)
			(void)pthread_detach(thread);
	}
	(void)pthread_mutex_unlock(&p->mu);
	return -e;
}

void child_pool_mute(struct child_pool *p)
{
	(void)pthread_mutex_lock(&p->report_mu);
	p->report = NULL;
	(void)pthread_mutex_unlock(&p->report_mu);
}

static unsigned discard_jobs(struct child_pool *p)
{
	unsigned n = p->n;

	while (p->n)
		free(take_job(p));
	return n;
}

/* Waits until the thread has begun all runs. Called with mu held. */
static void wait_drained(struct child_pool *p)
{
	int64_t end = clock_mono_ns(&clock_system) + CLOSE_WAIT_MS * NS_PER_MS;
	struct timespec ts = {.tv_sec = (time_t)(end / NS_PER_S),
			      .tv_nsec = (long)(end % NS_PER_S)};

	while (p->started && p->n && clock_mono_ns(&clock_system) < end)
		(void)pthread_cond_timedwait(&p->drained, &p->mu, &ts);
}

unsigned child_pool_unref(struct child_pool *p)
{
	unsigned discarded;
	bool last;

	if (!p || atomic_fetch_sub(&p->refs, 1) != 1)
		return 0;
	(void)pthread_mutex_lock(&p->mu);
	p->closed = true;
	wake_thread(p);
	wait_drained(p);
	discarded = discard_jobs(p);
	(void)pthread_mutex_unlock(&p->mu);
	child_pool_mute(p);
	(void)pthread_mutex_lock(&p->mu);
	p->left = true;
	last = !p->started;
	wake_thread(p);
	(void)pthread_mutex_unlock(&p->mu);
	if (last)
		free_pool(p);
	return discarded;
}

static struct child_job *make_job(const char *program, const char *arg, struct span env)
{
	size_t program_len = strlen(program) + 1;
	size_t arg_len = strlen(arg) + 1;
	struct child_job *job = malloc(sizeof(*job) + program_len + arg_len + env.n);

	if (!job)
		return NULL;
	*job = (struct child_job){0};
	memcpy(job->text, program, program_len);
	memcpy(job->text + program_len, arg, arg_len);
	if (env.n)
		memcpy(job->text + program_len + arg_len, env.p, env.n);
	for (size_t i = 0; i < env.n; i++)
		job->n_env += env.p[i] == '\0';
	return job;
}

int child_run(struct child_pool *p, const char *program, const char *arg, struct span env)
{
	struct child_job *job = make_job(program, arg, env);
	int r = 0;

	if (!job)
		return -ENOMEM;
	(void)pthread_mutex_lock(&p->mu);
	if (!p->started || p->closed) {
		r = -ESRCH;
	} else if (p->n == p->limits.queued) {
		r = -EAGAIN;
	} else {
		*p->end = job;
		p->end = &job->next;
		p->n++;
		wake_thread(p);
	}
	(void)pthread_mutex_unlock(&p->mu);
	if (r < 0)
		free(job);
	return r;
}
