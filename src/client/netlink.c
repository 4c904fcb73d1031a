/* SPDX-License-Identifier: MPL-2.0 */
/*
 * netlink(7), rtnetlink(7). Lengths in messages come from the kernel, and are checked all the same.
 */
#include "client/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_MS = 1000 };

static size_t align4(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

int nl_open(struct nl *nl, uint32_t groups)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = groups};

	nl->seq = 0;
	nl->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (nl->fd < 0)
		return -errno;
	if (bind(nl->fd, (const struct sockaddr *)&a, sizeof(a)) < 0) {
		int e = -errno;

		nl_close(nl);
		return e;
	}
	return 0;
}

void nl_close(struct nl *nl)
{
	if (nl->fd >= 0)
		(void)close(nl->fd);
	nl->fd = -1;
}

void nl_batch_init(struct nl_batch *b)
{
	b->len = b->cur = 0;
	b->n = 0;
	b->bad = false;
}

static void *room(struct nl_batch *b, size_t n)
{
	uint8_t *p = b->buf + b->len;
	uint32_t total;

	if (b->bad || n > sizeof(b->buf) || align4(n) > sizeof(b->buf) - b->len) {
		b->bad = true;
		return NULL;
	}
	memset(p, 0, align4(n));
	b->len += align4(n);
	total = (uint32_t)(b->len - b->cur);
	memcpy(b->buf + b->cur, &total, sizeof(total)); /* nlmsg_len, the first field */
	return p;
}

void nl_begin(struct nl_batch *b, struct nl *nl, uint16_t type, uint16_t flags, const void *head, size_t n)
{
	struct nlmsghdr h = {
		.nlmsg_type = type,
		.nlmsg_flags = (uint16_t)(flags | NLM_F_REQUEST | NLM_F_ACK),
		.nlmsg_seq = ++nl->seq,
	};
	void *p;

	b->cur = b->len;
	h.nlmsg_len = sizeof(h);
	p = room(b, sizeof(h));
	if (p)
		memcpy(p, &h, sizeof(h));
	p = room(b, n);
	if (p)
		memcpy(p, head, n);
	b->n++;
}

void nl_put(struct nl_batch *b, uint16_t type, const void *p, size_t n)
{
	struct rtattr a = {.rta_len = (uint16_t)RTA_LENGTH(n), .rta_type = type};
	uint8_t *to = room(b, sizeof(a) + n);

	if (!to)
		return;
	memcpy(to, &a, sizeof(a));
	if (n)
		memcpy(to + sizeof(a), p, n);
}

void nl_put_u32(struct nl_batch *b, uint16_t type, uint32_t v)
{
	nl_put(b, type, &v, sizeof(v));
}

void nl_put_be32(struct nl_batch *b, uint16_t type, uint32_t v)
{
	nl_put_u32(b, type, htonl(v));
}

size_t nl_nest(struct nl_batch *b, uint16_t type)
{
	size_t at = b->len;

	nl_put(b, type, NULL, 0);
	return at;
}

void nl_nest_end(struct nl_batch *b, size_t at)
{
	uint16_t len = (uint16_t)(b->len - at);

	if (!b->bad)
		memcpy(b->buf + at, &len, sizeof(len)); /* rta_len, the first field */
}

/* Takes the acknowledgements of one datagram; how many. */
static size_t take_acks(struct span in, uint32_t first, int *ret, size_t n_ret)
{
	const struct nlmsghdr *h;
	struct nlmsgerr e;
	size_t pos = 0, n = 0;

	while ((h = nl_msg(in, &pos))) {
		uint32_t i = h->nlmsg_seq - first;

		if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_len < NLMSG_LENGTH(sizeof(e)) || i >= n_ret)
			continue;
		memcpy(&e, NLMSG_DATA(h), sizeof(e));
		ret[i] = e.error;
		n++;
	}
	return n;
}

static int wait_acks(struct nl *nl, size_t n_msgs, int *ret, size_t n_ret)
{
	union {
		struct nlmsghdr align;
		uint8_t buf[4096];
	} in uninit;
	uint32_t first = nl->seq - (uint32_t)n_msgs + 1;
	size_t got = 0;

	while (got < n_msgs) {
		struct pollfd p = {.fd = nl->fd, .events = POLLIN};
		ssize_t n = recv(nl->fd, in.buf, sizeof(in.buf), 0);

		if (n > 0) {
			got += take_acks(span_of(in.buf, (size_t)n), first, ret, n_ret);
			continue;
		}
		if (n < 0 && errno != EAGAIN && errno != EINTR && errno != ENOBUFS)
			return -errno;
		if (n < 0 && errno == EAGAIN && poll(&p, 1, ANSWER_MS) == 0)
			return -ETIMEDOUT;
	}
	return 0;
}

int nl_talk(struct nl *nl, struct nl_batch *b, int *ret, size_t n_ret)
{
	ssize_t n;

	if (b->bad || n_ret < b->n)
		return -EMSGSIZE;
	if (!b->n)
		return 0;
	for (size_t i = 0; i < b->n; i++)
		ret[i] = -ETIMEDOUT;
	do
		n = send(nl->fd, b->buf, b->len, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : wait_acks(nl, b->n, ret, b->n);
}

/* --- addresses ---------------------------------------------------------------------------------- */

struct addresses {
	nl_address_fn *tell;
	void *ctx;
	uint32_t seq;
	bool enough;
};

static void tell_address(struct addresses *x, const struct nlmsghdr *h)
{
	const struct rtattr *a;
	struct ifaddrmsg ifa;
	size_t pos = 0;

	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(ifa)))
		return;
	memcpy(&ifa, NLMSG_DATA(h), sizeof(ifa));
	while (!x->enough && ifa.ifa_family == AF_INET && (a = nl_attr(h, sizeof(ifa), &pos)))
		if (a->rta_type == IFA_LOCAL)
			x->enough = !x->tell(x->ctx, (int)ifa.ifa_index, nl_be32(a));
}

/* One datagram of the dump. 1: more to come; 0: that was the end. */
static int take_addresses(struct addresses *x, struct span in)
{
	const struct nlmsghdr *h;
	size_t pos = 0;

	while ((h = nl_msg(in, &pos))) {
		if (h->nlmsg_seq != x->seq)
			continue;
		if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
			return 0;
		if (h->nlmsg_type == RTM_NEWADDR)
			tell_address(x, h);
	}
	return 1;
}

/* To the end even when there was enough, or the rest would be the next answer. */
int nl_addresses(struct nl *nl, nl_address_fn *tell, void *ctx)
{
	union {
		struct nlmsghdr align;
		uint8_t buf[8192];
	} in uninit;
	struct ifaddrmsg ifa = {.ifa_family = AF_INET};
	struct addresses x = {.tell = tell, .ctx = ctx};
	struct pollfd p = {.fd = nl->fd, .events = POLLIN};
	struct nl_batch b uninit;
	int r;

	nl_batch_init(&b);
	nl_begin(&b, nl, RTM_GETADDR, NLM_F_DUMP, &ifa, sizeof(ifa));
	x.seq = nl->seq;
	r = send(nl->fd, b.buf, b.len, 0) < 0 ? -errno : 1;
	while (r > 0) {
		ssize_t n = poll(&p, 1, ANSWER_MS) > 0 ? recv(nl->fd, in.buf, sizeof(in.buf), 0) : -1;

		r = n < 0 ? -ETIMEDOUT : take_addresses(&x, span_of(in.buf, (size_t)n));
	}
	return r;
}

/* --- reading ------------------------------------------------------------------------------------ */

static const struct rtattr *attr_at(const uint8_t *p, size_t len, size_t *pos)
{
	const struct rtattr *a;

	if (*pos > len || len - *pos < sizeof(*a))
		return NULL;
	a = (const struct rtattr *)(const void *)(p + *pos);
	if (a->rta_len < sizeof(*a) || a->rta_len > len - *pos)
		return NULL;
	*pos += align4(a->rta_len);
	return a;
}

const struct rtattr *nl_attr(const struct nlmsghdr *h, size_t head_len, size_t *pos)
{
	size_t skip = sizeof(*h) + align4(head_len);

	if (h->nlmsg_len < skip)
		return NULL;
	return attr_at((const uint8_t *)h + skip, h->nlmsg_len - skip, pos);
}

const struct rtattr *nl_nested(const struct rtattr *outer, size_t *pos)
{
	struct span s = nl_data(outer);

	return attr_at(s.p, s.n, pos);
}

struct span nl_data(const struct rtattr *a)
{
	return span_of((const uint8_t *)a + sizeof(*a), a->rta_len - sizeof(*a));
}

uint32_t nl_u32(const struct rtattr *a)
{
	struct span s = nl_data(a);
	uint32_t v = 0;

	if (s.n == sizeof(v))
		memcpy(&v, s.p, sizeof(v));
	return v;
}

uint32_t nl_be32(const struct rtattr *a)
{
	return ntohl(nl_u32(a));
}

const struct nlmsghdr *nl_msg(struct span in, size_t *pos)
{
	const struct nlmsghdr *h;

	if (*pos > in.n || in.n - *pos < sizeof(*h))
		return NULL;
	h = (const struct nlmsghdr *)(const void *)(in.p + *pos);
	if (h->nlmsg_len < sizeof(*h) || h->nlmsg_len > in.n - *pos)
		return NULL;
	*pos += align4(h->nlmsg_len);
	return h;
}
