-- SPDX-License-Identifier: MPL-2.0
-- capture: ping
-- covers: elements_more array_options element_options converters grammar_context fault_5
-- Every element and option of a grammar, on octets in memory.
local class = require('class')
local function parse(rule, text, user)
	local b = haka.vbuffer_from(text)
	local result, err = rule:parse(b:pos('begin'), nil, user)
	return result, err, b
end
local function show(b) print(safe_string(b:sub():asstring())) end

local g = haka.grammar.new('elements', function ()
	bits = record{
		field('f', flag), field('three', number(3)), align(16), field('word', number(16, 'little')),
	}
	kind = record{
		field('kind', number(8)),
		branch({
			[1] = field('n', number(8)),
			[2] = field('s', text:count(3)),
			[3] = sequence{ field('a', number(8)), empty(), field('b', number(8)) },
			default = fail('unknown kind'),
		}, function (self) return self.kind end),
		optional(field('more', number(8)), function (self, ctx) return ctx:lookahead() ~= -1 end),
	}
	views = union{
		field('all', number(32)),
		record{ field('hi', number(16)), field('lo', number(16)) },
	}
	either = try{
		record{ field('mark', raw_token('<[a-z]*>')), field('tail', bytes()) },
		record{ field('number', token('[0-9]+')):convert(converter.tonumber('%d', 10)) },
	}
	seen = record{
		field('x', number(8)),
		execute(function (self, ctx)
			print('execute', self.x, ctx:result(1) == self, ctx:result(-1) == self, ctx.user, ctx.iter.meter, ctx:lookahead())
		end),
		verify(function (self) return self.x ~= 0 end, 'x is zero'),
		execute(function (self, ctx) if self.x == 9 then ctx:error('x is %d', self.x) end end),
	}
	export(bits, kind, views, either, seen)
end)

print('-- elements')
local r, err, b = parse(g.bits, '\208\0\1\2')
print(r.f, r.three, r.word)
r.f, r.three, r.word = false, 1, 515
show(b)
for _, text in ipairs{'\1\7', '\2abc', '\3\4\5', '\3\4\5\6', '\9', '\1'} do
	r, err = parse(g.kind, text)
	print(r.kind, r.n, r.s, r.a, r.b, r.more, err)
end
r = parse(g.views, '\0\1\0\2')
print(r.all, r.hi, r.lo)
r = parse(g.either, '<ab>cd')
print(r.mark:asstring(), r.tail:asstring(), r.number)
r, err, b = parse(g.either, '0042')
print(r.mark, r.tail, r.number)
r.number = 7
show(b)
print((select(2, parse(g.either, '?'))))
print((select(2, parse(g.seen, '\5\6', 'user'))))
print((select(2, parse(g.seen, '\0'))))
print((select(2, parse(g.seen, '\9'))))

print('-- options')
local Sum = class.class('Sum')
function Sum.method:sum() return self.a + self.b end
local asked = 0
local h = haka.grammar.new('options', function ()
	local item = number(8)
	local all = array(item)
	local some = all:whilecond(function (elem) return elem ~= 0 end)	-- a copy: `all` stays unchanged (fault 5)
	whole = record{ field('list', all) }
	till = record{ field('list', some), field('rest', bytes()) }
	cond = record{ field('list', all:untilcond(function (elem) return elem == 0 end)), field('rest', bytes()) }
	lines = record{ field('list', array(token('[a-z]+,?')):untiltoken('%.')), bytes() }
	main = record{
		field('magic', bytes():count(2)):const('OK'),
		field('scaled', item):convert(converter.mult(4)),
		field('yes', item):convert(converter.bool),
		field('mine', item):convert({ get = function (x) asked = asked + 1 return x + 1000 end, set = function (x) return x - 1000 end }, true),
		field('name', bytes():untiltoken('%r%n')):convert(converter.string),
		raw_token('%r%n'),
		field('pair', record{ field('a', item), field('b', item) }:result(Sum)),
		field('sum', item):validate(function (self) self.sum = self.pair:sum() end):apply(function (value, self, ctx) print('apply', value) end),
		bytes():count(3):chunked(function (self, sub, last, ctx) print('chunk', sub:asstring(), last) end),
	}
	grown = record{ field('list', array(bytes():count(1)):count(1):creation(function (entity, init)
		local buffer = haka.vbuffer_from(init)
		return buffer, init
	end)) }
	export(whole, till, cond, lines, main, grown)
end)
print(#parse(h.whole, '\1\0\2').list, #parse(h.till, '\1\0\2').list, #parse(h.till, '\1\0\2').rest)
print(#parse(h.cond, '\1\0\2').list, #parse(h.cond, '\1\0\2').rest)
print(#parse(h.lines, 'ab,cd.ef').list)
r, err, b = parse(h.main, 'OK\2\1\5name\r\n\3\4\0xyz')
print(err, r.magic:asstring(), r.scaled, r.yes, r.mine, r.mine, asked, r.name, r.pair:sum(), r.sum)
r.scaled, r.yes, r.mine, r.name, r.sum = 12, false, 1001, 'another', nil
show(b)
print(r.mine, r.sum)
print((select(2, parse(h.main, 'KO'))))
r, err, b = parse(h.grown, 'a')
r.list:append('bc')
print(#r.list, r.list[2])
show(b)
