/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The guard's stored data: its tables against plain models, the file of bindings on a disk that
 * fails, the configuration with its errors, and the lines of alerts.
 */
#include "unit/unit.h"

#include "fake/fake_files.h"
#include "guard_util.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/rng.h"
#include "base/sha256.h"
#include "capture/frames_backend.h"
#include "gate/assembly.h"
#include "gate/guard/guard_config.h"
#include "gate/guard/pending.h"
#include "gate/run/guard_run.h"
#include "script/rules/alert.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { MODEL = 200, STEPS = 20000, IP_A = GD_POOL, IP_B };

static const struct hash_key key = {1, 2};
static struct gu u;
static struct fake_files disk;

/* --- Tables ----------------------------------------------------------------------------------- */

/* Random changes, and after each the end that comes first. */
static void test_bindings_against_a_model(void **state)
{
	int64_t end[MODEL] = {0};
	struct guard_bindings *t;
	struct rng rng;
	uint32_t n = 0;

	(void)state;
	rng_seed(&rng, 1);
	assert_int_equal(guard_bindings_new(MODEL / 2, &key, &t), 0);
	for (int step = 0; step < STEPS; step++) {
		uint32_t a = rng_below(&rng, MODEL);
		struct guard_binding *b = guard_bindings_find(t, 7, a);
		int64_t first = INT64_MAX;

		assert_int_equal(b != NULL, end[a] != 0);
		if (b && rng_below(&rng, 2)) {
			guard_bindings_remove(t, b);
			end[a] = 0;
			n--;
		} else {
			b = b ? b
			      : guard_bindings_add(t, 7, a,
						   (const uint8_t[6]){0, 0, 0, 0, 0,
								      (uint8_t)(a % 10)});
			assert_int_equal(b == NULL, !end[a] && n == MODEL / 2);
			if (!b)
				continue;
			n += end[a] == 0;
			end[a] = 1 + rng_below(&rng, 1000);
			guard_bindings_end(t, b, end[a]);
		}
		for (uint32_t i = 0; i < MODEL; i++)
			first = end[i] && end[i] < first ? end[i] : first;
		assert_int_equal(guard_bindings_count(t), n);
		assert_null(guard_bindings_over(t, n ? first - 1 : INT64_MAX));
		assert_true(!n || guard_bindings_over(t, first)->end_ns == first);
	}
	for (uint8_t m = 0; m < 10; m++) {
		uint32_t seen = 0, real = 0;

		for (struct guard_binding *b = NULL;
		     (b = guard_bindings_of(t, 7, (const uint8_t[6]){0, 0, 0, 0, 0, m}, b)) !=
		     NULL;)
			seen++;
		for (uint32_t i = m; i < MODEL; i += 10)
			real += end[i] != 0;
		assert_int_equal(seen, real);
	}
	assert_null(guard_bindings_find(t, 8, 0));
	guard_bindings_free(t);
}

static void gone(void *ctx, const struct guard_pending *p)
{
	*(uint32_t *)ctx += p->xid;
}

static void test_pendings(void **state)
{
	struct guard_id id = {1, {9}}, other = {1, {8}};
	struct guard_pendings *t;
	uint32_t sum = 0;

	(void)state;
	assert_int_equal(guard_pendings_new(3, &key, gone, &sum, &t), 0);
	for (uint8_t i = 1; i <= 3; i++) {
		struct guard_pending *p = guard_pendings_add(t, 0, (const uint8_t[6]){i}, i, &id);

		guard_pendings_touch(t, p, UINT32_C(1) << i, i);
	}
	assert_null(guard_pendings_add(t, 0, (const uint8_t[6]){4}, 4, &id));
	assert_non_null(guard_pendings_asking(t, 0, (const uint8_t[6]){2}, 2, &id));
	assert_null(guard_pendings_asking(t, 0, (const uint8_t[6]){2}, 3, &id));
	assert_null(guard_pendings_asking(t, 0, (const uint8_t[6]){2}, 2, &other));
	assert_null(guard_pendings_asking(t, 1, (const uint8_t[6]){2}, 2, &id));
	assert_null(guard_pendings_answered(t, 0, (const uint8_t[6]){2}, 2));
	/* the first asked again: it is the last to be forgotten */
	guard_pendings_touch(t, guard_pendings_answered(t, 0, (const uint8_t[6]){1}, 2), 16, 10);
	guard_pendings_forget(t, 3);
	assert_int_equal(sum, 4);
	guard_pendings_forget(t, 10);
	assert_int_equal(sum, 4 + 8);
	guard_pendings_done(t, guard_pendings_answered(t, 0, (const uint8_t[6]){1}, 16));
	assert_int_equal(sum, 4 + 8 + 16);
	assert_non_null(guard_pendings_add(t, 0, (const uint8_t[6]){4}, 4, &id));
	guard_pendings_free(t);
}

static void test_buckets(void **state)
{
	const struct guard_rate r = {10, 3};
	struct guard_buckets *t;
	int64_t *b;

	(void)state;
	assert_int_equal(guard_buckets_new(8, &t), 0);
	b = guard_buckets_get(t, 5);
	for (int i = 0; i < 3; i++) {
		assert_true(guard_rate_ok(&r, *b, NS_PER_S));
		guard_rate_take(&r, b, NS_PER_S);
	}
	assert_false(guard_rate_ok(&r, *b, NS_PER_S));
	assert_true(guard_rate_ok(&r, *b, NS_PER_S + NS_PER_S / 10));
	assert_true(guard_rate_ok(&(struct guard_rate){0, 1}, *b, NS_PER_S));
	assert_ptr_equal(guard_buckets_get(t, 5), b);
	/* eight more: those that rest go first */
	for (uint64_t i = 100; i < 108; i++)
		*guard_buckets_get(t, i) = (int64_t)i;
	assert_int_equal(*guard_buckets_get(t, 5), NS_PER_S + 3 * (NS_PER_S / 10));
	guard_buckets_free(t);
}

static void test_long_identifier(void **state)
{
	uint8_t octets[200] = {1};
	struct guard_id a, b;

	(void)state;
	guard_id_of(span_of(octets, sizeof(octets)), &a);
	octets[199] = 1;
	guard_id_of(span_of(octets, sizeof(octets)), &b);
	assert_int_equal(a.n, 32);
	assert_false(guard_id_eq(&a, &b));
	guard_id_of(SPAN_NULL, &a);
	assert_int_equal(a.n, 0);
}

/* --- The file --------------------------------------------------------------------------------- */

static int setup(void **state)
{
	(void)state;
	fake_files_init(&disk);
	gu_init(&u);
	(void)strcpy(u.o.file, "bindings");
	u.o.files = &disk.ops;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	gu_close(&u);
	fake_files_fini(&disk);
	return 0;
}

static void reopen(void)
{
	struct guard_opts o = u.o;
	int64_t now = u.now;

	gu_close(&u);
	gu_init(&u);
	u.o = o;
	u.now = now;
}

static void learn_two(void)
{
	struct gd q = gu_request(2, DHCP4_REQUEST, IP_B);

	gu_lease(&u, GU_A, 1, IP_A);
	q.cid = span_str("\001id");
	q.vlan = 7;
	gu_lease_as(&u, GU_B, &q, IP_B);
}

static void test_restart(void **state)
{
	(void)state;
	gu_open(&u);
	assert_int_equal(guard_save(u.gd, u.now), 0);
	assert_null(fake_files_get(&disk, "bindings"));
	learn_two();
	assert_int_equal(guard_save(u.gd, u.now), 0);
	assert_int_equal(gu_count(&u, GUARD_COUNT_SAVES), 1);
	/* nothing new, nothing written */
	assert_int_equal(guard_save(u.gd, u.now), 0);
	assert_int_equal(gu_count(&u, GUARD_COUNT_SAVES), 1);
	reopen();
	gu_open(&u);
	assert_int_equal(guard_find(u.gd, 0, IP_A)->port, GU_A);
	assert_int_equal(guard_find(u.gd, 7, IP_B)->port, GU_B);
	assert_int_equal(guard_find(u.gd, 7, IP_B)->id.n, 3);
	assert_int_equal(guard_find(u.gd, 7, IP_B)->end_ns,
			 (u.now / NS_PER_S + GD_LEASE_S) * NS_PER_S);
	assert_true(gu_ip(&u, GU_A, 1, IP_A) > 0);
	/* a lease that ended in between is none; a port that is gone has none */
	reopen();
	u.now += 2LL * GD_LEASE_S * NS_PER_S;
	gu_open(&u);
	assert_null(guard_find(u.gd, 0, IP_A));
}

static void test_saved_in_time(void **state)
{
	(void)state;
	gu_open(&u);
	learn_two();
	gu_wait(&u, 29999);
	assert_null(fake_files_get(&disk, "bindings"));
	gu_wait(&u, 1);
	/* the next save waits for the writer */
	assert_int_equal(guard_save(u.gd, u.now), 0);
	assert_int_equal(gu_count(&u, GUARD_COUNT_SAVES), 1);
	assert_non_null(fake_files_get(&disk, "bindings"));
}

static void test_disk_fails(void **state)
{
	size_t len;

	(void)state;
	gu_open(&u);
	gu_lease(&u, GU_A, 1, IP_A);
	assert_int_equal(guard_save(u.gd, u.now), 0);
	len = fake_files_get(&disk, "bindings")->len;
	gu_lease(&u, GU_B, 2, IP_B);
	disk.mask = FAKE_CALL_WRITE | FAKE_CALL_SYNC | FAKE_CALL_RENAME;
	disk.err = ENOSPC;
	for (unsigned n = 1; n <= 3; n++) {
		disk.first = disk.last = disk.calls + n;
		assert_int_equal(guard_save(u.gd, u.now), -ENOSPC);
		assert_int_equal(fake_files_get(&disk, "bindings")->len, len);
		assert_null(fake_files_get(&disk, "bindings.tmp"));
	}
	/* each failure left the old file whole, and the failed save was repeated */
	assert_int_equal(gu_count(&u, GUARD_COUNT_SAVES_FAILED), 3);
	disk.mask = 0;
	assert_int_equal(guard_save(u.gd, u.now), 0);
	assert_true(fake_files_get(&disk, "bindings")->len > len);
	reopen();
	gu_open(&u);
	assert_non_null(guard_find(u.gd, 0, IP_B));
}

/* After a crash at any moment there is the file of before, or the new one. */
static void test_crash(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed(&rng, 3);
	gu_open(&u);
	gu_lease(&u, GU_A, 1, IP_A);
	assert_int_equal(guard_save(u.gd, u.now), 0);
	gu_lease(&u, GU_B, 2, IP_B);
	for (size_t from = disk.n_ops, n = from, r = 1; r; n++) {
		struct fake_files after;
		struct guard *gd;

		if (n == from)
			assert_int_equal(guard_save(u.gd, u.now), 0);
		r = n < disk.n_ops;
		for (int loss = FAKE_LOSE_NOTHING; loss <= FAKE_LOSE_SOME; loss++) {
			struct guard_opts o = u.o;
			struct gate *g;

			fake_files_crash(&disk, n, (enum fake_loss)loss, &rng, &after);
			o.files = &after.ops;
			o.refuse_damaged = true;
			u.go.frames = u.t.f;
			assert_int_equal(gate_new(&u.go, &g), 0);
			assert_int_equal(guard_new(&o, &gd), 0);
			assert_int_equal(guard_attach(gd, g, u.now, u.err, sizeof(u.err)), 0);
			assert_non_null(guard_find(gd, 0, IP_A));
			gate_free(g);
			guard_free(gd);
			fake_files_fini(&after);
		}
	}
}

static void put_text(const char *rows)
{
	char text[1024], digest[65];
	int n = snprintf(text, sizeof(text), "usher-guard 1\n%s", rows);

	sha256_hex(span_of(text, (size_t)n), digest);
	n += snprintf(text + n, sizeof(text) - (size_t)n, "sha256 %s\n", digest);
	fake_files_put(&disk, "bindings", text, (size_t)n);
}

static void refused(const char *why)
{
	reopen();
	u.o.refuse_damaged = true;
	assert_int_equal(gu_try_open(&u), -USHER_E_MALFORMED);
	assert_string_equal(u.err, why);
}

static void test_damaged(void **state)
{
	struct fake_file f;
	char *copy;

	(void)state;
	gu_open(&u);
	learn_two();
	assert_int_equal(guard_save(u.gd, u.now), 0);
	f = *fake_files_get(&disk, "bindings");
	copy = malloc(f.len);
	assert_non_null(copy);
	/* any octet */
	for (size_t i = 0; i < f.len; i++) {
		memcpy(copy, f.p, f.len);
		copy[i] ^= 1;
		fake_files_put(&disk, "bindings", copy, f.len);
		reopen();
		u.o.refuse_damaged = true;
		assert_int_equal(gu_try_open(&u), -USHER_E_MALFORMED);
		assert_true(strncmp(u.err, "bindings:", 9) == 0);
		assert_null(guard_find(u.gd, 0, IP_A));
	}
	free(copy);
	/* put aside, and begun anew */
	reopen();
	u.o.refuse_damaged = false;
	gu_open(&u);
	assert_null(guard_find(u.gd, 0, IP_A));
	assert_null(fake_files_get(&disk, "bindings"));
	assert_non_null(fake_files_get(&disk, "bindings.damaged"));
	gu_lease(&u, GU_A, 1, IP_A);
	assert_int_equal(guard_save(u.gd, u.now), 0);
}

static void test_rows_refused(void **state)
{
	(void)state;
	gu_open(&u);
	put_text(
		"10.0.0.1 02:00:00:00:00:01 memory1 0 99999 -\n10.0.0.2 02:00:00:00:00:02 memory1 0\n");
	refused("bindings:3: expected address, hardware address, port, VLAN, end and client identifier, got \"10.0.0.2\"");
	assert_null(guard_find(u.gd, 0, 0x0a000001));
	put_text("10.0.0.256 02:00:00:00:00:01 memory1 0 99999 -\n");
	refused("bindings:2: expected an address, got \"10.0.0.256\"");
	put_text("10.0.0.1 02:00 memory1 0 99999 -\n");
	refused("bindings:2: expected a hardware address, got \"02:00\"");
	put_text("10.0.0.1 02:00:00:00:00:01 memory1 4096 99999 -\n");
	refused("bindings:2: expected a VLAN, got \"4096\"");
	put_text("10.0.0.1 02:00:00:00:00:01 memory1 0 soon -\n");
	refused("bindings:2: expected the end in seconds, or \"never\", got \"soon\"");
	put_text("10.0.0.1 02:00:00:00:00:01 memory1 0 never xy\n");
	refused("bindings:2: expected a client identifier in hex, or \"-\", got \"xy\"");
	put_text("10.0.0.1 02:00:00:00:00:01 memory1 0 never - more\n");
	refused("bindings:2: expected the end of the line, got \"more\"");
	put_text("10.0.0.1 02:00:00:00:00:01 memory1 0 never -");
	reopen();
	u.o.refuse_damaged = true;
	assert_int_equal(gu_try_open(&u), -USHER_E_MALFORMED);
	/* valid lines, one for a gate with other ports, one twice, one without an end */
	put_text(
		"10.0.0.1 02:00:00:00:00:01 eth9 0 never -\n10.0.0.2 02:00:00:00:00:02 memory1 0 never 0102\n"
		"10.0.0.2 02:00:00:00:00:02 memory1 0 never 0102\n");
	reopen();
	gu_open(&u);
	assert_null(guard_find(u.gd, 0, 0x0a000001));
	assert_int_equal(guard_find(u.gd, 0, 0x0a000002)->end_ns, INT64_MAX);
}

/* --- Times ------------------------------------------------------------------------------------ */

/* The END of the first row on disk; -1: never. */
static int64_t end_on_disk(void)
{
	const struct fake_file *f = fake_files_get(&disk, "bindings");
	char text[256] = "", end[32] = "";

	assert_non_null(f);
	memcpy(text, f->p, f->len < sizeof(text) - 1 ? f->len : sizeof(text) - 1);
	assert_int_equal(sscanf(text, "usher-guard 1 %*s %*s %*s %*s %31s", end), 1);
	return strcmp(end, "never") == 0 ? -1 : strtoll(end, NULL, 10);
}

/* Begins without a file of bindings. */
static void begin_anew(void)
{
	reopen();
	(void)disk.ops.unlink(disk.ops.ctx, "bindings");
}

static void lease_for(uint32_t lease_s)
{
	struct gd q = gu_request(1, DHCP4_REQUEST, IP_A), a;

	assert_true(gu_send(&u, GU_A, &q) > 0);
	a = gu_reply(&q, DHCP4_ACK, IP_A);
	a.lease_s = lease_s;
	assert_true(gu_send(&u, 0, &a) > 0);
}

/* Lease times at the ends of the 32-bit range, early and late in the gate's time: the end is right,
 * and the same after a restart. */
static void test_lease_times(void **state)
{
	static const uint32_t times[] = {1, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
	static const int64_t starts[] = {1000, INT64_C(4600000000), INT64_C(6000000000)};

	(void)state;
	gu_open(&u);
	for (size_t i = 0; i < ARRAY_LEN(times) * ARRAY_LEN(starts); i++) {
		int64_t now_s = starts[i / ARRAY_LEN(times)], lease_s = times[i % ARRAY_LEN(times)],
			end_s = now_s + lease_s, end_ns;

		begin_anew();
		u.now = now_s * NS_PER_S;
		gu_open(&u);
		lease_for((uint32_t)lease_s);
		end_ns = lease_s == UINT32_MAX || end_s > INT64_MAX / NS_PER_S ? INT64_MAX
									       : end_s * NS_PER_S;
		assert_int_equal(guard_find(u.gd, 0, IP_A)->end_ns, end_ns);
		gu_wait(&u, 0);
		assert_int_equal(guard_save(u.gd, u.now), 0);
		assert_int_equal(end_on_disk(), end_ns == INT64_MAX ? -1 : end_s);
		reopen();
		gu_open(&u);
		assert_int_equal(guard_find(u.gd, 0, IP_A)->end_ns, end_ns);
	}
}

/* Opens a guard whose source is live, with a clock; the gate's time begins with the wall clock. */
static void open_live(struct virtual_clock *clock)
{
	gt_open(&u.t, &u.go, DISSECT_UDP_CONNECTION);
	frames_live(u.t.f, &clock->src);
	gate_source(u.t.g, u.t.f);
	u.now = frames_now(u.t.f);
	gate_tick(u.t.g, u.now);
	assert_int_equal(guard_new(&u.o, &u.gd), 0);
	assert_int_equal(guard_attach(u.gd, u.t.g, u.now, u.err, sizeof(u.err)), 0);
}

/* The wall clock is set ahead or back while the gate runs: a binding keeps the rest of its lease
 * time, now and after a restart. */
static void test_wall_clock_steps(void **state)
{
	static const int64_t steps_s[] = {86400, -86400, 3, 0};

	(void)state;
	gu_open(&u);
	for (size_t i = 0; i < ARRAY_LEN(steps_s); i++) {
		struct virtual_clock clock;
		int64_t began_s = 1700000000;

		begin_anew();
		virtual_clock_init(&clock, began_s * NS_PER_S);
		open_live(&clock);
		lease_for(GD_LEASE_S);
		assert_int_equal(guard_save(u.gd, u.now), 0);
		assert_int_equal(end_on_disk(), began_s + GD_LEASE_S);
		clock.wall += steps_s[i] * NS_PER_S;
		guard_tick(u.gd, frames_now(u.t.f));
		assert_int_equal(guard_find(u.gd, 0, IP_A)->end_ns,
				 (began_s + GD_LEASE_S) * NS_PER_S);
		assert_int_equal(guard_end_on_wall(u.gd, guard_find(u.gd, 0, IP_A)),
				 (began_s + steps_s[i] + GD_LEASE_S) * NS_PER_S);
		/* nothing else changed, but the file is written anew */
		assert_int_equal(guard_save(u.gd, u.now), 0);
		assert_int_equal(end_on_disk(), began_s + steps_s[i] + GD_LEASE_S);
		reopen();
		clock.wall += (GD_LEASE_S - 1) * NS_PER_S;
		clock.mono += (GD_LEASE_S - 1) * NS_PER_S;
		open_live(&clock);
		assert_non_null(guard_find(u.gd, 0, IP_A));
		assert_int_equal(guard_find(u.gd, 0, IP_A)->end_ns, u.now + NS_PER_S);
		clock.wall += NS_PER_S;
		clock.mono += NS_PER_S;
		guard_tick(u.gd, frames_now(u.t.f));
		assert_null(guard_find(u.gd, 0, IP_A));
	}
}

/* --- Configuration ---------------------------------------------------------------------------- */

static void config_bad(const char *text, const char *why)
{
	struct guard_config c;
	struct config_error e;
	struct buf b;

	buf_init(&b);
	assert_true(guard_config_parse(span_str(text), "guard.json", &c, &e) < 0);
	config_error_text(&e, &b);
	assert_string_equal(b.p, why);
	buf_fini(&b);
	guard_config_fini(&c);
}

static void test_config(void **state)
{
	static const char text[] =
		"{ // all of it\n"
		"\"ports\": [{\"name\": \"up0\", \"role\": \"trusted\"}, {\"name\": \"p1\", \"max-clients\": 3, \"rate\": 5, \"burst\": 9},"
		" {\"name\": \"r\", \"role\": \"relay\"}, {\"name\": \"s\", \"role\": \"shared\"}],\n"
		"\"servers\": {\"ip-addresses\": [\"10.0.0.1\", \"10.0.0.2\"], \"hw-addresses\": [\"02:00:00:00:00:01\"]},\n"
		"\"static-bindings\": [{\"ip-address\": \"10.0.0.9\", \"hw-address\": \"02:00:00:00:00:09\", \"port\": \"p1\", \"vlan\": 7}],\n"
		"\"limits\": {\"max-clients\": 8, \"max-bindings\": 100, \"max-buckets\": 64, \"port-rate\": 1, \"port-burst\": 2, \"client-rate\": 3,"
		" \"client-burst\": 4, \"arp-rate\": 5, \"arp-burst\": 6, \"alert-rate\": 7, \"alert-burst\": 8},\n"
		"\"option-82\": {\"insert\": true, \"policy\": \"replace\", \"remote-id\": \"sw7\"},\n"
		"\"bindings\": {\"file\": \"/tmp/x\", \"interval\": 5, \"refuse-damaged\": true},\n"
		"\"check-hw-address\": false, \"allow-relayed\": true, \"arp-inspection\": false, \"source-guard\": false,\n"
		"\"allow-link-local\": true, \"in-use-time\": 1, \"pending-time\": 2, \"alert-interval\": 3 }";
	struct guard_config c;
	struct config_error e;
	const struct guard_opts *o = &c.opts;

	(void)state;
	assert_int_equal(guard_config_parse(span_str(text), "guard.json", &c, &e), 0);
	assert_int_equal(o->n_ports, 4);
	assert_int_equal(o->ports[0].role, GUARD_TRUSTED);
	assert_int_equal(o->ports[1].max_clients, 3);
	assert_int_equal(o->ports[1].requests.burst, 9);
	assert_int_equal(o->ports[2].role, GUARD_RELAY);
	assert_int_equal(o->ports[3].role, GUARD_SHARED);
	assert_int_equal(o->server_ips[1], 0x0a000002);
	assert_int_equal(o->n_server_macs, 1);
	assert_int_equal(o->fixed[0].address, 0x0a000009);
	assert_int_equal(o->fixed[0].vlan, 7);
	assert_string_equal(o->fixed[0].port, "p1");
	assert_int_equal(o->max_clients, 8);
	assert_int_equal(o->client_requests.a_second, 3);
	assert_int_equal(o->alerts.burst, 8);
	assert_true(o->add_agent && o->agent == GUARD_AGENT_REPLACE);
	assert_string_equal(o->remote_id, "sw7");
	assert_string_equal(o->file, "/tmp/x");
	assert_true(o->save_ns == 5 * NS_PER_S && o->refuse_damaged);
	assert_true(!o->check_mac && o->allow_relayed && !o->check_arp && !o->check_source &&
		    o->allow_link_local);
	assert_true(o->in_use_ns == NS_PER_S && o->pending_ns == 2 * NS_PER_S &&
		    o->alert_ns == 3 * NS_PER_S);
	guard_config_fini(&c);
}

static void test_config_errors(void **state)
{
	(void)state;
	config_bad("[]", "guard.json:1:1: expected a map, got a list");
	config_bad(
		"{\n  \"port\": []}",
		"guard.json:2:3: \"port\": no such key; expected one of ports, servers, static-bindings, limits, "
		"option-82, bindings, check-hw-address, allow-relayed, arp-inspection, source-guard, allow-link-local, "
		"in-use-time, pending-time, alert-interval");
	config_bad("{\"ports\": {}}", "guard.json:1:11: \"ports\": expected a list, got a map");
	config_bad("{\"ports\": [3]}", "guard.json:1:12: expected a map, got an integer");
	config_bad("{\"ports\": [{\"role\": \"trusted\"}]}",
		   "guard.json:1:12: expected a \"name\"");
	config_bad(
		"{\"ports\": [{\"name\": \"a\", \"role\": \"good\"}]}",
		"guard.json:1:34: \"role\": expected \"untrusted\", \"trusted\", \"relay\" or \"shared\", got a string \"good\"");
	config_bad("{\"ports\": [{\"name\": \"a\", \"rate\": 4}]}",
		   "guard.json:1:12: expected both \"rate\" and \"burst\", or neither");
	config_bad("{\"ports\": [{\"name\": \"a\"}, {\"name\": \"a\"}]}",
		   "guard.json:1:27: port \"a\" is there twice");
	config_bad(
		"{\"ports\": [{\"nam\": \"a\"}]}",
		"guard.json:1:13: \"nam\": no such key; expected one of name, role, max-clients, rate, burst");
	config_bad("{\"servers\": {\"ip-addresses\": [\"10.0.0\"]}}",
		   "guard.json:1:31: expected an IPv4 address, got a string \"10.0.0\"");
	config_bad(
		"{\"servers\": {\"hw-addresses\": [\"02:00\"]}}",
		"guard.json:1:31: expected a hardware address like \"02:00:00:00:00:01\", got a string \"02:00\"");
	config_bad(
		"{\"servers\": {\"macs\": []}}",
		"guard.json:1:14: \"macs\": no such key; expected one of ip-addresses, hw-addresses");
	config_bad(
		"{\"limits\": {\"max-clients\": 0}}",
		"guard.json:1:28: \"max-clients\": expected an integer from 1 to 1048576, got 0");
	config_bad(
		"{\"limits\": {\"arp-rate\": true}}",
		"guard.json:1:25: \"arp-rate\": expected an integer from 0 to 1000000, got a boolean");
	config_bad(
		"{\"option-82\": {\"policy\": \"pass\"}}",
		"guard.json:1:26: \"policy\": expected \"drop\", \"keep\" or \"replace\", got a string \"pass\"");
	config_bad("{\"source-guard\": 1}",
		   "guard.json:1:18: \"source-guard\": expected true or false, got an integer");
	config_bad(
		"{\"bindings\": {\"file\": \"\"}}",
		"guard.json:1:23: \"file\": expected a string of 1 to 4095 octets, without spaces, got a string \"\"");
	config_bad("{\"static-bindings\": [{\"ip-address\": \"10.0.0.1\"}]}",
		   "guard.json:1:22: expected \"ip-address\" and \"hw-address\"");
	config_bad(
		"{\"static-bindings\": [{\"ip-address\": \"10.0.0.1\", \"hw-address\": \"020000000001\"},\n"
		"{\"ip-address\": \"10.0.0.1\", \"hw-address\": \"020000000002\"}]}",
		"guard.json:2:1: a second binding of this address");
	config_bad(
		"{\"static-bindings\": [{\"ip-address\": \"10.0.0.1\", \"hw-address\": \"020000000001\", \"vlan\": 5000}]}",
		"guard.json:1:87: \"vlan\": expected an integer from 0 to 4094, got 5000");
}

/* --- Alerts ----------------------------------------------------------------------------------- */

static void keep_text(void *ctx, const struct script_alert *a)
{
	alert_text(a, ALERT_JSON, ctx);
}

static void test_alert_told(void **state)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 9};
	struct guard_alert a = {
		.what = GATE_DROP_GUARD_ROGUE_SERVER,
		.severity = GUARD_HIGH,
		.mac = mac,
		.ip = 0x0a000009,
		.server_id = 0x0a000008,
		.port = 2,
		.vlan = 7,
		.port_name = "p\"2",
		.text = "a text",
		.time_ns = 90 * NS_PER_S + 5 * NS_PER_MS,
		.first_ns = NS_PER_S,
		.count = 3,
	};
	struct script_alert_sink sink = {keep_text, NULL};
	struct buf text;

	(void)state;
	buf_init(&text);
	sink.ctx = &text;
	guard_report(&a, 5, &sink, 1);
	assert_non_null(strstr(text.p, "a text; server 10.0.0.8; 3 so far"));
	assert_non_null(strstr(text.p, "guard-rogue-server"));
	assert_non_null(strstr(text.p, "02:00:00:00:00:09"));
	assert_non_null(strstr(text.p, "10.0.0.9"));
	assert_non_null(strstr(text.p, "port p\\\"2"));
	assert_non_null(strstr(text.p, "vlan 7"));
	assert_non_null(strstr(text.p, "high"));
	buf_fini(&text);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bindings_against_a_model),
		cmocka_unit_test(test_pendings),
		cmocka_unit_test(test_buckets),
		cmocka_unit_test(test_long_identifier),
		T(test_restart),
		T(test_saved_in_time),
		T(test_disk_fails),
		T(test_crash),
		T(test_damaged),
		T(test_rows_refused),
		T(test_lease_times),
		T(test_wall_clock_steps),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_config_errors),
		cmocka_unit_test(test_alert_told),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
