/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The text of a configuration: a regular file, or a FIFO whose writer may be slow.
 */
#include "config/json/json_lex.h"

#include "base/buf.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 512 << 20 };

/* Reads all of fd as malloc'd text. */
static int read_all(int fd, size_t size, char **ret, size_t *ret_n)
{
	auto_free char *p = NULL;
	size_t n = 0;

	if (size > FILE_MAX)
		return -EFBIG;
	p = malloc(size + 1);
	if (!p)
		return -ENOMEM;
	while (n < size) {
		ssize_t r = read(fd, p + n, size - n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		n += (size_t)r;
	}
	*ret = TAKE(p);
	*ret_n = n;
	return 0;
}

enum { PIPE_MAX = 256 << 20, LOOK_MS = 50 };

/* Returns the time of one poll: the rest of the time, or less where the end can be requested. */
static int poll_ms(int64_t left_ns, bool look)
{
	int64_t ms = left_ns < 0 ? -1 : left_ns / NS_PER_MS + 1;

	return look && (ms < 0 || ms > LOOK_MS) ? LOOK_MS : (int)ms;
}

/* Waits until a FIFO has data or its last writer has gone: 0, or -ETIMEDOUT when that takes longer
 * than until end_ns. */
static int pipe_wait(int fd, int64_t end_ns, const struct json_opts *o)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	for (;;) {
		int64_t left = end_ns ? end_ns - clock_mono_ns(&clock_system) : -1;
		int r;

		if (end_ns && left <= 0)
			return -ETIMEDOUT;
		if (o->ended && o->ended(o->ctx))
			return -ECANCELED;
		r = poll(&p, 1, poll_ms(left, o->ended != NULL));
		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return -errno;
	}
}

/* Reads a FIFO to its end, as in `-c <(generate)`. A FIFO without a writer must not block a server
 * that reloads. */
static int read_pipe(int fd, const struct json_opts *o, char **ret, size_t *ret_n)
{
	int64_t end_ns = o->pipe_wait_ms
				 ? clock_mono_ns(&clock_system) + o->pipe_wait_ms * NS_PER_MS
				 : 0;
	char piece[8192] uninit;
	struct buf b;
	ssize_t n = 1;
	int r = 0;

	buf_init(&b);
	while (r == 0 && n != 0) {
		r = pipe_wait(fd, end_ns, o);
		if (r < 0)
			break;
		n = read(fd, piece, sizeof(piece));
		if (n > 0)
			buf_add(&b, piece, (size_t)n);
		else if (n < 0 && errno != EINTR && errno != EAGAIN)
			r = -errno;
		if (b.len > PIPE_MAX)
			r = -EFBIG;
	}
	*ret_n = b.len;
	if (r == 0 && b.len == 0)
		buf_char(&b, '\0');
	if (r == 0 && b.failed)
		r = -ENOMEM;
	if (r < 0)
		buf_fini(&b);
	else
		*ret = buf_take(&b);
	return r;
}

int json_source_load(const char *path, const struct json_opts *o, struct json_source *s)
{
	/* not blocking: with a FIFO without a writer, open() would not return */
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	size_t n = 0;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	r = S_ISFIFO(st.st_mode) ? read_pipe(fd, o, &s->owned, &n)
				 : read_all(fd, (size_t)st.st_size, &s->owned, &n);
	if (r < 0)
		return r;
	s->p = s->line_start = s->owned;
	s->end = s->p + n;
	s->line = 1;
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	return 0;
}
