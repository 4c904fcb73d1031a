/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Every function in C that a rule can get at, called with arguments of every type
 * (fuzz_api_util.h). Two hosts: the gate with a current packet, and the script layer by itself.
 * usher-server's hook library is in fuzz_script_server.c. A call may fail; it must end, and harm
 * nothing.
 */
#include "fuzz.h"
#include "fuzz_api_util.h"

#include "base/cursor.h"
#include "capture/frames.h"
#include "gate/lua/bind.h"
#include "gate/assembly.h"
#include "script/rules/event.h"
#include "script/script_open.h"
#include "wire/checksum.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"

enum { FRAME_CAP = 400, MEMORY = 32 << 20 };

/* --- Hosts ------------------------------------------------------------------------------------ */

static void quiet(void *ctx, struct span line)
{
	(void)ctx, (void)line;
}

static const char rules[] =
	"for _, m in ipairs{'ipv4', 'udp', 'tcp', 'tcp_connection', 'dns', 'http'} do require('protocol/' .. m) end\n"
	"local d = haka.dissectors\n"
	"local c = {haka.vbuffer_allocate(9), require('protocol/ipv4').addr('192.0.2.1'), require('protocol/ipv4').network('192.0.2.0/24'),\n"
	" require('regexp/pcre').re:compile('a+'), require('regexp/pcre').re:compile('a'):create_sink(), haka.time(5)}\n"
	"haka.rule{on = d.ipv4.events.receive_packet, eval = function(p) haka.probe(p, p.payload, c) end}\n"
	"haka.rule{on = d.udp.events.receive_packet, eval = function(p) haka.probe(p, p.payload:pos('begin'), p.parent and p:parent(), c) end}\n"
	"haka.rule{on = d.dns.events.query, eval = function(dns, q) haka.probe(dns, q, q.question, pairs(q)) end}\n"
	"haka.rule{on = d.tcp_connection.events.new_connection, eval = function(f, p) haka.probe(f, p, c) end}\n"
	"haka.rule{on = d.tcp_connection.events.receive_data, options = {streamed = true}, eval = function(f, iter) haka.probe(f, iter, c) end}\n"
	"haka.rule{on = d.http.events.request, eval = function(h, r) haka.probe(h, r, r.headers, pairs(r.headers)) end}\n";

static size_t put_ip(uint8_t *buf, uint8_t proto, struct span payload)
{
	struct ipv4_hdr ip = {.ttl = 9,
			      .proto = proto,
			      .src = 0x0a000001,
			      .dst = 0x0a000002,
			      .total_len = (uint16_t)(20 + payload.n)};
	struct wr w = wr_init(buf, FRAME_CAP);

	wr_zero(&w, 12);
	wr_be16(&w, 0x0800);
	ipv4_write(&w, &ip);
	wr_span(&w, payload);
	return w.len;
}

static void push_udp(struct frames *f, uint16_t port, struct span data)
{
	uint8_t buf[FRAME_CAP], datagram[200];
	struct wr w = wr_init(datagram, sizeof(datagram));

	wr_be16(&w, 4000);
	wr_be16(&w, port);
	wr_be16(&w, (uint16_t)(8 + data.n));
	wr_be16(&w, 0);
	wr_span(&w, data);
	fuzz_check(frames_memory_push(f,
				      span_of(buf, put_ip(buf, IPV4_PROTO_UDP,
							  span_of(datagram, w.len))),
				      0, 1, 0) == 0);
}

static void push_tcp(struct frames *f, bool up, uint8_t flags, uint32_t seq, uint32_t ack,
		     struct span data)
{
	uint8_t buf[FRAME_CAP], segment[300];
	struct tcp_hdr h = {.sport = up ? 4000 : 80,
			    .dport = up ? 80 : 4000,
			    .seq = seq,
			    .ack = ack,
			    .flags = flags,
			    .wnd = 60000};
	struct wr w = wr_init(segment, sizeof(segment));
	size_t len;

	tcp_write(&w, &h);
	wr_span(&w, data);
	len = put_ip(buf, IPV4_PROTO_TCP, span_of(segment, w.len));
	if (!up) {
		buf[29] = 2;
		buf[33] = 1;
	}
	buf[24] = buf[25] = 0;
	fuzz_check(frames_memory_push(f, span_of(buf, len), 0, 1, 0) == 0);
}

static void push_frames(struct frames *f)
{
	static const uint8_t query[] = {0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 0, 0, 1, 0, 1};

	push_udp(f, 9, span_str("datagram"));
	push_udp(f, 53, span_of(query, sizeof(query)));
	push_tcp(f, true, TCP_SYN, 100, 0, SPAN_NULL);
	push_tcp(f, false, TCP_SYN | TCP_ACK, 500, 101, SPAN_NULL);
	push_tcp(f, true, TCP_ACK, 101, 501, SPAN_NULL);
	push_tcp(f, true, TCP_ACK, 101, 501,
		 span_str("GET / HTTP/1.1\r\nHost: a\r\nCookie: a=b\r\n\r\n"));
}

static void with_gate(void)
{
	struct script_opts so = {.print = quiet,
				 .instructions = 2000000,
				 .memory = MEMORY,
				 .call_ms = 500};
	struct script_error err;
	struct gate_opts o;
	struct gate_bind *bind;
	struct frames *f;
	struct gate *g;

	fuzz_check(frames_memory_open(FRAME_ETHERNET, &f) == 0);
	gate_opts_default(&o);
	o.frames = f;
	o.ignore_checksums = true;
	o.flows.max_flows = 8;
	o.max_held = 8;
	o.max_streams = 4;
	o.defrag.max_datagrams = 4;
	fuzz_check(gate_new(&o, &g) == 0 && gate_bind_new(g, &so, &bind, &err) == 0);
	gate_load(g, DISSECT_DNS);
	gate_load(g, DISSECT_HTTP);
	fuzz_check(script_haka_function(gate_bind_script(bind), "probe", fuzz_api_probe, NULL) ==
		   0);
	fuzz_check(gate_bind_run_text(bind, span_str(rules), &err) == 0);
	push_frames(f);
	while (gate_turn(g) > 0)
		;
	gate_bind_free(bind);
	gate_free(g);
	frames_close(f);
}

static void alone(void)
{
	struct script_opts so = {.print = quiet,
				 .instructions = 2000000,
				 .memory = MEMORY,
				 .call_ms = 500};
	struct script_error err;
	struct script *s;

	fuzz_check(script_new(&so, &s) == 0);
	fuzz_check(script_haka_function(s, "probe", fuzz_api_probe, NULL) == 0);
	if (script_run_text(
		    s, "@p.lua",
		    span_str("haka.probe(haka.vbuffer_allocate(5), coroutine.create(print))"),
		    &err) < 0)
		fuzz_check(err.text[0]);
	script_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_api_begin(data, size);
	if (fuzz_api_pick(4) == 0)
		alone();
	else
		with_gate();
	return 0;
}
