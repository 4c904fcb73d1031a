/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Cases for every kind of buffer: octets `before`, a piece of Lua in which they are `b`, and the
 * octets afterwards. Run on memory by test_script_buffer.c, on a packet and on a stream's data by
 * test_gate_buffer.c. `fails(f, text)`: f raises an error with that text. Header only.
 */
#pragma once

/* Defined in each state before the cases. */
static const char buffer_prelude[] =
	"function fails(f, text) local ok, e = pcall(f) if ok or not tostring(e):find(text, 1, true) then error('got ' .. tostring(e), 2) end end\n"
	"function is(a, b) if a ~= b then error('got ' .. tostring(a) .. ', not ' .. tostring(b), 2) end end\n";

struct buffer_case {
	const char *name, *before, *lua, *after;
};

static const struct buffer_case buffer_cases[] = {
	{"reading", "hello",
	 "is(#b, 5) is(b:size(), 5) is(b[1], 104) is(b[5], 111) is(b[0], nil) is(b[6], nil) is(b:sub():asstring(), 'hello')"
	 " is(b:sub(1):asstring(), 'ello') is(b:sub(1, 2):asstring(), 'el') is(b:sub(2, 'all'):asstring(), 'llo') is(#b:sub(5), 0)"
	 " is(b:sub(1, 3):sub(1):asstring(), 'll') local ok, n = b:sub():check_size(5) is(ok, true) is(n, 5) is(b:check_size(6), false)"
	 " is(b:isflat(), true) b:flatten() is(b:sub(1, 2)[2], 108)",
	 "hello"},
	{"reading beyond", "abc",
	 "is(#b:sub(4), 0) is(#b:sub(9, 9), 0) is(b:sub(1, 3):asstring(), 'bc') is(b:sub(0, 2):sub(1, 9):asstring(), 'b')"
	 " is(b:pos(4):available(), 0) is(b:sub(0, 2):pos(5):available(), 0)"
	 " fails(function() b:sub('x') end, 'sub: offset: number expected, got string') fails(function() b:sub(0, 'x') end, \"number or 'all'\")"
	 " fails(function() b:sub(-1) end, 'sub: offset: -1 is no whole number') fails(function() b:sub(0, 0.5) end, 'sub: length: 0.5')"
	 " fails(function() b:pos(-1) end, 'pos: -1') fails(function() b:pos('middle') end, \"'begin', 'end' or number\")"
	 " fails(function() b[4] = 1 end, 'index 4 is not within 1 and 3') fails(function() b[0] = 1 end, 'index 0')"
	 " fails(function() b[1] = 256 end, 'octet: 256 is no whole number from 0 to 255') fails(function() return b.nonsense end, 'nonsense')",
	 "abc"},
	{"numbers", "\001\002\003\004\005\006\007\010\011",
	 "is(b:sub(0, 1):asnumber(), 1) is(b:sub(0, 2):asnumber(), 258) is(b:sub(0, 2):asnumber('big'), 258)"
	 " is(b:sub(0, 2):asnumber('little'), 513) is(b:sub(0, 4):asnumber(), 0x01020304) is(b:sub(0, 6):asnumber(), 0x010203040506)"
	 " is(b:sub(0, 3):asnumber('little'), 0x030201) fails(function() b:sub(0, 0):asnumber() end, 'there are 0')"
	 " fails(function() b:asnumber() end, 'asnumber: 1 to 8 octets expected, there are 9')"
	 " fails(function() b:sub(0, 2):asnumber('middle') end, \"'big' or 'little' expected, got 'middle'\")"
	 " b:sub(0, 2):setnumber(0xfffe) is(b[1], 255) b:sub(2, 2):setnumber(0xfffe, 'little') is(b[3], 254)"
	 /* haka.md 1.9, 9: numbers have no sign */
	 " b:sub(4, 4):setnumber(4294967295) is(b:sub(4, 4):asnumber(), 4294967295)"
	 " fails(function() b:sub(0, 2):setnumber(65536) end, 'setnumber: 65536 is no whole number from 0 to 65535')"
	 " fails(function() b:sub(0, 2):setnumber(-1) end, 'setnumber: -1') fails(function() b:sub(0, 1):setnumber('1') end, 'number expected')",
	 "\377\376\376\377\377\377\377\377\011"},
	{"bits", "\xa5\x0f\x3c",
	 "is(b:asbits(0, 1), 1) is(b:asbits(0, 4), 10) is(b:asbits(4, 12), 0x50f) is(b:asbits(0, 0), 0) is(b:asbits(24, 0), 0)"
	 " is(b:asbits(0, 4, 'little'), 5) is(b:asbits(4, 8, 'little'), 0xfa) is(b:asbits(0, 24, 'little'), 0x3c0fa5)"
	 " is(b:asbits(3, 11), 0x143) fails(function() b:asbits(25, 1) end, 'asbits: invalid bit offset')"
	 " fails(function() b:asbits(12, 24) end, 'asbits: invalid bit size') fails(function() b:setbits(12, 24, 0) end, 'invalid bit size')"
	 " fails(function() b:sub(0, 0):setbits(8, 6, 0) end, 'setbits: invalid bit offset')"
	 " fails(function() b:setbits(0, 3, 8) end, 'setbits: value: 8 is no whole number from 0 to 7')"
	 " b:setbits(3, 11, 0x555) is(b:asbits(3, 11), 0x555) b:setbits(17, 3, 5, 'little') is(b:asbits(17, 3, 'little'), 5)",
	 "\xb5\x57\x3a"},
	{"text", "GET / HTTP",
	 "b:sub(0, 3):setstring('DELETE') is(#b, 13) b:sub(7, 1):setfixedstring('*')"
	 " fails(function() b:sub(7, 1):setfixedstring('**') end, 'setfixedstring: 2 octets do not fit into 1')"
	 " local s = b:sub(9) s:setstring('') is(#s, 0) s:setstring('X/1') is(s:asstring(), 'X/1') b[1] = 100",
	 "dELETE * X/1"},
	{"erase and zero", "0123456789",
	 "local s = b:sub(2, 3) s:erase() is(#s, 0) is(b:sub():asstring(), '0156789') b:sub(5):zero() b:sub(6, 1):erase()",
	 "01567\0"},
	{"replace", "one two three",
	 "local with = haka.vbuffer_from('2') local s = b:sub(4, 3) s:replace(with) is(#with, 0) is(s:asstring(), '2') s:replace('zwei')",
	 "one zwei three"},
	{"subs follow", "0123456789",
	 "local head, mid, tail = b:sub(0, 2), b:sub(4, 3), b:sub(8) b:sub(2, 2):setstring('<-->') is(head:asstring(), '01')"
	 " is(mid:asstring(), '456') is(tail:asstring(), '89') mid:setstring('m') is(tail:asstring(), '89') is(head:asstring(), '01')"
	 " local all = b:sub() mid:erase() is(all:asstring(), '01<-->789') is(#mid, 0) mid:setstring('+') is(all:asstring(), '01<-->+789')",
	 "01<-->+789"},
	{"invalid", "toto",
	 "local p, q, s, t = b:pos(1), b:pos(2), b:sub(0, 1), b:sub(1, 2) b:sub(0, 2):erase()"
	 " fails(function() p:advance(1) end, 'invalid buffer iterator') fails(function() p:copy() end, 'invalid buffer iterator')"
	 " is(q:sub(1):asstring(), 't') fails(function() return #s end, 'invalid sub buffer') fails(function() t:erase() end, 'invalid sub')",
	 "to"},
	{"iterators", "0123456789",
	 "local p = b:pos('begin') is(p:available(), 10) is(p:advance(3), 3) is(p.meter, 3) is(p:sub(2):asstring(), '34') is(p.meter, 5)"
	 " local q = p:copy() is(q.meter, 5) is(q:sub('all'):asstring(), '56789') is(q:available(), 0) is(q:sub('available'), nil)"
	 " is(#q:sub('all'), 0) is(q:advance(5), 0) is(q.meter, 10) q.meter = 1 is(q.meter, 1) is(p:available(), 5)"
	 " local ok, n = p:check_available(5) is(ok, true) is(n, 5) is(p:check_available(6), false) is(p:sub(9):asstring(), '56789')"
	 " q:move_to(b:pos(4)) is(q:sub(1):asstring(), '4') is(b:pos('end'):available(), 0) is(b:pos(10):advance('all'), 0)"
	 " is(b:pos(7):advance('available'), 3) is(b:pos(8):advance(), 2) p:split() is(q:sub(2, true):asstring(), '56')"
	 " fails(function() p:advance(-1) end, 'advance: -1') fails(function() p:sub('some') end, \"number, 'all' or 'available'\")"
	 " fails(function() p:advance({}) end, 'advance: number expected, got table')",
	 "0123456789"},
	{"inserting", "ad",
	 "local p, q, e = b:pos(1), b:pos(1), b:pos('end') local x = haka.vbuffer_from('bc') local s = p:insert(x) is(#x, 0) is(s:asstring(), 'bc')"
	 " is(p:sub(1):asstring(), 'd') is(q:sub(1):asstring(), 'b') e:insert('e') is(b:sub():asstring(), 'abcde')"
	 " b:pos('begin'):insert('<') is(#b, 6) b:pos('end'):insert('>') p:insert('!')",
	 "<abcd!e>"},
	{"a sub's iterator ends with it", "0123456789",
	 "local s = b:sub(2, 4) local p = s:pos('begin') is(p:available(), 4) is(p:sub('all'):asstring(), '2345') p:insert('!')"
	 " is(s:asstring(), '2345!') is(p:available(), 0)",
	 "012345!6789"},
	{"between iterators", "0123456789",
	 "local p, q = b:pos(2), b:pos(5) is(haka.vbuffer_sub(p, q):asstring(), '234') is(#haka.vbuffer_sub(q, q), 0)"
	 " fails(function() haka.vbuffer_sub(q, p) end, 'the end is before the beginning')"
	 " fails(function() haka.vbuffer_sub(p, haka.vbuffer_from('x'):pos(0)) end, 'of two buffers')"
	 " fails(function() haka.vbuffer_sub(p) end, 'iterator expected, got nothing')"
	 " fails(function() p:move_to(haka.vbuffer_from('x'):pos(0)) end, 'of another buffer')"
	 " fails(function() p:move_to(b) end, 'iterator expected')",
	 "0123456789"},
	{"select and restore", "head body tail",
	 "local s = b:sub(5, 4) local ref, buf = s:select() is(buf:sub():asstring(), 'body') is(b:sub():asstring(), 'head  tail')"
	 " buf:pos('end'):insert('work') ref:restore(buf) is(#buf, 0) is(b:sub():asstring(), 'head bodywork tail')"
	 " local two, kept = b:sub(0, 4):select() two:restore(kept, true) is(kept:sub():asstring(), 'head')",
	 "head bodywork tail"},
	{"marks", "0123",
	 "local p = b:pos(1) p:mark() fails(function() p:mark() end, 'marked already') p:unmark() fails(function() p:unmark() end, 'not marked')"
	 " p:mark(true) p:unmark()",
	 "0123"},
	{"chunks", "0123",
	 "local n, text = 0, '' for s in b:pos(1):foreach_available() do n = n + 1 text = text .. s:asstring() end is(n, 1) is(text, '123')",
	 "0123"},
	{"regexps", "GET /index.html HTTP/1.1",
	 "local re = require('regexp/pcre').re local r = re:compile('%/[a-z]+') local s = r:match(b:sub()) is(s:asstring(), '/index')"
	 " is(re:match('nothing', b:sub()), nil) is(re:match('get', b:sub(), 'i'):asstring(), 'GET') is(re:match('^index', b:sub(5)):asstring(), 'index')"
	 " local p = b:pos(0) is(r:match(p), true) is(p.meter, 10) is(p:sub(5):asstring(), '.html') is(r:match(p), false) is(p:available(), 0)"
	 " p = b:pos(4) local t = r:match(p, true) is(t:asstring(), '/index') is(p:available(), 14) is(r:match(p, true), nil) is(p:available(), 0)"
	 " p = b:pos(0) is(re:match('HTTP', p, nil, true):asstring(), 'HTTP') is(p:sub('all'):asstring(), '/1.1')"
	 " is(re:match('http', b:pos(0), 'i'), true) local k = re:compile('index'):create_sink() is(k:feed(b:sub(0, 8)), false)"
	 " is(k:ispartial(), true) local ok, where = k:feed(b:sub(8), true) is(ok, true) is(where.first, 5) is(where.last, 10)"
	 " local set = re:set{'GET', 'POST', 'HTTP'} is(#set:match(b:sub()), 2) is(set:create_sink():feed(b:sub(0, 4))[1], 1)"
	 " fails(function() r:match(5) end, 'regexp:match: string, sub or iterator expected, got number')"
	 " fails(function() k:feed(b:pos(0)) end, 'sink:feed: string or sub expected') s:setstring('*') t = re:match('HTTP.*', b:sub()) t:erase()",
	 "GET *.html "},
	{"many changes", "0123456789",
	 "local last = b:pos(10) for i = 1, 300 do b:pos(5):insert('x') b:sub(5, 1):erase() end is(last:available(), 0)"
	 " is(b:sub(5):asstring(), '56789')",
	 "0123456789"},
};
