/* SPDX-License-Identifier: MPL-2.0 */
/*
 * UDP sockets with segmentation offload. The messages for one destination are written one behind
 * the other into that destination's buffer; messages of equal length leave as one datagram that the
 * kernel or the card cuts (UDP_SEGMENT), where that is refused as one sendmmsg. Received datagrams
 * may hold many messages (UDP_GRO) and are walked in place. udp(7).
 */
#include "base/clock.h"
#include "capture/socket.h"
#include "tools/load_io_backend.h"

#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	GROUPS = 64,
	SEND_MAX = 64, /* messages in a datagram: UDP_MAX_SEGMENTS of older kernels */
	SEND_OCTETS = 65000,
	RECV_BUFS = 8,
	RECV_LEN = 65536,
	SEND_WAIT_MS = 100,
};

/* Messages of one length that wait to be sent to one destination. */
struct group {
	struct load_io_dest dest;
	size_t seg; /* length of each */
	unsigned n;
	uint8_t *buf;
};

struct load_io_udp {
	struct load_io base;
	int fd[GROUPS];
	unsigned n_fds;
	unsigned burst;
	struct group group[GROUPS];
	unsigned n_groups;
	struct group *open; /* room was given here */
	struct mmsghdr out[SEND_MAX];
	struct iovec out_iov[SEND_MAX];
	struct mmsghdr in[RECV_BUFS];
	struct iovec in_iov[RECV_BUFS];
	union sock_ctrl in_ctrl[RECV_BUFS];
	uint8_t *in_buf; /* RECV_BUFS of RECV_LEN */
};

static struct load_io_udp *udp_of(struct load_io *io)
{
	return container_of(io, struct load_io_udp, base);
}

/* --- sending ---------------------------------------------------------------------------------- */

static struct sockaddr_in address(const struct group *g)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(g->dest.dport),
		.sin_addr.s_addr = htonl(g->dest.dst),
	};
}

/* Waits for room in a full socket buffer: the generator must not count its own haste as a drop.
 * Returns whether to try again. */
static bool try_again(int fd, int err)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	if (err == EINTR)
		return true;
	return (err == EAGAIN || err == ENOBUFS) && poll(&p, 1, SEND_WAIT_MS) > 0;
}

static int send_segmented(struct load_io_udp *u, const struct group *g)
{
	struct sockaddr_in to = address(g);
	struct iovec iov = {g->buf, g->seg * g->n};
	union sock_ctrl ctrl = {0};
	struct msghdr h = {
		.msg_name = &to,
		.msg_namelen = sizeof(to),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &ctrl,
		.msg_controllen = CMSG_SPACE(sizeof(uint16_t)),
	};
	uint16_t seg = (uint16_t)g->seg;
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);
	int fd = u->fd[g->dest.bind];

	c->cmsg_level = IPPROTO_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(seg));
	memcpy(CMSG_DATA(c), &seg, sizeof(seg));
	for (;;) {
		u->base.counts.send_calls++;
		if (sendmsg(fd, &h, MSG_DONTWAIT) >= 0)
			return 0;
		if (!try_again(fd, errno))
			return -errno;
	}
}

static void prepare_single(struct load_io_udp *u, const struct group *g, struct sockaddr_in *to)
{
	for (unsigned i = 0; i < g->n; i++) {
		u->out_iov[i] = (struct iovec){g->buf + i * g->seg, g->seg};
		u->out[i].msg_hdr = (struct msghdr){.msg_name = to,
						    .msg_namelen = sizeof(*to),
						    .msg_iov = &u->out_iov[i],
						    .msg_iovlen = 1};
	}
}

/* Sends each message as a datagram of its own; one that cannot be sent does not stop those
 * behind it. */
static void send_single(struct load_io_udp *u, const struct group *g)
{
	struct sockaddr_in to = address(g);
	int fd = u->fd[g->dest.bind];
	unsigned i = 0;

	prepare_single(u, g, &to);
	while (i < g->n) {
		int r = sendmmsg(fd, u->out + i, g->n - i, MSG_DONTWAIT);

		u->base.counts.send_calls++;
		if (r > 0) {
			u->base.counts.sent += (unsigned)r;
			i += (unsigned)r;
		} else if (!try_again(fd, errno)) {
			u->base.counts.last_error = -errno;
			u->base.counts.send_errors++;
			i++;
		}
	}
}

static void flush_group(struct load_io_udp *u, struct group *g)
{
	int r;

	if (!g->n)
		return;
	if (u->base.counts.gso && g->n > 1) {
		r = send_segmented(u, g);
		if (r == 0) {
			u->base.counts.sent += g->n;
			g->n = 0;
			return;
		}
		/* a route or a card without checksum offload cannot do it: not tried again */
		if (r == -EIO || r == -EINVAL || r == -EOPNOTSUPP || r == -ENOPROTOOPT)
			u->base.counts.gso = false;
	}
	send_single(u, g);
	g->n = 0;
}

static void udp_flush(struct load_io *io)
{
	struct load_io_udp *u = udp_of(io);

	for (unsigned i = 0; i < u->n_groups; i++)
		flush_group(u, &u->group[i]);
}

/* Returns the group of dest; takes the last one over when all are in use. */
static struct group *find_group(struct load_io_udp *u, const struct load_io_dest *dest)
{
	struct group *g;

	for (unsigned i = 0; i < u->n_groups; i++) {
		g = &u->group[i];
		if (g->dest.dst == dest->dst && g->dest.bind == dest->bind &&
		    g->dest.dport == dest->dport)
			return g;
	}
	if (u->n_groups < GROUPS) {
		g = &u->group[u->n_groups];
		g->buf = malloc(RECV_LEN + LOAD_IO_MSG_MAX);
		if (g->buf)
			u->n_groups++;
		else
			g = &u->group[u->n_groups - 1];
	} else {
		g = &u->group[GROUPS - 1];
	}
	flush_group(u, g);
	g->dest = *dest;
	return g;
}

static uint8_t *udp_room(struct load_io *io, const struct load_io_dest *dest)
{
	struct load_io_udp *u = udp_of(io);

	/* mostly the destination of the message before */
	if (!u->open || u->open->dest.dst != dest->dst || u->open->dest.bind != dest->bind ||
	    u->open->dest.dport != dest->dport)
		u->open = find_group(u, dest);
	return u->open->buf + u->open->n * u->open->seg;
}

static void udp_push(struct load_io *io, size_t len)
{
	struct load_io_udp *u = udp_of(io);
	struct group *g = u->open;

	if (g->n && len != g->seg) {
		uint8_t *msg = g->buf + g->n * g->seg;

		flush_group(u, g);
		memmove(g->buf, msg, len);
	}
	g->seg = len;
	g->n++;
	if (g->n >= u->burst || (g->n + 1) * g->seg > SEND_OCTETS)
		flush_group(u, g);
}

/* --- receiving -------------------------------------------------------------------------------- */

static void recv_prepare(struct load_io_udp *u)
{
	for (unsigned i = 0; i < RECV_BUFS; i++) {
		u->in_iov[i] = (struct iovec){u->in_buf + (size_t)i * RECV_LEN, RECV_LEN};
		u->in[i].msg_hdr = (struct msghdr){
			.msg_iov = &u->in_iov[i],
			.msg_iovlen = 1,
			.msg_control = &u->in_ctrl[i],
			.msg_controllen = sizeof(u->in_ctrl[i]),
		};
	}
}

/* Returns the length of each message in datagram i, if the kernel joined several; else its own
 * length. */
static size_t segment_size(struct load_io_udp *u, unsigned i)
{
	struct msghdr *h = &u->in[i].msg_hdr;
	int size = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c))
		if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO)
			memcpy(&size, CMSG_DATA(c), sizeof(size));
	return size > 0 ? (size_t)size : u->in[i].msg_len;
}

static int hand_out_datagram(struct load_io_udp *u, unsigned i, load_io_fn fn, void *ctx,
			     int64_t now)
{
	/* a datagram that is not whole holds no answer of a DHCP server */
	bool whole = !(u->in[i].msg_hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
	struct span all = span_of(u->in_iov[i].iov_base, whole ? u->in[i].msg_len : 0);
	size_t seg = segment_size(u, i);
	int n = 0;

	for (size_t off = 0; off < all.n; off += seg, n++)
		fn(ctx, span_sub(all, off, seg), now);
	return n;
}

static int recv_socket(struct load_io_udp *u, int fd, load_io_fn fn, void *ctx)
{
	int64_t now;
	int total = 0;
	int got;

	recv_prepare(u);
	got = recvmmsg(fd, u->in, RECV_BUFS, MSG_DONTWAIT, NULL);
	u->base.counts.recv_calls++;
	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	now = clock_mono_ns(&clock_system);
	for (int i = 0; i < got; i++)
		total += hand_out_datagram(u, (unsigned)i, fn, ctx, now);
	u->base.counts.received += (unsigned)total;
	return total;
}

static int udp_recv(struct load_io *io, load_io_fn fn, void *ctx)
{
	struct load_io_udp *u = udp_of(io);
	int total = 0;

	for (unsigned i = 0; i < u->n_fds; i++) {
		int r = recv_socket(u, u->fd[i], fn, ctx);

		if (r < 0)
			return r;
		total += r;
	}
	return total;
}

static void udp_wait(struct load_io *io, int64_t ns)
{
	struct load_io_udp *u = udp_of(io);
	struct timespec ts = {ns / NS_PER_S, ns % NS_PER_S};
	struct pollfd p[GROUPS];

	for (unsigned i = 0; i < u->n_fds; i++)
		p[i] = (struct pollfd){.fd = u->fd[i], .events = POLLIN};
	(void)ppoll(p, u->n_fds, &ts, NULL);
}

/* --- lifetime --------------------------------------------------------------------------------- */

static uint64_t udp_drops(struct load_io *io)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < udp_of(io)->n_fds; i++)
		n += sock_drops(udp_of(io)->fd[i]);
	return n;
}

static void udp_close(struct load_io *io)
{
	struct load_io_udp *u = udp_of(io);

	for (unsigned i = 0; i < u->n_fds; i++)
		(void)close(u->fd[i]);
	for (unsigned i = 0; i < u->n_groups; i++)
		free(u->group[i].buf);
	free(u->in_buf);
	free(u);
}

static const struct load_io_ops udp_ops = {
	.room = udp_room,
	.push = udp_push,
	.flush = udp_flush,
	.recv = udp_recv,
	.wait = udp_wait,
	.drops = udp_drops,
	.close = udp_close,
};

static int open_socket(struct load_io_udp *u, const struct load_io_opts *o, uint32_t addr)
{
	struct sock_udp_opts so = {.addr = addr, .port = o->port, .rcvbuf = LOAD_IO_SOCKET_BUFFER};
	int fd = sock_udp_open(&so);
	int r;

	if (fd < 0)
		return fd;
	u->fd[u->n_fds++] = fd;
	r = sock_set_int(fd, IPPROTO_IP, IP_PKTINFO, 0);
	/* as root past the limit; else up to the limit */
	if (r == 0 && sock_set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, LOAD_IO_SOCKET_BUFFER) < 0)
		r = sock_set_int(fd, SOL_SOCKET, SO_SNDBUF, LOAD_IO_SOCKET_BUFFER);
	/* kernels before 5.0 have no UDP_GRO, before 4.18 no UDP_SEGMENT (which sending detects) */
	if (r == 0)
		u->base.counts.gro = o->offload && sock_set_int(fd, IPPROTO_UDP, UDP_GRO, 1) == 0;
	return r;
}

int load_io_udp_open(const struct load_io_opts *o, struct load_io **ret)
{
	struct load_io_udp *u = calloc(1, sizeof(*u));
	int r = 0;

	if (!u)
		return -ENOMEM;
	u->base.ops = &udp_ops;
	u->base.counts.gso = o->offload;
	u->burst = o->burst < SEND_MAX ? o->burst : SEND_MAX;
	u->in_buf = malloc((size_t)RECV_BUFS * RECV_LEN);
	u->group[0].buf = malloc(RECV_LEN + LOAD_IO_MSG_MAX);
	u->n_groups = 1; /* the last group must exist, because it is taken over */
	if (!u->in_buf || !u->group[0].buf)
		r = -ENOMEM;
	for (unsigned i = 0; i < o->n_bind && r == 0; i++)
		r = open_socket(u, o, o->bind[i]);
	if (r < 0) {
		udp_close(&u->base);
		return r;
	}
	*ret = &u->base;
	return 0;
}
