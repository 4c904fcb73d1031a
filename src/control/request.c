/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Time-outs are the socket's: of connecting to a full backlog and of each send and receive.
 */
#include "control/request.h"

#include "base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { CHUNK = 8192 };

int control_connect(const char *path, int type, int timeout_s)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct timeval tv = {.tv_sec = timeout_s};
	int fd;

	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0) {
		int e = -errno;

		(void)close(fd);
		return e;
	}
	return fd;
}

int control_transfer_to(int fd, const struct buf *out, control_take_fn take, void *ctx)
{
	char chunk[CHUNK];
	size_t sent = 0;
	ssize_t n;
	int r = 0;

	while (sent < out->len) {
		n = send(fd, out->p + sent, out->len - sent, MSG_NOSIGNAL);
		if (n < 0)
			return -errno;
		sent += (size_t)n;
	}
	(void)shutdown(fd, SHUT_WR);
	while (r == 0 && (n = recv(fd, chunk, sizeof(chunk), 0)) > 0)
		r = take(ctx, chunk, (size_t)n);
	return r < 0 ? r : n < 0 ? -errno : 0;
}

struct collected {
	struct buf *in;
	size_t got, max;
};

static int collect_part(void *ctx, const char *p, size_t n)
{
	struct collected *c = ctx;

	c->got += n;
	if (c->got > c->max)
		return -EMSGSIZE;
	buf_add(c->in, p, n);
	return c->in->failed ? -ENOMEM : 0;
}

int control_transfer(int fd, const struct buf *out, size_t max, struct buf *in)
{
	struct collected c = {.in = in, .max = max};

	return control_transfer_to(fd, out, collect_part, &c);
}
