/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Streams that are changed on their way, against a sender and a receiver that lose, repeat, reorder
 * and cut anew: the receiver must see the edited text, whole and once, and the sender must come to
 * an end.
 */
#include "unit/unit.h"

#include "base/error.h"

#include "base/rng.h"
#include "gate/tcp/tcp_history.h"
#include "gate/tcp/tcp_stream.h"
#include "gate/tcp/tcp_track.h"

enum { TEXT_LEN = 20000, OUT_CAP = 4 * TEXT_LEN, WINDOW = 4000, MSS = 500, STEPS_MAX = 200000 };

struct world {
	struct rng rng;
	struct held_pool *held;
	struct tcp_pool *pool;
	struct tcp_stream s;
	/* sender: numbers from isn */
	uint8_t text[TEXT_LEN];
	uint32_t isn, acked, next;
	/* the gate: in order up to here */
	uint32_t seen;
	/* the octets that should arrive */
	uint8_t want[OUT_CAP];
	uint32_t n_want;
	/* receiver */
	uint8_t got[OUT_CAP];
	bool has[OUT_CAP];
	uint32_t n_got;
	unsigned loss; /* percent */
	unsigned edits;
	/* a sender that lies: its retransmissions hold other octets, where the receiver may not
	 * have them yet */
	struct tcp_pool *histories;
	struct tcp_history history;
	unsigned lies;
};

static struct world w;

static bool lost(void)
{
	return rng_below(&w.rng, 100) < w.loss;
}

/* The receiver: octets at an out number, any order, any overlap; octets that it has stay. */
static void receive(uint32_t out, struct span octets)
{
	for (size_t i = 0; i < octets.n; i++) {
		uint32_t at = (uint32_t)(out + i - w.isn);

		assert_true(at < OUT_CAP);
		if (w.has[at])
			assert_int_equal(w.got[at],
					 octets.p[i]); /* and nothing it has may change */
		w.has[at] = true;
		w.got[at] = octets.p[i];
	}
	while (w.n_got < OUT_CAP && w.has[w.n_got])
		w.n_got++;
}

static void emit(void *ctx, struct held *frame, uint32_t out, struct span octets, bool last)
{
	(void)ctx;
	(void)frame;
	(void)last;
	if (!lost())
		receive(out, octets);
}

/* A dissector that wants to see some octets together, and changes one here and there. */
static void dissect(bool end)
{
	uint32_t n = w.s.n;
	uint32_t let_go = end ? n : rng_below(&w.rng, 3) ? n : rng_below(&w.rng, n + 1);
	uint8_t what[40];

	if (rng_below(&w.rng, 3) == 0 && n) {
		uint32_t off = rng_below(&w.rng, n + 1);
		uint32_t old = rng_below(&w.rng, n - off + 1) % 60;
		uint32_t len = rng_below(&w.rng, sizeof(what));

		memset(what, 'A' + (int)rng_below(&w.rng, 26), sizeof(what));
		if (tcp_stream_edit(&w.s, w.pool, off, old, span_of(what, len)) == 0)
			w.edits++;
		n = w.s.n;
		let_go = let_go < n || !end ? (let_go < n ? let_go : n) : n;
	}
	if (end)
		let_go = n;
	memcpy(w.want + w.n_want, w.s.pending, let_go);
	w.n_want += let_go;
	tcp_stream_release(&w.s, w.pool, let_go, MSS, emit, NULL);
}

/* The first n octets at `from` came before: with lies in them, the history knows better. */
static struct span told_again(uint32_t from, struct span data, uint32_t n)
{
	static uint8_t copy[8192];
	bool lied = false;

	memcpy(copy, data.p, data.n);
	for (uint32_t i = 0; i < n; i++) {
		if (tcp_before(from + i, w.acked) || rng_below(&w.rng, 16))
			continue;
		copy[i] ^= 0x20;
		lied = true;
	}
	w.lies += lied;
	assert_int_equal(tcp_history_unknown(&w.history, from, n, w.acked, true), 0);
	assert_int_equal(tcp_history_correct(&w.history, from, copy, n), lied);
	return span_of(copy, data.n);
}

/* The segment comes to the gate. */
static void gate(uint32_t from, struct span data)
{
	struct frame f = {.data = w.text, .len = 1};
	uint32_t to = (uint32_t)(from + data.n);

	if (tcp_before(w.seen, from)) {
		/* ahead: this test's gate lets the sender repeat it */
		return;
	}
	if (tcp_before(from, w.seen)) {
		uint32_t n = tcp_before(to, w.seen) ? to - from : w.seen - from, out;
		uint8_t buf[8192];
		struct wr wr = wr_init(buf, sizeof(buf));

		data = told_again(from, data, n);
		assert_true(tcp_stream_again(&w.s, from, span_sub(data, 0, n), &wr, &out));
		if (!lost())
			receive(out, span_of(buf, wr.len));
		if (!tcp_before(w.seen, to))
			return;
		data = span_sub(data, w.seen - from, data.n);
		from = w.seen;
	}
	assert_int_equal(tcp_history_note(&w.history, w.histories, from, data, false), 0);
	if (tcp_stream_append(&w.s, w.pool, &f, from, data) < 0) {
		/* no room: everything has to go */
		tcp_history_cut(&w.history, w.histories, w.seen);
		dissect(true);
		return;
	}
	w.seen = to;
	dissect(to - w.isn == TEXT_LEN);
}

static void acknowledge(void)
{
	uint32_t ack;

	if (lost())
		return;
	tcp_stream_acked(&w.s, w.pool, w.isn + w.n_got);
	ack = tcp_edits_in(&w.s.edits, w.isn + w.n_got, false);
	assert_false(tcp_before(w.seen, ack));
	if (tcp_before(w.acked, ack))
		w.acked = ack;
	tcp_history_acked(&w.history, w.histories, w.acked);
}

static void send_some(void)
{
	uint32_t end = w.isn + TEXT_LEN;
	/* new octets, or some that were sent before, cut as it pleases */
	uint32_t again = w.acked + (rng_below(&w.rng, 2) && w.next != w.acked
					    ? rng_below(&w.rng, w.next - w.acked)
					    : 0);
	uint32_t from = rng_below(&w.rng, 3) ? w.next : again;
	uint32_t n = 1 + rng_below(&w.rng, MSS);

	if (from == w.next && (w.next == end || w.next - w.acked > WINDOW))
		from = again;
	n = end - from < n ? end - from : n;
	if (tcp_before(w.next, from + n))
		w.next = from + n;
	if (n && !lost())
		gate(from, span_of(w.text + (from - w.isn), n));
}

/* More changes than there are places for: those not sent yet become one. */
static void test_many_edits(void **state)
{
	struct frame f = {.data = w.text, .len = 1};
	unsigned done = 0;

	(void)state;
	memset(&w, 0, sizeof(w));
	assert_int_equal(held_pool_new(4, 1, true, &w.held), 0);
	assert_int_equal(tcp_pool_new(4, TCP_GROWN_MAX, w.held, &w.pool), 0);
	memset(w.text, 'k', sizeof(w.text));
	assert_int_equal(tcp_stream_append(&w.s, w.pool, &f, 0, span_of(w.text, 12000)), 0);
	for (uint32_t at = 0; at + 6 < w.s.n; at += 7, done++)
		assert_int_equal(tcp_stream_edit(&w.s, w.pool, at, 1, span_str("xyz")), 0);
	assert_true(done > TCP_MAX_EDITS);
	memcpy(w.want, w.s.pending, w.s.n);
	w.n_want = w.s.n;
	tcp_stream_release(&w.s, w.pool, w.s.n, MSS, emit, NULL);
	assert_int_equal(w.n_got, w.n_want);
	assert_memory_equal(w.got, w.want, w.n_want);
	assert_int_equal(tcp_edits_in(&w.s.edits, w.n_want, false), 12000);
	tcp_stream_acked(&w.s, w.pool, w.n_want);
	assert_int_equal(w.s.edits.n, 0);
	assert_int_equal(tcp_pool_used(w.pool), 0);
	tcp_pool_free(w.pool);
	held_pool_free(w.held);
}

static void nothing_lost(void *ctx, struct held *h)
{
	(void)ctx;
	(void)h;
	fail_msg("a frame was still held at the end");
}

static void run(uint64_t seed, unsigned loss)
{
	unsigned steps = 0;

	memset(&w, 0, sizeof(w));
	rng_seed(&w.rng, seed);
	w.loss = loss;
	w.isn = w.acked = w.next = w.seen = (uint32_t)rng_u64(&w.rng);
	if (seed % 2)
		w.isn = w.acked = w.next = w.seen = (uint32_t)-5000; /* wraps */
	assert_int_equal(held_pool_new(300, 4, true, &w.held), 0);
	assert_int_equal(tcp_pool_new(4, TCP_GROWN_MAX, w.held, &w.pool), 0);
	assert_int_equal(tcp_pool_new(1, TCP_HISTORY_LEN, w.held, &w.histories), 0);
	for (size_t i = 0; i < TEXT_LEN; i++)
		w.text[i] = (uint8_t)('a' + i % 26);
	while (w.acked - w.isn != TEXT_LEN && steps++ < STEPS_MAX) {
		send_some();
		acknowledge();
	}
	assert_int_equal(w.acked - w.isn, TEXT_LEN);
	assert_int_equal(w.n_got, w.n_want);
	assert_memory_equal(w.got, w.want, w.n_want);
	assert_int_equal(w.s.n, 0);
	tcp_stream_end(&w.s, w.pool, nothing_lost, NULL);
	assert_int_equal(tcp_pool_used(w.pool), 0);
	assert_int_equal(tcp_pool_used(w.histories), 0);
	assert_int_equal(held_count(w.held), 0);
	tcp_pool_free(w.histories);
	tcp_pool_free(w.pool);
	held_pool_free(w.held);
}

static void test_edited_streams(void **state)
{
	unsigned edits = 0, lies = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 12000; seed++) {
		run(seed, (unsigned)(seed % 5) * 8);
		edits += w.edits;
		lies += w.lies;
	}
	assert_true(edits > 100000);
	assert_true(lies > 10000);
}

static uint8_t lots[1 << 20];

/* A limit of all connections, and the share of one client; memory that a long connection needs. */
static void test_history_budget(void **state)
{
	struct tcp_history h[4] = {{.owner = 1}, {.owner = 1}, {.owner = 2}, {.owner = 3}};
	struct held_pool *held;
	struct tcp_pool *pool;
	uint32_t next = 7;

	(void)state;
	assert_int_equal(held_pool_new(4, 1, true, &held), 0);
	assert_int_equal(tcp_pool_new(64, TCP_HISTORY_LEN, held, &pool), 0);
	tcp_pool_limit(pool, 8000);
	assert_int_equal(tcp_history_note(&h[0], pool, 7, span_of(lots, 3000), false), 0);
	assert_int_equal(tcp_history_note(&h[1], pool, 7, span_of(lots, 900), false), 0);
	/* more than half of all in use: the client has more than an eighth */
	assert_int_equal(tcp_history_note(&h[1], pool, 907, span_of(lots, 200), false),
			 -USHER_E_LIMIT);
	assert_int_equal(h[1].n, 900);
	assert_int_equal(tcp_history_note(&h[2], pool, 7, span_of(lots, 1000), false), 0);
	assert_int_equal(tcp_history_note(&h[3], pool, 7, span_of(lots, 1001), false),
			 -USHER_E_LIMIT);
	assert_null(h[3].ring);
	/* a recording continues without octets for which there is no room */
	assert_int_equal(tcp_history_note(&h[1], pool, 907, span_of(lots, 200), true), 0);
	assert_int_equal(h[1].n, 0);
	assert_null(h[1].ring);
	tcp_history_acked(&h[0], pool, 3007);
	assert_int_equal(tcp_history_note(&h[3], pool, 7, span_of(lots, 1001), false), 0);
	for (unsigned i = 0; i < 4; i++)
		tcp_history_end(&h[i], pool);
	/* never empty, never much: it needs no more than a little of the ring */
	tcp_pool_limit(pool, 0);
	for (unsigned i = 0; i < 20000; i++, next += 1000) {
		memset(lots, (int)i, 1000);
		assert_int_equal(tcp_history_note(&h[0], pool, next, span_of(lots, 1000), false),
				 0);
		tcp_history_acked(&h[0], pool, next - 20000 + 1);
		assert_false(tcp_history_correct(&h[0], next, lots, 1000));
	}
	assert_in_range(h[0].touched, 20000, 200000);
	tcp_history_end(&h[0], pool);
	tcp_pool_free(pool);
	held_pool_free(held);
}

/* More on its way than is remembered; two who need the one buffer. */
static void test_history_limits(void **state)
{
	static uint8_t text[3 * TCP_HISTORY_LEN], copy[3 * TCP_HISTORY_LEN];
	struct tcp_history h = {0}, other = {0};
	struct held_pool *held;
	struct tcp_pool *pool;
	uint32_t isn = (uint32_t)-1000;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * 7 + i / 251);
	assert_int_equal(held_pool_new(4, 1, true, &held), 0);
	assert_int_equal(tcp_pool_new(1, TCP_HISTORY_LEN, held, &pool), 0);
	for (uint32_t at = 0; at < sizeof(text); at += 1000) {
		uint32_t n = sizeof(text) - at < 1000 ? (uint32_t)sizeof(text) - at : 1000;

		if (at + n <= TCP_HISTORY_LEN)
			assert_int_equal(tcp_history_note(&h, pool, isn + at, span_of(text + at, n),
							  false),
					 0);
		else /* its retransmission would not be checked */
			assert_int_equal(tcp_history_note(&h, pool, isn + at, span_of(text + at, n),
							  false),
					 -USHER_E_LIMIT);
		if (at + n > TCP_HISTORY_LEN)
			assert_int_equal(tcp_history_note(&h, pool, isn + at, span_of(text + at, n),
							  true),
					 0);
	}
	assert_int_equal(tcp_history_note(&other, pool, 5, span_str("no room"), false),
			 -USHER_E_LIMIT);
	assert_int_equal(tcp_history_note(&other, pool, 5, span_str("no room"), true), 0);
	assert_null(other.ring);
	assert_int_equal(tcp_history_unknown(&other, 5, 7, 5, true), 7);
	assert_int_equal(tcp_history_unknown(&other, 5, 7, 12, true), 0);
	/* nobody has said so */
	assert_int_equal(tcp_history_unknown(&other, 5, 7, 12, false), 7);
	/* the oldest are gone, the others are right */
	assert_int_equal(tcp_history_unknown(&h, isn, sizeof(text), isn, true),
			 sizeof(text) - TCP_HISTORY_LEN);
	memset(copy, 0, sizeof(copy));
	assert_true(tcp_history_correct(&h, isn, copy, sizeof(copy)));
	assert_memory_equal(copy + sizeof(text) - TCP_HISTORY_LEN,
			    text + sizeof(text) - TCP_HISTORY_LEN, TCP_HISTORY_LEN);
	assert_int_equal(copy[sizeof(text) - TCP_HISTORY_LEN - 1], 0);
	/* one segment longer than all of it */
	assert_int_equal(tcp_history_note(&h, pool, isn + (uint32_t)sizeof(text),
					  span_of(text, sizeof(text)), true),
			 0);
	assert_int_equal(h.n, TCP_HISTORY_LEN);
	/* a hole: begins anew */
	assert_int_equal(tcp_history_note(&h, pool, 77, span_str("behind"), false), 0);
	assert_int_equal(h.n, 6);
	tcp_history_cut(&h, pool, 79);
	assert_int_equal(h.n, 2);
	tcp_history_acked(&h, pool, 78);
	assert_int_equal(h.n, 1);
	tcp_history_acked(&h, pool, 500);
	assert_null(h.ring);
	assert_int_equal(tcp_history_note(&other, pool, 5, span_str("room"), false), 0);
	assert_non_null(other.ring);
	tcp_history_end(&other, pool);
	tcp_history_end(&other, pool);
	assert_int_equal(tcp_pool_used(pool), 0);
	tcp_pool_free(pool);
	held_pool_free(held);
}

/* --- The connection --------------------------------------------------------------------------- */

static struct tcp_track t;

static enum tcp_segment step(enum gate_direction d, uint8_t flags, uint32_t seq, uint32_t ack,
			     uint32_t len)
{
	struct tcp_hdr h = {.seq = seq, .ack = ack, .flags = flags, .wnd = 1000};
	enum tcp_segment r = tcp_track_check(&t, d, &h, len);

	if (r == TCP_SEG_OK || r == TCP_SEG_AHEAD || r == TCP_SEG_AGAIN || r == TCP_SEG_OVERLAP)
		tcp_track_take(&t, d, &h, len, r != TCP_SEG_AHEAD);
	return r;
}

enum { S = TCP_SYN, A = TCP_ACK, F = TCP_FIN, R = TCP_RST };

static void handshake(void)
{
	struct tcp_hdr h = {.seq = 100, .flags = TCP_SYN, .wnd = 1000};

	assert_int_equal(tcp_track_begin(&t, &h, 0), TCP_SEG_OK);
	assert_int_equal(t.state, TCP_SYN_SENT);
	assert_int_equal(step(GATE_DOWN, S | A, 900, 101, 0), TCP_SEG_OK);
	assert_int_equal(t.state, TCP_SYN_RECEIVED);
	assert_int_equal(step(GATE_UP, A, 101, 901, 0), TCP_SEG_OK);
	assert_int_equal(t.state, TCP_ESTABLISHED);
}

static void test_life(void **state)
{
	(void)state;
	handshake();
	assert_int_equal(step(GATE_UP, A, 101, 901, 50), TCP_SEG_OK);
	assert_int_equal(step(GATE_UP, A, 101, 901, 50), TCP_SEG_AGAIN);
	assert_int_equal(step(GATE_UP, A, 201, 901, 50), TCP_SEG_AHEAD);
	assert_int_equal(step(GATE_UP, A, 141, 901, 60), TCP_SEG_OVERLAP);
	assert_int_equal(step(GATE_DOWN, A, 901, 201, 10), TCP_SEG_OK);
	assert_int_equal(step(GATE_UP, A, 200, 911, 1),
			 TCP_SEG_AGAIN); /* keep-alive with an octet */
	assert_int_equal(step(GATE_UP, A, 200, 911, 0), TCP_SEG_AGAIN); /* and without */
	assert_int_equal(step(GATE_UP, F | A, 201, 911, 0),
			 TCP_SEG_OUT_OF_WINDOW); /* octets behind it came already */
	assert_int_equal(step(GATE_UP, A, 201, 911, 50), TCP_SEG_OK);
	assert_int_equal(step(GATE_UP, F | A, 251, 911, 0), TCP_SEG_OK);
	assert_int_equal(t.state, TCP_FIN_WAIT);
	assert_int_equal(step(GATE_UP, F | A, 252, 911, 0),
			 TCP_SEG_OUT_OF_WINDOW); /* a second one hides an octet */
	assert_int_equal(step(GATE_UP, A, 252, 911, 5), TCP_SEG_OUT_OF_WINDOW);
	assert_int_equal(step(GATE_UP, A, 250, 911, 5), TCP_SEG_OUT_OF_WINDOW);
	assert_int_equal(step(GATE_UP, F | A, 251, 911, 0), TCP_SEG_AGAIN);
	assert_int_equal(t.half[GATE_UP].next, 252);
	assert_int_equal(step(GATE_DOWN, A, 911, 252, 0), TCP_SEG_OK);
	assert_int_equal(step(GATE_DOWN, F | A, 911, 252, 5), TCP_SEG_OK);
	assert_int_equal(t.state, TCP_CLOSING);
	assert_int_equal(step(GATE_UP, A, 252, 917, 0), TCP_SEG_OK);
	assert_int_equal(t.state, TCP_TIME_WAIT);
	assert_int_equal(step(GATE_UP, S, 5000, 0, 0), TCP_SEG_RESTART);
}

static void test_refused(void **state)
{
	static const uint8_t bad[] = {0, F, S | F, S | R, F | R | A, S | F | R | A};

	(void)state;
	handshake();
	for (size_t i = 0; i < sizeof(bad); i++)
		assert_int_equal(step(GATE_UP, bad[i], 101, 901, 0), TCP_SEG_BAD_FLAGS);
	assert_int_equal(step(GATE_UP, A, 101, 902, 0), TCP_SEG_BAD_ACK);
	assert_int_equal(step(GATE_UP, A, 101 + 200000, 901, 10), TCP_SEG_OUT_OF_WINDOW);
	assert_int_equal(step(GATE_UP, A, 101 - 200000, 901, 10), TCP_SEG_OUT_OF_WINDOW);
	assert_int_equal(step(GATE_UP, R, 101 + 200000, 0, 0), TCP_SEG_BAD_RESET);
	assert_int_equal(step(GATE_DOWN, S, 7, 0, 0), TCP_SEG_BAD_HANDSHAKE);
	assert_int_equal(step(GATE_UP, S, 100, 0, 0), TCP_SEG_AGAIN); /* the first SYN once more */
	assert_int_equal(t.state, TCP_ESTABLISHED);
	assert_int_equal(step(GATE_UP, R, 101, 0, 0), TCP_SEG_OK);
	assert_int_equal(t.state, TCP_RESET);
}

static void test_handshakes(void **state)
{
	struct tcp_hdr h = {.seq = 100, .flags = TCP_SYN, .wnd = 1000};

	(void)state;
	assert_int_equal(tcp_track_begin(&t, &h, 0), TCP_SEG_OK);
	assert_int_equal(step(GATE_UP, A, 101, 1, 0), TCP_SEG_BAD_HANDSHAKE);
	assert_int_equal(step(GATE_DOWN, S | A, 900, 200, 0), TCP_SEG_BAD_ACK);
	assert_int_equal(step(GATE_DOWN, S | A, 900, 100, 0), TCP_SEG_BAD_ACK);
	/* nobody listens */
	assert_int_equal(step(GATE_DOWN, R | A, 0, 101, 0), TCP_SEG_OK);
	assert_int_equal(t.state, TCP_RESET);
	/* the same client tries from other numbers */
	assert_int_equal(tcp_track_begin(&t, &h, 0), TCP_SEG_OK);
	assert_int_equal(step(GATE_UP, S, 4000, 0, 0), TCP_SEG_RESTART);
	/* both at once */
	assert_int_equal(tcp_track_begin(&t, &h, 0), TCP_SEG_OK);
	assert_int_equal(step(GATE_DOWN, S, 900, 0, 0), TCP_SEG_OK);
	assert_int_equal(step(GATE_UP, S | A, 100, 901, 0), TCP_SEG_AGAIN);
	assert_int_equal(step(GATE_DOWN, A, 901, 101, 0), TCP_SEG_OK);
	assert_int_equal(t.state, TCP_ESTABLISHED);
}

static void test_midstream(void **state)
{
	struct tcp_hdr h = {.seq = 5000, .ack = 700, .flags = TCP_ACK, .wnd = 100};

	(void)state;
	(void)tcp_track_begin(&t, &h, 10);
	assert_true(t.midstream);
	assert_int_equal(step(GATE_DOWN, A, 700, 5010, 20), TCP_SEG_OK);
	assert_int_equal(step(GATE_UP, A, 5010, 720, 20), TCP_SEG_OK);
	assert_int_equal(step(GATE_UP, A, 5010, 720, 20), TCP_SEG_AGAIN);
	assert_int_equal(t.state, TCP_ESTABLISHED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_history_limits), cmocka_unit_test(test_history_budget),
		cmocka_unit_test(test_edited_streams), cmocka_unit_test(test_many_edits),
		cmocka_unit_test(test_life),	       cmocka_unit_test(test_refused),
		cmocka_unit_test(test_handshakes),     cmocka_unit_test(test_midstream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
