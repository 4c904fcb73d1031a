/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One question (RTM_GETLINK by name), then the notifications of links, IPv4 addresses and removed
 * routes; those of other interfaces are passed over. After a lost notification the question is
 * asked again, by index, and the caller learns that addresses and routes may have changed.
 */
#include "client/os/link.h"

#include "capture/filter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <poll.h>
#include <sys/socket.h>

enum { WATCH_BUF = 8192, ANSWER_MS = 1000, RESYNCS = 8 };

union watch_buf {
	struct nlmsghdr align;
	uint8_t buf[WATCH_BUF];
};

/* Returns whether the interface is a port of a bridge, bond or team, which the client must not
 * configure; a member of a VRF is none. */
static bool is_enslaved(const struct rtattr *linkinfo, uint32_t master)
{
	const struct rtattr *a;
	size_t pos = 0;

	while (linkinfo && (a = nl_nested(linkinfo, &pos)))
		if ((a->rta_type & NLA_TYPE_MASK) == IFLA_INFO_SLAVE_KIND)
			return !span_eq(nl_data(a), span_of("vrf", 4));
	return master != 0;
}

static void read_name(struct link_state *s, struct span name)
{
	size_t n = name.n < sizeof(s->name) ? name.n : sizeof(s->name) - 1;

	memset(s->name, 0, sizeof(s->name));
	memcpy(s->name, name.p, n);
}

static void read_attrs(struct link_state *s, const struct nlmsghdr *h)
{
	const struct rtattr *a, *info = NULL;
	uint32_t master = 0;
	uint8_t operstate = IF_OPER_UNKNOWN;
	size_t pos = 0;

	while ((a = nl_attr(h, sizeof(struct ifinfomsg), &pos))) {
		struct span d = nl_data(a);

		switch (a->rta_type & NLA_TYPE_MASK) {
		case IFLA_IFNAME:
			read_name(s, d);
			break;
		case IFLA_ADDRESS:
			if (d.n == sizeof(s->mac))
				memcpy(s->mac, d.p, sizeof(s->mac));
			break;
		case IFLA_MTU:
			s->mtu = (uint16_t)(nl_u32(a) < UINT16_MAX ? nl_u32(a) : UINT16_MAX);
			break;
		case IFLA_OPERSTATE:
			operstate = d.n ? d.p[0] : operstate;
			break;
		case IFLA_MASTER:
			master = nl_u32(a);
			break;
		case IFLA_LINKINFO:
			info = a;
			break;
		default:
			break;
		}
	}
	if (operstate == IF_OPER_DORMANT)
		s->carrier = false;
	s->gone = is_enslaved(info, master);
}

static void parse_link(struct link_state *s, const struct nlmsghdr *h)
{
	struct ifinfomsg ifi;

	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(ifi)))
		return;
	memcpy(&ifi, NLMSG_DATA(h), sizeof(ifi));
	/* AF_BRIDGE messages concern a port, not the interface */
	if (ifi.ifi_family != AF_UNSPEC || (s->ifindex && ifi.ifi_index != s->ifindex))
		return;
	if (h->nlmsg_type == RTM_DELLINK) {
		s->gone = true;
		s->admin_up = s->carrier = false;
		return;
	}
	s->ifindex = ifi.ifi_index;
	s->ethernet = ifi.ifi_type == ARPHRD_ETHER;
	s->arp = !(ifi.ifi_flags & (IFF_NOARP | IFF_LOOPBACK | IFF_POINTOPOINT));
	s->admin_up = ifi.ifi_flags & IFF_UP;
	s->carrier = ifi.ifi_flags & IFF_LOWER_UP;
	read_attrs(s, h);
}

/* Returns whether an address of the interface was added or removed. */
static bool is_own_address(const struct link_watch *w, const struct nlmsghdr *h)
{
	struct nl_address a;

	return nl_read_address(h, &a) && a.ifindex == w->now.ifindex;
}

static bool is_own_route(const struct link_watch *w, const struct nlmsghdr *h)
{
	struct nl_route r;

	return nl_read_route(h, &r) && r.oif == w->now.ifindex;
}

static int ask_link(struct link_watch *w, const char *name)
{
	struct ifinfomsg ifi = {.ifi_family = AF_UNSPEC, .ifi_index = w->now.ifindex};
	struct nl_batch b uninit;

	nl_batch_init(&b);
	nl_begin(&b, &w->nl, RTM_GETLINK, 0, &ifi, sizeof(ifi));
	if (name)
		nl_put(&b, IFLA_IFNAME, name, strlen(name) + 1);
	return send(w->nl.fd, b.buf, b.len, 0) < 0 ? -errno : 0;
}

static void read_answer(const struct nlmsghdr *h, int *ret_answer)
{
	struct nlmsgerr e;

	if (h->nlmsg_type == NLMSG_ERROR && h->nlmsg_len >= NLMSG_LENGTH(sizeof(e))) {
		memcpy(&e, NLMSG_DATA(h), sizeof(e));
		*ret_answer = e.error;
	}
}

/* Reads one datagram. Returns 1; 0: none is there; -errno. */
static int take_datagram(struct link_watch *w, struct link_events *ev, int *ret_answer)
{
	union watch_buf in uninit;
	const struct nlmsghdr *h;
	size_t pos = 0;
	ssize_t n = recv(w->nl.fd, in.buf, sizeof(in.buf), MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0)
		return errno == EAGAIN ? 0 : errno == EINTR ? 1 : -errno;
	if (n > (ssize_t)sizeof(in.buf)) /* the rest of a longer one is lost, like a message for
					    which the queue had no room */
		return -ENOBUFS;
	while ((h = nl_msg(span_of(in.buf, (size_t)n), &pos))) {
		if (h->nlmsg_type == RTM_NEWLINK || h->nlmsg_type == RTM_DELLINK)
			parse_link(&w->now, h);
		else if (h->nlmsg_type == RTM_NEWADDR || h->nlmsg_type == RTM_DELADDR)
			ev->touched |= is_own_address(w, h);
		else if (h->nlmsg_type == RTM_DELROUTE)
			ev->touched |= is_own_route(w, h);
		else
			read_answer(h, ret_answer);
	}
	return 1;
}

/*
 * Lets notifications of routes in only if they are about a removed route of protocol dhcp or
 * kernel: a router may have thousands of changes a second. The fields are in the host's order, the
 * filter loads big-endian.
 */
static int filter_routes(int fd)
{
	enum { TYPE_AT = 4, PROTOCOL_AT = 16 + 5 };
	struct filter f = {.n = 0};
	const struct sock_filter insns[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, TYPE_AT),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWROUTE), 5, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELROUTE), 0, 3),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, PROTOCOL_AT),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, RTPROT_DHCP, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, RTPROT_KERNEL, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};

	for (; f.n < ARRAY_LEN(insns); f.n++)
		f.insns[f.n] = insns[f.n];
	return filter_attach(fd, SO_ATTACH_FILTER, &f);
}

int link_watch_open(struct link_watch *w, const char *name)
{
	struct link_events ev = {0};
	struct pollfd p;
	int answer = 1, r;

	*w = (struct link_watch){.nl = {.fd = -1}};
	if (strlen(name) >= LINK_NAME_LEN)
		return -ENODEV;
	r = nl_open(&w->nl, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE);
	if (r == 0)
		r = filter_routes(w->nl.fd);
	if (r == 0)
		r = ask_link(w, name);
	p = (struct pollfd){.fd = w->nl.fd, .events = POLLIN};
	while (r >= 0 && answer == 1) {
		r = take_datagram(w, &ev, &answer);
		if (r == 0 && poll(&p, 1, ANSWER_MS) == 0)
			r = -ETIMEDOUT;
	}
	if (r >= 0)
		r = answer;
	if (r == 0 && !w->now.ifindex)
		r = -ENODEV;
	if (r < 0)
		link_watch_close(w);
	return r;
}

void link_watch_close(struct link_watch *w)
{
	nl_close(&w->nl);
}

/*
 * Empties the queue before the question is asked, or there would be no room for the answer. Under a
 * flood of notifications the rest is read at the next call.
 */
int link_watch_read(struct link_watch *w, struct link_events *ret)
{
	struct link_state before = w->now;
	int answer = 1, r;

	*ret = (struct link_events){0};
	for (unsigned asked = 0;;) {
		r = take_datagram(w, ret, &answer);
		if (r == -ENOBUFS)
			w->stale = true;
		if (r == -ENOBUFS || r > 0)
			continue;
		if (r < 0 || !w->stale || asked++ == RESYNCS)
			break;
		w->stale = false;
		ret->lost = ret->touched = true;
		r = ask_link(w, NULL);
		if (r < 0)
			break;
	}
	if (answer == -ENODEV) {
		w->now.gone = true;
		w->now.admin_up = w->now.carrier = false;
	}
	ret->changed = memcmp(&before, &w->now, sizeof(before)) != 0;
	return r;
}

int link_usable(const struct link_state *s)
{
	if (s->gone)
		return -ENODEV;
	return s->ethernet && s->arp ? 0 : -EPROTONOSUPPORT;
}

struct first {
	int ifindex;
	uint32_t address;
};

static bool take_first(void *ctx, const struct nlmsghdr *h)
{
	struct first *f = ctx;
	struct nl_address a;

	if (nl_read_address(h, &a) && a.ifindex == f->ifindex)
		f->address = a.address;
	return !f->address;
}

int link_first_address(int ifindex, uint32_t *ret)
{
	struct first f = {.ifindex = ifindex};
	struct nl nl;
	int r = nl_open(&nl, 0);

	if (r < 0)
		return r;
	r = nl_addresses(&nl, take_first, &f);
	nl_close(&nl);
	if (r == 0)
		*ret = f.address;
	return r;
}

struct own_mac {
	const uint8_t *mac;
	bool found;
};

static bool take_mac(void *ctx, const struct nlmsghdr *h)
{
	struct own_mac *o = ctx;
	const struct rtattr *a;
	size_t pos = 0;

	while ((a = nl_attr(h, sizeof(struct ifinfomsg), &pos)))
		if ((a->rta_type & NLA_TYPE_MASK) == IFLA_ADDRESS)
			o->found |= span_eq(nl_data(a), span_of(o->mac, 6));
	return !o->found;
}

bool link_owns_mac(struct nl *nl, const uint8_t mac[6])
{
	struct own_mac o = {.mac = mac};

	return nl_links(nl, take_mac, &o) == 0 && o.found;
}
