/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Grammars in Lua: each element and option on octets in memory, read, written and created; the
 * errors for broken input; refused definitions; and the limits.
 */
#include "unit/unit.h"

#include "base/error.h"
#include "script/script_open.h"

#include <stdio.h>

static struct script *s;
static struct script_error err;
static char said[8192];

static void say(void *ctx, struct span line)
{
	size_t at = strlen(said);

	(void)ctx;
	(void)snprintf(said + at, sizeof(said) - at, "%.*s\n", (int)line.n, (const char *)line.p);
}

static void run(const char *text)
{
	int r = script_run_text(s, "@g.lua", span_str(text), &err);

	if (r < 0)
		print_error("%s\n", err.text);
	assert_int_equal(r, 0);
}

static void open_state(void)
{
	struct script_opts o = {.print = say};

	said[0] = '\0';
	assert_int_equal(script_new(&o, &s), 0);
	/* p(rule, text): parses; show(buffer): its octets */
	run("function p(rule, text, result, user) B = haka.vbuffer_from(text) return "
	    "rule:parse(B:pos('begin'), result, user) end\n"
	    "function show() print(safe_string(B:sub():asstring())) end\n"
	    "function G(f) return haka.grammar.new('g', f) end\n"
	    "function c(rule, init, result) B = haka.vbuffer_allocate(0) local r = "
	    "rule:create(B:pos('begin'), init, result) show() return r end\n");
}

static int setup(void **state)
{
	(void)state;
	open_state();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	script_free(s);
	return 0;
}

static void expect(const char *text)
{
	assert_string_equal(said, text);
	said[0] = '\0';
}

static void refused(const char *text, const char *why)
{
	assert_int_equal(script_run_text(s, "@g.lua", span_str(text), &err), -USHER_E_SCRIPT);
	if (!strstr(err.text, why))
		print_error("%s\n", err.text);
	assert_non_null(strstr(err.text, why));
}

static void numbers(void **state)
{
	(void)state;
	run("g = G(function () a = record{ field('b', number(8)), field('w', number(16)), "
	    "field('l', number(32, 'little')), \n"
	    " field('x', number(3)), field('y', number(10)), field('z', number(3)), field('f', "
	    "flag), field('r', number(7)),\n"
	    " field('q', number(64)) } export(a) end)\n"
	    "r, e = p(g.a, '\\1\\2\\3\\4\\0\\0\\1\\161\\15\\130\\0\\0\\0\\0\\0\\0\\1\\255')\n"
	    "print(e, r.b, r.w, r.l, r.x, r.y, r.z, r.f, r.r, r.q)");
	expect("nil\t1\t515\t16777220\t5\t33\t7\ttrue\t2\t511\n");
	run("r.b = 255 r.w = 1 r.l = 2 r.x = 1 r.y = 1023 r.z = 0 r.f = false r.r = 127 r.q = 2 "
	    "show()");
	expect("\\xff\\x00\\x01\\x02\\x00\\x00\\x00?"
	       "\\xf8\\x7f\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\n");
	refused("r.b = 256", "setnumber: 256 is no whole number from 0 to 255");
	refused("r.x = 8", "is no whole number from 0 to 7");
	refused("r.b = 'x'", "field 'b': number expected, got string");
	refused("r.b = nil", "field 'b': it has no validate()");
}

static void tokens_and_bytes(void **state)
{
	(void)state;
	run("g = G(function () line = record{ field('key', token('[a-z]+')), token('[ %t]*:[ "
	    "%t]*'), field('raw', raw_token('[^%r%n]*')),\n"
	    " token('%r?%n'), field('four', bytes():count(4)), field('t', text:count(function (r) "
	    "return #r.key end)),\n"
	    " field('rest', bytes()) } export(line) end)\n"
	    "r, e = p(g.line, 'name : value\\r\\nABCDefghIJ')\n"
	    "print(e, r.key, r.raw:asstring(), r.four:asstring(), r.t, r.rest:asstring(), "
	    "#r.rest)");
	expect("nil\tname\tvalue\tABCD\tefgh\tIJ\t2\n");
	run("r.key = 'longer' r.raw = 'v' r.t = '' r.rest = r.four show() print(r.key, "
	    "r.raw:asstring(), r.t, r.rest:asstring())");
	expect("longer : v\\x0d\\x0aABCDABCD\nlonger\tv\t\tABCD\n");
	run("r.t = 'TTT' show() r.rest:erase() r.rest = 'end' show()");
	expect("longer : v\\x0d\\x0aABCDTTTABCD\nlonger : v\\x0d\\x0aABCDTTTend\n");
	run("h = G(function () a = record{ field('body', bytes():untiltoken('%r%n%.%r%n')), "
	    "raw_token('%r%n%.%r%n'), field('x', bytes()) }\n"
	    " export(a) end) r, e = p(h.a, ('y'):rep(1000) .. '\\r\\n.\\r\\nz') print(e, #r.body, "
	    "r.x:asstring())\n"
	    "print(select(2, p(h.a, 'abc')))");
	expect("nil\t1000\tz\nparse error at byte 0 for field body in a: its end was not found\n");
}

/* bytes():untiltoken():chunked(): octets are forwarded as they come, the iterator stays at the
 * token; a function that takes them out and puts others in does not move it. */
static void chunks_until_token(void **state)
{
	(void)state;
	run("g = G(function () a = record{ bytes():untiltoken('%r?%n%.%r?%n'):chunked(function (r, sub, last) print('c', sub and "
	    "sub:asstring():safe_format(), last and true or false) if change and sub then change(sub) end end),\n"
	    " raw_token('%r?%n%.%r?%n'), field('x', bytes():count(1)) } export(a) end)\n"
	    "function pieces(...) local s, m, list = haka.vbuffer_stream(), haka.vbuffer_stream_comanager:new(), {...}\n"
	    " m:start(1, function (iter) local r, e = g.a:parse(iter) print('end', e, not e and r.x:asstring()) end)\n"
	    " for i, d in ipairs(list) do local at = s:push(haka.vbuffer_from(d)) if i == #list then s:finish() end "
	    "m:process_all(at) print(i) end end\n"
	    "pieces('ab', 'c\\r\\n', '.', '\\nxyz')");
	expect("c\tab\tfalse\n1\nc\tc\tfalse\n2\n3\nc\tnil\ttrue\nend\tnil\tx\n4\n");
	run("pieces('ab\\n.', '.c\\n', '.\\nx')");
	expect("c\tab\tfalse\n1\nc\t\\x0a..c\tfalse\n2\nc\tnil\ttrue\nend\tnil\tx\n3\n");
	run("change = function (sub) local place, octets = sub:select() place:insert(haka.vbuffer_from('longer than it was')) end\n"
	    "pieces('ab', 'cd\\n.\\nx')");
	expect("c\tab\tfalse\n1\nc\tcd\ttrue\nend\tnil\tx\n2\n");
	run("change = nil pieces('ab', 'c\\n')");
	expect("c\tab\tfalse\n1\nc\tc\tfalse\nc\t\\x0a\tfalse\nc\tnil\ttrue\n"
	       "end\tparse error at byte 4 for field <token> in a: no match for '%r?%n%.%r?%n'\tfalse\n2\n");
}

/* creation(): the entity writes over octets that are there, inserts others, and reads. */
static void entity_creates(void **state)
{
	(void)state;
	run("g = G(function () e = record{ field('a', number(8)), field('b', number(8)) }\n"
	    " l = record{ field('list', array(e):count(1):creation(function (entity, init)\n"
	    "  local buf = haka.vbuffer_allocate(room) local made = entity:create(buf:pos('begin'), init)\n"
	    "  print(made.b, entity:parse(buf:pos('begin')).a, #buf) return buf, made end)), field('rest', bytes()) } export(l) end)\n"
	    "for _, n in ipairs{2, 0, 1} do room = n r, err = p(g.l, 'ABrest') r.list:append{a = 0x43, b = 0x44}\n"
	    " r.list[2].b = 0x45 show() print(#r.list, r.list[2].b) end");
	expect("68\t67\t2\nABCErest\n2\t69\n68\t67\t2\nABCErest\n2\t69\n68\t67\t2\nABCErest\n2\t69\n");
	refused("r.list:append{a = 300}", "");
}

static void composed(void **state)
{
	(void)state;
	run("g = G(function ()\n"
	    " tlv = record{ field('type', number(8)), field('len', number(8)),\n"
	    "  branch({ [1] = field('n', number(8)), [2] = record{ field('s', text:count(function "
	    "(r) return r.len end)) },\n"
	    "    [3] = field('in', record{ field('a', number(8)), field('b', number(8)) }), "
	    "default = fail('unknown type') },\n"
	    "   function (r) return r.type end),\n"
	    "  optional(field('extra', number(8)), function (r) return r.len == 9 end) }\n"
	    " u = union{ field('word', number(16)), record{ field('hi', number(8)), field('lo', "
	    "number(8)), field('more', number(8)) } }\n"
	    " t = try{ record{ field('bad', number(8)), verify(function (r) return r.bad == 7 end, "
	    "'not 7') },\n"
	    "   record{ field('word', number(16)) } }\n"
	    " s = sequence{ field('one', tlv), align(32), field('two', tlv), empty(), "
	    "execute(function (r, ctx) r.seen = ctx.user end) }\n"
	    " export(tlv, u, t, s)\n"
	    "end)\n"
	    "print(p(g.tlv, '\\1\\1\\5').n, p(g.tlv, '\\2\\3abc').s, p(g.tlv, "
	    "'\\3\\2\\8\\9')['in'].b, p(g.tlv, '\\1\\9\\5\\6').extra)\n"
	    "print(select(2, p(g.tlv, '\\4\\0')))\n"
	    "r = p(g.u, 'AB!') print(r.word, r.hi, r.lo, r.more)\n"
	    "r, e = p(g.t, '\\7') print(e, r.bad, r.word)\n"
	    "r, e = p(g.t, '\\8\\1') print(e, r.bad, r.word)\n"
	    "r, e = p(g.t, '\\8') print(e)\n"
	    "r, e = p(g.s, '\\1\\1\\5-\\2\\2xy', nil, 'me') print(e, r.one.n, r.two.s, r.seen)");
	expect("5\tabc\t9\t6\n"
	       "parse error at byte 2 for field <fail> in tlv: unknown type\n"
	       "16706\t65\t66\t33\n"
	       "nil\t7\tnil\n"
	       "nil\tnil\t2049\n"
	       "parse error at byte 0 for field word in t: not enough data: 2 octets expected\n"
	       "nil\t5\txy\tme\n");
	run("h = G(function () a = record{ field('k', number(8)), branch({ [1] = field('x', "
	    "number(8)), default = 'continue' },\n"
	    " function (r) return r.k end) } b = record{ branch({ [1] = empty() }, function () "
	    "return nil end) } export(a, b) end)\n"
	    "print(p(h.a, '\\1\\2').x, p(h.a, '\\2').x) print(select(2, p(h.b, '')))");
	expect("2\tnil\nparse error at byte 0 for field <branch> in b: no case for 'nil'\n");
}

static void arrays(void **state)
{
	(void)state;
	run("g = G(function ()\n"
	    " item = record{ field('n', number(8)) }\n"
	    " counted = field('l', array(item):count(2))\n"
	    " asked = record{ field('c', number(8)), field('l', array(item):count(function (r, "
	    "ctx) return r.c end)) }\n"
	    " all = array(number(16))\n"
	    " till = record{ field('l', array(item):untilcond(function (e, ctx) return e ~= nil "
	    "and e.n == 0 end)), field('rest', bytes()) }\n"
	    " during = record{ field('l', array(item):whilecond(function (e) return e == nil or "
	    "e.n ~= 0 end)), field('rest', bytes()) }\n"
	    " bits = record{ field('l', array(number(4)):count(4)) }\n"
	    " words = record{ field('l', array(token('[a-z]+ ?')):untiltoken('[0-9]')), field('n', "
	    "number(8)) }\n"
	    " nested = array(array(number(8)):count(2)):count(2)\n"
	    " export(counted, asked, all, till, during, bits, words, nested)\n"
	    "end)\n"
	    "r = p(g.counted, 'ab') print(#r.l, r.l[1].n, r.l[2].n)\n"
	    "r = p(g.asked, '\\3abc') print(#r.l)\n"
	    "r = p(g.all, '\\0\\1\\0\\2') print(#r, r[1], r[2])\n"
	    "r = p(g.till, 'a\\0bc') print(#r.l, r.rest:asstring())\n"
	    "r = p(g.during, 'a\\0bc') print(#r.l, r.rest:asstring())\n"
	    "r = p(g.bits, '\\18\\52') print(r.l[1], r.l[2], r.l[3], r.l[4]) r.l:set(3, 15) "
	    "show()\n"
	    "r = p(g.words, 'ab cd 7') print(#r.l, r.l[2], r.n)\n"
	    "r = p(g.nested, 'abcd') print(r[2][1]) local n = 0 for i, v in ipairs(r) do n = n + "
	    "#v end print(n)\n"
	    "print(select(2, p(g.asked, '\\3ab')))");
	expect("2\t97\t98\n3\n2\t1\t2\n2\tbc\n2\tbc\n1\t2\t3\t4\n\\x12\\xf4\n2\tcd \t55\n99\n4\n"
	       "parse error at byte 3 for field n in item: not enough data: 1 octets expected\n");
	/* changed */
	run("r = p(g.asked, '\\2ab') r.l:append{n = 99} r.c = 3 show() r.l:remove(1) show() "
	    "r.l:remove(r.l[2]) show() print(#r.l)\n"
	    "r.l[1].n = 65 show() r.l:remove(1) r.l:append{n = 1} show()");
	expect("\\x03abc\n\\x03bc\n\\x03b\n1\n\\x03A\n\\x03\\x01\n");
	run("r = p(g.all, '\\0\\1') r:append(258) show() print(r[2]) r:set(1, 7) show() "
	    "r:remove(2) show()");
	expect("\\x00\\x01\\x01\\x02\n258\n\\x00\\x07\\x01\\x02\n\\x00\\x07\n");
	refused("r:remove(5)", "remove: there is no element 5");
	refused("r:set(5, 1)", "set: there is no element 5");
	refused("r:append('x')", "number expected, got string");
	run("h = G(function () a = record{ field('l', "
	    "array(bytes():count(1)):count(1):creation(function (e, init)\n"
	    " return haka.vbuffer_from(init), init end)), field('z', number(8)) } export(a) end)\n"
	    "r = p(h.a, 'az') r.l:append('bcd') show() print(r.l[2], r.z)");
	expect("abcdz\nbcd\t122\n");
}

static void options(void **state)
{
	(void)state;
	run("told = {}\n"
	    "C = require('class').class('Pair') function C.method:sum() return self.a + self.b "
	    "end\n"
	    "calls = 0\n"
	    "g = G(function ()\n"
	    " a = record{\n"
	    "  field('magic', bytes():count(2)):const('MG'),\n"
	    "  field('len', number(8)):convert(converter.mult(4)),\n"
	    "  field('num', token('[0-9]+')):convert(converter.tonumber('%03d', 10)),\n"
	    "  field('hex', token('[0-9a-f]')):convert(converter.tonumber('%x', 16)),\n"
	    "  field('yes', number(8)):convert(converter.bool),\n"
	    "  field('own', number(8)):convert({get = function (x) calls = calls + 1 return 'v' .. "
	    "x end, set = function (x) return tonumber(x:sub(2)) end}, true),\n"
	    "  field('told', number(8)):apply(function (v, r, ctx) told[#told + 1] = v * 2 end),\n"
	    "  field('pair', record{ field('a', number(8)), field('b', number(8)) }:result(C)),\n"
	    "  field('sum', number(8)):validate(function (r) r.sum = r.pair:sum() end),\n"
	    " }:extra{ twice = function (r) return r.told * 2 end, function (r, ctx) r.done = "
	    "ctx:result(1) == r end }\n"
	    " export(a)\n"
	    "end)\n"
	    "r, e = p(g.a, 'MG\\0057b\\1\\3\\4\\5\\6\\0')\n"
	    "print(e, r.magic:asstring(), r.len, r.num, r.hex, r.yes, r.own, told[1], "
	    "r.pair:sum(), r.sum, r.twice, r.done)");
	expect("nil\tMG\t20\t7\t11\ttrue\tv3\t8\t11\t0\t8\ttrue\n");
	run("r.len = 8 r.num = 42 r.hex = 10 r.yes = false r.own = 'v9' r.sum = nil show() "
	    "print(r.own, r.own, calls, r.sum)");
	expect("MG\\x02042a\\x00\\x09\\x04\\x05\\x06\\x0b\nv9\tv9\t2\t11\n");
	refused("r.len = 3", "3 is no multiple of 4");
	refused("r.twice = 3", "property 'twice' is read-only");
	run("print(select(2, p(g.a, 'XX')))");
	expect("parse error at byte 2 for field magic in a: 'MG' expected, got 'XX'\n");
	/* a value that is kept, until the field is written */
	run("m = G(function () a = record{ field('x', number(8)):memoize(), field('y', number(8)) "
	    "} "
	    "export(a) end)\n"
	    "r = p(m.a, '\\1\\2') local x = r.x B:sub(0, 2):setnumber(0x0506) print(r.x, r.y) r.x "
	    "= 9 "
	    "print(r.x)");
	expect("1\t6\n9\n");
	/* octets that are not kept, piece by piece */
	run("h = G(function () a = record{ field('n', number(8)), bytes():count(function (r) "
	    "return r.n end):chunked(\n"
	    " function (r, sub, last, ctx) print(sub and sub:asstring(), last, r.n) end), "
	    "field('z', number(8)) }\n"
	    " b = bytes():chunked(function (r, sub, last) print(sub and #sub, last) end) export(a, "
	    "b) end)\n"
	    "print(p(h.a, '\\3abcz').z) p(h.b, 'xyz') print(select(2, p(h.a, '\\3ab')))");
	expect("abc\ttrue\t3\n122\n3\tfalse\nnil\ttrue\nab\tfalse\t3\n"
	       "parse error at byte 3 for field <bytes> in a: not enough data: 1 octets "
	       "expected\n");
}

static void context(void **state)
{
	(void)state;
	run("g = G(function ()\n"
	    " a = record{ field('x', number(8)), field('in', record{ field('y', number(8)), "
	    "execute(function (r, ctx)\n"
	    "  print(ctx:result(1).x, ctx:result(-1).y, ctx:result(-2).x, ctx:result(2) == r, "
	    "ctx:lookahead(), ctx.iter.meter, ctx.user.u,\n"
	    "   ctx.retain_mark ~= nil) end) }),\n"
	    "  optional(field('z', number(8)), function (r, ctx) return ctx:lookahead() ~= -1 "
	    "end),\n"
	    "  execute(function (r, ctx) if r.z == 9 then ctx:error('z is %d', r.z) end end) }\n"
	    " export(a)\n"
	    "end)\n"
	    "print(p(g.a, '\\1\\2\\3', nil, {u = 'U'}).z) print(p(g.a, '\\1\\2', nil, {u = "
	    "'U'}).z)\n"
	    "r, e = p(g.a, '\\1\\2\\9', nil, {u = 'U'}) print(e) print(e.field.rule, e.field.name, "
	    "e.position, e.description, e.iterator.meter)");
	expect("1\t2\t1\ttrue\t3\t2\tU\ttrue\n3\n"
	       "1\t2\t1\ttrue\t-1\t2\tU\ttrue\nnil\n"
	       "1\t2\t1\ttrue\t9\t2\tU\ttrue\n"
	       "parse error at byte 3 for field <execute> in a: z is 9\n"
	       "a\t<execute>\t3\tz is 9\t3\n");
	/* into a table or object of the script's */
	run("t = {mine = 1} r = p(g.a, '\\1\\2', t, {u = 1}) print(r == t, t.x, t.mine)\n"
	    "o = require('class').class('K'):new() o.x = 'before' r = p(g.a, '\\1\\2', o, {u = 1}) "
	    "print(r == o, o.x)");
	expect("1\t2\t1\ttrue\t-1\t2\t1\ttrue\ntrue\t1\t1\n1\t2\t1\ttrue\t-"
	       "1\t2\t1\ttrue\ntrue\t1\n");
}

static void recursion(void **state)
{
	(void)state;
	run("g = G(function ()\n"
	    " define('node')\n"
	    " node = record{ field('n', number(8)), field('sub', array(node):count(function (r) "
	    "return r.n end)) }\n"
	    " export(node)\n"
	    "end)\n"
	    "r, e = p(g.node, '\\2\\1\\0\\0') print(e, #r.sub, #r.sub[1].sub, #r.sub[2].sub)\n"
	    "r, e = p(g.node, ('\\1'):rep(10) .. '\\0') print(e)\n"
	    "r, e = p(g.node, ('\\1'):rep(11) .. '\\0') print(e)");
	expect("nil\t2\t1\t0\nnil\nparse error at byte 11 for field <ref> in node: more than 10 "
	       "rules inside of each other\n");
}

static void inherits(void **state)
{
	(void)state;
	run("base = G(function ()\n"
	    " head = record{ field('v', number(8)) }\n"
	    " body = bytes()\n"
	    " packet = record{ head, field('h', head), field('body', body) }\n"
	    " export(packet)\n"
	    "end)\n"
	    "g = G(function () extend(base) head = record{ field('v', number(16)), field('w', "
	    "number(8)) } other = number(8) export(other) end)\n"
	    "r = p(base.packet, 'abc') print(r.v, r.h.v, r.body:asstring())\n"
	    "r, e = p(g.packet, '\\0\\1\\2\\0\\3\\4x') print(e, r.v, r.w, r.h.v, r.h.w, "
	    "r.body:asstring()) print(p(g.other, 'A'))");
	expect("97\t98\tc\nnil\t1\t2\t3\t4\tx\n65\tnil\n");
	run("local names = {} for name in pairs(g) do names[#names + 1] = name end "
	    "table.sort(names) print(table.concat(names, ' '), g)");
	expect("other packet\tgrammar 'g'\n");
	refused("return g.head", "grammar 'g' exports no 'head'");
	refused("g.x = 1", "grammar 'g' is not to be changed");
}

static void creates(void **state)
{
	(void)state;
	run("g = G(function ()\n"
	    " item = record{ field('a', number(8)), field('b', number(4)), field('c', number(4)) "
	    "}\n"
	    " p = record{ field('magic', number(16)):const(0xcafe), field('len', "
	    "number(8)):validate(function (r) r.len = #r.items end),\n"
	    "  field('f', flag), field('r', number(7)), field('name', token('[a-z]+')), "
	    "token('%n'):const('\\n'),\n"
	    "  field('items', array(item):count(function (r) return r.len end)),\n"
	    "  field('opt', optional(number(8), function (r) return r.f end)),\n"
	    "  branch({ [1] = field('one', text:count(3)), default = field('big', number(32, "
	    "'little')) }, function (r) return r.r end),\n"
	    "  align(32), field('payload', bytes()) }\n"
	    " odd = record{ field('x', number(3)), field('y', number(2)) }\n"
	    " alt = try{ record{ field('n', number(8)):const(1), field('v', number(8)) }, record{ "
	    "field('n', number(8)):const(2), field('w', number(16)) } }\n"
	    " un = union{ field('word', number(16)), record{ field('hi', number(8)), field('lo', "
	    "number(8)) } }\n"
	    " list = array(number(8))\n"
	    " export(p, odd, alt, un, list)\n"
	    "end)\n"
	    "r = c(g.p, {len = 1, name = 'ab', r = 1, items = {{a = 1, b = 2, c = 3}}, one = 'xy', "
	    "payload = 'end'})\n"
	    "print(r.magic, r.len, r.f, r.name, r.items[1].c, r.payload:asstring())\n"
	    "r = c(g.p, {len = 2, f = true, name = 'q', items = {{a = 1}, {c = 4}}, opt = 9, big = "
	    "5, payload = haka.vbuffer_from('!')}) print(r.opt, r.big)\n"
	    "c(g.odd, {x = 5, y = 2}) c(g.alt, {w = 3}) c(g.un, {hi = 1, lo = 2}) c(g.un, {word = "
	    "515}) r = c(g.list, {1, 2, 3}) print(#r)");
	expect("\\xca\\xfe\\x01\\x01ab\\x0a\\x01#xy\\x00end\n51966\t1\tfalse\tab\t3\tend\n"
	       "\\xca\\xfe\\x02\\x80q\\x0a\\x01\\x00\\x00\\x04\\x09\\x05\\x00\\x00\\x00\\x00!"
	       "\n9\t5\n"
	       "\\xb0\n\\x02\\x00\\x03\n\\x01\\x02\n\\x02\\x03\n\\x01\\x02\\x03\n3\n");
	/* missing fields are computed where possible */
	run("h = G(function () a = record{ field('n', number(8)):validate(function (r) r.n = "
	    "#r.data end), field('data', bytes()) } export(a) end)\n"
	    "r = c(h.a, {data = 'abc'}) print(r.n) show()");
	expect("\\x03abc\n3\n\\x03abc\n");
	/* between other octets */
	run("B = haka.vbuffer_from('<>') r = g.odd:create(B:pos(1), {x = 7, y = 0}) show() r.y = 3 "
	    "show()");
	expect("<\\xe0>\n<\\xf8>\n");
	refused("c(g.p, {})", "p:create: 'name' is missing");
	refused("c(g.p, {name = 'AB'})",
		"p:create: parse error at byte 4 for field name in p: no match for '[a-z]+'");
	refused("c(g.p, {name = 'ab', len = 3, items = {{a = 1}}})",
		"p:create: 'items': 1 where 3 would be read");
	refused("c(g.p, {name = 'ab', opt = 3})",
		"p:create: 'opt' is given, but would not be read");
	run("c(g.p, {name = 'ab', items = {{a = 1}}})"); /* the count is computed */
	expect("\\xca\\xfe\\x01\\x00ab\\x0a\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\n");
	refused("c(g.odd, {x = 8})", "'x': 8 is no number of 3 bits");
	refused("c(g.odd, {x = 1.5})", "'x': 1.5 is no number of 3 bits");
	refused("g.odd:create(1, {})", "odd:create: iterator expected, got number");
	refused("g.odd:parse('text')", "odd:parse: iterator expected, got string");
	refused("g.odd:parse(haka.vbuffer_from('x'):pos('begin'), 3)",
		"parse: result: table expected, got number");
}

static void refuses(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"haka.grammar.new(1, print)", "haka.grammar.new: string expected, got number"},
		{"haka.grammar.new('g')", "haka.grammar.new: function expected, got nothing"},
		{"G(print)", "a function written in Lua expected"},
		{"G(function () a = number(65) end)", "number: 1 to 64 bits expected, got 65"},
		{"G(function () a = number(8, 'middle') end)",
		 "byte order: 'big' or 'little' expected, got middle"},
		{"G(function () a = token(1) end)", "token: string expected, got number"},
		{"G(function () a = token('(') end)", "missing closing parenthesis"},
		{"G(function () a = field(1, flag) end)",
		 "field: name: string expected, got number"},
		{"G(function () a = field('x', 1) end)", "field: entity expected, got number"},
		{"G(function () a = record{ 1 } end)", "record: entity expected, got number"},
		{"G(function () a = record{ x = flag } end)",
		 "record: a list of entities expected, it has a key x"},
		{"G(function () a = array(1) end)", "array: entity expected, got number"},
		{"G(function () a = branch({}, 1) end)",
		 "branch: selector: function expected, got number"},
		{"G(function () a = branch({x = 1}, print) end)",
		 "branch: case 'x': entity expected, got number"},
		{"G(function () a = optional(flag) end)",
		 "optional: predicate: function expected, got nothing"},
		{"G(function () a = align(7) end)", "align: a multiple of 8 bits expected, got 7"},
		{"G(function () a = number(8):count(2) end)", ":count is no option of number"},
		{"G(function () a = array(flag):count(-1) end)",
		 "count: a number or a function expected, got number"},
		{"G(function () a = bytes():untilcond(print) end)",
		 ":untilcond is no option of bytes"},
		{"G(function () a = flag:convert(1) end)",
		 "convert: a converter {get = f, set = f} expected, got number"},
		{"G(function () a = flag:result({}) end)", "result: a class expected, got table"},
		{"G(function () a = flag:const() end)",
		 "const: a value or a function expected, got nothing"},
		{"G(function () a = flag a = flag end)", "rule 'a' is defined twice"},
		{"G(function () define('a') end)", "rule 'a' is declared, but not defined"},
		{"G(function () a = flag define('a') end)", "define: rule 'a' is there already"},
		{"G(function () number = 1 end)", "'number' is a word of the language"},
		{"G(function () export(flag) end)",
		 "export: argument 1 is no rule: it was assigned to no name"},
		{"G(function () export(1) end)", "export: argument 1: entity expected, got number"},
		{"G(function () extend(1) end)",
		 "extend: argument 1: a grammar expected, got number"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		refused(rows[i].text, rows[i].why);
}

/* Fault 5 of Haka: an option changes the copy that it gives, never the entity that it was called
 * on. */
static void options_copy(void **state)
{
	(void)state;
	run("g = G(function () item = number(8) local all = array(item) some = "
	    "all:whilecond(function (e) return e ~= 2 end)\n"
	    " a = all two = all:count(2) export(a, some, two) end)\n"
	    "print(#p(g.a, '\\1\\2\\3'), #p(g.some, '\\1\\2\\3'), #p(g.two, '\\1\\2\\3'))");
	expect("3\t2\t2\n");
	/* and nothing of a definition is left in the globals, or outlives it in the function */
	run("local function def() x = number(8) helper = 5 y = record{ field('v', "
	    "x):apply(function () seen = helper end) } export(y) end\n"
	    "local g = G(def) p(g.y, 'a') print(x, helper, y, record, seen) print(pcall(def))");
	assert_non_null(strstr(said, "nil\tnil\tnil\tnil\t5\nfalse\t"));
}

static void limits(void **state)
{
	(void)state;
	run("g = G(function () e = array(empty()) f = array(empty()):count(function () return 1e9 "
	    "end)\n"
	    " n = array(number(8)):count(function () return 0/0 end) m = bytes():count(function () "
	    "return 2^33 end) export(e, f, n, m) end)\n"
	    "print(select(2, p(g.e, 'a'))) print(select(2, p(g.m, 'a')))");
	expect("parse error at byte 0 for field <array> in e: an element without octets is "
	       "repeated\n"
	       "parse error at byte 0 for field <bytes> in m: invalid count: 8589934592\n");
	run("print((tostring(select(2, p(g.n, 'a'))):gsub('%-?nan', 'nan')))");
	expect("parse error at byte 0 for field <array> in n: invalid count: nan\n");
	refused("p(g.f, 'a')", "more than 10000000 instructions in one call");
	/* a list as long as its input allows is well within them */
	run("g = G(function () a = array(record{ field('n', number(16)) }) export(a) end) "
	    "print(#p(g.a, ('ab'):rep(10000)))");
	expect("10000\n");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		T(numbers), T(tokens_and_bytes), T(chunks_until_token), T(arrays),
		T(numbers), T(tokens_and_bytes), T(entity_creates),	T(arrays),
		T(numbers), T(tokens_and_bytes), T(composed),		T(arrays),
		T(options), T(context),		 T(recursion),		T(inherits),
		T(creates), T(refuses),		 T(options_copy),	T(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
