/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Grammars that use every element on any octets: the first chooses the grammar, the second how the
 * rest is cut. A reader that waits gets the result of the whole input piece by piece;
 * the octets that create() makes of it read equal; and no limit is passed.
 */
#include "fuzz.h"
#include "script/buffer/buffer.h"
#include "script/script_open.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMORY = 8 << 20, INPUT_MAX = 1024 };

/* A stream whose octets come piece by piece. */
struct stream {
	struct script_buffer b;
	const uint8_t *octets;
	size_t n;
	uint32_t generation;
};

static const char *octets(struct script_buffer *b, struct span *ret)
{
	const struct stream *st = container_of(b, struct stream, b);

	*ret = span_of(st->octets, st->n);
	return NULL;
}

static int replace(lua_State *L, int idx, struct script_buffer *b, size_t off, size_t n,
		   struct span with)
{
	(void)L, (void)idx, (void)b, (void)off, (void)n, (void)with;
	abort(); /* nothing here writes */
}

static const struct script_buffer_ops ops = {octets, replace};

static const char grammars[] =
	"local pieces = {}\n"
	"G = haka.grammar.new('fuzz', function ()\n"
	" define('node')\n"
	" node = record{ field('n', number(8)), field('sub', array(node):count(function (r) return "
	"r.n % 3 end)) }\n"
	" item = record{ field('a', number(16, 'little')), field('t', number(8)), branch({ [0] = "
	"field('x', number(32)),\n"
	"  [1] = field('s', text:count(function (r) return r.t / 4 - r.t / 4 % 1 end)), [2] = "
	"field('in', record{ field('y', number(8)) }),\n"
	"  default = 'continue' }, function (r) return r.t % 4 end) }\n"
	" packet = record{ field('v', number(4)), field('f', flag), field('r', number(3)), "
	"field('n', number(8)),\n"
	"  field('list', array(item):count(function (r) return r.n % 8 end)),\n"
	"  optional(field('o', number(8)):convert(converter.bool), function (r) return r.f end), "
	"align(32),\n"
	"  field('name', token('[a-z]{0,5}')), token(';'):const(';'), field('bits', "
	"array(number(3)):count(8)),\n"
	"  field('some', bytes():count(function (r) return r.r end)), field('tail', bytes()) }\n"
	" line = record{ field('key', token('[A-Za-z0-9-]+')), token(': *'):const(': '), "
	"field('value', raw_token('[^%r%n]*')),\n"
	"  token('%r?%n'):const('\\r\\n') }\n"
	" message = record{ field('head', array(line):untiltoken('%r?%n')), "
	"token('%r?%n'):const('\\r\\n'),\n"
	"  field('body', bytes():untiltoken('%.%.')):convert(converter.string), "
	"raw_token('%.%.'):const('..') }\n"
	" views = record{ union{ field('all', number(32)), record{ field('hi', number(16)), "
	"field('lo', number(16)), field('more', number(8)) } },\n"
	"  try{ record{ field('one', number(8)), verify(function (r) return r.one < 128 end) }, "
	"record{ field('two', number(16)) } },\n"
	"  field('w', array(number(8)):whilecond(function (e) return e ~= 0 end)),\n"
	"  field('u', array(record{ field('k', number(8)) }):untilcond(function (e) return e and "
	"e.k > 200 end)),\n"
	"  execute(function (r, ctx) r.seen = ctx:lookahead() if r.seen == 33 then ctx:error('seen "
	"%d', r.seen) end end), empty() }\n"
	" chunks = sequence{ field('n', number(16)), bytes():count(function (r) return r.n "
	"end):chunked(function (r, sub, last)\n"
	"  r.got = (r.got or '') .. (sub and sub:asstring() or '') r.last = last end), "
	"field('rest', array(number(8)):memoize()) }\n"
	" export(node, packet, message, views, chunks)\n"
	"end)\n"
	"RULES = {G.node, G.packet, G.message, G.views, G.chunks}\n"
	"CREATES = {[1] = true, [2] = true, [3] = true}\n"
	"local function value(v)\n"
	" if type(v) == 'table' and (v[1] ~= nil or getmetatable(v) == 'grammar array') then\n"
	"  local l = {} for i, e in ipairs(v) do l[i] = value(e) end return l end\n"
	" if type(v) == 'table' then local t = {} for k, e in pairs(v) do t[k] = value(e) end "
	"return t end\n"
	" return type(v) == 'userdata' and v:asstring() or v\n"
	"end\n"
	"local function dump(v)\n"
	" if type(v) ~= 'table' then return type(v) .. ' ' .. tostring(v) end\n"
	" local l = {} for k, e in sorted_pairs(v) do l[#l + 1] = tostring(k) .. '=' .. dump(e) "
	"end return '{' .. table.concat(l, ',') .. '}'\n"
	"end\n"
	"local function outcome(r, e) return e and tostring(e) or dump(value(r)) end\n"
	"function whole(which, text)\n"
	" local B = haka.vbuffer_from(text)\n"
	" local r, e = RULES[which]:parse(B:pos('begin'))\n"
	" WHOLE = outcome(r, e)\n"
	" if e or not CREATES[which] then return end\n"
	" local C = haka.vbuffer_from('')\n"
	" local made = RULES[which]:create(C:pos('begin'), value(r))\n"
	" if outcome(made) ~= WHOLE then error('create: ' .. outcome(made) .. ' of ' .. WHOLE) "
	"end\n"
	" local again = outcome(RULES[which]:parse(C:pos('begin')))\n"
	" if again ~= WHOLE then error('read again: ' .. again .. ' of ' .. WHOLE) end\n"
	"end\n"
	"function begin(which, iter)\n"
	" PIECES = nil\n"
	" co = coroutine.create(function () PIECES = outcome(RULES[which]:parse(iter)) end)\n"
	"end\n"
	"function step() if coroutine.status(co) == 'suspended' then local ok, e = "
	"coroutine.resume(co) if not ok then error(e, 0) end end end\n"
	"function compare() if PIECES ~= WHOLE then error('in pieces: ' .. tostring(PIECES) .. ' "
	"of ' .. WHOLE) end end\n";

/* A call may be ended by a limit; nothing else may go wrong. True: it was not. */
static bool call(struct script *s, const char *name, int nargs)
{
	lua_State *L = script_lua(s);
	struct script_error err;
	int r;

	lua_getglobal(L, name);
	lua_insert(L, -1 - nargs);
	r = script_pcall(s, nargs, 0, &err);
	if (r < 0 && err.fault == SCRIPT_E_RUNTIME)
		(void)fprintf(stderr, "%s\n", err.text);
	fuzz_check(r == 0 || err.fault == SCRIPT_E_BUDGET || err.fault == SCRIPT_E_MEMORY);
	return r == 0;
}

struct beginning {
	struct stream *st;
	int which;
};

static int push_begin(lua_State *L)
{
	const struct beginning *b = lua_touserdata(L, 1);

	lua_getglobal(L, "begin");
	lua_pushinteger(L, b->which);
	script_push_iter(L, 0, &b->st->b, 0, SCRIPT_BUFFER_END, true);
	lua_call(L, 2, 0);
	return 0;
}

static bool in_pieces(struct script *s, int which, size_t piece, const uint8_t *data, size_t size)
{
	struct stream st = {.octets = data};
	struct script_error err;
	bool ok;

	script_buffer_init(&st.b, s, &ops, NULL, &st.generation);
	st.b.finished = false;
	ok = script_protect(s, push_begin, &(struct beginning){&st, which}, &err) == 0;
	for (size_t n = 0; ok && !st.b.finished; n += piece) {
		st.n = n < size ? n : size;
		st.b.finished = n >= size;
		ok = call(s, "step", 0);
	}
	if (ok)
		(void)call(s, "compare", 0);
	st.generation++;
	script_buffer_fini(&st.b);
	return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct script *s;
	struct script_opts o = {.instructions = 3000000, .memory = MEMORY, .call_ms = 4000};
	struct script_error err = {0};
	struct script_stats stats;
	int which;

	if (size < 2 || size > INPUT_MAX)
		return 0;
	if (!s) { /* one state for all inputs: nothing of one may be left to the next */
		fuzz_check(script_new(&o, &s) == 0);
		if (script_run_text(s, "@grammars", span_str(grammars), &err) < 0)
			(void)fprintf(stderr, "%s\n", err.text);
		fuzz_check(err.fault == SCRIPT_E_NONE);
	}
	which = data[0] % 5 + 1;
	lua_pushinteger(script_lua(s), which);
	lua_pushlstring(script_lua(s), (const char *)data + 2, size - 2);
	if (call(s, "whole", 2))
		(void)in_pieces(s, which, data[1] % 32 + 1U, data + 2, size - 2);
	script_stats(s, &stats);
	fuzz_check(stats.memory_peak <= MEMORY + (1 << 20));
	fuzz_check(lua_gettop(script_lua(s)) == 0);
	return 0;
}
