/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Records are: bits 0 and 1 of the kind: a raw frame, a TCP segment, a datagram of port 53, or time
 * that passes; bit 2: from the server; bits 3 and 4: which conversation; bits 5 to 7: the fault of
 * the segment. Rules in C, or in Lua, listen and change all that they can.
 */
#include "fuzz_gate.h"
#include "fuzz_gate_rules.h"

#include "base/clock.h"
#include "base/cursor.h"
#include "capture/frames.h"
#include "gate/assembly.h"
#include "gate/engine/app.h"
#include "gate/lua/bind.h"
#include "gate/app/dissect_dns.h"
#include "gate/app/dissect_http.h"
#include "wire/checksum.h"
#include "wire/ipv4.h"
#include "wire/udp.h"

enum { CONNS = 4, CLIENT = 0x0a000001, SERVER = 0x0a000002, MAX_DATA = 1400, MAX_RECORDS = 64 };

enum option {
	PASS_THROUGH = 1,
	FAIL_OPEN = 2,
	CHECKSUMS = 4,
	CHANGES = 8,
	DROPS = 16,
	MIDSTREAM = 32,
	LOOKS_ON = 64,
	IN_LUA = 128
};

/* The fault of a segment. */
enum wrong { IN_ORDER, SYN, FIN, RST, AHEAD, AGAIN, OVERLAP, ANYWHERE };

struct conn {
	uint32_t next[2]; /* of the sender */
	uint32_t got[2];  /* of the receiver, by the sender */
};

struct world {
	struct gate *g;
	struct frames *f;
	struct gate_bind *bind; /* IN_LUA */
	uint8_t options;
	int64_t now_ns;
	struct conn conns[CONNS];
	uint64_t pushed, popped;
};

/* --- Rules ------------------------------------------------------------------------------------ */

static bool rule_http(void *ctx, struct gate_walk *walk, struct flow *f)
{
	struct gate *g = walk->g;
	struct gate_packet *p = walk->p;
	const struct world *w = ctx;
	struct http_head asked;
	struct span octets;

	if (w->options & CHANGES && gate_http_head(g, &octets)) {
		(void)!gate_http_set_part(g, HTTP_URI, span_str("/changed"));
		(void)!gate_http_set_part(g, HTTP_REASON, span_str("Changed"));
		(void)!gate_http_set_field(g, span_str("Host"), span_str("changed.test"));
		(void)!gate_http_set_field(g, span_str("X-New"), SPAN_NULL);
		(void)!gate_http_remove_field(g, span_str("Accept"));
		/* the written octets are still a head */
		fuzz_check(gate_http_head(g, &octets)->len == octets.n);
		fuzz_check(http_head_read(octets, gate_http_head(g, &octets)->response,
					  HTTP_ALLOW_LF | HTTP_ALLOW_FOLD,
					  &asked) == HTTP_FAULT_NONE);
		(void)gate_http_request(g, f, &asked, &octets);
	}
	if (w->options & DROPS && f->octets[0] % 7 == 3) {
		gate_drop(p, GATE_DROP_RULE);
		return false;
	}
	return true;
}

static bool rule_dns(void *ctx, struct gate_walk *walk, struct flow *f)
{
	struct gate *g = walk->g;
	const struct world *w = ctx;
	struct dns_name name = {.len = 3, .octets = {1, 'x', 0}};
	struct dns_change c = {.owner = &name, .rdata = {&name, &name}};
	struct dns_rr rr;

	(void)f;
	if (w->options & CHANGES && dns_at(gate_dns_msg(g), DNS_ANSWER, 0, &rr)) {
		(void)!gate_dns_set_ttl(g, &rr, 1);
		(void)!gate_dns_set_ipv4(g, &rr, 2);
		(void)!gate_dns_set_rcode(g, 23);
		(void)!gate_dns_change(g, &rr, &c);
	}
	return true;
}

static bool rule_stream(void *ctx, struct gate_walk *walk, struct flow *f)
{
	const struct world *w = ctx;

	(void)f;
	if (w->options & CHANGES && walk->view->n > 3)
		(void)!gate_stream_edit(walk->view, walk->view->n / 2, 1,
					span_str(walk->view->n % 2 ? "++" : ""));
	return true;
}

static void no_line(void *ctx, struct span line)
{
	(void)ctx;
	(void)line;
}

static void load_rules(struct world *w)
{
	static const struct script_opts so = {.instructions = 200000,
					      .memory = 8 << 20,
					      .print = no_line};
	struct script_error err;

	fuzz_check(gate_bind_new(w->g, &so, &w->bind, &err) == 0);
	if (w->options & CHANGES)
		fuzz_check(gate_bind_run_text(w->bind, span_str("CHANGES = true"), &err) == 0);
	if (w->options & LOOKS_ON)
		fuzz_check(gate_bind_run_text(w->bind, span_str("STREAMS = true"), &err) == 0);
	if (w->options & DROPS)
		fuzz_check(gate_bind_run_text(w->bind, span_str("DROPS = true"), &err) == 0);
	fuzz_check(gate_bind_run_text(w->bind, span_str(fuzz_gate_rules), &err) == 0);
}

static void listen(struct world *w)
{
	fuzz_check(gate_listen(w->g, EVENT_HTTP_request, rule_http, w) == 0);
	fuzz_check(gate_listen(w->g, EVENT_HTTP_response, rule_http, w) == 0);
	fuzz_check(gate_listen(w->g, EVENT_HTTP_response_data, rule_http, w) == 0);
	fuzz_check(gate_listen(w->g, EVENT_DNS_response, rule_dns, w) == 0);
}

static void set_up(struct world *w)
{
	struct gate_opts o;

	gate_opts_default(&o);
	o.pass_through = w->options & PASS_THROUGH;
	o.fail_open = w->options & FAIL_OPEN;
	o.ignore_checksums = !(w->options & CHECKSUMS);
	o.midstream = w->options & MIDSTREAM;
	o.flows.max_flows = 8;
	o.max_held = 16;
	o.max_streams = 4;
	o.defrag = (struct defrag_limits){.max_datagrams = 4,
					  .max_fragments = 8,
					  .timeout_ns = NS_PER_S};
	fuzz_check(frames_memory_open(FRAME_ETHERNET, &w->f) == 0);
	o.frames = w->f;
	fuzz_check(gate_new(&o, &w->g) == 0);
	for (unsigned d = 0; d < DISSECT_N; d++)
		gate_load(w->g, (enum gate_dissector)d);
	if (w->options & IN_LUA)
		load_rules(w);
	else
		listen(w);
	if (w->options & LOOKS_ON)
		fuzz_check(gate_listen(w->g, EVENT_TCP_CONNECTION_receive_data, rule_stream, w) ==
			   0);
}

/* --- Frames ----------------------------------------------------------------------------------- */

/* Receives the output: acknowledgements cover it. */
static void receive(struct world *w, struct span frame)
{
	struct rd r = rd_init(span_sub(frame, 14, frame.n));
	struct ipv4_hdr ip;
	struct tcp_hdr h;

	if (ipv4_read(&r, &ip) < 0 || ip.proto != IPV4_PROTO_TCP || tcp_read(&r, &h) < 0)
		return;
	for (unsigned i = 0; i < CONNS; i++) {
		unsigned d = h.sport == 1000 + i ? GATE_UP : GATE_DOWN;
		uint32_t end = (uint32_t)(h.seq + rd_left(&r) + !!(h.flags & TCP_SYN) +
					  !!(h.flags & TCP_FIN));

		if ((d == GATE_UP ? h.sport : h.dport) == 1000 + i &&
		    tcp_before(w->conns[i].got[d], end))
			w->conns[i].got[d] = end;
	}
}

static void pass(struct world *w, struct span frame, unsigned flags)
{
	static uint8_t out[FRAME_MAX_LEN];
	struct frame fr;
	size_t n;

	fuzz_check(frames_memory_push(w->f, frame, 0, w->now_ns, flags) == 0);
	w->pushed++;
	fuzz_check(gate_turn(w->g) == 1);
	while ((n = frames_memory_pop(w->f, out, sizeof(out), &fr)) != 0) {
		w->popped++;
		receive(w, span_of(out, n < sizeof(out) ? n : sizeof(out)));
	}
}

static void segment(struct world *w, uint8_t kind, struct span data)
{
	unsigned d = kind >> 2 & 1, i = kind >> 3 & 3;
	enum wrong wrong = (enum wrong)(kind >> 5);
	struct conn *c = &w->conns[i];
	struct tcp_hdr h = {.seq = c->next[d], .ack = c->got[!d], .flags = TCP_ACK, .wnd = 60000};
	struct ipv4_hdr ip = {.ttl = 64,
			      .proto = IPV4_PROTO_TCP,
			      .src = d ? SERVER : CLIENT,
			      .dst = d ? CLIENT : SERVER};
	uint8_t buf[MAX_DATA + 100];
	struct wr wr = wr_init(buf, sizeof(buf));

	data = span_sub(data, 0, wrong == SYN ? 0 : MAX_DATA);
	h.sport = d ? 80 : (uint16_t)(1000 + i);
	h.dport = d ? (uint16_t)(1000 + i) : 80;
	if (wrong == SYN)
		h.flags = d ? TCP_SYN | TCP_ACK : TCP_SYN;
	else if (wrong == FIN || wrong == RST)
		h.flags |= wrong == FIN ? TCP_FIN : TCP_RST;
	else if (wrong == AGAIN || wrong == OVERLAP)
		h.seq -= (uint32_t)(wrong == AGAIN ? data.n : data.n / 2);
	else if (wrong == AHEAD || wrong == ANYWHERE)
		h.seq += wrong == AHEAD ? (uint32_t)data.n : (uint32_t)data.n << 16;
	if (wrong < AHEAD)
		c->next[d] += (uint32_t)data.n + (wrong == SYN || wrong == FIN);
	if (wrong == OVERLAP)
		c->next[d] += (uint32_t)(data.n - data.n / 2);
	ip.total_len = (uint16_t)(40 + data.n);
	wr_zero(&wr, 12);
	wr_be16(&wr, 0x0800);
	ipv4_write(&wr, &ip);
	tcp_write(&wr, &h);
	wr_span(&wr, data);
	pass(w, span_of(buf, wr.len), 0);
}

static void datagram(struct world *w, uint8_t kind, struct span data)
{
	bool down = kind >> 2 & 1;
	uint16_t port = (uint16_t)(2000 + (kind >> 3 & 3));
	uint8_t buf[MAX_DATA + 100];
	struct wr wr = wr_init(buf, sizeof(buf));
	struct udp_frame f = {
		.src = down ? SERVER : CLIENT,
		.dst = down ? CLIENT : SERVER,
		.sport = down ? 53 : port,
		.dport = down ? port : 53,
		.payload = span_sub(data, 0, MAX_DATA),
	};

	udp_frame_write(&wr, &f);
	pass(w, span_of(buf, wr.len), 0);
}

static void record(struct world *w, uint8_t kind, struct span data)
{
	switch (kind & 3) {
	case 0:
		pass(w, data, kind >> 4 & 1 ? FRAME_CSUM_NOT_READY : 0);
		break;
	case 1:
		segment(w, kind, data);
		break;
	case 2:
		datagram(w, kind, data);
		break;
	default:
		w->now_ns += (int64_t)kind * NS_PER_S;
		gate_tick(w->g, w->now_ns);
	}
}

/* --- Sums ------------------------------------------------------------------------------------- */

static void tear_down(struct world *w)
{
	const struct gate_counters *c = gate_counters(w->g);
	struct script_error err;
	struct frames_stats fs;
	uint64_t drops = 0;

	fuzz_check(c->packets == w->pushed + c->injected &&
		   c->accepted + c->dropped + c->held == c->packets);
	gate_release_held(w->g);
	if (w->bind)
		fuzz_check(gate_bind_run_text(w->bind, span_str("assert(not BROKEN, BROKEN)"),
					      &err) == 0);
	gate_bind_free(w->bind);
	fuzz_check(c->held == 0 && c->accepted + c->dropped == c->packets);
	for (unsigned i = 0; i < GATE_DROP_N; i++)
		drops += c->drops[i];
	if (!(w->options & (PASS_THROUGH | FAIL_OPEN)))
		fuzz_check(drops == c->dropped && !c->failed_open);
	if (w->options & PASS_THROUGH)
		fuzz_check(!c->dropped && !c->modified);
	frames_stats(w->f, &fs);
	fuzz_check(fs.received == w->pushed && fs.accepted + fs.dropped == fs.received);
	if (!c->injected)
		fuzz_check(fs.accepted == c->accepted && fs.dropped == c->dropped);
	gate_free(w->g);
	frames_close(w->f);
}

void fuzz_gate_run(struct span input)
{
	struct rd r = rd_init(input);
	struct world w = {.options = rd_u8(&r), .now_ns = NS_PER_S};

	set_up(&w);
	for (unsigned n = 0; rd_left(&r) > 3 && n < MAX_RECORDS; n++) {
		uint8_t kind = rd_u8(&r);
		size_t len = rd_be16(&r);

		record(&w, kind, rd_bytes(&r, len < rd_left(&r) ? len : rd_left(&r)));
	}
	tear_down(&w);
}
