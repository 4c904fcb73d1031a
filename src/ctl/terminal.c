/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The saved state is global, because the signal handler needs it. The handler calls only functions
 * that are safe in one (POSIX 2.4.3: tcsetattr, write, _exit).
 */
#include "ctl/terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct {
	volatile sig_atomic_t changed;
	int fd;
	enum ctl_terminal_mode mode;
	struct termios before;
	struct sigaction actions[3];
} state;

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

/* Another screen, no cursor; and back. */
static const char view_begin[] = "\033[?1049h\033[?25l";
static const char view_end[] = "\033[?25h\033[?1049l";

static void restore_terminal(void)
{
	ssize_t n;

	if (!state.changed)
		return;
	state.changed = 0;
	if (state.mode == CTL_TERMINAL_VIEW) {
		n = write(state.fd, view_end, sizeof(view_end) - 1);
		(void)n;
	}
	(void)tcsetattr(state.fd, TCSANOW, &state.before);
}

static void on_signal(int number)
{
	int code = state.changed && state.mode == CTL_TERMINAL_SECRET ? 128 + number : 0;

	restore_terminal();
	_exit(code);
}

static void on_resize(int number)
{
	(void)number; /* it ends the wait for a key */
}

/* Sets the handler of the signals that end the program, and keeps the former ones. */
static void catch_signals(void)
{
	struct sigaction end = {.sa_handler = on_signal};
	struct sigaction resize = {.sa_handler = on_resize};

	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		(void)sigaction(signals[i], &end, &state.actions[i]);
	(void)sigaction(SIGWINCH, &resize, NULL);
}

int ctl_terminal_enter(int fd, enum ctl_terminal_mode mode)
{
	struct termios t;
	ssize_t n;

	if (tcgetattr(fd, &state.before) < 0)
		return -errno;
	state.fd = fd;
	state.mode = mode;
	t = state.before;
	t.c_lflag &= ~(tcflag_t)ECHO;
	if (mode == CTL_TERMINAL_VIEW) {
		t.c_lflag &= ~(tcflag_t)ICANON;
		t.c_cc[VMIN] = 1;
		t.c_cc[VTIME] = 0;
	}
	/* a stopped program would leave the terminal without echo */
	t.c_cc[VSUSP] = _POSIX_VDISABLE;
	catch_signals();
	state.changed = 1;
	if (tcsetattr(fd, TCSAFLUSH, &t) < 0) {
		state.changed = 0;
		return -errno;
	}
	if (mode == CTL_TERMINAL_VIEW) {
		n = write(fd, view_begin, sizeof(view_begin) - 1);
		(void)n;
	}
	return 0;
}

void ctl_terminal_leave(void)
{
	if (!state.changed)
		return;
	restore_terminal();
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		(void)sigaction(signals[i], &state.actions[i], NULL);
}

int ctl_terminal_key(int ms)
{
	struct pollfd p = {.fd = state.fd, .events = POLLIN};
	char c;

	if (poll(&p, 1, ms) <= 0)
		return 0;
	return read(state.fd, &c, 1) == 1 ? (unsigned char)c : 'q'; /* the terminal is gone */
}

void ctl_terminal_size(unsigned *ret_lines, unsigned *ret_columns)
{
	struct winsize w = {0};

	(void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &w);
	*ret_lines = w.ws_row ? w.ws_row : 24;
	*ret_columns = w.ws_col ? w.ws_col : 80;
}

void ctl_terminal_end_quietly(void)
{
	struct sigaction end = {.sa_handler = on_signal};

	(void)sigaction(SIGINT, &end, NULL);
	(void)sigaction(SIGTERM, &end, NULL);
}
