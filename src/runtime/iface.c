/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Interface tables by rtnetlink (libmnl). After a change event the whole table is read again:
 * events may be lost, a dump cannot.
 */
#include "runtime/iface.h"

#include "runtime/loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

struct iface_table *iface_table_ref(struct iface_table *t)
{
	if (t)
		(void)atomic_fetch_add(&t->refs, 1);
	return t;
}

void iface_table_unref(struct iface_table *t)
{
	if (!t || atomic_fetch_sub(&t->refs, 1) != 1)
		return;
	free(t->items);
	free(t);
}

struct iface_table *iface_table_new(const struct iface *items, size_t n)
{
	struct iface_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->refs = 1;
	t->items = calloc(n ? n : 1, sizeof(*items));
	if (!t->items) {
		free(t);
		return NULL;
	}
	if (n)
		memcpy(t->items, items, n * sizeof(*items));
	t->n = n;
	return t;
}

const struct iface *iface_by_index(const struct iface_table *t, int ifindex)
{
	for (size_t i = 0; t && i < t->n; i++)
		if (t->items[i].ifindex == ifindex)
			return &t->items[i];
	return NULL;
}

const struct iface *iface_by_name(const struct iface_table *t, const char *name)
{
	for (size_t i = 0; t && i < t->n; i++)
		if (strcmp(t->items[i].name, name) == 0)
			return &t->items[i];
	return NULL;
}

bool iface_owns(const struct iface_table *t, uint32_t addr)
{
	for (size_t i = 0; t && i < t->n; i++)
		for (size_t j = 0; j < t->items[i].n_addrs; j++)
			if (t->items[i].addrs[j].addr == addr)
				return true;
	return false;
}

bool iface_is_broadcast(const struct iface *i, uint32_t addr)
{
	for (size_t j = 0; j < i->n_addrs; j++) {
		unsigned len = i->addrs[j].prefix_len;

		if (len < 31 && addr == (i->addrs[j].addr | (0xffffffffU >> len)))
			return true;
	}
	return false;
}

bool iface_table_eq(const struct iface_table *a, const struct iface_table *b)
{
	return a && b && a->n == b->n && memcmp(a->items, b->items, a->n * sizeof(*a->items)) == 0;
}

static int attr_cb(const struct nlattr *attr, void *data)
{
	const struct nlattr **tb = data;
	unsigned type = mnl_attr_get_type(attr);

	if (type <= IFLA_MAX)
		tb[type] = attr;
	return MNL_CB_OK;
}

/* Returns the slot of an interface, a new one if need be; NULL when memory is out. */
static struct iface *table_slot(struct iface_table *t, int ifindex)
{
	struct iface *items;

	for (size_t i = 0; i < t->n; i++)
		if (t->items[i].ifindex == ifindex)
			return &t->items[i];
	items = reallocarray(t->items, t->n + 1, sizeof(*items));
	if (!items)
		return NULL;
	t->items = items;
	memset(&items[t->n], 0, sizeof(*items));
	items[t->n].ifindex = ifindex;
	return &items[t->n++];
}

static int link_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[IFLA_MAX + 1] = {0};
	struct iface *i = table_slot(data, ifi->ifi_index);

	if (!i)
		return MNL_CB_ERROR;
	(void)mnl_attr_parse(nlh, sizeof(*ifi), attr_cb, tb);
	i->arp_type = ifi->ifi_type;
	i->up = ifi->ifi_flags & IFF_UP;
	i->running = ifi->ifi_flags & IFF_RUNNING;
	i->loopback = ifi->ifi_flags & IFF_LOOPBACK;
	i->multicast = ifi->ifi_flags & IFF_MULTICAST;
	i->broadcast = ifi->ifi_flags & IFF_BROADCAST;
	if (tb[IFLA_IFNAME])
		(void)strncpy(i->name, mnl_attr_get_str(tb[IFLA_IFNAME]), sizeof(i->name) - 1);
	if (tb[IFLA_ADDRESS] && mnl_attr_get_payload_len(tb[IFLA_ADDRESS]) == sizeof(i->mac))
		memcpy(i->mac, mnl_attr_get_payload(tb[IFLA_ADDRESS]), sizeof(i->mac));
	return MNL_CB_OK;
}

static int addr_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[IFLA_MAX + 1] = {0};
	struct iface *i = table_slot(data, (int)ifa->ifa_index);
	const struct nlattr *a;

	if (!i)
		return MNL_CB_ERROR;
	(void)mnl_attr_parse(nlh, sizeof(*ifa), attr_cb, tb);
	a = tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS];
	if (!a || mnl_attr_get_payload_len(a) != 4 || i->n_addrs == IFACE_ADDRS_MAX)
		return MNL_CB_OK;
	i->addrs[i->n_addrs++] = (struct iface_addr){ntohl(mnl_attr_get_u32(a)),
						     ifa->ifa_prefixlen};
	return MNL_CB_OK;
}

static int request_dump(struct mnl_socket *nl, uint16_t type, mnl_cb_t cb, void *data)
{
	char buf[8192];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rtgenmsg *rt;
	unsigned seq = (unsigned)time(NULL);
	ssize_t n;
	int r;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = seq;
	rt = mnl_nlmsg_put_extra_header(nlh, sizeof(*rt));
	rt->rtgen_family = type == RTM_GETADDR ? AF_INET : AF_UNSPEC;
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	do {
		n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (n < 0)
			return -errno;
		r = mnl_cb_run(buf, (size_t)n, seq, mnl_socket_get_portid(nl), cb, data);
	} while (r > MNL_CB_STOP);
	return r < 0 ? -errno : 0;
}

int iface_table_read(struct iface_table **ret)
{
	struct iface_table *t = iface_table_new(NULL, 0);
	struct mnl_socket *nl;
	int r;

	if (!t)
		return -ENOMEM;
	nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!nl) {
		iface_table_unref(t);
		return -errno;
	}
	r = mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : 0;
	if (r == 0)
		r = request_dump(nl, RTM_GETLINK, link_cb, t);
	if (r == 0)
		r = request_dump(nl, RTM_GETADDR, addr_cb, t);
	(void)mnl_socket_close(nl);
	if (r < 0)
		iface_table_unref(t);
	else
		*ret = t;
	return r;
}

struct iface_monitor {
	struct mnl_socket *nl;
	struct loop_source *source;
	void (*changed)(void *ctx);
	void *ctx;
};

/* Called when a notification came. Its contents do not matter: everything is read again. ENOBUFS:
 * some were lost. */
static void monitor_readable(void *ctx, uint32_t events)
{
	struct iface_monitor *m = ctx;
	char buf[8192];

	(void)events;
	while (mnl_socket_recvfrom(m->nl, buf, sizeof(buf)) > 0 || errno == ENOBUFS)
		;
	m->changed(m->ctx);
}

int iface_monitor_open(struct loop *loop, void (*changed)(void *ctx), void *ctx,
		       struct iface_monitor **ret)
{
	struct iface_monitor *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return -ENOMEM;
	m->changed = changed;
	m->ctx = ctx;
	m->nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!m->nl ||
	    mnl_socket_bind(m->nl, RTMGRP_LINK | RTMGRP_IPV4_IFADDR, MNL_SOCKET_AUTOPID) < 0) {
		r = -errno;
		iface_monitor_close(m);
		return r;
	}
	r = loop_add(loop, mnl_socket_get_fd(m->nl), EPOLLIN, monitor_readable, m, &m->source);
	if (r < 0) {
		iface_monitor_close(m);
		return r;
	}
	*ret = m;
	return 0;
}

void iface_monitor_close(struct iface_monitor *m)
{
	if (!m)
		return;
	loop_remove(m->source);
	if (m->nl)
		(void)mnl_socket_close(m->nl);
	free(m);
}
