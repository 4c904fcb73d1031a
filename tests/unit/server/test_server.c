/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Objects that packets share: the same-client guard, statistics, snapshots that lend each other
 * unchanged parts, the ring of traces. No packets: exchanges are made by hand.
 */
#include "unit/unit.h"

#include "base/hash.h"
#include "config/config.h"
#include "config/json/json.h"
#include "fake/fake_store.h"
#include "hook/hook.h"
#include "lease/lease_db.h"
#include "server/core/exchange.h"
#include "server/core/same_client.h"
#include "server/core/server.h"
#include "server/core/snapshot.h"
#include "server/core/services.h"
#include "server/stages/stages.h"
#include "server/core/trace.h"
#include "server/worker/worker.h"

#include <stdio.h>
#include <string.h>

static struct server srv;
static struct exchange ex[4];
static uint8_t mem[4][PACKET_ARENA_LEN];

static int setup(void **state)
{
	struct server_opts so = {.clock = clock_system, .seed = 1};

	(void)state;
	if (server_init(&srv, &so) < 0)
		return -1;
	if (worker_add(&srv, &(struct worker_opts){.n_slots = 2}) < 0)
		return -1;
	memset(ex, 0, sizeof(ex));
	for (int i = 0; i < 4; i++) {
		ex[i].srv = &srv;
		arena_init_fixed(&ex[i].pkt.arena, mem[i], sizeof(mem[i]));
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	workers_free(&srv);
	server_fini(&srv);
	return 0;
}

/* --- the same-client guard -------------------------------------------------------------------- */

static void client(struct exchange *x, const char *id, const char *hw)
{
	x->client_id = span_str(id);
	x->hw = span_str(hw);
}

static void assert_take(struct exchange *x, enum same_client_result want,
			const struct exchange *pushed_out)
{
	struct exchange *replaced = x;

	assert_int_equal(same_client_take(srv.same_client, x, &replaced), want);
	assert_ptr_equal(replaced, pushed_out);
}

static void test_guard(void **state)
{
	(void)state;
	client(&ex[0], "id-a", "hw-a");
	client(&ex[1], "id-a", "hw-b"); /* the same identifier: the same client */
	client(&ex[2], "id-a", "hw-c");
	client(&ex[3], "id-d", "hw-a"); /* another identifier behind the same card: another */
	assert_take(&ex[0], SAME_CLIENT_MINE, NULL);
	assert_take(&ex[3], SAME_CLIENT_MINE, NULL);
	assert_take(&ex[1], SAME_CLIENT_WAIT, NULL);
	assert_take(&ex[2], SAME_CLIENT_WAIT, &ex[1]); /* the newest waits, the older one goes */
	assert_ptr_equal(same_client_give(srv.same_client, &ex[0]), &ex[2]);
	assert_take(&ex[2], SAME_CLIENT_MINE, NULL);
	assert_null(same_client_give(srv.same_client, &ex[2]));
	assert_null(same_client_give(srv.same_client, &ex[2])); /* holds nothing any more */
	assert_null(same_client_give(srv.same_client, &ex[3]));
}

static void test_guard_hw(void **state)
{
	(void)state;
	client(&ex[0], "", "hw-a");
	client(&ex[1], "id-b", "hw-a");
	client(&ex[2], "", "hw-a");
	assert_take(&ex[0], SAME_CLIENT_MINE, NULL);
	assert_take(&ex[1], SAME_CLIENT_WAIT,
		    NULL); /* one of the two gives no identifier: the card decides */
	assert_take(&ex[2], SAME_CLIENT_WAIT, &ex[1]);
	assert_ptr_equal(same_client_give(srv.same_client, &ex[0]), &ex[2]);
	client(&ex[0], "id-a", "");
	client(&ex[3], "id-d", ""); /* no card at all is not the same card */
	assert_take(&ex[0], SAME_CLIENT_MINE, NULL);
	assert_take(&ex[3], SAME_CLIENT_MINE, NULL);
	assert_null(same_client_give(srv.same_client, &ex[0]));
	assert_null(same_client_give(srv.same_client, &ex[3]));
}

/* By identifier one may wait, by hardware address another: both come back. */
static void test_guard_two_wait(void **state)
{
	struct exchange *first;

	(void)state;
	client(&ex[0], "id-a", "hw-a");
	client(&ex[1], "id-a", "hw-x");
	client(&ex[2], "", "hw-a");
	assert_take(&ex[0], SAME_CLIENT_MINE, NULL);
	assert_take(&ex[1], SAME_CLIENT_WAIT, NULL);
	assert_take(&ex[2], SAME_CLIENT_WAIT, NULL);
	first = same_client_give(srv.same_client, &ex[0]);
	assert_non_null(first);
	assert_non_null(first->next);
	assert_null(first->next->next);
	assert_true((first == &ex[1] && first->next == &ex[2]) ||
		    (first == &ex[2] && first->next == &ex[1]));
}

/* --- statistics ------------------------------------------------------------------------------- */

static void test_stats(void **state)
{
	struct stats *s = srv.worker_stats[0];

	(void)state;
	stats_add(s, METRIC_RECEIVED, 3);
	stats_add(&srv.mgmt_stats, METRIC_RECEIVED, 1);
	assert_int_equal(server_metric(&srv, METRIC_RECEIVED), 4); /* the sum over workers */
	stats_add(s, METRIC_RECEIVED, 1);
	assert_int_equal(server_metric(&srv, METRIC_RECEIVED), 5);

	stats_drop(s, DROP_PARSE_FAILED); /* Kea has a cause for it */
	stats_drop(s, DROP_NO_LEASE);	  /* and none for this */
	assert_int_equal(server_drop_count(&srv, DROP_PARSE_FAILED), 1);
	assert_int_equal(server_metric(&srv, METRIC_PARSE_FAILED), 1);
	assert_int_equal(server_drop_count(&srv, DROP_NO_LEASE), 1);
	assert_int_equal(server_metric(&srv, METRIC_RECEIVE_DROP), 1);
}

/* Names lead back to their objects; the cause of every drop is a statistic; no name is there
 * twice. */
static void test_stats_names(void **state)
{
	(void)state;
	for (unsigned m = 0; m < METRIC_N; m++)
		assert_int_equal(metric_by_name(metric_name((enum metric)m)), m);
	assert_int_equal(metric_by_name("pkt4-nothing"), METRIC_N);
	for (unsigned d = 1; d < DROP_N; d++) {
		const struct drop_info *i = drop_info((enum drop)d);

		assert_int_equal(metric_by_name(i->name), METRIC_N);
		if (i->statistic[0])
			assert_true(metric_by_name(i->statistic) < METRIC_N);
		for (unsigned e = 1; e < d; e++)
			assert_string_not_equal(drop_info((enum drop)e)->name, i->name);
	}
	for (unsigned m = 0; m < SUBNET_METRIC_N; m++)
		assert_true(subnet_metric_global((enum subnet_metric)m) < METRIC_N);
}

static void test_subnet_stats(void **state)
{
	static const uint32_t ids[] = {3, 7};
	static const uint32_t more[] = {2, 5, 7, 9};
	struct subnet_stats *s[2];
	struct subnet_stats *later[4];

	(void)state;
	assert_int_equal(server_subnet_stats(&srv, ids, 2, s), 0);
	assert_ptr_not_equal(s[0], s[1]);
	subnet_stats_add(s[1], SUBNET_LEASE_REUSES);
	subnet_stats_add(NULL, SUBNET_LEASE_REUSES);
	assert_int_equal(server_subnet_stats(&srv, more, 4, later), 0);
	assert_ptr_equal(later[2], s[1]); /* they outlive a configuration */
	assert_int_equal(s[1]->c[SUBNET_LEASE_REUSES], 1);
	assert_int_equal(s[0]->c[SUBNET_LEASE_REUSES], 0);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(later[i]->subnet_id, more[i]);
}

/* --- snapshots -------------------------------------------------------------------------------- */

static struct snapshot *build(const char *pool, const char *more, const struct snapshot *prev)
{
	struct config_error err = {0};
	struct config *cfg = NULL;
	struct snapshot *s = NULL;
	struct arena a;
	struct json *v;
	char text[512];

	(void)snprintf(
		text, sizeof(text),
		"{\"Dhcp4\": {\"subnet4\": [{\"id\": 5, \"subnet\": \"192.0.2.0/24\", "
		"\"pools\": [{\"pool\": \"192.0.2.100-192.0.2.109\"}, {\"pool\": \"%s\"}]%s}]}}",
		pool, more);
	arena_init(&a);
	assert_int_equal(json_parse(span_str(text), &(struct json_opts){0}, &a, &v, &err), 0);
	if (config_load_json(v, NULL, &cfg, &err) < 0)
		fail_msg("%s", err.text);
	arena_fini(&a);
	assert_int_equal(snapshot_build(&srv, cfg, prev, &s, NULL, &err), 0);
	return s;
}

static struct lease lease_of(uint8_t who)
{
	return (struct lease){.hw_len = 6, .hw = {2, 0, 0, 0, 0, who}, .valid_lft = 600};
}

static void test_snapshot_shares(void **state)
{
	struct snapshot *a = build("192.0.2.10-192.0.2.19", "", NULL);
	struct snapshot *b = build("192.0.2.10-192.0.2.29", ", \"valid-lifetime\": 60", a);
	struct lease l = lease_of(1);

	(void)state;
	assert_ptr_equal(a->hooks, b->hooks);			  /* no library is loaded anew */
	assert_ptr_equal(a->subnet_stats[0], b->subnet_stats[0]); /* counters continue */
	assert_int_equal(lease_pool_free(a->pools, 0), 10);
	assert_int_equal(lease_db_pick(srv.db, a->pools, 0, &l), 0);
	assert_int_equal(lease_pool_free(b->pools, 0),
			 9); /* the unchanged pool is one and the same */
	l = lease_of(2);
	assert_int_equal(lease_db_pick(srv.db, a->pools, 1, &l), 0);
	assert_int_equal(lease_pool_free(b->pools, 1), 19); /* the changed one knows its leases */
	snapshot_unref(a);				    /* the parts lent to b stay */
	l = lease_of(3);
	assert_int_equal(lease_db_pick(srv.db, b->pools, 0, &l), 0);
	assert_int_equal(lease_pool_free(b->pools, 0), 8);
	snapshot_unref(b);
	snapshot_unref(NULL);
}

static void test_snapshot_publish(void **state)
{
	struct snapshot *a = build("192.0.2.10/31", "", NULL);
	uint64_t before = srv.generation;
	struct snapshot *mine;

	(void)state;
	assert_null(server_snapshot(&srv));
	server_publish_snapshot(&srv, a);
	assert_true(srv.generation > before);
	mine = server_snapshot(&srv);
	assert_ptr_equal(mine, a);
	server_publish_snapshot(&srv, build("192.0.2.20/31", "", mine));
	assert_int_equal(mine->cfg->pools[1]->first,
			 0xc000020a); /* holders of the old one keep it */
	snapshot_unref(mine);
	mine = server_snapshot(&srv);
	assert_int_equal(mine->cfg->pools[1]->first, 0xc0000214);
	snapshot_unref(mine);
}

/* --- traces ----------------------------------------------------------------------------------- */

static void trace(struct exchange *x, const char *note)
{
	arena_reset(&x->pkt.arena);
	x->trace = NULL;
	trace_begin(x);
	TRACE(x, "%s", note);
	trace_end(x, "done");
}

static size_t traces(struct json **ret_list, struct arena *a, bool clear)
{
	*ret_list = tracer_get(srv.tracer, a, clear);
	return (*ret_list)->count;
}

/* A trace begins with its time, "2026-11-20T12:00:00.123+01:00 ". */
static void assert_steps(const char *trace, const char *want)
{
	assert_int_equal(strcspn(trace, " "), 29);
	assert_string_equal(trace + 30, want);
}

static void test_trace(void **state)
{
	struct arena a;
	struct json *l;

	(void)state;
	arena_init(&a);
	client(&ex[0], "id-a", "hw-a");
	client(&ex[1], "id-b", "hw-b");
	trace(&ex[0], "nobody looks");
	assert_int_equal(traces(&l, &a, false), 0);
	tracer_start(srv.tracer, span_str("hw-a"), SPAN_NULL, 2);
	trace(&ex[1], "another client");
	trace(&ex[0], "one");
	assert_int_equal(traces(&l, &a, false), 1);
	assert_steps(l->first->s, "one; => done");
	tracer_start(srv.tracer, SPAN_NULL, span_str("id-b"), 1);
	trace(&ex[1], "two");
	trace(&ex[1], "one more than asked for");
	assert_int_equal(traces(&l, &a, true), 2);
	assert_steps(l->last->s, "two; => done");
	assert_int_equal(traces(&l, &a, false), 0);
	tracer_start(srv.tracer, SPAN_NULL, SPAN_NULL, 5);
	tracer_stop(srv.tracer);
	trace(&ex[0], "stopped");
	assert_int_equal(traces(&l, &a, false), 0);
	arena_fini(&a);
}

/* The ring keeps the last 128, oldest first; a long trace is cut, not overrun. */
static void test_trace_ring(void **state)
{
	struct arena a;
	struct json *l;
	char text[32];

	(void)state;
	arena_init(&a);
	client(&ex[0], "id-a", "hw-a");
	tracer_start(srv.tracer, SPAN_NULL, SPAN_NULL, 1000);
	for (int i = 0; i < 300; i++) {
		(void)snprintf(text, sizeof(text), "number %d", i);
		trace(&ex[0], text);
	}
	assert_int_equal(traces(&l, &a, false), 128);
	assert_steps(l->first->s, "number 172; => done");
	assert_steps(l->last->s, "number 299; => done");
	arena_reset(&ex[0].pkt.arena);
	ex[0].trace = NULL;
	trace_begin(&ex[0]);
	for (int i = 0; i < 3000; i++)
		TRACE(&ex[0], "line %d", i);
	trace_end(&ex[0], "done");
	assert_int_equal(traces(&l, &a, true), 128);
	assert_in_range(strlen(l->last->s), 12200, 12287);
	arena_fini(&a);
}

static unsigned n_waits;

static void count_wait(struct exchange *x)
{
	(void)x;
	n_waits++;
}

/* An answer waits for the decision on its row, and goes only if the row is durable. */
static enum verdict commit_row(struct exchange *x, uint8_t who)
{
	struct lease l = lease_of(who);
	struct lease_client c = {.hw = lease_hw(&l)};
	static const struct stage_services services = {.wait_durable = count_wait};
	struct lease_change ch;

	memset(x, 0, sizeof(*x));
	x->srv = &srv;
	x->services = &services;
	x->has_response = true;
	arena_init_fixed(&x->pkt.arena, mem[0], sizeof(mem[0]));
	l.addr = 0xc0000200 + who;
	assert_int_equal(lease_db_assign(srv.db, &l, &c, &ch), 0);
	x->wait_seq = ch.seq;
	return stage_commit(x);
}

static void test_commit_outcomes(void **state)
{
	struct fake_store s;
	struct lease other = lease_of(9);
	struct exchange *x = &ex[0];

	(void)state;
	n_waits = 0;
	fake_store_init(&s, srv.db);
	srv.store = &s.store;
	assert_int_equal(commit_row(x, 1), VERDICT_PARK);
	fake_store_decide(&s);
	assert_int_equal(stage_commit(x), VERDICT_CONTINUE);
	x->has_response = false; /* a RELEASE */
	assert_int_equal(stage_commit(x), VERDICT_DROP);

	assert_int_equal(commit_row(x, 2), VERDICT_PARK);
	other.addr = 0xc0000202;
	assert_int_equal(fake_store_refuse(&s, x->wait_seq, &other), 0);
	fake_store_decide(&s);
	assert_int_equal(stage_commit(x), VERDICT_DROP);
	assert_int_equal(x->drop, DROP_NO_LEASE);

	assert_int_equal(commit_row(x, 3), VERDICT_PARK);
	fake_store_down(&s);
	fake_store_up(&s);
	assert_int_equal(stage_commit(x), VERDICT_DROP);
	assert_int_equal(x->drop, DROP_STORE_DOWN);
	fake_store_down(&s);
	assert_int_equal(commit_row(x, 4), VERDICT_DROP);
	assert_int_equal(x->drop, DROP_STORE_DOWN);
	assert_int_equal(n_waits, 3);
	srv.store = NULL;
	fake_store_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_guard, setup, teardown),
		cmocka_unit_test_setup_teardown(test_guard_hw, setup, teardown),
		cmocka_unit_test_setup_teardown(test_guard_two_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stats, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stats_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_subnet_stats, setup, teardown),
		cmocka_unit_test_setup_teardown(test_snapshot_shares, setup, teardown),
		cmocka_unit_test_setup_teardown(test_snapshot_publish, setup, teardown),
		cmocka_unit_test_setup_teardown(test_commit_outcomes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_trace, setup, teardown),
		cmocka_unit_test_setup_teardown(test_trace_ring, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
