/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The flow table against a plain model: random conversations, time-outs, a table that is too small.
 */
#include "unit/unit.h"

#include "gate_tcp_util.h"

#include "base/clock.h"
#include "base/rng.h"
#include "gate/engine/flow.h"
#include "gate/engine/gate_packet.h"

enum { N_KEYS = 64, CAP = 24, ROUNDS = 200000 };

struct model {
	uint64_t id; /* 0: not there */
	int64_t last;
	enum flow_queue queue;
};

static struct model model[N_KEYS];
static unsigned ended, evicted_n;

static void on_end(void *ctx, struct flow *f, bool evicted)
{
	(void)ctx;
	ended++;
	evicted_n += evicted;
	/* all keys of the test differ in their source port's low octet */
	assert_int_equal(model[f->key.sport % N_KEYS].id, f->id);
	model[f->key.sport % N_KEYS].id = 0;
}

static struct flow_key key_of(unsigned i)
{
	return (struct flow_key){
		.src = 0x0a000000 + i % 3,
		.dst = 0x0a000002, /* for i % 3 == 2 both ends have one address */
		.sport = (uint16_t)(1024 + i),
		.dport = i % 5 ? 53 : (uint16_t)(1024 + i), /* and for some one port, too */
		.proto = 17,
		.vlan = (uint16_t)(i % 2),
	};
}

static struct flow_key turned(struct flow_key k)
{
	struct flow_key t = k;

	t.src = k.dst;
	t.dst = k.src;
	t.sport = k.dport;
	t.dport = k.sport;
	return t;
}

static unsigned model_live(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < N_KEYS; i++)
		n += model[i].id != 0;
	return n;
}

/* Nothing that should have gone first is still there. */
static void check_order(const struct model *gone_before, int64_t now, const struct flow_limits *l)
{
	(void)gone_before;
	for (unsigned i = 0; i < N_KEYS; i++)
		if (model[i].id)
			assert_true(now - model[i].last < l->timeout_ns[model[i].queue]);
}

static void test_against_model(void **state)
{
	struct flow_limits l = {.max_flows = CAP, .timeout_ns = {50, 70, 90, 400}};
	struct hash_key hk = {1, 2};
	struct flow_table *t;
	struct rng rng;
	int64_t now = 0;
	struct flow_stats st;

	(void)state;
	rng_seed(&rng, 7);
	assert_int_equal(flow_table_new(&l, &hk, on_end, NULL, &t), 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned i = rng_below(&rng, N_KEYS);
		struct flow_key k = key_of(i);
		bool turn = rng_below(&rng, 2) && !(k.src == k.dst && k.sport == k.dport);
		struct flow_key asked = turn ? turned(k) : k;
		enum flow_queue q = (enum flow_queue)rng_below(&rng, FLOW_N_QUEUES);
		uint8_t direction = 9;
		struct flow *f;

		now += rng_below(&rng, 8);
		(void)flow_expire(t, now, CAP);
		check_order(model, now, &l);
		f = flow_find(t, flow_bucket(t, &asked), &asked, &direction);
		assert_int_equal(f != NULL, model[i].id != 0);
		if (f) {
			assert_int_equal(f->id, model[i].id);
			assert_int_equal(direction, turn ? GATE_DOWN : GATE_UP);
		} else {
			f = flow_add(t, flow_bucket(t, &k), &k, now);
			assert_non_null(f);
			model[i] = (struct model){f->id, now, FLOW_NEW};
		}
		if (rng_below(&rng, 10) == 0) {
			flow_end(t, f);
		} else {
			flow_touch(t, f, q, now);
			model[i].last = now;
			model[i].queue = q;
		}
		flow_stats(t, &st);
		assert_int_equal(st.live, model_live());
		assert_true(st.live <= CAP);
	}
	flow_stats(t, &st);
	assert_true(st.evicted > 100 && st.expired > 100);
	assert_int_equal(st.ended, ended);
	assert_int_equal(st.evicted, evicted_n);
	flow_table_free(t);
	assert_int_equal(model_live(), 0);
}

/* The most expendable goes first, and of those the one that waited longest. */
static void test_eviction(void **state)
{
	struct flow_limits l = {.max_flows = 3, .timeout_ns = {1000, 1000, 1000, 1000}};
	struct hash_key hk = {1, 2};
	struct flow_key k[4] = {key_of(0), key_of(1), key_of(2), key_of(3)};
	struct flow_table *t;
	uint8_t d;

	(void)state;
	assert_int_equal(flow_table_new(&l, &hk, on_end, NULL, &t), 0);
	for (unsigned i = 0; i < 3; i++) {
		struct flow *f = flow_add(t, flow_bucket(t, &k[i]), &k[i], i);

		model[i].id = f->id;
		flow_touch(t, f, i == 0 ? FLOW_ESTABLISHED : FLOW_DATAGRAMS, i);
	}
	model[3].id = flow_add(t, flow_bucket(t, &k[3]), &k[3], 3)->id;
	assert_non_null(flow_find(t, flow_bucket(t, &k[0]), &k[0], &d));
	assert_null(flow_find(t, flow_bucket(t, &k[1]), &k[1], &d));
	assert_non_null(flow_find(t, flow_bucket(t, &k[2]), &k[2], &d));
	flow_table_free(t);
}

static void count_end(void *ctx, struct flow *f, bool by_force)
{
	(void)by_force;
	((unsigned *)ctx)[f->key.src & 1]++;
}

/* One client opens flows without end: it evicts none of others, in any queue. */
static void test_greedy_client(void **state)
{
	enum { MANY = 800, OTHERS = 40, GREEDY = 0x0a000101, QUIET = 0x0a000200 };
	struct flow_limits l = {.max_flows = MANY,
				.timeout_ns = {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX}};
	struct hash_key hk = {1, 2};
	unsigned ends[2] = {0};
	struct flow_table *t;
	struct flow_stats st;

	(void)state;
	assert_int_equal(flow_table_new(&l, &hk, count_end, ends, &t), 0);
	for (unsigned i = 0; i < OTHERS + 20 * MANY; i++) {
		struct flow_key k = {.src = i < OTHERS ? QUIET + 2 * i : GREEDY,
				     .dst = 9,
				     .sport = (uint16_t)i,
				     .dport = 80,
				     .proto = 6};
		struct flow *f = flow_add(t, flow_bucket(t, &k), &k, i);

		assert_non_null(f);
		/* half of the others' wait for an answer; the greedy one's do not */
		flow_touch(t, f, i < OTHERS && i % 2 ? FLOW_NEW : FLOW_ESTABLISHED, i);
	}
	flow_stats(t, &st);
	assert_int_equal(st.live, MANY);
	assert_int_equal(ends[0], 0);
	assert_true(ends[1] > 10 * MANY);
	flow_table_free(t);
}

/* Segments of connections that nobody has evict each other, and not a connection that is idle
 * (--midstream). */
static void test_midstream_junk(void **state)
{
	enum { ROOM = 16, JUNK = 500 };
	static uint8_t frame[GT_CAP];
	static struct gt_conn c;
	struct gate_opts o;
	uint32_t at = 0;
	static struct gt t;
	uint64_t id;

	(void)state;
	gt_opts(&o);
	o.midstream = true;
	o.flows.max_flows = ROOM;
	gt_open(&t, &o, DISSECT_TCP_CONNECTION);
	gt_conn_open(&c, &t, 1000, 80);
	id = flow_each(gate_flows(t.g), &at)->id;
	for (unsigned i = 0; i < JUNK; i++) {
		const struct gt_conn none = {.sport = (uint16_t)(20000 + i),
					     .dport = 443,
					     .isn = {i, i}};

		gt_push(&t, frame, gt_tcp(&none, frame, GATE_UP, TCP_ACK, i, span_str("junk")),
			NS_PER_S);
		gt_run(&t);
		while (gt_pop(&t))
			;
	}
	at = 0;
	assert_int_equal(flow_each(gate_flows(t.g), &at)->id, id);
	gt_conn_say(&c, GATE_UP, span_str("still there"));
	assert_string_equal(gt_conn_text(&c, GATE_UP), "still there");
	gt_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_model),
		cmocka_unit_test(test_eviction),
		cmocka_unit_test(test_greedy_client),
		cmocka_unit_test(test_midstream_junk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
