/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Packets that netfilter hands over, and their verdicts: IPv4 datagrams of one queue. Verdicts of a
 * batch leave in one system call. Long segments and unfinished checksums the kernel makes ready
 * before we see them. Netfilter does not see the packets of a raw socket on this host: a gate for
 * those stands on another host in the path.
 */
#include "base/clock.h"
#include "base/cursor.h"
#include "capture/frames_backend.h"
#include "capture/socket.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	META_LEN = 4096, /* of a message, beside the packet */
	MSG_LEN = 65536 + META_LEN,
	OUT_LEN = 2 * MSG_LEN, /* verdicts of a batch; more are sent before */
	VERDICT_LEN = 128,     /* of one without octets */
	QUEUE_LEN = 16384,     /* packets the kernel keeps for us */
	NAME_LEN = 32,
	PAYLOAD_MAX = UINT16_MAX - MNL_ATTR_HDRLEN, /* an attribute counts its octets in 16 bits */
};

/* The side of packets that this host made. */
#define FROM_HERE UINT32_MAX

struct frames_nfqueue {
	struct frames base;
	struct mnl_socket *nl;
	uint16_t queue;
	int raw_fd; /* for packets that were never queued */
	char name[NAME_LEN];
	uint64_t lost; /* by the netlink socket */
	size_t out_len;
	uint8_t *out; /* [OUT_LEN] */
	struct mmsghdr msg[FRAMES_BATCH];
	struct iovec iov[FRAMES_BATCH];
	uint8_t *in; /* [FRAMES_BATCH][MSG_LEN] */
};

static struct frames_nfqueue *nfqueue_of(struct frames *f)
{
	return container_of(f, struct frames_nfqueue, base);
}

/* Returns the object of a base, without a change of const: container_of() would drop it. `base`
 * stands first in the object. */
static const struct frames_nfqueue *const_nfqueue_of(const struct frames *f)
{
	return (const struct frames_nfqueue *)(const void *)f;
}

/* --- In --------------------------------------------------------------------------------------- */

/* Reads one message. Returns 1 with *ret set, 0 if it carries no packet. */
static int parse_message(struct nlmsghdr *h, struct frame *ret)
{
	struct nlattr *attr[NFQA_MAX + 1] = {0};
	struct nfqnl_msg_packet_hdr *ph;

	if (h->nlmsg_type == NLMSG_ERROR || nfq_nlmsg_parse(h, attr) < 0 ||
	    !attr[NFQA_PACKET_HDR] || !attr[NFQA_PAYLOAD])
		return 0;
	ph = mnl_attr_get_payload(attr[NFQA_PACKET_HDR]);
	*ret = (struct frame){
		.data = mnl_attr_get_payload(attr[NFQA_PAYLOAD]),
		.len = mnl_attr_get_payload_len(attr[NFQA_PAYLOAD]),
		.link = FRAME_IPV4,
		.ts_ns = clock_wall_ns(&clock_system),
		.side = attr[NFQA_IFINDEX_INDEV] ? ntohl(mnl_attr_get_u32(attr[NFQA_IFINDEX_INDEV]))
						 : FROM_HERE,
		.id = ntohl(ph->packet_id),
	};
	/* the kernel cut the packet to the requested length: it is longer */
	if (attr[NFQA_CAP_LEN] && ntohl(mnl_attr_get_u32(attr[NFQA_CAP_LEN])) > ret->len)
		ret->flags = FRAME_TRUNCATED;
	return 1;
}

/* Returns whether a message refuses a verdict. The kernel acknowledges no verdict, but it reports
 * those that it refused: a second one for a packet, for example. */
static bool is_refusal(const struct nlmsghdr *h)
{
	return h->nlmsg_type == NLMSG_ERROR &&
	       mnl_nlmsg_get_payload_len(h) >= sizeof(struct nlmsgerr) &&
	       ((const struct nlmsgerr *)mnl_nlmsg_get_payload(h))->error < 0;
}

static int nfqueue_recv(struct frames *f, struct frame *ret, size_t n)
{
	struct frames_nfqueue *q = nfqueue_of(f);
	int got, filled = 0;

	for (size_t i = 0; i < n; i++) {
		q->iov[i] = (struct iovec){q->in + i * MSG_LEN, MSG_LEN};
		q->msg[i].msg_hdr = (struct msghdr){.msg_iov = &q->iov[i], .msg_iovlen = 1};
	}
	got = recvmmsg(mnl_socket_get_fd(q->nl), q->msg, (unsigned)n, MSG_DONTWAIT, NULL);
	if (got < 0 && errno == ENOBUFS) {
		/* packets are lost, and the kernel reports it once: it decided on them by itself */
		q->lost++;
		return 0;
	}
	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (int i = 0; i < got; i++) {
		struct nlmsghdr *h = (struct nlmsghdr *)(void *)(q->in + (size_t)i * MSG_LEN);
		int len = (int)q->msg[i].msg_len;

		if (q->msg[i].msg_hdr.msg_flags & MSG_TRUNC || !mnl_nlmsg_ok(h, len))
			continue;
		f->stats.send_errors += is_refusal(h);
		filled += parse_message(h, &ret[filled]);
	}
	return filled;
}

/* --- Out -------------------------------------------------------------------------------------- */

static int nfqueue_flush(struct frames *f)
{
	struct frames_nfqueue *q = nfqueue_of(f);
	ssize_t r = q->out_len ? mnl_socket_sendto(q->nl, q->out, q->out_len) : 0;

	q->out_len = 0;
	if (r < 0)
		f->stats.send_errors++;
	return r < 0 ? -errno : 0;
}

static int put_verdict(struct frames_nfqueue *q, const struct frame *fr, int verdict,
		       struct span data)
{
	struct nlmsghdr *h;

	/* the kernel waits for a verdict in any case */
	if (data.n > PAYLOAD_MAX) {
		(void)put_verdict(q, fr, NF_DROP, SPAN_NULL);
		return -EMSGSIZE;
	}
	if (q->out_len + VERDICT_LEN + data.n > OUT_LEN)
		(void)nfqueue_flush(&q->base);
	h = nfq_nlmsg_put((char *)q->out + q->out_len, NFQNL_MSG_VERDICT, q->queue);
	nfq_nlmsg_verdict_put(h, (int)fr->id, verdict);
	if (data.p)
		nfq_nlmsg_verdict_put_pkt(h, data.p, (uint32_t)data.n);
	q->out_len += MNL_ALIGN(h->nlmsg_len);
	return 0;
}

static int inject_packet(struct frames_nfqueue *q, struct span data)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	struct rd r = rd_init(span_sub(data, 16, 4));

	rd_copy(&r, &to.sin_addr, 4);
	if (!rd_ok(&r) || q->raw_fd < 0)
		return q->raw_fd < 0 ? -EOPNOTSUPP : -EINVAL;
	return sendto(q->raw_fd, data.p, data.n, 0, (struct sockaddr *)&to, sizeof(to)) < 0 ? -errno
											    : 0;
}

static int nfqueue_send(struct frames *f, const struct frame *fr, struct span data, bool injected)
{
	bool same = data.p == fr->data && data.n == fr->len;

	if (injected)
		return inject_packet(nfqueue_of(f), data);
	/* unchanged: the kernel still has it. (Octets written in place have to be handed back, too:
	 * FRAME_WRITTEN.) */
	return put_verdict(nfqueue_of(f), fr, NF_ACCEPT,
			   same && !(fr->flags & FRAME_WRITTEN) ? SPAN_NULL : data);
}

static void nfqueue_drop(struct frames *f, const struct frame *fr)
{
	(void)put_verdict(nfqueue_of(f), fr, NF_DROP, SPAN_NULL);
}

/* --- Life ------------------------------------------------------------------------------------- */

static int nfqueue_fd(const struct frames *f)
{
	return mnl_socket_get_fd(const_nfqueue_of(f)->nl);
}

static const char *nfqueue_port_name(const struct frames *f, unsigned port)
{
	return port == 0 ? const_nfqueue_of(f)->name : "";
}

static uint64_t nfqueue_source_drops(const struct frames *f)
{
	return const_nfqueue_of(f)->lost;
}

static void nfqueue_close(struct frames *f)
{
	struct frames_nfqueue *q = nfqueue_of(f);

	if (q->nl)
		(void)mnl_socket_close(q->nl);
	if (q->raw_fd >= 0)
		(void)close(q->raw_fd);
	free(q->in);
	free(q->out);
	free(q);
}

static const struct frames_ops nfqueue_ops = {
	.name = "nfqueue",
	.recv = nfqueue_recv,
	.send = nfqueue_send,
	.drop = nfqueue_drop,
	.flush = nfqueue_flush,
	.fd = nfqueue_fd,
	.port_name = nfqueue_port_name,
	.source_drops = nfqueue_source_drops,
	.close = nfqueue_close,
};

/* Sends a configuration message and waits for its acknowledgement. */
static int configure_queue(struct frames_nfqueue *q, struct nlmsghdr *h)
{
	char buf[MNL_NLMSG_HDRLEN + 256];
	ssize_t n;

	h->nlmsg_flags |= NLM_F_ACK;
	if (mnl_socket_sendto(q->nl, h, h->nlmsg_len) < 0)
		return -errno;
	n = mnl_socket_recvfrom(q->nl, buf, sizeof(buf));
	if (n < 0)
		return -errno;
	return mnl_cb_run(buf, (size_t)n, 0, mnl_socket_get_portid(q->nl), NULL, NULL) < 0 ? -errno
											   : 0;
}

static int bind_queue(struct frames_nfqueue *q)
{
	char buf[512];
	struct nlmsghdr *h = nfq_nlmsg_put(buf, NFQNL_MSG_CONFIG, q->queue);
	int r;

	nfq_nlmsg_cfg_put_cmd(h, AF_INET, NFQNL_CFG_CMD_BIND);
	r = configure_queue(q, h);
	if (r < 0)
		return r;
	h = nfq_nlmsg_put(buf, NFQNL_MSG_CONFIG, q->queue);
	nfq_nlmsg_cfg_put_params(h, NFQNL_COPY_PACKET, PAYLOAD_MAX);
	mnl_attr_put_u32(h, NFQA_CFG_QUEUE_MAXLEN, htonl(QUEUE_LEN));
	return configure_queue(q, h);
}

static int open_raw(uint32_t mark)
{
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);

	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

static int open_socket(struct frames_nfqueue *q, const struct frames_nfqueue_opts *o)
{
	int one = 1, r;

	q->nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!q->nl || mnl_socket_bind(q->nl, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	r = bind_queue(q);
	if (r < 0)
		return r;
	/* verdicts are not acknowledged, and a full queue is reported by a count */
	(void)mnl_socket_setsockopt(q->nl, NETLINK_NO_ENOBUFS, &one, sizeof(one));
	if (o->rcvbuf > 0)
		r = sock_set_rcvbuf(mnl_socket_get_fd(q->nl), o->rcvbuf);
	q->raw_fd = open_raw(o->mark);
	return r;
}

int frames_nfqueue_open(const struct frames_nfqueue_opts *o, struct frames **ret)
{
	struct frames_nfqueue *q = calloc(1, sizeof(*q));
	int r;

	if (!q)
		return -ENOMEM;
	q->base.ops = &nfqueue_ops;
	frames_live(&q->base, &clock_system);
	q->queue = o->queue;
	q->raw_fd = -1;
	q->in = calloc(FRAMES_BATCH, MSG_LEN);
	q->out = malloc(OUT_LEN);
	(void)snprintf(q->name, sizeof(q->name), "queue %u", o->queue);
	r = q->in && q->out ? open_socket(q, o) : -ENOMEM;
	if (r < 0) {
		nfqueue_close(&q->base);
		return r;
	}
	*ret = &q->base;
	return 0;
}
