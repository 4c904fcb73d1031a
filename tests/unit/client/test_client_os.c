/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The client's sockets, its watch of a link, and its additions to an interface, against the kernel:
 * a veth pair in a network namespace of the test's own. Skipped where that is not allowed.
 */
#include "unit/unit.h"

#include "client/os/link.h"
#include "client/os/netconf.h"
#include "client/os/sock.h"
#include "packet/packet.h"
#include "wire/arp.h"
#include "wire/dhcp4.h"
#include "wire/eth.h"
#include "wire/udp.h"

#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { XID = 0x12345678, ADDRESS = 0xc0000205 };

static uint8_t data[PACKET_DATA_LEN], arena[256];
static bool ready;

static bool run(const char *cmd)
{
	return system(cmd) == 0; /* a fixed text of this file */
}

static int setup(void **state)
{
	(void)state;
	if (geteuid() != 0)
		return 0;
	if (unshare(CLONE_NEWNET) < 0)
		return -1; /* as root nothing leaves itself out */
	ready = run(
		"ip link set lo up && ip link add v0 type veth peer name v1 && ip link set v1 up && "
		"ip link set v0 up");
	return ready ? 0 : -1;
}

static void need_net(void)
{
	if (!ready)
		skip();
}

static bool readable(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, ms) > 0;
}

static size_t count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	(void)closedir(d);
	return n;
}

/* A raw socket on the other end, to send from. */
static int peer_open(void)
{
	int fd = client_sock_open_raw((int)if_nametoindex("v1"), 0);

	assert_true(fd >= 0);
	return fd;
}

static void peer_send(int fd, struct span frame)
{
	assert_int_equal(client_sock_send_frame(fd, (int)if_nametoindex("v1"), frame), 0);
}

static size_t reply_frame(uint8_t *buf, size_t cap, uint8_t op, uint32_t xid, uint16_t dport)
{
	uint8_t msg[300] = {op,
			    1,
			    6,
			    0,
			    (uint8_t)(xid >> 24),
			    (uint8_t)(xid >> 16),
			    (uint8_t)(xid >> 8),
			    (uint8_t)xid};
	struct udp_frame f = {{255, 255, 255, 255, 255, 255},
			      {2, 0, 0, 0, 0, 9},
			      0xc0000201,
			      UINT32_MAX,
			      67,
			      dport,
			      span_of(msg, sizeof(msg))};
	struct wr w = wr_init(buf, cap);

	udp_frame_write(&w, &f);
	assert_true(wr_ok(&w));
	return w.len;
}

static void send_reply(int peer, uint8_t op, uint32_t xid, uint16_t dport)
{
	uint8_t buf[400];

	peer_send(peer, span_of(buf, reply_frame(buf, sizeof(buf), op, xid, dport)));
}

static void test_raw(void **state)
{
	struct packet p;
	uint8_t buf[400];
	int ifindex, fd, peer, off = 0;
	size_t n;

	(void)state;
	need_net();
	ifindex = (int)if_nametoindex("v0");
	peer = peer_open();
	fd = client_sock_open_raw(ifindex, XID);
	assert_true(fd >= 0);
	packet_init(&p, data, sizeof(data), arena, sizeof(arena));
	assert_int_equal(client_sock_recv(fd, false, ifindex, ADDRESS, &p), 0);
	send_reply(peer, 1, XID, 68);	  /* a request */
	send_reply(peer, 2, XID + 1, 68); /* somebody else's */
	send_reply(peer, 2, XID, 67);	  /* another port */
	n = reply_frame(buf, sizeof(buf), 2, XID, 68);
	buf[20] = 0x20; /* more fragments */
	peer_send(peer, span_of(buf, n));
	assert_false(readable(fd, 50));
	send_reply(peer, 2, XID, 68);
	assert_true(readable(fd, 1000));
	assert_int_equal(client_sock_recv(fd, false, ifindex, ADDRESS, &p), 1);
	assert_int_equal(p.ifindex, ifindex);
	assert_true(p.flags & PACKET_BROADCAST);
	assert_int_equal(packet_decode(&p), DROP_NONE);
	assert_int_equal(packet_app(&p).n, 300);
	assert_int_equal(client_sock_recv(fd, false, ifindex, ADDRESS, &p), 0);
	/* locked: not even its owner can take the filter off */
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &off, sizeof(off)), -1);
	(void)close(fd);
	(void)close(peer);
}

static void send_arp(int peer, uint32_t spa, uint32_t tpa)
{
	struct eth_hdr_text {
		uint8_t h[14];
	} head = {{255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 9, 8, 6}};
	struct arp_packet a = {.op = ARP_REQUEST,
			       .sha = {2, 0, 0, 0, 0, 9},
			       .spa = spa,
			       .tpa = tpa};
	uint8_t buf[60] = {0};
	struct wr w = wr_init(buf, sizeof(buf));

	wr_bytes(&w, head.h, sizeof(head.h));
	arp_write(&w, &a);
	assert_true(wr_ok(&w));
	peer_send(peer, span_of(buf, sizeof(buf)));
}

static void test_arp(void **state)
{
	uint8_t buf[128];
	int ifindex, fd, peer;

	(void)state;
	need_net();
	ifindex = (int)if_nametoindex("v0");
	peer = peer_open();
	fd = client_sock_open_arp(ifindex, ADDRESS, 0xc0000207);
	assert_true(fd >= 0);
	send_arp(peer, ADDRESS + 1, ADDRESS); /* another host asks for the owner of the address */
	send_arp(peer, 0, ADDRESS + 1);	      /* a probe for another one */
	assert_false(readable(fd, 50));
	send_arp(peer, 0xc0000207, ADDRESS); /* the station that was asked */
	assert_true(readable(fd, 1000));
	assert_int_equal(client_sock_recv_arp(fd, buf, sizeof(buf)), 60);
	send_arp(peer, ADDRESS, ADDRESS); /* claims it */
	assert_true(readable(fd, 1000));
	assert_int_equal(client_sock_recv_arp(fd, buf, sizeof(buf)), 60);
	send_arp(peer, 0, ADDRESS); /* probes for it */
	assert_true(readable(fd, 1000));
	assert_int_equal(client_sock_recv_arp(fd, buf, sizeof(buf)), 60);
	assert_int_equal(client_sock_recv_arp(fd, buf, sizeof(buf)), 0);
	(void)close(fd);
	(void)close(peer);
}

static void test_udp(void **state)
{
	struct packet p;
	int ifindex, fd, peer;

	(void)state;
	need_net();
	ifindex = (int)if_nametoindex("v0");
	assert_true(run("ip addr add 192.0.2.5/24 dev v0"));
	peer = peer_open();
	fd = client_sock_open_udp(ifindex);
	assert_true(fd >= 0);
	packet_init(&p, data, sizeof(data), arena, sizeof(arena));
	send_reply(peer, 2, XID, 68);
	assert_true(readable(fd, 1000));
	assert_int_equal(client_sock_recv(fd, true, ifindex, ADDRESS, &p), 1);
	assert_int_equal(p.src, 0xc0000201);
	assert_int_equal(p.sport, 67);
	assert_int_equal(p.ifindex, ifindex);
	assert_int_equal(packet_decode(&p), DROP_NONE);
	assert_int_equal(packet_app(&p).n, 300);
	assert_int_equal(client_sock_send_udp(fd, ifindex, ADDRESS, 0xc0000201,
					      span_str("request")),
			 0);
	/* an address that is not ours (any more) */
	assert_true(client_sock_send_udp(fd, ifindex, ADDRESS + 1, 0xc0000201,
					 span_str("request")) < 0);
	(void)close(fd);
	(void)close(peer);
	assert_true(run("ip addr del 192.0.2.5/24 dev v0"));
}

static void test_broken(void **state)
{
	struct packet p;
	int ifindex, fd, r;
	size_t fds;

	(void)state;
	need_net();
	ifindex = (int)if_nametoindex("v0");
	fds = count_fds();
	packet_init(&p, data, sizeof(data), arena, sizeof(arena));
	for (int i = 0; i < 5; i++) {
		fd = client_sock_open_raw(ifindex, XID);
		assert_true(fd >= 0);
		assert_true(run("ip link set v0 down"));
		r = client_sock_recv(fd, false, ifindex, ADDRESS, &p);
		assert_int_equal(r, -ENETDOWN);
		assert_true(client_sock_broken(r));
		assert_true(
			client_sock_broken(client_sock_send_frame(fd, ifindex, span_of(data, 60))));
		(void)close(fd);
		assert_true(run("ip link set v0 up"));
	}
	assert_int_equal(client_sock_open_raw(9999, XID), -ENODEV);
	assert_int_equal(count_fds(), fds);
	assert_false(client_sock_broken(-ENETUNREACH));
}

static void look(struct link_watch *w, struct link_events *ev)
{
	assert_true(readable(w->nl.fd, 1000));
	assert_int_equal(link_watch_read(w, ev), 0);
}

/* Waits until the carrier has this state and no message follows: the kernel reports a change of it
 * in several messages, the last of them up to a second later. */
static void wait_carrier(struct link_watch *w, bool up)
{
	struct link_events ev;

	for (int i = 0; i < 100 && link_is_up(&w->now) != up; i++)
		if (readable(w->nl.fd, 30))
			assert_int_equal(link_watch_read(w, &ev), 0);
	assert_int_equal(link_is_up(&w->now), up);
	while (readable(w->nl.fd, 100))
		assert_int_equal(link_watch_read(w, &ev), 0);
	assert_int_equal(link_is_up(&w->now), up);
}

static void test_watch(void **state)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 0x77};
	struct link_watch w;
	struct link_events ev;

	(void)state;
	need_net();
	assert_int_equal(link_watch_open(&w, "nosuch0"), -ENODEV);
	assert_int_equal(link_watch_open(&w, "a-name-that-is-too-long"), -ENODEV);
	assert_int_equal(link_watch_open(&w, "lo"), 0);
	assert_int_equal(link_usable(&w.now), -EPROTONOSUPPORT);
	link_watch_close(&w);
	assert_true(run("ip link add w0 type veth peer name w1"));
	assert_int_equal(link_watch_open(&w, "w0"), 0);
	assert_int_equal(w.now.ifindex, (int)if_nametoindex("w0"));
	assert_int_equal(link_usable(&w.now), 0);
	assert_int_equal(w.now.mtu, 1500);
	assert_false(link_is_up(&w.now));
	assert_true(run("ip link set w1 up; ip link set w0 up"));
	look(&w, &ev);
	assert_true(ev.changed);
	wait_carrier(&w, true);
	assert_true(run("ip link set w1 down"));
	wait_carrier(&w, false);
	assert_true(w.now.admin_up);
	assert_true(run(
		"ip link set w0 down; ip link set w0 name z0 mtu 1400 address 02:00:00:00:00:77"));
	look(&w, &ev);
	wait_carrier(&w, false);
	assert_string_equal(w.now.name, "z0");
	assert_int_equal(w.now.mtu, 1400);
	assert_memory_equal(w.now.mac, mac, 6);
	assert_true(run("ip addr add 192.0.2.9/24 dev z0; ip addr del 192.0.2.9/24 dev z0"));
	look(&w, &ev);
	assert_true(ev.touched);
	assert_false(ev.changed);
	assert_true(run("ip link set v1 mtu 1450; ip addr add 192.0.2.9/24 dev v1")); /* not ours */
	look(&w, &ev);
	assert_false(ev.changed);
	assert_false(ev.touched);
	assert_true(run("ip addr del 192.0.2.9/24 dev v1"));
	look(&w, &ev);
	assert_false(ev.touched);
	/* routes: only removed ones of this interface and these protocols are notified */
	assert_true(run("ip link set z0 up; ip link set w1 up; ip addr add 192.0.2.9/24 dev z0"));
	wait_carrier(&w, true);
	assert_true(run("ip route add 203.0.113.0/24 dev z0 proto dhcp"));
	assert_true(run(
		"ip route add 198.51.100.0/24 dev z0 proto static; ip route del 198.51.100.0/24 dev z0"));
	while (readable(w.nl.fd, 100))
		assert_int_equal(link_watch_read(&w, &ev), 0);
	assert_true(run("ip route del 203.0.113.0/24 dev z0"));
	look(&w, &ev);
	assert_true(ev.touched);
	assert_true(run("ip link del z0"));
	look(&w, &ev);
	assert_int_equal(link_usable(&w.now), -ENODEV);
	link_watch_close(&w);
}

/* Row 80: a very small queue. Lost changes are found all the same. */
static void test_80_enobufs(void **state)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 0x78};
	const int small = 1;
	struct link_watch w;
	struct link_events ev;

	(void)state;
	need_net();
	assert_true(
		run("ip link add w0 type veth peer name w1 && ip addr add 192.0.2.9/24 dev w0"));
	assert_int_equal(link_watch_open(&w, "w0"), 0);
	assert_int_equal(setsockopt(w.nl.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	assert_true(
		run("for i in 1 2 3 4 5 6 7 8; do ip link set w1 up; ip link set w1 down; done"));
	assert_true(run(
		"ip link set w0 address 02:00:00:00:00:78; ip link set w0 up; ip link set w1 up"));
	look(&w, &ev);
	assert_true(ev.lost);
	assert_true(ev.changed);
	assert_memory_equal(w.now.mac, mac, 6);
	wait_carrier(&w, true);
	assert_true(
		run("for i in 1 2 3 4 5 6 7 8; do ip link set w1 up; ip link set w1 down; done"));
	assert_true(run("ip addr del 192.0.2.9/24 dev w0"));
	look(&w, &ev);
	assert_true(ev.lost);
	assert_true(ev.touched); /* the addresses are compared after any loss */
	link_watch_close(&w);
	assert_true(run("ip link del w0"));
}

static void test_enslaved(void **state)
{
	struct link_watch w;
	struct link_events ev;

	(void)state;
	need_net();
	if (!run("ip link add b0 type bridge 2>/dev/null"))
		skip();
	assert_true(run("ip link add w0 type veth peer name w1"));
	assert_int_equal(link_watch_open(&w, "w0"), 0);
	assert_true(run("ip link set w0 master b0"));
	look(&w, &ev);
	assert_true(w.now.gone);
	link_watch_close(&w);
	assert_true(run("ip link del w0; ip link del b0"));
}

/* Does `ip` show this line? Words of it, by grep. */
static bool shows(const char *what, const char *pattern)
{
	char cmd[256];

	(void)snprintf(cmd, sizeof(cmd), "ip -d %s | tr '\\n' ' ' | grep -Eq '%s'", what, pattern);
	return run(cmd);
}

static void test_address(void **state)
{
	struct netconf_address a = {ADDRESS, 0xc00002ff, 60, 24};
	struct netconf c;
	uint32_t first;

	(void)state;
	need_net();
	assert_int_equal(netconf_open(&c, (int)if_nametoindex("v0")), 0);
	assert_true(run("ip addr add 198.51.100.1/24 dev v0"));
	assert_int_equal(netconf_link_up(&c), 0);
	assert_int_equal(netconf_set_address(&c, &a, NULL), 0);
	assert_true(shows("-4 addr show v0",
			  "192.0.2.5/24 brd 192.0.2.255 .*valid_lft (60|59)sec preferred_lft"));
	a.valid_s = UINT32_MAX;
	assert_int_equal(netconf_set_address(&c, &a, NULL), 0);
	assert_true(shows("-4 addr show v0", "192.0.2.5/24 .*valid_lft forever"));
	a.address++;
	assert_int_equal(netconf_set_address(&c, &a, NULL), 0);
	assert_false(shows("-4 addr show v0", "192.0.2.5/"));
	assert_true(shows("-4 addr show v0", "192.0.2.6/24"));
	assert_int_equal(link_first_address(c.ifindex, &first), 0);
	assert_int_equal(first, 0xc6336401);
	/* row 30 */
	assert_int_equal(netconf_elsewhere(&c, a.address), 0);
	assert_true(run("ip addr add 192.0.2.6/32 dev v1"));
	assert_int_equal(netconf_elsewhere(&c, a.address), (int)if_nametoindex("v1"));
	assert_true(run("ip addr del 192.0.2.6/32 dev v1"));
	assert_int_equal(netconf_del_address(&c, a.address, a.prefix_len), 0);
	assert_int_equal(netconf_del_address(&c, a.address, a.prefix_len), 0);
	assert_false(shows("-4 addr show v0", "192.0.2."));
	assert_true(shows("-4 addr show v0", "198.51.100.1"));
	/* somebody else removed it */
	assert_int_equal(netconf_set_address(&c, &a, NULL), 0);
	assert_true(run("ip addr del 192.0.2.6/24 dev v0"));
	assert_int_equal(netconf_del_address(&c, a.address, a.prefix_len), 0);
	assert_true(run("ip addr del 198.51.100.1/24 dev v0"));
	netconf_close(&c);
}

static void test_routes(void **state)
{
	struct netconf_address a = {ADDRESS, 0, UINT32_MAX, 32};
	struct netconf_routes r = {
		.address = ADDRESS,
		.mask = UINT32_MAX,
		.mtu = 1400,
		.n = 3,
		.route = {{0x0a000001, 0, 32}, {0, 0x0a000001, 0}, {0xcb007100, 0x0a000001, 24}},
	};
	struct netconf c;
	size_t failed = 99;

	(void)state;
	need_net();
	assert_true(run("ip route add 203.0.113.0/24 dev v1")); /* somebody else's */
	assert_int_equal(netconf_open(&c, (int)if_nametoindex("v0")), 0);
	assert_int_equal(netconf_set_address(&c, &a, NULL), 0);
	assert_int_equal(netconf_set_routes(&c, &r, &failed), 0);
	assert_true(shows("route show dev v0",
			  "default via 10.0.0.1 proto dhcp .*src 192.0.2.5 .*onlink mtu 1400"));
	assert_true(shows("route show dev v0", "10.0.0.1 proto dhcp"));
	assert_true(shows("route show dev v1", "203.0.113.0/24"));
	assert_int_equal(netconf_set_routes(&c, &r, NULL), 0); /* again: the same */
	r.n = 2;
	r.route[1] = (struct client_route){0, 0x0a000002, 0};
	assert_int_equal(netconf_set_routes(&c, &r, NULL), 0);
	assert_false(shows("route show dev v0", "via 10.0.0.1"));
	assert_false(shows("route show dev v0", "203.0.113.0"));
	assert_true(shows("route show dev v0", "default via 10.0.0.2"));
	/* one that the kernel refuses (host bits set) does not keep it from the next one */
	r.n = 3;
	r.route[1] = (struct client_route){0xcb007101, 0x0a000001, 24};
	r.route[2] = (struct client_route){0, 0x0a000001, 0};
	assert_int_equal(netconf_set_routes(&c, &r, &failed), -EINVAL);
	assert_int_equal(failed, 1);
	assert_true(shows("route show dev v0", "default via 10.0.0.1"));
	assert_int_equal(netconf_del_routes(&c), 0);
	assert_false(shows("route show dev v0", "proto dhcp"));
	assert_true(shows("route show dev v1", "203.0.113.0/24"));
	assert_int_equal(netconf_del_address(&c, a.address, a.prefix_len), 0);
	netconf_close(&c);
}

static void test_netlink_bounds(void **state)
{
	struct nl nl = {.fd = -1};
	struct nl_batch b;
	uint8_t big[NL_BUF_LEN] = {0};
	struct rtmsg rt = {0};
	size_t pos = 0;
	int ret[1];

	(void)state;
	nl_batch_init(&b);
	nl_begin(&b, &nl, RTM_NEWROUTE, 0, &rt, sizeof(rt));
	nl_put(&b, RTA_DST, big, sizeof(big));
	assert_true(b.bad);
	assert_int_equal(nl_talk(&nl, &b, ret, 1), -EMSGSIZE);
	assert_null(nl_msg(span_of(big, 15), &pos));
	assert_null(nl_msg(span_of(big, 64), &pos)); /* a length of 0 */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_raw),	 cmocka_unit_test(test_arp),
		cmocka_unit_test(test_udp),	 cmocka_unit_test(test_broken),
		cmocka_unit_test(test_watch),	 cmocka_unit_test(test_80_enobufs),
		cmocka_unit_test(test_enslaved), cmocka_unit_test(test_address),
		cmocka_unit_test(test_routes),	 cmocka_unit_test(test_netlink_bounds),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
