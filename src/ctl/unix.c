/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The unix sockets: of server and gate a stream, closed behind the answer; of a client whole
 * messages, and behind those of `events` further ones.
 */
#include "ctl/session_impl.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "control/request.h"

#include <errno.h>
#include <sys/socket.h>

static int take_part(void *ctx, const char *p, size_t n)
{
	return ctl_transfer_take(ctx, p, n);
}

/* Sends one request and receives one answer, each a message. */
static int transfer_message(struct ctl_transfer *t, int fd)
{
	enum { ANSWER_MAX = 65536 + 1 };
	ssize_t n = send(fd, t->request->p, t->request->len, MSG_NOSIGNAL);
	auto_free char *in = malloc(ANSWER_MAX);

	if (n < 0 || !in)
		return n < 0 ? -errno : -ENOMEM;
	n = recv(fd, in, ANSWER_MAX, 0);
	if (n <= 0)
		return n < 0 ? -errno : -ECONNRESET;
	return n == ANSWER_MAX ? -EMSGSIZE : ctl_transfer_take(t, in, (size_t)n);
}

int ctl_unix_send(struct ctl_transfer *t)
{
	struct ctl_session *s = t->session;
	bool client = s->program == CTL_CLIENT;
	int fd = control_connect(s->socket, client ? SOCK_SEQPACKET : SOCK_STREAM, s->timeout_s);
	int r;

	if (fd < 0)
		return ctl_session_fail(
			s,
			"cannot connect to %s: %s; is %s running? (-s PATH names another socket)",
			s->socket, usher_strerror(fd), ctl_program_name(s->program));
	r = client ? transfer_message(t, fd) : control_transfer_to(fd, t->request, take_part, t);
	if (s->events >= 0)
		(void)close(s->events);
	s->events = client ? fd : -1;
	if (!client)
		(void)close(fd);
	if (r == -EAGAIN)
		return ctl_session_fail(s, "%s: no answer within %d s (-t SECONDS)", s->socket,
					s->timeout_s);
	return r < 0 ? ctl_session_fail(s, "%s: %s", s->socket, usher_strerror(r)) : 0;
}
