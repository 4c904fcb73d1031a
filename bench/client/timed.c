/* SPDX-License-Identifier: MPL-2.0 */
/*
 * usher-timed INTERFACE SECONDS PROGRAM [ARGUMENT]...: runs a DHCP client and says how long it took
 * to have an address, and a default route, on the interface: from just before its execve to the
 * kernel's own notice (RTM_NEWADDR, RTM_NEWROUTE), which is in our socket before the client's
 * netlink call returns. One line of JSON on standard output, times in nanoseconds (null: not seen);
 * then it waits for the end of standard input, so that the client can be looked at, and leaves it
 * running. rtnetlink(7).
 */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ROUTE_WAIT_MS = 1000, BUF_MAX = 65536 };

struct seen {
	int64_t address, route; /* CLOCK_MONOTONIC, 0: not yet */
	int64_t wall;		/* CLOCK_REALTIME of the later of the two */
};

static int64_t now_ns(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int open_notices(void)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK,
				.nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd >= 0 && bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

static bool is_default_by(const struct nlmsghdr *h, uint32_t ifindex)
{
	const struct rtmsg *m = NLMSG_DATA(h);
	int left = (int)RTM_PAYLOAD(h);

	if (m->rtm_dst_len != 0)
		return false;
	for (const struct rtattr *a = RTM_RTA(m); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		uint32_t v;

		if (a->rta_type != RTA_OIF)
			continue;
		memcpy(&v, RTA_DATA(a), sizeof(v));
		return v == ifindex;
	}
	return false;
}

static void note(const struct nlmsghdr *h, uint32_t ifindex, struct seen *s)
{
	const struct ifaddrmsg *a = NLMSG_DATA(h);

	if (!s->address && h->nlmsg_type == RTM_NEWADDR && a->ifa_index == ifindex) {
		s->address = now_ns(CLOCK_MONOTONIC);
		s->wall = now_ns(CLOCK_REALTIME);
	} else if (!s->route && h->nlmsg_type == RTM_NEWROUTE && is_default_by(h, ifindex)) {
		s->route = now_ns(CLOCK_MONOTONIC);
		s->wall = now_ns(CLOCK_REALTIME);
	}
}

/* Until both are there, or a while after the address. */
static void watch(int fd, uint32_t ifindex, int64_t until, struct seen *s)
{
	static union {
		struct nlmsghdr head;
		char buf[BUF_MAX];
	} u;
	struct pollfd p = {.fd = fd, .events = POLLIN};

	while (!s->address || !s->route) {
		int64_t end = s->address ? s->address + ROUTE_WAIT_MS * INT64_C(1000000) : until;
		int64_t left = (end - now_ns(CLOCK_MONOTONIC)) / 1000000 + 1;
		int n;

		if (left <= 0 || poll(&p, 1, (int)left) <= 0)
			return;
		n = (int)recv(fd, &u, sizeof(u), 0);
		for (const struct nlmsghdr *h = &u.head; n > 0 && NLMSG_OK(h, (uint32_t)n);
		     h = NLMSG_NEXT(h, n))
			note(h, ifindex, s);
	}
}

static void print_time(const char *name, int64_t t, int64_t began, const char *end)
{
	if (t)
		(void)printf("\"%s\": %lld%s", name, (long long)(t - began), end);
	else
		(void)printf("\"%s\": null%s", name, end);
}

static _Noreturn void fail(const char *what)
{
	(void)fprintf(stderr, "usher-timed: %s: %s\n", what, strerror(errno));
	exit(1);
}

int main(int argc, char **argv)
{
	int64_t *began = mmap(NULL, sizeof(*began), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint32_t ifindex = argc > 3 ? if_nametoindex(argv[1]) : 0;
	struct seen s = {0};
	int64_t limit;
	char c;
	int fd;

	if (!ifindex || began == MAP_FAILED)
		fail(argc > 3 ? argv[1]
			      : "usage: usher-timed INTERFACE SECONDS PROGRAM [ARGUMENT]...");
	limit = strtol(argv[2], NULL, 10) * INT64_C(1000000000);
	fd = open_notices();
	if (fd < 0)
		fail("netlink");
	switch (fork()) {
	case -1:
		fail("fork");
	case 0:
		*began = now_ns(CLOCK_MONOTONIC);
		(void)execvp(argv[3], argv + 3);
		fail(argv[3]);
	default:
		break;
	}
	watch(fd, ifindex, now_ns(CLOCK_MONOTONIC) + limit, &s);
	(void)printf("{");
	print_time("address", s.address, *began, ", ");
	print_time("route", s.route, *began, ", ");
	(void)printf("\"wall\": %lld}\n", (long long)s.wall);
	(void)fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	return 0;
}
