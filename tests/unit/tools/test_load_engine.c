/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The generator against the responder, in memory: counters, that each fault of a server ends in
 * its own error, and the reports.
 */
#include "unit/unit.h"

#include "base/attr.h"
#include "base/clock.h"
#include "config/json/json.h"
#include "lease/lease_csv.h"
#include "tools/load_engine.h"
#include "tools/load_io_backend.h"
#include "tools/load_report.h"
#include "tools/load_responder.h"
#include "wire/dhcp4.h"
#include "unit/lease_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { QUEUE = 4096 };

/* Every message is answered at once; some are lost on request. */
struct fake_io {
	struct load_io base;
	struct load_opts server; /* of the responder */
	uint8_t query[LOAD_IO_MSG_MAX];
	struct load_io_dest dest;
	struct {
		uint8_t bytes[LOAD_IO_MSG_MAX];
		size_t len;
	} queue[QUEUE];
	unsigned head, n;
	uint64_t answers, queries, lose_every;
	bool mute;
	FILE *leases;	      /* a row for every ACK */
	uint64_t row_missing; /* but not for this client */
};

static struct fake_io *self(struct load_io *io)
{
	return container_of(io, struct fake_io, base);
}

static uint8_t *fake_room(struct load_io *io, const struct load_io_dest *dest)
{
	self(io)->dest = *dest;
	return self(io)->query;
}

static void write_row(struct fake_io *f, const uint8_t *ack)
{
	if (ack[33] == f->row_missing)
		return;
	(void)fprintf(f->leases,
		      "%u.%u.%u.%u,%02x:%02x:%02x:%02x:%02x:%02x,,86400,4000000000,1,0,0,,0,,0\n",
		      ack[16], ack[17], ack[18], ack[19], ack[28], ack[29], ack[30], ack[31],
		      ack[32], ack[33]);
	(void)fflush(f->leases);
}

static void fake_push(struct load_io *io, size_t len)
{
	struct fake_io *f = self(io);
	unsigned at = (f->head + f->n) % QUEUE;
	uint8_t type;

	if (f->mute || (f->lose_every && ++f->queries % f->lose_every == 0))
		return;
	f->queue[at].len = load_responder_answer(&f->server, span_of(f->query, len), f->answers,
						 f->queue[at].bytes, &type);
	if (!f->queue[at].len)
		return;
	f->answers++;
	assert_true(f->n < QUEUE);
	f->n++;
	if (f->leases && type == DHCP4_ACK)
		write_row(f, f->queue[at].bytes);
}

static void fake_flush(struct load_io *io)
{
	(void)io;
}

/* Returns the time of the monotonic clock. */
static int64_t clock_now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static int fake_recv(struct load_io *io, load_io_fn fn, void *ctx)
{
	struct fake_io *f = self(io);
	int64_t now = clock_now_ns();
	int n = (int)f->n;

	for (int i = 0; i < n; i++) {
		unsigned at = f->head;

		f->head = (f->head + 1) % QUEUE;
		f->n--;
		fn(ctx, span_of(f->queue[at].bytes, f->queue[at].len), now);
	}
	return n;
}

static void fake_wait(struct load_io *io, int64_t ns)
{
	(void)io;
	(void)usleep((useconds_t)(ns / 1000 < 1000 ? ns / 1000 : 1000));
}

static uint64_t fake_drops(struct load_io *io)
{
	(void)io;
	return 0;
}

static void fake_close(struct load_io *io)
{
	(void)io;
}

static const struct load_io_ops fake_ops = {
	.room = fake_room,
	.push = fake_push,
	.flush = fake_flush,
	.recv = fake_recv,
	.wait = fake_wait,
	.drops = fake_drops,
	.close = fake_close,
};

static struct fake_io io;
static struct load_opts opts;

static int setup(void **state)
{
	(void)state;
	memset(&io, 0, sizeof(io));
	io.base.ops = &fake_ops;
	io.row_missing = UINT64_MAX;
	io.server = (struct load_opts){.bind = {0x0a630001},
				       .n_bind = 1,
				       .pool = 0x40000000,
				       .pool_bits = 30};
	opts = (struct load_opts){
		.bind = {0x0a000001},
		.n_bind = 1,
		.server = 0x0a630001,
		.server_port = 67,
		.window = 16,
		.exchanges = 400,
		.timeout_ns = 50000000,
		.drop_limit = -1,
		.options = LOAD_OPTIONS_MIXED,
		.client_id = LOAD_WHO_YES,
		.seed = 3,
		.burst = 64,
		.profile = LOAD_DORA,
		.profile_set = true,
	};
	return 0;
}

static struct load_engine *engine;

/* Runs; the result is good until done(). */
static const struct load_result *run(void)
{
	static const volatile sig_atomic_t never;
	const char *why = NULL;

	assert_int_equal(load_engine_new(&opts, &io.base, &never, &engine), 0);
	assert_int_equal(load_engine_run(engine, &why), 0);
	return load_engine_result(engine);
}

static void done(void)
{
	load_engine_free(engine);
	engine = NULL;
}

/* --- counters --------------------------------------------------------------------------------- */

static void test_dora(void **state)
{
	const struct load_result *r = run();

	(void)state;
	assert_int_equal(r->counts.exchanges, 400);
	assert_int_equal(r->counts.sent, 800);
	assert_int_equal(r->counts.received, 800);
	assert_int_equal(load_drops(&r->counts), 0);
	assert_int_equal(r->n_errors, 0);
	assert_int_equal(r->bound, 400);
	assert_int_equal(r->latency.n, 400);
	assert_int_equal(r->offer.n, 400);
	assert_int_equal(load_exit_code(r, &opts), 0);
	done();
}

static void test_reused_clients(void **state)
{
	const struct load_result *r;

	(void)state;
	opts.clients = 20;
	r = run();
	assert_int_equal(r->counts.exchanges, 400);
	assert_int_equal(r->n_errors, 0);
	assert_int_equal(r->bound, 20);
	done();
}

static void test_renew(void **state)
{
	const struct load_result *r;

	(void)state;
	opts.profile = LOAD_RENEW;
	opts.clients = 20;
	r = run();
	assert_int_equal(r->counts.exchanges, 400);
	assert_int_equal(r->counts.by_step[LOAD_STEP_RENEW], 400);
	assert_int_equal(r->counts.sent, 400); /* binding is not measured */
	assert_int_equal(io.answers, 40 + 400);
	assert_int_equal(r->offer.n, 0);
	done();
}

static void test_release(void **state)
{
	const struct load_result *r;

	(void)state;
	opts.profile = LOAD_RELEASE;
	io.server.pool_bits = 5; /* given out again and again */
	opts.clients = 20;
	r = run();
	assert_int_equal(r->counts.exchanges, 400);
	assert_int_equal(r->counts.releases, 400);
	assert_int_equal(r->bound, 0);
	assert_int_equal(r->n_errors, 0);
	done();
}

static void test_mixed(void **state)
{
	const struct load_result *r;

	(void)state;
	opts.profile = LOAD_MIXED;
	opts.clients = 50;
	opts.exchanges = 2000;
	r = run();
	assert_int_equal(r->counts.exchanges, 2000);
	assert_int_equal(r->n_errors, 0);
	assert_true(r->counts.by_step[LOAD_STEP_RENEW] > 1000);
	assert_true(r->counts.by_step[LOAD_STEP_REBOOT] > 100);
	assert_true(r->counts.by_step[LOAD_STEP_REQUEST] > 200);
	assert_true(r->counts.releases > 100);
	done();
}

/* Every fifth message is lost: its exchange is a drop at that step, and nothing is sent again. */
static void test_losses(void **state)
{
	const struct load_result *r;

	(void)state;
	io.lose_every = 5;
	opts.timeout_ns = 5000000;
	opts.drop_limit = 50;
	r = run();
	assert_int_equal(r->counts.started, 400);
	assert_int_equal(r->counts.exchanges + load_drops(&r->counts), 400);
	assert_true(r->counts.drops[LOAD_STEP_DISCOVER] > 20);
	assert_true(r->counts.drops[LOAD_STEP_REQUEST] > 20);
	assert_int_equal(r->counts.sent, r->counts.received + load_drops(&r->counts));
	assert_int_equal(load_exit_code(r, &opts), 0);
	opts.drop_limit = 10;
	assert_int_equal(load_exit_code(r, &opts), 3);
	done();
}

static void test_silence(void **state)
{
	const struct load_result *r;

	(void)state;
	io.mute = true;
	opts.exchanges = 20;
	opts.timeout_ns = 2000000;
	r = run();
	assert_int_equal(r->counts.drops[LOAD_STEP_DISCOVER], 20);
	assert_int_equal(load_exit_code(r, &opts), 3);
	done();
	/* clients without a lease cannot renew: given up, not waited for */
	opts.profile = LOAD_RENEW;
	opts.clients = 10;
	r = run();
	assert_int_equal(r->counts.exchanges, 0);
	assert_int_equal(load_exit_code(r, &opts), 3);
	done();
}

static void test_pace_and_strangers(void **state)
{
	int64_t began = clock_now_ns(), ms;
	const struct load_result *r;

	(void)state;
	opts.exchanges = 0;
	opts.time_ns = 300000000;
	opts.rate = 1000;
	opts.strangers = 500;
	r = run();
	ms = (clock_now_ns() - began) / 1000000;
	/* a busy machine sends fewer, and no machine sends more than the pace of that time */
	assert_in_range(r->counts.started, 1, (uintmax_t)ms + 10);
	assert_in_range(r->counts.strangers_sent, 1, (uintmax_t)ms / 2 + 5);
	assert_true(r->counts.strangers_answered > 0);
	assert_int_equal(r->n_errors, 0);
	done();
}

/* --- faults ----------------------------------------------------------------------------------- */

static void test_each_lie_is_one_error(void **state)
{
	static const struct {
		enum load_lie lie;
		enum load_error error;
		bool lost; /* the client never gets its answer */
	} cases[] = {
		{LOAD_LIE_DUPLICATE, LOAD_E_DUPLICATE, false},
		{LOAD_LIE_XID, LOAD_E_XID, true},
		{LOAD_LIE_CHADDR, LOAD_E_CHADDR, true},
		{LOAD_LIE_SERVER_ID, LOAD_E_SERVER_ID_CHANGED, true},
		{LOAD_LIE_ADDRESS, LOAD_E_ADDRESS_CHANGED, true},
		{LOAD_LIE_GIADDR, LOAD_E_GIADDR, true},
		{LOAD_LIE_TYPE, LOAD_E_TYPE, true},
		{LOAD_LIE_NAK, LOAD_E_NAK, false},
		{LOAD_LIE_LEASE_TIME, LOAD_E_LEASE_TIME, true},
		{LOAD_LIE_CLIENT_ID, LOAD_E_CLIENT_ID, true},
		{LOAD_LIE_MALFORMED, LOAD_E_MALFORMED, true},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct load_result *r;

		(void)setup(state);
		io.server.lie = cases[i].lie;
		/* short only where answers are lost: a busy machine may stop the test for longer */
		opts.timeout_ns = cases[i].lost ? 3000000 : NS_PER_S;
		r = run();
		if (!r->errors[cases[i].error] || r->n_errors != r->errors[cases[i].error])
			fail_msg("lie %d: %llu errors, first: %s", (int)cases[i].lie,
				 (unsigned long long)r->n_errors, r->sample[0]);
		assert_non_null(strstr(r->sample[0], load_error_name(cases[i].error)));
		assert_int_equal(load_drops(&r->counts) > 0, cases[i].lost);
		assert_int_equal(load_exit_code(r, &opts), 1);
		done();
	}
}

static void lease_file(char *name)
{
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	io.leases = fdopen(fd, "w");
	assert_non_null(io.leases);
	(void)fprintf(io.leases, LEASE_FILE_HEADER "\n");
	(void)fflush(io.leases);
	opts.leases = name;
}

static void test_rows(void **state)
{
	char name[] = "/tmp/usher-load-rows-XXXXXX";
	const struct load_result *r;

	(void)state;
	lease_file(name);
	opts.live = true;
	opts.exchanges = 0;
	opts.time_ns = 50000000;
	opts.rate = 2000;
	r = run();
	assert_int_equal(r->n_errors, 0);
	assert_int_equal(r->leases_checked, r->bound);
	assert_true(r->leases_checked > 0 && r->live_checked > 0);
	done();
	(void)fclose(io.leases);
	(void)unlink(name);
}

static void test_missing_row(void **state)
{
	char name[] = "/tmp/usher-load-rows-XXXXXX";
	const struct load_result *r;

	(void)state;
	lease_file(name);
	io.row_missing = 7;
	opts.exchanges = 100;
	r = run();
	assert_int_equal(r->leases_checked, 100);
	assert_int_equal(r->errors[LOAD_E_ROW_MISSING], 1);
	assert_int_equal(r->n_errors, 1);
	assert_non_null(strstr(r->sample[0], "client 7 "));
	assert_int_equal(load_exit_code(r, &opts), 1);
	done();
	(void)fclose(io.leases);
	(void)unlink(name);
}

/* The only client's row is not written, and its ACK is looked at when it comes. */
static void test_late_row(void **state)
{
	char name[] = "/tmp/usher-load-rows-XXXXXX";
	const struct load_result *r;

	(void)state;
	lease_file(name);
	io.row_missing = 0;
	opts.live = true;
	opts.exchanges = 1;
	r = run();
	assert_int_equal(r->live_checked, 1);
	assert_int_equal(r->errors[LOAD_E_ROW_LATE], 1);
	assert_int_equal(r->errors[LOAD_E_ROW_MISSING], 1);
	done();
	(void)fclose(io.leases);
	(void)unlink(name);
}

/* --- reports ---------------------------------------------------------------------------------- */

static int64_t int_at(const struct json *map, const char *key)
{
	int64_t v = -1;

	assert_true(json_get_int(map, key, &v));
	return v;
}

static double real_at(const struct json *map, const char *key)
{
	const struct json *v = json_get(map, key);

	assert_non_null(v);
	return v->type == JSON_REAL ? v->r : (double)v->i;
}

static void test_json(void **state)
{
	static const char *const keys[] = {"profile",
					   "exchanges",
					   "seconds",
					   "rate",
					   "sent",
					   "received",
					   "drops",
					   "drops_by_step",
					   "drop_ratio",
					   "errors",
					   "latency_us",
					   "offer_latency_us",
					   "ack_latency_us",
					   "cpu_us_per_exchange",
					   "window",
					   "clients",
					   "seed"};
	static const char *const points[] = {"p50", "p90", "p99", "p99.9", "p99.99", "max"};
	struct json_opts jo = {.file = "report"};
	struct config_error err = {0};
	const struct load_result *r;
	struct arena a;
	struct json *j;
	struct buf b;

	(void)state;
	io.server.lie = LOAD_LIE_DUPLICATE;
	r = run();
	buf_init(&b);
	arena_init(&a);
	load_report_json(r, &opts, &b);
	assert_int_equal(strcspn(b.p, "\n"), b.len - 1);
	if (json_parse(span_of(b.p, b.len), &jo, &a, &j, &err) < 0)
		fail_msg("%s: %s", err.text, b.p);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		assert_non_null(json_get(j, keys[i]));
	for (size_t i = 0; i < ARRAY_LEN(points); i++)
		assert_true(real_at(json_get(j, "latency_us"), points[i]) > 0);
	assert_string_equal(json_get_str(j, "profile"), "dora");
	assert_int_equal(int_at(j, "exchanges"), 400);
	assert_int_equal(int_at(json_get(j, "drops_by_step"), "discover"), 0);
	assert_int_equal(int_at(json_get(j, "errors"), "duplicate_address"), (int64_t)r->n_errors);
	assert_int_equal(int_at(json_get(j, "errors"), "wrong_xid"), 0);
	assert_true(real_at(j, "rate") > 0);
	done();
	arena_fini(&a);
	buf_fini(&b);
}

/* A result of known numbers. */
static void known(struct load_result *r)
{
	memset(r, 0, sizeof(*r));
	r->seconds = 2;
	r->counts.exchanges = 990;
	r->counts.drops[LOAD_STEP_REQUEST] = 10;
	r->cpu_us = 5000;
	r->answers = 2000;
	for (uint64_t i = 1; i <= 1000; i++)
		hist_record(&r->latency, i * 1000000);
	load_series_init(&r->series, 0);
	load_series_add(&r->series, 50000000, 400, 0);
	load_series_add(&r->series, 150000000, 590, 10);
	r->ramp[0] = (struct load_ramp_step){1000, 990, 0.01, true};
	r->ramp[1] = (struct load_ramp_step){1250, 990, 0.2, false};
}

static void test_table_and_page(void **state)
{
	static struct load_result r;
	static const char *const rows[] = {"990 in 2.000 s",
					   "495.0 exchanges/s",
					   "10 (1.0000 %)",
					   "10 after request",
					   "5.00 us of processor time",
					   "errors                 0"};
	struct buf b;

	(void)state;
	known(&r);
	buf_init(&b);
	load_report_table(&r, &opts, &b);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (!strstr(b.p, rows[i]))
			fail_msg("no \"%s\" in:\n%s", rows[i], b.p);
	assert_null(strstr(b.p, "ramp"));
	r.n_ramp = 2;
	r.ramp_rate = 990;
	buf_reset(&b);
	load_report_table(&r, &opts, &b);
	assert_non_null(strstr(b.p, "highest good rate      990 exchanges/s"));
	buf_reset(&b);
	load_report_html(&r, &opts, &b);
	assert_non_null(strstr(b.p, "<svg"));
	assert_non_null(strstr(b.p, "990.0 exchanges/s")); /* a ramp's rate is its best */
	assert_null(strstr(b.p, "http"));
	assert_null(strstr(b.p, "src="));
	assert_null(strstr(b.p, "nan"));
	assert_null(strstr(b.p, "inf"));
	assert_int_equal(b.failed, false);
	buf_fini(&b);
}

/* No exchange at all is no reason for a broken page or a division by zero. */
static void test_empty_reports(void **state)
{
	static struct load_result r;
	struct json_opts jo = {.file = "report"};
	struct config_error err = {0};
	struct arena a;
	struct json *j;
	struct buf b;

	(void)state;
	memset(&r, 0, sizeof(r));
	load_series_init(&r.series, 0);
	buf_init(&b);
	arena_init(&a);
	load_report_json(&r, &opts, &b);
	assert_int_equal(json_parse(span_of(b.p, b.len), &jo, &a, &j, &err), 0);
	buf_reset(&b);
	load_report_html(&r, &opts, &b);
	assert_null(strstr(b.p, "nan"));
	assert_null(strstr(b.p, "inf"));
	arena_fini(&a);
	buf_fini(&b);
}

static void test_series_gets_coarser(void **state)
{
	static struct load_series s;
	uint64_t total = 0;

	(void)state;
	load_series_init(&s, 1000);
	for (int64_t i = 0; i < 1000; i++)
		load_series_add(&s, 1000 + i * 100000000, 1, 0);
	assert_true(s.n <= LOAD_SERIES_LEN && s.n > LOAD_SERIES_LEN / 2);
	for (unsigned i = 0; i < s.n; i++)
		total += s.exchanges[i];
	assert_int_equal(total, 1000);
	assert_int_equal(s.width_ns, 800000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_dora, setup),
		cmocka_unit_test_setup(test_reused_clients, setup),
		cmocka_unit_test_setup(test_renew, setup),
		cmocka_unit_test_setup(test_release, setup),
		cmocka_unit_test_setup(test_mixed, setup),
		cmocka_unit_test_setup(test_losses, setup),
		cmocka_unit_test_setup(test_silence, setup),
		cmocka_unit_test_setup(test_pace_and_strangers, setup),
		cmocka_unit_test_setup(test_each_lie_is_one_error, setup),
		cmocka_unit_test_setup(test_rows, setup),
		cmocka_unit_test_setup(test_missing_row, setup),
		cmocka_unit_test_setup(test_late_row, setup),
		cmocka_unit_test_setup(test_json, setup),
		cmocka_unit_test_setup(test_table_and_page, setup),
		cmocka_unit_test_setup(test_empty_reports, setup),
		cmocka_unit_test_setup(test_series_gets_coarser, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
