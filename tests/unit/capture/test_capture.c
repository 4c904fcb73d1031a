/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The capture back ends: memory, pcap files, and, as root, UDP and AF_PACKET over the loopback of a
 * network namespace of its own.
 */
#include "unit/unit.h"

#include "base/error.h"
#include "capture/capture.h"
#include "capture/link.h"
#include "packet/packet.h"
#include "wire/udp.h"

#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LOOPBACK = 0x7f000001, N_SLOTS = 70 };

static uint8_t data[N_SLOTS][PACKET_DATA_LEN];
static struct packet packets[N_SLOTS];
static struct packet *pkts[N_SLOTS];

static int setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_SLOTS; i++) {
		packet_init(&packets[i], data[i], PACKET_DATA_LEN, NULL, 0);
		pkts[i] = &packets[i];
	}
	return 0;
}

static struct capture_tx tx_to(uint32_t dst, const char *text)
{
	return (struct capture_tx){
		.payload = span_str(text),
		.src = LOOPBACK,
		.dst = dst,
		.sport = 67,
		.dport = 67,
	};
}

static void test_memory(void **state)
{
	struct capture_tx tx[3] = {tx_to(1, "a"), tx_to(2, "bb"), tx_to(UINT32_MAX, "ccc")};
	uint8_t frame[2100] = {2};
	struct capture_tx got;
	struct capture_stats st;
	struct capture *c;

	(void)state;
	assert_int_equal(capture_memory_new(&c), 0);
	assert_int_equal(capture_recv(c, pkts, 4), 0);
	assert_int_equal(capture_memory_push(c,
					     &(struct capture_memory_frame){span_of(frame, 60), 3,
									    42,
									    PACKET_CSUM_NOT_READY}),
			 0);
	assert_int_equal(capture_memory_push(c,
					     &(struct capture_memory_frame){span_of(frame,
										    sizeof(frame)),
									    4, 43, 0}),
			 0);
	assert_int_equal(capture_recv(c, pkts, 4), 2);
	assert_int_equal(pkts[0]->len, 60);
	assert_int_equal(pkts[0]->ifindex, 3);
	assert_int_equal(pkts[0]->ts_ns, 42);
	assert_int_equal(pkts[0]->flags, PACKET_CSUM_NOT_READY);
	assert_int_equal(pkts[1]->flags, PACKET_TRUNCATED);
	capture_memory_fail_sends(c, 1, ENETDOWN);
	assert_int_equal(capture_send(c, tx, 3), 2);
	assert_int_equal(tx[0].result, -ENETDOWN);
	assert_int_equal(tx[1].result, 0);
	assert_int_equal(capture_memory_pop(c, frame, sizeof(frame), &got), UDP_FRAME_OVERHEAD + 2);
	assert_true(span_eq(got.payload, span_str("bb")));
	assert_int_equal(capture_memory_pop(c, frame, sizeof(frame), NULL), UDP_FRAME_OVERHEAD + 3);
	assert_int_equal(frame[0], 0xff);
	assert_int_equal(capture_memory_pop(c, frame, sizeof(frame), NULL), 0);
	capture_stats(c, &st);
	assert_int_equal(st.received, 2);
	assert_int_equal(st.sent, 2);
	assert_int_equal(st.send_errors, 1);
	assert_int_equal(capture_fd(c), -1);
	assert_false(capture_ended(c));
	capture_close(c);
	capture_close(NULL);
}

/* A classic little-endian pcap of one frame at 1.000002 s, microseconds. */
static void write_pcap(const char *path)
{
	static const uint8_t head[] = {0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0,
				       0,    0,	   0,	 0,    0, 0, 1, 0, 1, 0, 0, 0};
	struct udp_frame f = {{255, 255, 255, 255, 255, 255},
			      {2, 0, 0, 0, 0, 9},
			      0xc0000205,
			      UINT32_MAX,
			      68,
			      67,
			      span_str("query")};
	uint8_t rec[16] = {1, 0, 0, 0, 2};
	uint8_t frame[200];
	struct wr w = wr_init(frame, sizeof(frame));
	FILE *out = fopen(path, "wbe");

	assert_non_null(out);
	udp_frame_write(&w, &f);
	rec[8] = rec[12] = (uint8_t)w.len;
	assert_int_equal(fwrite(head, 1, sizeof(head), out), sizeof(head));
	assert_int_equal(fwrite(rec, 1, sizeof(rec), out), sizeof(rec));
	assert_int_equal(fwrite(frame, 1, w.len, out), w.len);
	assert_int_equal(fclose(out), 0);
}

static size_t read_file(const char *path, uint8_t *buf, size_t cap)
{
	FILE *f = fopen(path, "rbe");
	size_t n;

	assert_non_null(f);
	n = fread(buf, 1, cap, f);
	(void)fclose(f);
	return n;
}

static void pcap_run(const char *in, const char *out)
{
	struct capture_tx tx = tx_to(0xc0000205, "answer");
	struct capture *c;

	(void)setup(NULL);
	assert_int_equal(capture_pcap_open(in, out, &c), 0);
	assert_int_equal(capture_recv(c, pkts, 4), 1);
	assert_true(capture_ended(c));
	assert_int_equal(pkts[0]->ts_ns, 1000002000);
	assert_int_equal(packet_decode(pkts[0]), DROP_NONE);
	assert_true(span_eq(packet_app(pkts[0]), span_str("query")));
	assert_int_equal(capture_send(c, &tx, 1), 1);
	assert_int_equal(capture_recv(c, pkts, 4), 0);
	capture_close(c);
}

static void test_pcap(void **state)
{
	static uint8_t a[1000], b[1000];
	char dir[] = "/tmp/usher-unit-XXXXXX";
	char in[64], out[64];
	struct capture *c;
	size_t n;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(in, sizeof(in), "%s/in", dir);
	(void)snprintf(out, sizeof(out), "%s/out", dir);
	assert_int_equal(capture_pcap_open(in, NULL, &c), -ENOENT);
	write_pcap(in);
	pcap_run(in, out);
	n = read_file(out, a, sizeof(a));
	pcap_run(in, out);
	assert_int_equal(read_file(out, b, sizeof(b)), n);
	assert_memory_equal(a, b, n);
	/* the written file can be read: to the station the query came from, at its time */
	(void)setup(NULL);
	assert_int_equal(capture_pcap_open(out, NULL, &c), 0);
	assert_int_equal(capture_recv(c, pkts, 4), 1);
	assert_int_equal(packet_decode(pkts[0]), DROP_NONE);
	assert_int_equal(pkts[0]->l2_dst[5], 9);
	assert_int_equal(pkts[0]->ts_ns, 1000002000);
	capture_close(c);
	/* a file that ends in a record */
	assert_int_equal(truncate(in, 60), 0);
	assert_int_equal(capture_pcap_open(in, NULL, &c), 0);
	assert_int_equal(capture_recv(c, pkts, 4), -USHER_E_TRUNCATED);
	assert_true(capture_ended(c));
	capture_close(c);
	assert_int_equal(truncate(in, 10), 0);
	assert_int_equal(capture_pcap_open(in, NULL, &c), -USHER_E_MALFORMED);
	(void)unlink(in);
	(void)unlink(out);
	(void)rmdir(dir);
}

/* A namespace of its own with lo up. False: may not. */
static bool own_network(void)
{
	struct ifreq req = {.ifr_name = "lo"};
	int fd;
	int r;

	if (unshare(CLONE_NEWNET) < 0)
		return false;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	req.ifr_flags = IFF_UP | IFF_RUNNING | IFF_LOOPBACK;
	r = ioctl(fd, SIOCSIFFLAGS, &req);
	(void)close(fd);
	return r == 0;
}

static int recv_wait(struct capture *c, size_t n)
{
	struct pollfd p = {.fd = capture_fd(c), .events = POLLIN};

	(void)poll(&p, 1, 1000);
	return capture_recv(c, pkts, n);
}

static void test_udp(void **state)
{
	struct capture_udp_opts o = {.ifindex = 1,
				     .ifname = "lo",
				     .addr = LOOPBACK,
				     .port = 67,
				     .reuseport = true,
				     .reuseport_members = 2};
	static struct capture_tx tx[N_SLOTS];
	struct capture *c;
	int got = 0;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_true(own_network());
	assert_int_equal(capture_udp_open(&o, &c), 0);
	for (size_t i = 0; i < N_SLOTS; i++)
		tx[i] = tx_to(LOOPBACK, "message");
	tx[3].src = 0xc0000201; /* not an address of ours */
	assert_int_equal(capture_send(c, tx, N_SLOTS), N_SLOTS - 1);
	assert_int_equal(tx[3].result, -ENETUNREACH);
	assert_int_equal(tx[4].result, 0);
	got = recv_wait(c, N_SLOTS);
	assert_int_equal(got, 64);
	assert_true(span_eq(packet_app(pkts[0]), span_str("message")));
	assert_int_equal(packet_decode(pkts[0]), DROP_NONE);
	assert_int_equal(pkts[0]->src, LOOPBACK);
	assert_int_equal(pkts[0]->dst, LOOPBACK);
	assert_int_equal(pkts[0]->ifindex, 1);
	assert_int_equal(pkts[0]->dport, 67);
	assert_int_equal(pkts[0]->flags, PACKET_NO_L2);
	(void)setup(NULL);
	assert_int_equal(recv_wait(c, N_SLOTS), N_SLOTS - 1 - 64);
	assert_int_equal(capture_recv(c, pkts, 1), 0);
	capture_close(c);
	o.ifname = "nowhere";
	assert_int_equal(capture_udp_open(&o, &c), -ENODEV);
}

static void set_lo_mtu(int mtu)
{
	struct ifreq r = {.ifr_name = "lo", .ifr_mtu = mtu};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, SIOCSIFMTU, &r), 0);
	(void)close(fd);
}

/* Takes all that is there in bites of `bite`; each message is one of the two lengths, its number in
 * the first octet; each comes once. */
static void assert_all_once(struct capture *c, size_t bite, const bool *expected)
{
	bool seen[N_SLOTS] = {false};

	for (int n = recv_wait(c, bite); n > 0; n = capture_recv(c, pkts, bite)) {
		for (int i = 0; i < n; i++) {
			struct span m = packet_app(pkts[i]);

			if (!m.p || (m.n != 300 && m.n != 400)) {
				fail();
				return;
			}
			assert_int_equal(m.n, m.p[0] % 3 ? 300 : 400);
			assert_false(seen[m.p[0]]);
			assert_int_equal(pkts[i]->src, LOOPBACK);
			assert_int_equal(pkts[i]->flags, PACKET_NO_L2);
			seen[m.p[0]] = true;
		}
		(void)setup(NULL);
	}
	assert_false(capture_pending(c));
	assert_memory_equal(seen, expected, sizeof(seen));
}

/* Messages sent and received joined are equal to those sent one by one. */
static void test_udp_offload(void **state)
{
	struct capture_udp_opts o = {.ifindex = 1,
				     .ifname = "lo",
				     .addr = LOOPBACK,
				     .port = 67,
				     .offload = true};
	static uint8_t octets[N_SLOTS][400];
	static struct capture_tx tx[N_SLOTS];
	static const int mtus[] = {65536,
				   320}; /* the second: the kernel will not cut, only fragment */
	bool expected[N_SLOTS];
	struct capture *c;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_true(own_network());
	assert_int_equal(capture_udp_open(&o, &c), 0);
	for (size_t m = 0; m < 2; m++) {
		set_lo_mtu(mtus[m]);
		for (size_t i = 0; i < N_SLOTS; i++) {
			octets[i][0] = (uint8_t)i;
			tx[i] = tx_to(LOOPBACK, "");
			tx[i].payload = span_of(octets[i], i % 3 ? 300 : 400);
			expected[i] = i != 5;
		}
		tx[5].src = 0xc0000201; /* not an address of ours */
		assert_int_equal(capture_send(c, tx, N_SLOTS), N_SLOTS - 1);
		for (size_t i = 0; i < N_SLOTS; i++)
			assert_int_equal(tx[i].result, i == 5 ? -ENETUNREACH : 0);
		assert_all_once(c, m ? N_SLOTS : 7, expected);
	}
	capture_close(c);
}

static void test_af_packet(void **state)
{
	struct capture_af_packet_opts o = {.ifindex = 1,
					   .ifname = "lo",
					   .port = 67,
					   .addr = LOOPBACK,
					   .fanout_group = 7};
	struct capture_tx tx[3] = {tx_to(LOOPBACK, "routed"), tx_to(0x0a000001, "framed"),
				   tx_to(LOOPBACK, "other")};
	struct capture *c;
	int got = 0;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_true(own_network());
	tx[1].to_mac = true;
	tx[2].dport = 68;
	assert_int_equal(capture_af_packet_open(&o, &c), 0);
	assert_int_equal(capture_send(c, tx, 3), 3);
	got = recv_wait(c, N_SLOTS);
	assert_int_equal(got, 2); /* each once, the one for port 68 not at all */
	for (int i = 0; i < got; i++) {
		assert_int_equal(packet_decode(pkts[i]), DROP_NONE);
		assert_int_equal(packet_app(pkts[i]).n, 6);
		assert_int_equal(pkts[i]->ifindex, 1);
		assert_int_equal(pkts[i]->sport, 67);
	}
	assert_int_equal(capture_recv(c, pkts, 1), 0);
	capture_close(c);
	o.ifname = "nowhere";
	o.ifindex = 99;
	assert_int_equal(capture_af_packet_open(&o, &c), -ENODEV);
}

/* Sends a frame with tags behind its addresses, as another station would. */
static void send_tagged(int fd, const char *tags, size_t n, uint16_t dport)
{
	struct udp_frame f = {{2}, {2, 1}, 1, 2, 68, dport, span_str("tagged")};
	static const uint8_t mac[6] = {2};
	union sock_addr to = {0};
	uint8_t plain[100];
	uint8_t frame[120];
	struct wr w = wr_init(plain, sizeof(plain));
	struct wr out = wr_init(frame, sizeof(frame));
	socklen_t len = link_addr(&to, 1, mac);

	udp_frame_write(&w, &f);
	wr_bytes(&out, plain, 12);
	wr_bytes(&out, tags, n);
	wr_bytes(&out, plain + 12, w.len - 12);
	assert_true(wr_ok(&out));
	assert_int_equal(sendto(fd, frame, out.len, 0, &to.sa, len), (ssize_t)out.len);
}

/* The kernel takes the outer tag off and tells of it aside; the filter must see through the
 * rest. */
static void test_af_packet_tags(void **state)
{
	struct capture_af_packet_opts o = {.ifindex = 1,
					   .ifname = "lo",
					   .port = 67,
					   .addr = LOOPBACK};
	struct link_opts lo = {.ifindex = 1, .ifname = "lo", .port = 1};
	static const uint16_t want[] = {0, 100, 0, 7, 100};
	struct capture *c;
	uint8_t mac[6];
	int fd;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_true(own_network());
	assert_int_equal(capture_af_packet_open(&o, &c), 0);
	fd = link_open(&lo, mac);
	assert_true(fd >= 0);
	send_tagged(fd, "", 0, 67);
	send_tagged(fd, "\x81\0\xe0\x64", 4, 67);
	send_tagged(fd, "\x81\0\xe0\0", 4, 67);
	send_tagged(fd, "\x88\xa8\0\x07\x81\0\0\x64", 8, 67);
	send_tagged(fd, "\x81\0\0\0\x81\0\0\x64", 8, 67);
	send_tagged(fd, "\x81\0\0\x64", 4, 68);
	send_tagged(fd, "\x81\0\0\x07\x81\0\0\x64", 8, 68);
	assert_int_equal(recv_wait(c, N_SLOTS), ARRAY_LEN(want));
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_int_equal(packet_decode(pkts[i]), DROP_NONE);
		assert_true(span_eq(packet_app(pkts[i]), span_str("tagged")));
		assert_int_equal(pkts[i]->vlan_id, want[i]);
		assert_true(pkts[i]->flags & PACKET_OTHERHOST); /* lo's address is zeros */
	}
	(void)close(fd);
	capture_close(c);
}

enum { N_CLIENTS = 16, CHADDR_OFF = 28 };

/* Sends one message of each client and adds to seen[worker][client]. */
static void round_of_clients(struct capture *workers[2], unsigned seen[2][N_CLIENTS])
{
	uint8_t payload[N_CLIENTS][40] = {0};
	struct capture_tx tx[N_CLIENTS];

	for (size_t i = 0; i < N_CLIENTS; i++) {
		payload[i][CHADDR_OFF + 5] = (uint8_t)i;
		tx[i] = tx_to(LOOPBACK, "");
		tx[i].payload = span_of(payload[i], sizeof(payload[i]));
	}
	assert_int_equal(capture_send(workers[0], tx, N_CLIENTS), N_CLIENTS);
	for (size_t w = 0; w < 2; w++) {
		int got;

		(void)setup(NULL);
		got = recv_wait(workers[w], N_SLOTS);
		for (int i = 0; i < got; i++) {
			struct rd r;

			assert_int_equal(packet_decode(pkts[i]), DROP_NONE);
			r = rd_init(packet_app(pkts[i]));
			(void)rd_bytes(&r, CHADDR_OFF + 5);
			seen[w][rd_u8(&r) % N_CLIENTS]++;
		}
	}
}

/* One client stays with one worker, and the workers share the clients. */
static void assert_steered(struct capture *workers[2])
{
	unsigned seen[2][N_CLIENTS] = {{0}};
	unsigned share[2] = {0};

	for (int i = 0; i < 3; i++)
		round_of_clients(workers, seen);
	for (size_t c = 0; c < N_CLIENTS; c++) {
		assert_int_equal(seen[0][c] + seen[1][c], 3);
		assert_true(seen[0][c] == 0 || seen[1][c] == 0);
		share[seen[1][c] != 0]++;
	}
	assert_true(share[0] > 2 && share[1] > 2);
	capture_close(workers[0]);
	capture_close(workers[1]);
}

static void test_steering(void **state)
{
	struct capture_af_packet_opts a = {.ifindex = 1,
					   .ifname = "lo",
					   .port = 67,
					   .addr = LOOPBACK,
					   .fanout_group = 7,
					   .fanout_members = 2};
	struct capture_udp_opts u = {.ifindex = 1,
				     .ifname = "lo",
				     .addr = LOOPBACK,
				     .port = 67,
				     .reuseport = true,
				     .reuseport_members = 2};
	struct capture *workers[2];

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_true(own_network());
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(capture_af_packet_open(&a, &workers[i]), 0);
	assert_steered(workers);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(capture_udp_open(&u, &workers[i]), 0);
	assert_steered(workers);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_memory, setup),
		cmocka_unit_test_setup(test_pcap, setup),
		cmocka_unit_test_setup(test_udp, setup),
		cmocka_unit_test_setup(test_udp_offload, setup),
		cmocka_unit_test_setup(test_af_packet, setup),
		cmocka_unit_test_setup(test_af_packet_tags, setup),
		cmocka_unit_test_setup(test_steering, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
