/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Every function in C that a script can get at, called with arguments of every type: numbers at their extremes, forged tables,
 * objects of other classes, functions, coroutines. The functions are found by a walk over globals, metatables, upvalues and the
 * objects of packets that are passing: whatever is added later is found, too. Two hosts: the gate while a packet is at hand,
 * and the script layer by itself, as usher-server's hook library has it. A call may fail; it must end, and harm nothing.
 */
#include "fuzz.h"

#include "base/cursor.h"
#include "capture/frames.h"
#include "gate/bind.h"
#include "gate/gate.h"
#include "script/event.h"
#include "script/script.h"
#include "wire/checksum.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"

#include <lauxlib.h>

enum { FRAME_CAP = 400, CALLS_MAX = 60, ARGS_MAX = 6, SEEN_MAX = 6000, N_FRAMES = 7, MEMORY = 32 << 20 };

struct input {
	const uint8_t *p;
	size_t n;
};

static struct input in;
static const char key_functions, key_values, key_seen;

static unsigned pick(unsigned n)
{
	unsigned v;

	if (!in.n)
		return 0;
	v = *in.p++;
	in.n--;
	if (n > 256 && in.n) {
		v = v << 8 | *in.p++;
		in.n--;
	}
	return v % n;
}

/* --- The walk ----------------------------------------------------------------------------------------------------- */

static void push_list(lua_State *L, const char *key)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)key);
	lua_rawget(L, LUA_REGISTRYINDEX);
}

static void append(lua_State *L, const char *key)
{
	push_list(L, key);
	lua_pushvalue(L, -2);
	lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
	lua_pop(L, 1);
}

/* Was the value at the top walked before? It is now. */
static bool seen(lua_State *L)
{
	bool r;

	push_list(L, &key_seen);
	lua_pushvalue(L, -2);
	lua_rawget(L, -2);
	r = !lua_isnil(L, -1);
	lua_pop(L, 1);
	lua_pushvalue(L, -2);
	lua_pushboolean(L, 1);
	lua_rawset(L, -3);
	lua_pop(L, 1);
	return r;
}

static void walk(lua_State *L, unsigned depth);

static void walk_table(lua_State *L, unsigned depth)
{
	lua_pushnil(L);
	while (lua_next(L, -2)) {
		walk(L, depth);
		lua_pop(L, 1);
	}
}

/* The value at the top, which stays. */
static void walk(lua_State *L, unsigned depth)
{
	int type = lua_type(L, -1);

	if (depth == 0 || (type != LUA_TTABLE && type != LUA_TFUNCTION && type != LUA_TUSERDATA) || !lua_checkstack(L, 20) || seen(L))
		return;
	if (type == LUA_TFUNCTION && lua_iscfunction(L, -1))
		append(L, &key_functions);
	if (type == LUA_TUSERDATA)
		append(L, &key_values);
	if (type == LUA_TTABLE)
		walk_table(L, depth - 1);
	for (int i = 1; type == LUA_TFUNCTION && lua_getupvalue(L, -1, i); i++) {
		walk(L, depth - 1);
		lua_pop(L, 1);
	}
	if (lua_getmetatable(L, -1)) {
		walk(L, depth - 1);
		lua_pop(L, 1);
	}
}

/* --- Calls -------------------------------------------------------------------------------------------------------- */

static void push_number(lua_State *L)
{
	static const double numbers[] = {0, 1, -1, 2, 3, 0.5, 255, 256, 65535, 65536, 2147483647, 2147483648.0, -2147483648.0, 4294967295.0,
					 4294967296.0, 9007199254740992.0, 1e300, -1e300, 0.0 / 0.0, 1.0 / 0.0};

	lua_pushnumber(L, numbers[pick(sizeof(numbers) / sizeof(numbers[0]))]);
}

static void push_text(lua_State *L)
{
	static const char *const texts[] = {"", "a", "drop", "accept", "begin", "end", "udp", "tcp_connection", "receive_packet", "name", "192.0.2.1",
					    "192.0.2.0/24", "%s%s%s", "[a-z]+", "(", "all", "core/util", "streamed", "request", "\\x", "%x00"};
	size_t n = pick(sizeof(texts) / sizeof(texts[0]) + 2);

	if (n < sizeof(texts) / sizeof(texts[0]))
		lua_pushstring(L, texts[n]);
	else
		lua_pushlstring(L, (const char *)in.p, in.n < 40 ? in.n : 40);
}

static void push_of(lua_State *L, const char *key)
{
	push_list(L, key);
	if (lua_objlen(L, -1))
		lua_rawgeti(L, -1, 1 + (int)pick((unsigned)lua_objlen(L, -1)));
	else
		lua_pushnil(L);
	lua_remove(L, -2);
}

static void push_any(lua_State *L, unsigned depth)
{
	static const char *const keys[] = {"n", "id", "name", "on", "eval", "options", "events", "_pieces", "action", "type", "src", "dst", "severity",
					   "sources", "description", "streamed", "when", "port", "start_time"};

	switch (pick(depth ? 12 : 9)) {
	case 0:
		lua_pushnil(L);
		break;
	case 1:
		lua_pushboolean(L, (int)pick(2));
		break;
	case 2:
	case 3:
		push_number(L);
		break;
	case 4:
		push_text(L);
		break;
	case 5:
		(void)lua_newthread(L);
		break;
	case 6:
		push_of(L, &key_functions);
		break;
	case 7:
	case 8:
		push_of(L, &key_values);
		break;
	default:
		lua_newtable(L);
		for (unsigned n = pick(5); n > 0; n--) {
			if (pick(2))
				lua_pushstring(L, keys[pick(sizeof(keys) / sizeof(keys[0]))]);
			else
				lua_pushinteger(L, (lua_Integer)pick(4));
			push_any(L, depth - 1);
			lua_rawset(L, -3);
		}
		break;
	}
}

static void one_call(lua_State *L)
{
	int top = lua_gettop(L), n = (int)pick(ARGS_MAX);

	push_of(L, &key_functions);
	for (int i = 0; i < n; i++)
		push_any(L, 2);
	if (lua_isfunction(L, top + 1) && lua_pcall(L, n, LUA_MULTRET, 0) == 0)
		for (int i = top + 1; i <= lua_gettop(L) && i < top + 4; i++) {
			lua_pushvalue(L, i);
			walk(L, 2); /* its results are arguments of the next calls */
			lua_pop(L, 1);
		}
	lua_settop(L, top);
}

/* probe(...): haka's, for rules: its arguments are walked, too. */
static int probe(lua_State *L)
{
	unsigned calls = 0;

	for (const char *const *k = (const char *const[]){&key_functions, &key_values, &key_seen, NULL}; *k; k++) {
		lua_pushlightuserdata(L, (void *)(uintptr_t)*k);
		lua_newtable(L);
		lua_rawset(L, LUA_REGISTRYINDEX);
	}
	for (int i = 1; i <= lua_gettop(L); i++) {
		lua_pushvalue(L, i);
		walk(L, 12);
		lua_pop(L, 1);
	}
	lua_pushvalue(L, LUA_GLOBALSINDEX);
	walk(L, 12);
	lua_pop(L, 1);
	while (in.n && calls++ < CALLS_MAX)
		one_call(L);
	return 0;
}

/* --- Hosts -------------------------------------------------------------------------------------------------------- */

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
	struct ipv4_hdr ip = {.ttl = 9, .proto = proto, .src = 0x0a000001, .dst = 0x0a000002, .total_len = (uint16_t)(20 + payload.n)};
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
	fuzz_check(frames_memory_push(f, span_of(buf, put_ip(buf, IPV4_PROTO_UDP, span_of(datagram, w.len))), 0, 1, 0) == 0);
}

static void push_tcp(struct frames *f, bool up, uint8_t flags, uint32_t seq, uint32_t ack, struct span data)
{
	uint8_t buf[FRAME_CAP], segment[300];
	struct tcp_hdr h = {.sport = up ? 4000 : 80, .dport = up ? 80 : 4000, .seq = seq, .ack = ack, .flags = flags, .wnd = 60000};
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
	push_tcp(f, true, TCP_ACK, 101, 501, span_str("GET / HTTP/1.1\r\nHost: a\r\nCookie: a=b\r\n\r\n"));
}

static void with_gate(void)
{
	struct script_opts so = {.print = quiet, .instructions = 2000000, .memory = MEMORY, .call_ms = 500};
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
	fuzz_check(script_haka_function(gate_bind_script(bind), "probe", probe, NULL) == 0);
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
	struct script_opts so = {.print = quiet, .instructions = 2000000, .memory = MEMORY, .call_ms = 500};
	struct script_error err;
	struct script *s;

	fuzz_check(script_new(&so, &s) == 0);
	fuzz_check(script_haka_function(s, "probe", probe, NULL) == 0);
	if (script_run_text(s, "@p.lua", span_str("haka.probe(haka.vbuffer_allocate(5), coroutine.create(print))"), &err) < 0)
		fuzz_check(err.text[0]);
	script_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	in = (struct input){data, size};
	if (pick(4) == 0)
		alone();
	else
		with_gate();
	return 0;
}
