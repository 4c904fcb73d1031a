/* SPDX-License-Identifier: MPL-2.0 */
/* The line is a socket pair of whole messages (SOCK_SEQPACKET): neither side can lose the
 * boundaries of messages. capabilities(7), credentials(7), unix(7). */
#include "client/os/privsep.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { NOBODY = 65534, ANSWER_MS = 10000 };

union fd_ctrl {
	struct cmsghdr align;
	uint8_t buf[CMSG_SPACE(sizeof(int))];
};

static int64_t boottime_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

void privsep_init(struct privsep *p, struct apply *apply,
		  void (*told)(void *ctx, const struct apply_reply *r), void *ctx)
{
	*p = (struct privsep){.apply = apply, .fd = -1, .told = told, .ctx = ctx};
}

/* --- the privileged half ---------------------------------------------------------------------- */

static int send_reply(int fd, const struct apply_reply *r, int pass)
{
	struct iovec iov = {(void *)(uintptr_t)r, sizeof(*r)};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
	union fd_ctrl ctrl = {0};
	ssize_t n;

	if (pass >= 0) {
		struct cmsghdr *c = &ctrl.align;

		h.msg_control = &ctrl;
		h.msg_controllen = sizeof(ctrl);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(pass));
		memcpy(CMSG_DATA(c), &pass, sizeof(pass));
	}
	do
		n = sendmsg(fd, &h, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* Serves one request. Returns false when the other half has ended. */
static bool serve_one(struct apply *a, int fd)
{
	static struct apply_request r; /* of this process alone; too much for a stack */
	struct apply_reply reply, dropped;
	ssize_t n = recv(fd, &r, sizeof(r), MSG_TRUNC);
	int pass;

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	if (n == 0)
		return false;
	if (apply_do(a, &r, (size_t)n, &reply, &pass, &dropped) > 0)
		(void)send_reply(fd, &dropped, -1);
	n = send_reply(fd, &reply, pass);
	if (pass >= 0)
		(void)close(pass);
	return n == 0;
}

static int serve_timeout(const struct apply *a)
{
	int64_t due = script_due(&a->script), left;

	if (!due)
		return -1;
	left = due - boottime_ns();
	if (a->script.pid && a->script.pidfd < 0)
		return 100;
	return left <= 0 ? 0 : left / NS_PER_MS > 60000 ? 60000 : (int)(left / NS_PER_MS) + 1;
}

/*
 * Removes the files, then closes the line. A process that waits for its end (privsep_close()) may
 * start the client again at once. A slow script of this run must not remove the files of the next.
 */
static void end_line(int fd, const struct privsep_files *files)
{
	if (files->pid_file)
		(void)unlink(files->pid_file);
	if (files->socket)
		(void)unlink(files->socket);
	(void)close(fd);
}

static _Noreturn void serve_requests(struct apply *a, int fd, const struct privsep_files *files)
{
	struct apply_reply done;
	bool open = true;

	while (open || !script_idle(&a->script)) {
		struct pollfd p[2] = {{.fd = open ? fd : -1, .events = POLLIN},
				      {.fd = a->script.pidfd, .events = POLLIN}};

		(void)poll(p, 2, serve_timeout(a));
		if (open && p[0].revents && !serve_one(a, fd)) {
			open = false;
			end_line(fd, files);
		}
		while (apply_poll(a, boottime_ns(), &done))
			if (open)
				(void)send_reply(fd, &done, -1);
	}
	_exit(0);
}

int privsep_split(struct privsep *p, const struct privsep_files *files)
{
	struct apply *a = p->apply;
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) < 0)
		return -errno;
	p->pid = fork();
	if (p->pid < 0) {
		int e = -errno;

		(void)close(fd[0]);
		(void)close(fd[1]);
		return e;
	}
	if (p->pid == 0) {
		int keep = a->net.nl.fd < fd[1] ? a->net.nl.fd : fd[1];
		int last = a->net.nl.fd < fd[1] ? fd[1] : a->net.nl.fd;

		/* the other half's descriptors are not ours: its close() must be enough to close
		 * them */
		if (keep > 3)
			(void)syscall(SYS_close_range, 3U, (unsigned)keep - 1, 0U);
		if (last > keep + 1)
			(void)syscall(SYS_close_range, (unsigned)keep + 1, (unsigned)last - 1, 0U);
		(void)syscall(SYS_close_range, (unsigned)last + 1, ~0U, 0U);
		serve_requests(a, fd[1], files);
	}
	(void)close(fd[1]);
	apply_close(a);
	p->apply = NULL;
	p->fd = fd[0];
	return 0;
}

/* --- the other half --------------------------------------------------------------------------- */

/* Returns 0 for EPERM and EINVAL too: the user may not be changed, or is not mapped in this user
 * namespace. */
static int unless_denied(long result)
{
	return result < 0 && errno != EPERM && errno != EINVAL ? -errno : 0;
}

/*
 * Changes to an unprivileged user, by system calls: the library's setgroups() and setuid() change
 * all threads, and there is one. Each call is made also after the others failed, because a user
 * namespace may forbid setgroups only.
 */
static int drop_user(void)
{
	int groups = unless_denied(syscall(SYS_setgroups, 0, NULL));
	int gid = unless_denied(syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY));
	int uid = unless_denied(syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY));

	return groups < 0 ? groups : gid < 0 ? gid : uid;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

	/* with no_new_privs, and no execve in the filter, the bounding set does not matter any
	 * more */
	return syscall(SYS_capset, &head, none) < 0 ? -errno : 0;
}

int privsep_confine(void)
{
	int r = drop_user();

	if (r == 0)
		r = drop_capabilities();
	if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = -errno;
	return r < 0 ? r : privsep_seccomp();
}

static int take_fd(struct msghdr *h)
{
	int fd = -1;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
		    c->cmsg_len == CMSG_LEN(sizeof(fd)))
			memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/* Reads one answer. Returns 1; 0: none is there; -EPIPE or another -errno. */
static int read_one(struct privsep *p, struct apply_reply *ret, int *ret_fd)
{
	union fd_ctrl ctrl;
	struct iovec iov = {ret, sizeof(*ret)};
	struct msghdr h = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = &ctrl,
			   .msg_controllen = sizeof(ctrl)};
	ssize_t n = recvmsg(p->fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -EPIPE;
	*ret_fd = take_fd(&h);
	if (n != sizeof(*ret) || h.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		return -EBADMSG;
	if (!ret->done)
		p->pending--;
	return 1;
}

static int wait_readable(const struct privsep *p)
{
	struct pollfd f = {.fd = p->fd, .events = POLLIN};
	int r;

	do
		r = poll(&f, 1, ANSWER_MS);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r == 0 ? -ETIMEDOUT : 0;
}

static int post_request(struct privsep *p, struct apply_request *r)
{
	size_t len = apply_request_len(r->kind);
	ssize_t n;

	r->seq = ++p->seq;
	do
		n = send(p->fd, r, len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	p->pending++;
	return 0;
}

/* Carries out a request by a call, before the split. Returns the new descriptor or -1. */
static int call_directly(struct privsep *p, struct apply_request *r, struct apply_reply *ret)
{
	struct apply_reply dropped;
	int fd;

	r->seq = ++p->seq;
	if (apply_do(p->apply, r, apply_request_len(r->kind), ret, &fd, &dropped) > 0)
		p->told(p->ctx, &dropped);
	return fd;
}

int privsep_ask(struct privsep *p, struct apply_request *r)
{
	struct apply_reply reply;

	if (!p->apply)
		return post_request(p, r);
	(void)call_directly(p, r, &reply);
	p->told(p->ctx, &reply);
	return 0;
}

int privsep_socket(struct privsep *p, enum apply_kind kind, uint32_t arg, uint32_t node)
{
	struct apply_request r =
		{.kind = kind,
		 .arp = {arg, node}}; /* OPEN_RAW: the xid takes the place of the address */
	struct apply_reply reply;
	int fd = -1, e;

	if (p->apply) {
		fd = call_directly(p, &r, &reply);
		return reply.result < 0 ? reply.result : fd;
	}
	e = post_request(p, &r);
	while (e == 0) {
		e = read_one(p, &reply, &fd);
		if (e > 0 && reply.seq == r.seq && !reply.done)
			return reply.result < 0 ? reply.result : fd >= 0 ? fd : -EBADMSG;
		if (e > 0)
			p->told(p->ctx, &reply);
		else if (e == 0)
			e = wait_readable(p);
		e = e > 0 ? 0 : e;
	}
	return e;
}

int privsep_read(struct privsep *p)
{
	struct apply_reply reply;
	int fd, r;

	while ((r = read_one(p, &reply, &fd)) > 0) {
		if (fd >= 0)
			(void)close(fd); /* the answer to a request that was given up */
		p->told(p->ctx, &reply);
	}
	return r;
}

int privsep_wait(struct privsep *p)
{
	int r = 0;

	while (!p->apply && p->pending && r == 0) {
		r = wait_readable(p);
		if (r == 0)
			r = privsep_read(p);
	}
	return r;
}

/* Sends an empty message, which ends the line, and waits for its end. Late answers are
 * discarded. */
static void wait_for_end(struct privsep *p)
{
	struct apply_reply reply;
	int r = send(p->fd, "", 0, MSG_NOSIGNAL) < 0 ? -errno : 0;

	while (r >= 0) {
		int fd = -1;

		r = read_one(p, &reply, &fd);
		if (fd >= 0)
			(void)close(fd);
		if (r == 0)
			r = wait_readable(p);
	}
}

void privsep_close(struct privsep *p)
{
	if (p->fd >= 0) {
		wait_for_end(p);
		(void)close(p->fd);
	}
	p->fd = -1;
}
