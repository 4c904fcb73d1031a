/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Two hosts that talk through the whole engine while a rule changes their data and a dissector
 * holds incomplete lines: segments are lost before and behind the gate, overtake each other, are
 * retransmitted cut anew, with a FIN, or with other octets in them. Each host must get the other's
 * octets, changed in every place, once, and its end where it belongs; and no acknowledgement of
 * octets that it did not send.
 */
#include "unit/unit.h"

#include "gate_tcp_util.h"

#include "base/rng.h"
#include "gate/engine/plugin.h"
#include "gate/tcp/tcp_conn.h"
#include "wire/ipv4.h"

enum {
	TEXT = 3000,
	OUT = 3 * TEXT + 1,
	MSS = 300,
	WINDOW = 2000,
	STEPS = 60000,
	SEEDS = 1500,
	QUEUE = 8,
	STEP_MS = 20
};

/* One direction: its sender, and the octets that have arrived at the other end. */
struct way {
	uint8_t text[TEXT], want[OUT];
	uint32_t n_want;
	uint32_t isn, una, next; /* the sender's numbers */
	bool fin_sent;
	/* the receiver's */
	uint8_t got[OUT];
	bool has[OUT];
	uint32_t n;	/* in order */
	int64_t fin_at; /* -1: not seen */
};

static struct world {
	struct gt t;
	struct rng rng;
	struct way way[2];
	unsigned loss;	    /* percent */
	bool lies, patient; /* patient: a host repeats the first octets only, as after a time-out */
	int64_t now;
	/* frames behind the gate that may overtake each other */
	uint8_t queue[QUEUE][GT_CAP];
	size_t len[QUEUE];
} w;

static bool chance(unsigned percent)
{
	return rng_below(&w.rng, 100) < percent;
}

/* Each k becomes KKK. */
static bool change(void *ctx, struct gate_walk *walk, struct flow *f)
{

	(void)ctx;
	(void)f;
	for (uint32_t i = 0; i < walk->view->n; i++)
		if (walk->view->octets[i] == 'k') {
			assert_int_equal(gate_stream_edit(walk->view, i, 1, span_str("KKK")), 0);
			i += 2;
		}
	return true;
}

/* Lines end with z. */
static uint32_t whole_lines(void *ctx, struct gate_view *v)
{
	uint32_t n = v->n;

	(void)ctx;
	while (!v->end && n && v->octets[n - 1] != 'z')
		n--;
	return n;
}

static uint32_t end_of(const struct way *y)
{
	return y->isn + 1 + TEXT;
}

/* --- The receiver ----------------------------------------------------------------------------- */

static void octet(struct way *y, uint32_t at, uint8_t value)
{
	assert_true(at < y->n_want);
	if (y->has[at])
		assert_int_equal(y->got[at], value);
	assert_int_equal(value, y->want[at]);
	y->has[at] = true;
	y->got[at] = value;
}

static bool all_there(const struct way *y)
{
	return y->fin_at >= 0 && y->n == (uint32_t)y->fin_at;
}

static void arrive(struct span frame)
{
	struct rd r = rd_init(span_sub(frame, GT_IP, frame.n));
	struct ipv4_hdr ip;
	struct tcp_hdr h;
	struct way *y, *back;
	uint32_t at;

	assert_int_equal(ipv4_read(&r, &ip), 0);
	assert_true(tcp_csum_ok(ip.src, ip.dst, span_sub(frame, GT_TCP, frame.n)));
	assert_int_equal(tcp_read(&r, &h), 0);
	assert_false(h.flags & TCP_RST);
	y = &w.way[ip.src == GT_CLIENT ? GATE_UP : GATE_DOWN];
	back = &w.way[ip.src == GT_CLIENT ? GATE_DOWN : GATE_UP];
	if (h.flags & TCP_ACK && !(h.flags & TCP_SYN)) {
		/* of sent octets, in the sender's own numbers */
		assert_false(tcp_before(back->next + back->fin_sent, h.ack));
		if (tcp_before(back->una, h.ack))
			back->una = h.ack;
	}
	at = h.seq - y->isn - 1;
	for (; rd_left(&r); at++) {
		uint8_t value = rd_u8(&r);

		/* it ignores octets that it has already */
		if (!tcp_before(at, y->n))
			octet(y, at, value);
	}
	if (h.flags & TCP_FIN) {
		assert_int_equal(at, y->n_want);
		y->fin_at = at;
	}
	while (y->n < y->n_want && y->has[y->n])
		y->n++;
}

/* Loses a frame, delivers it, or lets it wait in place of another one, which is delivered. */
static void behind_the_gate(struct span frame)
{
	unsigned i = rng_below(&w.rng, QUEUE);

	if (chance(w.loss))
		return;
	if (chance(70)) {
		arrive(frame);
		return;
	}
	if (w.len[i])
		arrive(span_of(w.queue[i], w.len[i]));
	memcpy(w.queue[i], frame.p, frame.n);
	w.len[i] = frame.n;
}

/* --- The sender ------------------------------------------------------------------------------- */

static void push(unsigned d, uint8_t flags, uint32_t seq, struct span data)
{
	static uint8_t buf[GT_CAP];
	struct way *y = &w.way[d], *back = &w.way[!d];
	struct gt_conn c = {.sport = 1000, .dport = 80};
	size_t len;

	c.isn[d] = y->isn;
	c.isn[!d] = back->isn;
	c.n[!d] = back->n;
	c.fin[!d] = all_there(back);
	if (chance(w.loss))
		return;
	gt_push(&w.t, buf, gt_tcp(&c, buf, d, flags, seq, data), w.now);
	gt_run(&w.t);
	while ((len = gt_pop(&w.t)) != 0)
		behind_the_gate(span_of(w.t.out, len));
}

/* Returns the number of octets that the gate has seen in sequence. */
static uint32_t seen_by_gate(unsigned d)
{
	uint32_t at = 0;
	const struct flow *f = flow_each(gate_flows(w.t.g), &at);

	return f && f->transport ? gate_tcp(f)->track.half[d].next : w.way[d].isn;
}

/* n octets from a number on; those that the gate has seen may be lies, if the other end may not
 * have them. */
static void say(unsigned d, uint32_t seq, uint32_t n, bool fin)
{
	struct way *y = &w.way[d];
	uint8_t data[MSS];

	memcpy(data, y->text + (seq - y->isn - 1), n);
	for (uint32_t i = 0; w.lies && i < n; i++)
		if (tcp_before(seq + i, seen_by_gate(d)) && !tcp_before(seq + i, y->una) &&
		    chance(5))
			data[i] = 'x';
	if (tcp_before(y->next, seq + n))
		y->next = seq + n;
	y->fin_sent |= fin;
	push(d, (uint8_t)(TCP_ACK | (fin ? TCP_FIN : 0)), seq, span_of(data, n));
}

static void step(unsigned d)
{
	struct way *y = &w.way[d];
	uint32_t end = end_of(y), seq = y->next, n;

	w.now += STEP_MS * NS_PER_MS;
	/* FIN has a number, too */
	if (tcp_before(end, y->una) || chance(10)) {
		push(d, TCP_ACK, y->next + y->fin_sent, SPAN_NULL);
		return;
	}
	if (chance(50) || seq - y->una > WINDOW || seq == end)
		seq = y->una + (y->next != y->una && !w.patient && chance(60)
					? rng_below(&w.rng, y->next - y->una)
					: 0);
	n = rng_below(&w.rng, MSS) + 1;
	n = end - seq < n ? end - seq : n;
	if (n || seq == end)
		say(d, seq, n, seq + n == end && (y->fin_sent || chance(40)));
}

/* --- Worlds ----------------------------------------------------------------------------------- */

static void begin(uint64_t seed)
{
	const struct gate_plugin lines = {.name = "lines",
					  .proto = IPV4_PROTO_TCP,
					  .port = 80,
					  .data = whole_lines};
	struct gate_opts o;

	memset(&w.way, 0, sizeof(w.way));
	memset(w.len, 0, sizeof(w.len));
	rng_seed(&w.rng, seed);
	w.loss = (unsigned)(seed % 4) * 10;
	w.lies = seed % 3 == 0;
	w.patient = seed % 8 >= 4;
	w.now = NS_PER_S;
	gt_opts(&o);
	gt_open(&w.t, &o, DISSECT_TCP_CONNECTION);
	if (seed % 2 == 0)
		assert_true(gate_plugin_add(w.t.g, &lines) >= 0);
	assert_int_equal(gate_listen(w.t.g, EVENT_TCP_CONNECTION_receive_data, change, NULL), 0);
	for (unsigned d = GATE_UP; d <= GATE_DOWN; d++) {
		struct way *y = &w.way[d];

		y->isn = seed % 2 ? (uint32_t)-1000 : (uint32_t)rng_u64(&w.rng);
		y->una = y->next = y->isn + 1;
		y->fin_at = -1;
		for (uint32_t i = 0; i < TEXT; i++) {
			y->text[i] = (uint8_t)('a' + rng_below(&w.rng, seed % 5 ? 26 : 12));
			for (unsigned k = 0; k < (y->text[i] == 'k' ? 3 : 1); k++)
				y->want[y->n_want++] = y->text[i] == 'k' ? 'K' : y->text[i];
		}
	}
}

static void handshake(void)
{
	unsigned loss = w.loss;

	w.loss = 0;
	push(GATE_UP, TCP_SYN, w.way[GATE_UP].isn, SPAN_NULL);
	for (int i = 0; i < QUEUE; i++)
		w.len[i] = 0;
	push(GATE_DOWN, TCP_SYN | TCP_ACK, w.way[GATE_DOWN].isn, SPAN_NULL);
	for (int i = 0; i < QUEUE; i++)
		w.len[i] = 0;
	push(GATE_UP, TCP_ACK, w.way[GATE_UP].isn + 1, SPAN_NULL);
	w.loss = loss;
}

static bool over(const struct way *y)
{
	return all_there(y) && tcp_before(end_of(y), y->una);
}

static uint64_t run(uint64_t seed)
{
	unsigned steps = 0;
	uint64_t overlaps;

	begin(seed);
	handshake();
	while (!(over(&w.way[GATE_UP]) && over(&w.way[GATE_DOWN])) && steps++ < STEPS)
		step(rng_below(&w.rng, 2));
	for (unsigned d = GATE_UP; d <= GATE_DOWN; d++) {
		assert_true(over(&w.way[d]));
		assert_int_equal(w.way[d].n, w.way[d].n_want);
		assert_memory_equal(w.way[d].got, w.way[d].want, w.way[d].n_want);
	}
	assert_int_equal(gate_counters(w.t.g)->unverified, 0);
	overlaps = gate_counters(w.t.g)->overlaps;
	gt_close(&w.t);
	return overlaps;
}

static void test_worlds(void **state)
{
	uint64_t overlaps = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		overlaps += run(seed);
	assert_true(overlaps > SEEDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_worlds)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
