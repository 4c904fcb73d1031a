/* SPDX-License-Identifier: MPL-2.0 */
/* Unit tests of src/ddns/: DHCIDs against the vectors of RFC 4701, TTLs, the text of requests, the
 * queue, and the thread with a socket in the place of kea-dhcp-ddns. */
#include "unit.h"

#include "base/error.h"
#include "base/log.h"
#include "ddns/ddns.h"
#include "ddns/ddns_queue.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- Requests --------------------------------------------------------------------------------- */

static void check_dhcid(const struct lease *l, const char *fqdn, const char *want)
{
	uint8_t id[DDNS_DHCID_LEN];
	struct buf b;

	assert_int_equal(ddns_dhcid(l, fqdn, id), 0);
	buf_init(&b);
	buf_hex(&b, span_of(id, sizeof(id)), 0);
	assert_string_equal(b.p, want);
	buf_fini(&b);
}

/* RFC 4701 3.6.2 and 3.6.3, and Kea's for a hardware address. */
static void test_dhcid(void **state)
{
	struct lease cid = {.client_id_len = 7, .client_id = {1, 7, 8, 9, 10, 11, 12}, .hw_len = 6};
	struct lease duid = {.client_id_len = 19,
			     .client_id = {255, 1, 2, 3, 4, 0, 1, 0, 6, 0x41, 0x2d, 0xf1, 0x66, 1,
					   2, 3, 4, 5, 6}};
	struct lease hw = {.hw_len = 6, .hw = {10, 0, 0, 0, 0, 1}};
	uint8_t id[DDNS_DHCID_LEN];

	(void)state;
	check_dhcid(&cid, "chi.example.com",
		    "0001013920fe5d1dceb3fd0ba3379756a70d73b17009f41d58bddbfcd6a2503956d8da");
	check_dhcid(&duid, "CHI6.example.com.",
		    "000201636fc0b8271c82825bb1ac5c41cf5351aa69b4febd94e8f17cdb95000da48c40");
	check_dhcid(&hw, "pc.example.org.",
		    "000001269272e3d5261c9edb1ac0403a39292a922defa6484117304f264c35cde22f67");
	assert_int_equal(ddns_dhcid(&hw, "a..b", id), -USHER_E_SYNTAX);
	duid.client_id_len = 5;
	assert_int_equal(ddns_dhcid(&duid, "a", id), -USHER_E_RANGE);
	hw.hw_len = 0;
	assert_int_equal(ddns_dhcid(&hw, "a", id), -USHER_E_RANGE);
}

static void test_ttl(void **state)
{
	struct config_updates u = {0};

	(void)state;
	assert_int_equal(ddns_ttl(&u, 10000), 3333);
	assert_int_equal(ddns_ttl(&u, 60), 600);
	u.ttl_min = 5;
	assert_int_equal(ddns_ttl(&u, 60), 20);
	u.ttl_percent = 1.0;
	assert_int_equal(ddns_ttl(&u, 10000), 10000);
	assert_int_equal(ddns_ttl(&u, LEASE_INFINITE), LEASE_INFINITE);
	u.ttl_max = 30;
	assert_int_equal(ddns_ttl(&u, 10000), 30);
	u.ttl = 7;
	assert_int_equal(ddns_ttl(&u, 10000), 7);
}

static struct lease a_lease(uint32_t addr, const char *name)
{
	struct lease l = {.addr = addr, .hw_len = 6, .hw = {10, 0, 0, 0, 0, 1}, .fqdn_fwd = true};

	l.fqdn_rev = true;
	l.valid_lft = 1800;
	l.cltt = 1796111974;
	(void)snprintf(l.hostname, sizeof(l.hostname), "%s", name);
	return l;
}

static void test_text(void **state)
{
	struct lease l = a_lease(0x0a63000a, "Pc.example.org");
	struct config_updates u = {.mode = CONFLICT_CHECK_EXISTS_WITH_DHCID};
	struct ddns_request r;
	struct buf b;

	(void)state;
	buf_init(&b);
	assert_int_equal(ddns_request_make(&r, DDNS_ADD, &l, &u), 0);
	ddns_ncr_text(&r, &b);
	assert_string_equal(
		b.p, "{\"change-type\":0,\"forward-change\":true,\"reverse-change\":true,\"fqdn\":"
		     "\"pc.example.org.\",\"ip-address\":\"10.99.0.10\",\"dhcid\":"
		     "\"000001269272E3D5261C9EDB1AC0403A39292A922DEFA6484117304F264C35CDE22F67\","
		     "\"lease-expires-on\":\"20261201080934\",\"lease-length\":600,"
		     "\"use-conflict-resolution\":true,"
		     "\"conflict-resolution-mode\":\"check-exists-with-dhcid\"}");
	buf_reset(&b);
	l.fqdn_fwd = false;
	(void)snprintf(l.hostname, sizeof(l.hostname), "a\"b");
	u.mode = CONFLICT_NO_CHECK_WITHOUT_DHCID;
	assert_int_equal(ddns_request_make(&r, DDNS_REMOVE, &l, &u), 0);
	ddns_ncr_text(&r, &b);
	assert_non_null(strstr(b.p, "{\"change-type\":1,\"forward-change\":false,"));
	assert_non_null(strstr(b.p, "\"fqdn\":\"a\\\"b.\""));
	assert_non_null(strstr(b.p, "\"use-conflict-resolution\":false,"
				    "\"conflict-resolution-mode\":\"no-check-without-dhcid\"}"));
	buf_fini(&b);
	l.fqdn_rev = false;
	assert_int_equal(ddns_request_make(&r, DDNS_ADD, &l, &u), -USHER_E_NOTFOUND);
}

/* --- The queue -------------------------------------------------------------------------------- */

static struct ddns_request request(enum ddns_op op, uint32_t addr, const char *name)
{
	struct lease l = a_lease(addr, name);
	struct config_updates u = {0};
	struct ddns_request r;

	assert_int_equal(ddns_request_make(&r, op, &l, &u), 0);
	return r;
}

static enum ddns_put put(struct ddns_queue *q, enum ddns_op op, uint32_t addr, const char *name,
			 bool merge)
{
	struct ddns_request r = request(op, addr, name);

	return ddns_queue_put(q, &r, merge);
}

static void test_order(void **state)
{
	struct ddns_entry *a, *b;
	struct ddns_queue q;

	(void)state;
	assert_int_equal(ddns_queue_init(&q, 4), 0);
	assert_int_equal(put(&q, DDNS_REMOVE, 1, "a", false), DDNS_PUT_ADDED);
	assert_int_equal(put(&q, DDNS_ADD, 1, "b", false), DDNS_PUT_ADDED); /* by address */
	assert_int_equal(put(&q, DDNS_ADD, 2, "a", false), DDNS_PUT_ADDED); /* by name */
	assert_int_equal(put(&q, DDNS_ADD, 3, "c", false), DDNS_PUT_ADDED);
	assert_int_equal(put(&q, DDNS_ADD, 4, "d", false), DDNS_PUT_LOST);
	a = ddns_queue_next(&q);
	assert_string_equal(a->r.fqdn, "a.");
	a->out = true;
	b = ddns_queue_next(&q);
	assert_string_equal(b->r.fqdn, "c.");
	b->out = true;
	assert_null(ddns_queue_next(&q));
	ddns_queue_remove(&q, a);
	a = ddns_queue_next(&q);
	assert_string_equal(a->r.fqdn, "b.");
	ddns_queue_remove(&q, a);
	a = ddns_queue_next(&q);
	assert_string_equal(a->r.fqdn, "a.");
	assert_int_equal(a->r.addr, 2);
	ddns_queue_remove(&q, b);
	ddns_queue_fini(&q);
}

static void test_merge(void **state)
{
	struct ddns_entry *e;
	struct ddns_queue q;

	(void)state;
	assert_int_equal(ddns_queue_init(&q, 3), 0);
	/* of one name, address and client the last one counts */
	assert_int_equal(put(&q, DDNS_ADD, 1, "a", true), DDNS_PUT_ADDED);
	assert_int_equal(put(&q, DDNS_REMOVE, 1, "a", true), DDNS_PUT_MERGED);
	assert_int_equal(q.first->r.op, DDNS_REMOVE);
	assert_int_equal(put(&q, DDNS_ADD, 1, "a", true), DDNS_PUT_MERGED);
	assert_int_equal(q.first->r.op, DDNS_ADD);
	/* not across a request of another name with the address */
	assert_int_equal(put(&q, DDNS_ADD, 1, "b", true), DDNS_PUT_ADDED);
	assert_int_equal(put(&q, DDNS_REMOVE, 1, "a", true), DDNS_PUT_ADDED);
	/* a full queue merges, too */
	assert_int_equal(put(&q, DDNS_ADD, 1, "a", false), DDNS_PUT_MERGED);
	assert_int_equal(put(&q, DDNS_ADD, 1, "b", false), DDNS_PUT_LOST);
	/* not with one that is being sent */
	e = ddns_queue_next(&q);
	ddns_queue_remove(&q, e);
	e = ddns_queue_next(&q);
	assert_string_equal(e->r.fqdn, "b.");
	ddns_queue_remove(&q, e);
	e = ddns_queue_next(&q);
	e->out = true;
	assert_int_equal(put(&q, DDNS_REMOVE, 1, "a", true), DDNS_PUT_ADDED);
	assert_int_equal(q.n, 2);
	ddns_queue_fini(&q);
}

/* --- The thread ------------------------------------------------------------------------------- */

static int open_receiver(uint16_t *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(*port)};
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

/* Receives one request; its name has to be this. */
static void receive(int fd, const char *name)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char text[4097];
	char want[64];
	ssize_t n;

	assert_int_equal(poll(&p, 1, 20000), 1);
	n = recv(fd, text, sizeof(text) - 1, 0);
	assert_true(n > 2);
	text[n] = '\0';
	assert_int_equal((uint8_t)text[0] << 8 | (uint8_t)text[1], n - 2);
	(void)snprintf(want, sizeof(want), "\"fqdn\":\"%s\"", name);
	assert_non_null(strstr(text + 2, want));
}

static void submit(struct ddns *d, uint32_t addr, const char *name)
{
	struct ddns_request r = request(DDNS_ADD, addr, name);

	ddns_submit(d, &r);
}

/* While nobody listens requests wait, in order, and the queue is bounded; then they are sent. */
static void test_thread(void **state)
{
	struct config_ddns cfg = {.enabled = true,
				  .server_ip = "127.0.0.1",
				  .sender_ip = "0.0.0.0",
				  .max_queue_size = 4};
	struct ddns_opts o = {.log = log_new(&clock_system, "test")};
	struct ddns_stats st;
	struct ddns *d;
	int fd;

	(void)state;
	fd = open_receiver(&cfg.server_port);
	assert_int_equal(ddns_new(&o, &d), 0);
	submit(d, 1, "before"); /* not enabled yet */
	assert_int_equal(ddns_configure(d, &cfg), 0);
	submit(d, 1, "a");
	receive(fd, "a.");
	(void)close(fd);
	submit(d, 2, "b");
	do {
		(void)usleep(1000);
		ddns_stats(d, &st);
	} while (!st.away);
	submit(d, 3, "c");
	submit(d, 2, "b"); /* merged, unless it is just being tried */
	submit(d, 3, "c");
	submit(d, 4, "d");
	submit(d, 5, "e");
	submit(d, 6, "f");
	submit(d, 7, "g");
	ddns_stats(d, &st);
	assert_true(st.lost >= 2);
	assert_true(st.merged >= 1);
	assert_true(st.waiting == 4);
	fd = open_receiver(&cfg.server_port);
	receive(fd, "b.");
	receive(fd, "c.");
	/* another configuration takes the rest over */
	cfg.max_queue_size = 10;
	assert_int_equal(ddns_configure(d, &cfg), 0);
	submit(d, 8, "h");
	receive(fd, "d.");
	ddns_free(d);
	(void)close(fd);
	log_free(o.log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dhcid), cmocka_unit_test(test_ttl),
		cmocka_unit_test(test_text),  cmocka_unit_test(test_order),
		cmocka_unit_test(test_merge), cmocka_unit_test(test_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
