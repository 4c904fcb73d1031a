/* SPDX-License-Identifier: MPL-2.0 */
/* Unit tests of src/library/lease_query/: requesters, bulk queries, their way through the lease
 * table, and the server with its thread. */
#include "unit.h"

#include "base/cursor.h"
#include "base/log.h"
#include "lease/lease_db_util.h"
#include "library/lease_query/bulk.h"
#include "wire/dhcp4.h"
#include "wire/option_codes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- Requesters ------------------------------------------------------------------------------- */

static void test_requesters(void **state)
{
	struct lease_query_range ranges[] = {{50, 60}, {10, 10}, {11, 20},
					     {55, 58}, {30, 30}, {UINT32_MAX, UINT32_MAX}};
	struct lease_query_requesters r = {ranges, ARRAY_LEN(ranges)};
	static const uint32_t yes[] = {10, 11, 15, 20, 30, 50, 60, UINT32_MAX};
	static const uint32_t no[] = {0, 9, 21, 29, 31, 49, 61, UINT32_MAX - 1};

	(void)state;
	lease_query_sort(&r);
	assert_int_equal(r.n, 4);
	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		assert_true(lease_query_may_ask(&r, yes[i]));
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		assert_false(lease_query_may_ask(&r, no[i]));
	r.n = 0;
	assert_false(lease_query_may_ask(&r, 10));
}

/* --- Queries ---------------------------------------------------------------------------------- */

/* Writes a query with option 82 of one sub-option, and its frame. Returns the octets. */
static size_t write_query(uint8_t *out, size_t cap, uint32_t xid, uint8_t code, const char *id)
{
	struct dhcp4_encode_opts o = {.max_len = cap - 2};
	struct dhcp4_encoded e;
	struct dhcp4_msg m;
	uint8_t sub[64];
	struct wr w = wr_init(sub, sizeof(sub)), frame = wr_init(out, 2);
	struct arena a;

	arena_init(&a);
	dhcp4_init(&m, &a);
	m.op = DHCP4_BOOTREQUEST;
	m.xid = xid;
	wr_u8(&w, code);
	wr_u8(&w, (uint8_t)strlen(id));
	wr_bytes(&w, id, strlen(id));
	assert_int_equal(dhcp4_opt_set_u8(&m, DHCP4_OPT_MESSAGE_TYPE, DHCP4_BULKLEASEQUERY), 0);
	assert_int_equal(dhcp4_opt_set(&m, DHCP4_OPT_AGENT_OPTIONS, span_of(sub, w.len)), 0);
	assert_int_equal(dhcp4_encode(&m, &o, out + 2, cap - 2, &e), 0);
	wr_be16(&frame, (uint16_t)e.len);
	arena_fini(&a);
	return 2 + e.len;
}

static void test_frames(void **state)
{
	uint8_t stream[1024];
	struct bulk_query q;
	struct span message;
	struct arena a;
	size_t n = write_query(stream, 512, 7, RAI_REMOTE_ID, "far");

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(bulk_frame_next(span_of(stream, i), &message), 0);
	assert_int_equal(bulk_frame_next(span_of(stream, n + 100), &message), n);
	assert_int_equal(bulk_query_read(message, &a, &q), 0);
	assert_int_equal(q.xid, 7);
	assert_int_equal(q.status, BULK_SUCCESS);
	assert_int_equal(q.by, BULK_REMOTE_ID);
	assert_memory_equal(q.key, "far", q.key_len);
	assert_int_equal(q.first, 0);
	/* only END may be absent */
	for (size_t i = 0; i < message.n - 1; i++)
		if (bulk_query_read(span_of(message.p, i), &a, &q) == 0)
			assert_int_equal(q.status, BULK_NOT_ALLOWED);
	arena_fini(&a);
}

/* --- The way through the table ---------------------------------------------------------------- */

enum { N_LEASES = 3000, N_FAR = N_LEASES / 10 };

#define CONTEXT(hex, id) \
	"{\"ISC\":{\"relay-agent-info\":{\"sub-options\":\"0x" hex "\",\"remote-id\":\"" id "\"}}}"

static void put_lease(struct fix *f, uint32_t n, uint8_t lease_state, const char *context)
{
	struct lease l = client(n % 7);
	struct lease_change ch;

	l.addr = BASE + n;
	l.cltt = T0 + n % 100;
	l.valid_lft = 1000;
	l.state = lease_state;
	l.user_context = context;
	assert_int_equal(lease_db_put(f->db, &l, LEASE_PUT_ADD, lease_expect_any(), &ch), 0);
}

static void put_leases(struct fix *f)
{
	for (uint32_t i = 0; i < N_LEASES; i++)
		put_lease(f, i, i % 20 == 11 ? LEASE_RELEASED : LEASE_ASSIGNED,
			  i % 10 == 0	? CONTEXT("0203666172", "666172")
			  : i % 10 == 1 ? "{\"ISC\":{\"relay-agent-info\":\"0x02046e656172\"}}"
			  : i % 10 == 2 ? "{\"a\":1}"
					: NULL);
}

static struct bulk_query query_by(enum bulk_key by, const void *key, size_t n)
{
	struct bulk_query q = {.by = by, .key_len = (uint8_t)n, .last = INT32_MAX};

	memcpy(q.key, key, n);
	return q;
}

/* Counts the leases of a query, in pages of n; each comes once, in the order of addresses. */
static size_t count_leases(struct fix *f, const struct bulk_query *q, size_t page)
{
	struct lease *leases = calloc(page, sizeof(*leases));
	uint32_t last = 0;
	size_t n = 0;
	uint64_t next = 0;
	struct arena a;

	assert_non_null(leases);
	arena_init(&a);
	while (next <= UINT32_MAX) {
		size_t got = bulk_walk_next(f->db, q, &next, clock_wall_s(&f->clock.src), &a,
					    leases, page);

		assert_true(got <= page);
		for (size_t i = 0; i < got; i++) {
			assert_true(leases[i].addr > last);
			last = leases[i].addr;
		}
		n += got;
		arena_reset(&a);
	}
	arena_fini(&a);
	free(leases);
	return n;
}

static void test_walk(void **state)
{
	struct fix *f = *state;
	struct lease l = client(3);
	struct bulk_query far = query_by(BULK_REMOTE_ID, "far", 3);
	struct bulk_query near = query_by(BULK_REMOTE_ID, "near", 4);
	struct bulk_query none = query_by(BULK_RELAY_ID, "far", 3);
	struct bulk_query hw = query_by(BULK_HARDWARE, l.hw, l.hw_len);
	static const size_t pages[] = {1, 7, 100, 512};

	at(f, 100);
	put_leases(f);
	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		assert_int_equal(count_leases(f, &far, pages[i]), N_FAR);
		/* the older form; half of these leases were released */
		assert_int_equal(count_leases(f, &near, pages[i]), N_FAR / 2);
		assert_int_equal(count_leases(f, &none, pages[i]), 0);
	}
	assert_in_range(count_leases(f, &hw, 100), N_LEASES / 7 * 9 / 10, N_LEASES / 7);
	assert_int_equal(count_leases(f, &hw, 1), count_leases(f, &hw, 512));
	/* times of the last transaction, inclusive: 0 to 90 in steps of 10 */
	far.first = T0 + 20;
	far.last = T0 + 40;
	assert_int_equal(count_leases(f, &far, 100), N_FAR * 3 / 10);
	/* expired */
	at(f, 2000);
	assert_int_equal(count_leases(f, &near, 100), 0);
	assert_int_equal(count_leases(f, &hw, 100), 0);
}

/* --- Server ----------------------------------------------------------------------------------- */

enum { LOOPBACK = 0x7f000001, PORT_FIRST = 20000, PORT_RANGE = 20000 };

static struct bulk_server *open_anywhere(struct fix *f, struct log *log, uint16_t *ret_port)
{
	struct bulk_server_opts o = {.ip = LOOPBACK,
				     .log = log,
				     .db = f->db,
				     .clock = &f->clock.src};
	struct bulk_server *s = NULL;
	int r = -EADDRINUSE;

	for (int i = 0; i < 100 && r == -EADDRINUSE; i++) {
		o.port = (uint16_t)(PORT_FIRST + (getpid() + i * 97) % PORT_RANGE);
		r = bulk_server_open(&o, &s);
	}
	assert_int_equal(r, 0);
	*ret_port = o.port;
	return s;
}

static int connect_to(uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)(const void *)&to, sizeof(to)), 0);
	return fd;
}

/* Reads a message. Returns its type, or 0 at the end of the connection. */
static enum dhcp4_type read_message(int fd, struct arena *a)
{
	uint8_t octets[2 + 4096];
	struct dhcp4_msg m;
	struct rd r;
	size_t n;

	if (recv(fd, octets, 2, MSG_WAITALL) != 2)
		return DHCP4_NOTYPE;
	r = rd_init(span_of(octets, 2));
	n = rd_be16(&r);
	assert_true(n <= 4096);
	assert_int_equal(recv(fd, octets, n, MSG_WAITALL), n);
	assert_int_equal(dhcp4_decode(span_of(octets, n), DHCP4_STRICT, a, &m), 0);
	return dhcp4_msg_type(&m);
}

/* Asks once. Returns the number of leases, or -1 if the connection ended. */
static int ask_once(int fd, uint32_t xid, const char *id)
{
	uint8_t octets[512];
	size_t n = write_query(octets, sizeof(octets), xid, RAI_REMOTE_ID, id);
	enum dhcp4_type type;
	int leases = 0;
	struct arena a;

	arena_init(&a);
	if (send(fd, octets, n, MSG_NOSIGNAL) != (ssize_t)n) {
		arena_fini(&a);
		return -1;
	}
	while ((type = read_message(fd, &a)) == DHCP4_LEASEACTIVE)
		leases++;
	arena_fini(&a);
	return type == DHCP4_LEASEQUERYDONE ? leases : -1;
}

static void test_server(void **state)
{
	struct fix *f = *state;
	struct lease_query_range here = {LOOPBACK, LOOPBACK}, elsewhere = {1, 1};
	struct lease_query_requesters r = {&here, 1}, other = {&elsewhere, 1};
	struct bulk_use first = {.params = {.ip = LOOPBACK,
					    .max_connections = 2,
					    .max_queries = 1,
					    .idle_s = 30,
					    .fetch = 64},
				 .requesters = &r};
	struct bulk_use second = first;
	struct log *log = log_new(&f->clock.src, "test");
	struct bulk_server *s;
	uint16_t port;
	int a, b, c;

	assert_non_null(log);
	s = open_anywhere(f, log, &port);
	assert_true(bulk_server_is_at(s, LOOPBACK, port));
	assert_false(bulk_server_is_at(s, LOOPBACK, (uint16_t)(port + 1)));
	/* no configuration is in effect: nobody may ask */
	a = connect_to(port);
	assert_int_equal(ask_once(a, 1, "far"), -1);
	(void)close(a);
	bulk_server_use(s, &first);
	a = connect_to(port);
	b = connect_to(port);
	assert_int_equal(ask_once(a, 1, "far"), 0);
	assert_int_equal(ask_once(b, 1, "far"), 0);
	c = connect_to(port);
	assert_int_equal(ask_once(c, 1, "far"), -1);
	(void)close(c);
	/* configurations come and go while queries run */
	for (uint32_t i = 0; i < 200; i++) {
		bulk_server_use(s, &second);
		assert_int_equal(ask_once(i % 2 ? a : b, i, "far"), 0);
		bulk_server_leave(&second);
	}
	second.requesters = &other;
	bulk_server_use(s, &second);
	c = connect_to(port);
	assert_int_equal(ask_once(c, 1, "far"), -1);
	(void)close(c);
	bulk_server_leave(&first);
	bulk_server_leave(&second);
	bulk_server_unref(s);
	/* the last reference ended the connections */
	assert_int_equal(ask_once(a, 1, "far"), -1);
	(void)close(a);
	(void)close(b);
	log_free(log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requesters),
		cmocka_unit_test(test_frames),
		cmocka_unit_test_setup_teardown(test_walk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_server, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
