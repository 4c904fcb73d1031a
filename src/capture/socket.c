/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Batches over sockets. A message that cannot be sent does not stop those behind it: sendmmsg stops
 * there, its error is taken from the next call, and sending continues with the next message.
 */
#include "capture/socket.h"

#include "base/clock.h"
#include "capture/filter.h"
#include "packet/packet.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <linux/sock_diag.h>
#include <netinet/udp.h>
#include <unistd.h>

/* Limits of one message that the kernel cuts: octets of a datagram that need not be fragmented
 * (on Ethernet), and of all datagrams together. */
enum { SEGMENT_MAX = 1472, SEGMENTS_OCTETS = 65000 };

int sock_set_int(int fd, int level, int opt, int v)
{
	return setsockopt(fd, level, opt, &v, sizeof(v)) < 0 ? -errno : 0;
}

/* Sets the buffer's size: as root past net.core.rmem_max, which is too small for a burst; else up
 * to it. */
int sock_set_rcvbuf(int fd, int octets)
{
	int r = sock_set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, octets);

	return r == -EPERM ? sock_set_int(fd, SOL_SOCKET, SO_RCVBUF, octets) : r;
}

int sock_set_sndbuf(int fd, int octets)
{
	int r = sock_set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, octets);

	return r == -EPERM ? sock_set_int(fd, SOL_SOCKET, SO_SNDBUF, octets) : r;
}

static int udp_configure(int fd, const struct sock_udp_opts *o)
{
	struct filter none;
	int r = sock_set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);

	if (r == 0 && o->reuseport)
		r = sock_set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (r == 0)
		r = sock_set_int(fd, SOL_SOCKET, SO_BROADCAST, 1);
	if (r == 0)
		r = sock_set_int(fd, IPPROTO_IP, IP_PKTINFO, 1);
	if (r == 0)
		r = sock_set_sndbuf(fd, SOCK_SNDBUF);
	if (r == 0 && o->rcvbuf > 0)
		r = sock_set_rcvbuf(fd, o->rcvbuf);
	if (r == 0 && o->ifname &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, o->ifname,
		       (socklen_t)strlen(o->ifname) + 1) < 0)
		r = -errno;
	if (r == 0 && o->send_only) {
		filter_none(&none);
		r = filter_attach(fd, SO_ATTACH_FILTER, &none);
	}
	return r;
}

int sock_udp_open(const struct sock_udp_opts *o)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = {
		.sin_family = AF_INET,
		.sin_port = htons(o->port),
		.sin_addr.s_addr = htonl(o->addr),
	};
	int r;

	if (fd < 0)
		return -errno;
	r = udp_configure(fd, o);
	if (r == 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		r = -errno;
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	return fd;
}

void sock_batch_into(struct sock_batch *b, size_t i, void *p, size_t n)
{
	struct msghdr *h = &b->msg[i].msg_hdr;

	b->iov[i] = (struct iovec){p, n};
	h->msg_name = &b->addr[i];
	h->msg_namelen = sizeof(b->addr[i]);
	h->msg_iov = &b->iov[i];
	h->msg_iovlen = 1;
	h->msg_control = &b->ctrl[i];
	h->msg_controllen = sizeof(b->ctrl[i]);
}

int sock_recv(int fd, struct sock_batch *b, struct packet **pkts, size_t n)
{
	int64_t now;
	int got;

	if (n > CAPTURE_BATCH)
		n = CAPTURE_BATCH;
	for (size_t i = 0; i < n; i++)
		sock_batch_into(b, i, pkts[i]->data, pkts[i]->cap);
	got = recvmmsg(fd, b->msg, (unsigned)n, MSG_DONTWAIT, NULL);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	/* one reading of the clock a batch: stamps in each message cost more than they are worth */
	now = clock_wall_ns(&clock_system);
	for (int i = 0; i < got; i++) {
		pkts[i]->len = b->msg[i].msg_len;
		pkts[i]->ts_ns = now;
		/* without its control messages nothing is known of tags, checksums and addresses */
		if (b->msg[i].msg_hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
			pkts[i]->flags |= PACKET_TRUNCATED;
	}
	return got;
}

const struct cmsghdr *sock_cmsg(struct sock_batch *b, size_t i, int level, int type)
{
	struct msghdr *h = &b->msg[i].msg_hdr;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c))
		if (c->cmsg_level == level && c->cmsg_type == type)
			return c;
	return NULL;
}

void sock_batch_raw(struct sock_batch *b, struct capture_tx *tx, uint8_t *p, size_t n,
		    socklen_t addr_len)
{
	size_t i = b->n++;

	b->tx[b->n_tx++] = tx;
	b->iov[i] = (struct iovec){p, n};
	b->msg[i].msg_hdr = (struct msghdr){
		.msg_name = &b->addr[i],
		.msg_namelen = addr_len,
		.msg_iov = &b->iov[i],
		.msg_iovlen = 1,
	};
}

/* --- sending by UDP --------------------------------------------------------------------------- */

static struct cmsghdr *ctrl_add(union sock_ctrl *ctrl, struct msghdr *h, int level, int type,
				const void *v, size_t n)
{
	struct cmsghdr *c = (struct cmsghdr *)(void *)(ctrl->buf + h->msg_controllen);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(n);
	memcpy(CMSG_DATA(c), v, n);
	h->msg_controllen += CMSG_SPACE(n);
	return c;
}

/* Adds a message for the datagrams of iov[first .. first + n), which all have the destination of
 * tx. */
static void udp_message(struct sock_batch *b, const struct capture_tx *tx, size_t first, size_t n)
{
	size_t i = b->n++;
	struct msghdr *h = &b->msg[i].msg_hdr;
	struct in_pktinfo info = {
		.ipi_ifindex = tx->ifindex,
		.ipi_spec_dst.s_addr = htonl(tx->src),
	};
	uint16_t segment = (uint16_t)tx->payload.n;

	b->addr[i].in = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(tx->dport),
		/* a client without an address receives only broadcasts: RFC 2131 4.1 */
		.sin_addr.s_addr = htonl(tx->to_mac ? INADDR_BROADCAST : tx->dst),
	};
	*h = (struct msghdr){
		.msg_name = &b->addr[i],
		.msg_namelen = sizeof(b->addr[i].in),
		.msg_iov = &b->iov[first],
		.msg_iovlen = n,
		.msg_control = &b->ctrl[i],
	};
	(void)ctrl_add(&b->ctrl[i], h, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	if (n > 1)
		(void)ctrl_add(&b->ctrl[i], h, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof(segment));
}

/* Orders by destination and length: equal ones can leave as one message. */
static int tx_cmp(const struct capture_tx *a, const struct capture_tx *b)
{
	if (a->dst != b->dst)
		return a->dst < b->dst ? -1 : 1;
	if (a->payload.n != b->payload.n)
		return a->payload.n < b->payload.n ? -1 : 1;
	if (a->dport != b->dport)
		return a->dport < b->dport ? -1 : 1;
	if (a->src != b->src)
		return a->src < b->src ? -1 : 1;
	if (a->ifindex != b->ifindex)
		return a->ifindex < b->ifindex ? -1 : 1;
	return (int)a->to_mac - (int)b->to_mac;
}

/* Sorts datagrams by insertion: batches are short, and mostly in order already. */
static void tx_sort(struct capture_tx **tx, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct capture_tx *t = tx[i];
		size_t k = i;

		for (; k > 0 && tx_cmp(t, tx[k - 1]) < 0; k--)
			tx[k] = tx[k - 1];
		tx[k] = t;
	}
}

/* Returns how many datagrams from `first` on can be one message. */
static size_t run_len(const struct sock_batch *b, size_t first)
{
	const struct capture_tx *t = b->tx[first];
	size_t octets = t->payload.n;
	size_t n = 1;

	if (!b->segment || !octets || octets > SEGMENT_MAX)
		return 1;
	while (first + n < b->n_tx && tx_cmp(t, b->tx[first + n]) == 0 &&
	       octets + t->payload.n <= SEGMENTS_OCTETS) {
		octets += t->payload.n;
		n++;
	}
	return n;
}

int sock_send_udp(int fd, struct sock_batch *b, struct capture_tx *const *tx, size_t n)
{
	memcpy(b->tx, tx, n * sizeof(tx[0]));
	b->n_tx = n;
	if (b->segment)
		tx_sort(b->tx, n);
	for (size_t i = 0; i < n; i++)
		/* sendmsg does not write to its arguments */
		b->iov[i] = (struct iovec){(void *)(uintptr_t)b->tx[i]->payload.p,
					   b->tx[i]->payload.n};
	for (size_t i = 0; i < n;) {
		size_t run = run_len(b, i);

		udp_message(b, b->tx[i], i, run);
		i += run;
	}
	return sock_flush(fd, b);
}

/* Sends datagram by datagram a message that the kernel would not cut: too long for the path, no
 * offload there. */
static int send_apart(int fd, struct sock_batch *b, size_t msg, size_t first)
{
	struct msghdr h = b->msg[msg].msg_hdr;
	size_t n = h.msg_iovlen;
	int sent = 0;

	h.msg_iovlen = 1;
	h.msg_controllen = CMSG_SPACE(
		sizeof(struct in_pktinfo)); /* without the segment length behind */
	for (size_t i = first; i < first + n; i++) {
		ssize_t r;

		h.msg_iov = &b->iov[i];
		r = sendmsg(fd, &h, MSG_DONTWAIT);
		b->tx[i]->result = r < 0 ? -errno : 0;
		sent += r >= 0;
	}
	return sent;
}

/* Called when the first message of the rest could not be sent. */
static int flush_failed(int fd, struct sock_batch *b, size_t msg, size_t first, int err)
{
	bool joined = b->msg[msg].msg_hdr.msg_iovlen > 1;

	if (joined && (err == -EIO || err == -EOPNOTSUPP))
		b->segment = false; /* this route has no offload: do not try each time */
	if (joined && (err == -EINVAL || err == -EMSGSIZE || !b->segment))
		return send_apart(fd, b, msg, first);
	for (size_t i = 0; i < b->msg[msg].msg_hdr.msg_iovlen; i++)
		b->tx[first + i]->result = err;
	return 0;
}

int sock_flush(int fd, struct sock_batch *b)
{
	size_t i = 0, t = 0;
	int sent = 0;

	while (i < b->n) {
		int r = sendmmsg(fd, b->msg + i, (unsigned)(b->n - i), MSG_DONTWAIT);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0) {
			sent += flush_failed(fd, b, i, t, r < 0 ? -errno : -EIO);
			t += b->msg[i++].msg_hdr.msg_iovlen;
			continue;
		}
		for (; r > 0; r--, i++)
			for (size_t k = b->msg[i].msg_hdr.msg_iovlen; k > 0; k--, sent++)
				b->tx[t++]->result = 0;
	}
	b->n = b->n_tx = 0;
	return sent;
}

unsigned sock_backlog(int fd)
{
	uint32_t info[SK_MEMINFO_VARS];
	socklen_t len = sizeof(info);

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len) < 0 || !info[SK_MEMINFO_RCVBUF])
		return 0;
	return (unsigned)((uint64_t)info[SK_MEMINFO_RMEM_ALLOC] * 1000 / info[SK_MEMINFO_RCVBUF]);
}

uint64_t sock_drops(int fd)
{
	uint32_t mem[SK_MEMINFO_VARS] = {0};
	socklen_t len = sizeof(mem);

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, mem, &len) < 0)
		return 0;
	return mem[SK_MEMINFO_DROPS];
}
