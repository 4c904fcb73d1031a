/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Signals. They are blocked in every thread but one, which hands them to the main loop through a
 * pipe. That thread also makes SIGTERM end the process when the main thread hangs, in a library or
 * on a disk that does not answer: acknowledged leases are on disk, so none is lost by it.
 */
#include "server/manage/daemon_impl.h"

#include "base/clock.h"
#include "base/log.h"
#include "runtime/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

enum { END_MS = 700 };

static struct {
	sigset_t set;
	int pipe;
	_Atomic bool ended;
} signals;

static void ignore_signal(int signo)
{
	(void)signo;
}

/* Ignores the other signals, so that they do not end the process. Not by SIG_IGN, which programs
 * started by libraries would inherit. */
static void take_rest(void)
{
	static const int rest[] = {SIGUSR2, SIGQUIT, SIGALRM, SIGVTALRM,
				   SIGPROF, SIGIO,   SIGPWR,  SIGSTKFLT};
	struct sigaction act = {.sa_handler = ignore_signal, .sa_flags = SA_RESTART};

	for (size_t i = 0; i < ARRAY_LEN(rest); i++)
		(void)sigaction(rest[i], &act, NULL);
	for (int s = SIGRTMIN; s <= SIGRTMAX; s++)
		(void)sigaction(s, &act, NULL);
}

static void end_in_time(void)
{
	int64_t end = clock_mono_ns(&clock_system) + END_MS * NS_PER_MS;

	while (!signals.ended && clock_mono_ns(&clock_system) < end)
		(void)usleep(10000);
	if (!signals.ended)
		_exit(0);
}

static void *wait_signals(void *ctx)
{
	int signo;

	(void)ctx;
	while (sigwait(&signals.set, &signo) == 0) {
		uint8_t octet = (uint8_t)signo;

		(void)!write(signals.pipe, &octet, 1);
		if (signo == SIGTERM || signo == SIGINT)
			end_in_time();
	}
	return NULL;
}

int daemon_block_signals(int *ret_fd)
{
	pthread_t thread;
	int fds[2];
	int r;

	(void)signal(SIGPIPE, SIG_IGN);
	take_rest();
	(void)sigemptyset(&signals.set);
	(void)sigaddset(&signals.set, SIGHUP);
	(void)sigaddset(&signals.set, SIGTERM);
	(void)sigaddset(&signals.set, SIGINT);
	(void)sigaddset(&signals.set, SIGUSR1);
	if (pthread_sigmask(SIG_BLOCK, &signals.set, NULL) != 0)
		return -EINVAL;
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	signals.pipe = fds[1];
	r = -pthread_create(&thread, NULL, wait_signals, NULL);
	if (r < 0) {
		(void)close(fds[0]);
		(void)close(fds[1]);
		return r;
	}
	(void)pthread_detach(thread);
	*ret_fd = fds[0];
	return 0;
}

void daemon_signals_ended(void)
{
	signals.ended = true;
}

void daemon_shutdown(struct server_daemon *d, int exit_code)
{
	log_msg(d->srv.log, LOG_DHCP4_SHUTDOWN_REQUEST, "stopping");
	d->exit_code = exit_code;
	loop_stop(d->loop);
}
