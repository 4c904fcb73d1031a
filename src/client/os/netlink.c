/* SPDX-License-Identifier: MPL-2.0 */
/* netlink(7), rtnetlink(7). Lengths in messages come from the kernel, and are checked
 * nevertheless. */
#include "client/os/netlink.h"

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

	const int on = 1;

	nl->seq = 0;
	nl->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (nl->fd < 0)
		return -errno;
	/* lists are filtered by the kernel, since 4.20: a router may have a million routes */
	(void)setsockopt(nl->fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
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

static void *batch_room(struct nl_batch *b, size_t n)
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

void nl_begin(struct nl_batch *b, struct nl *nl, uint16_t type, uint16_t flags, const void *head,
	      size_t n)
{
	struct nlmsghdr h = {
		.nlmsg_type = type,
		.nlmsg_flags = (uint16_t)(flags | NLM_F_REQUEST | NLM_F_ACK),
		.nlmsg_seq = ++nl->seq,
	};
	void *p;

	b->cur = b->len;
	h.nlmsg_len = sizeof(h);
	p = batch_room(b, sizeof(h));
	if (p)
		memcpy(p, &h, sizeof(h));
	p = batch_room(b, n);
	if (p)
		memcpy(p, head, n);
	b->n++;
}

void nl_put(struct nl_batch *b, uint16_t type, const void *p, size_t n)
{
	struct rtattr a = {.rta_len = (uint16_t)RTA_LENGTH(n), .rta_type = type};
	uint8_t *to = batch_room(b, sizeof(a) + n);

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

/* Takes the acknowledgements of one datagram. Returns their number. */
static size_t take_acks(struct span in, uint32_t first, int *ret, size_t n_ret)
{
	const struct nlmsghdr *h;
	struct nlmsgerr e;
	size_t pos = 0, n = 0;

	while ((h = nl_msg(in, &pos))) {
		uint32_t i = h->nlmsg_seq - first;

		if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_len < NLMSG_LENGTH(sizeof(e)) ||
		    i >= n_ret)
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

/* --- lists ------------------------------------------------------------------------------------ */

struct dump {
	nl_message_fn *take;
	void *ctx;
	uint32_t seq;
	uint16_t type; /* of the messages of the list */
	bool enough;
};

/* Takes one datagram of a list. Returns 1: more will come; 0: this was the end; -errno. */
static int take_dump(struct dump *d, struct span in)
{
	const struct nlmsghdr *h;
	struct nlmsgerr e;
	size_t pos = 0;

	while ((h = nl_msg(in, &pos))) {
		if (h->nlmsg_seq != d->seq)
			continue;
		if (h->nlmsg_type == NLMSG_DONE)
			return 0;
		if (h->nlmsg_type == NLMSG_ERROR) {
			if (h->nlmsg_len < NLMSG_LENGTH(sizeof(e)))
				return -EBADMSG;
			memcpy(&e, NLMSG_DATA(h), sizeof(e));
			return e.error;
		}
		if (h->nlmsg_type == d->type && !d->enough)
			d->enough = !d->take(d->ctx, h);
	}
	return 1;
}

/* Reads a list to its end, even when the reader has enough: the rest would be taken for the next
 * answer. */
static int nl_dump(struct nl *nl, struct nl_batch *b, uint16_t type, nl_message_fn *take, void *ctx)
{
	union {
		struct nlmsghdr align;
		uint8_t buf[8192]; /* the kernel fits the datagrams of a dump to it */
	} in uninit;
	struct dump d = {.take = take, .ctx = ctx, .seq = nl->seq, .type = type};
	struct pollfd p = {.fd = nl->fd, .events = POLLIN};
	int r = send(nl->fd, b->buf, b->len, 0) < 0 ? -errno : 1;

	while (r > 0) {
		ssize_t n = recv(nl->fd, in.buf, sizeof(in.buf), MSG_DONTWAIT | MSG_TRUNC);

		if (n > (ssize_t)sizeof(in.buf))
			r = -EMSGSIZE;
		else if (n > 0)
			r = take_dump(&d, span_of(in.buf, (size_t)n));
		else if (n < 0 && errno == EAGAIN)
			r = poll(&p, 1, ANSWER_MS) == 0 ? -ETIMEDOUT : 1;
		else if (n < 0 && errno != EINTR)
			r = -errno;
	}
	return r;
}

int nl_addresses(struct nl *nl, nl_message_fn *take, void *ctx)
{
	struct ifaddrmsg ifa = {.ifa_family = AF_INET};
	struct nl_batch b uninit;

	nl_batch_init(&b);
	nl_begin(&b, nl, RTM_GETADDR, NLM_F_DUMP, &ifa, sizeof(ifa));
	return nl_dump(nl, &b, RTM_NEWADDR, take, ctx);
}

int nl_routes(struct nl *nl, int ifindex, nl_message_fn *take, void *ctx)
{
	struct rtmsg rt = {.rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN};
	struct nl_batch b uninit;

	nl_batch_init(&b);
	nl_begin(&b, nl, RTM_GETROUTE, NLM_F_DUMP, &rt, sizeof(rt));
	nl_put_u32(&b, RTA_OIF, (uint32_t)ifindex);
	return nl_dump(nl, &b, RTM_NEWROUTE, take, ctx);
}

int nl_links(struct nl *nl, nl_message_fn *take, void *ctx)
{
	struct ifinfomsg ifi = {.ifi_family = AF_UNSPEC};
	struct nl_batch b uninit;

	nl_batch_init(&b);
	nl_begin(&b, nl, RTM_GETLINK, NLM_F_DUMP, &ifi, sizeof(ifi));
	return nl_dump(nl, &b, RTM_NEWLINK, take, ctx);
}

bool nl_read_address(const struct nlmsghdr *h, struct nl_address *ret)
{
	const struct rtattr *a;
	struct ifaddrmsg ifa;
	size_t pos = 0;

	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(ifa)))
		return false;
	memcpy(&ifa, NLMSG_DATA(h), sizeof(ifa));
	*ret = (struct nl_address){.ifindex = (int)ifa.ifa_index, .prefix_len = ifa.ifa_prefixlen};
	while ((a = nl_attr(h, sizeof(ifa), &pos))) {
		if (a->rta_type == IFA_LOCAL)
			ret->address = nl_be32(a);
		else if (a->rta_type == NL_IFA_PROTO && nl_data(a).n == 1)
			ret->proto = nl_data(a).p[0];
	}
	return ifa.ifa_family == AF_INET && ret->address;
}

static uint32_t read_mtu(const struct rtattr *metrics)
{
	const struct rtattr *a;
	uint32_t mtu = 0;
	size_t pos = 0;

	while ((a = nl_nested(metrics, &pos)))
		if ((a->rta_type & NLA_TYPE_MASK) == RTAX_MTU)
			mtu = nl_u32(a);
	return mtu;
}

bool nl_read_route(const struct nlmsghdr *h, struct nl_route *ret)
{
	const struct rtattr *a;
	struct rtmsg rt;
	size_t pos = 0;

	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(rt)))
		return false;
	memcpy(&rt, NLMSG_DATA(h), sizeof(rt));
	*ret = (struct nl_route){.len = rt.rtm_dst_len,
				 .protocol = rt.rtm_protocol,
				 .table = rt.rtm_table,
				 .type = rt.rtm_type,
				 .tos = rt.rtm_tos};
	while ((a = nl_attr(h, sizeof(rt), &pos)))
		switch (a->rta_type & NLA_TYPE_MASK) {
		case RTA_DST:
			ret->dest = nl_be32(a);
			break;
		case RTA_GATEWAY:
			ret->gateway = nl_be32(a);
			break;
		case RTA_OIF:
			ret->oif = (int)nl_u32(a);
			break;
		case RTA_PREFSRC:
			ret->src = nl_be32(a);
			break;
		case RTA_PRIORITY:
			ret->priority = nl_u32(a);
			break;
		case RTA_TABLE:
			ret->table = nl_u32(a);
			break;
		case RTA_METRICS:
			ret->mtu = read_mtu(a);
			break;
		default:
			break;
		}
	return rt.rtm_family == AF_INET;
}

/* --- reading ---------------------------------------------------------------------------------- */

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
