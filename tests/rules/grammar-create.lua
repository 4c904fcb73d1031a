-- SPDX-License-Identifier: MPL-2.0
-- capture: datagrams
-- covers: grammar element_options grammar_live
-- create() writes the fields of a table, computes missing ones, and refuses octets that cannot be read back; a grammar extends
-- another and overrides one of its rules; a rule may be in itself, ten deep.
local base = haka.grammar.new('base', function ()
	head = record{ field('v', number(8)):const(1), field('len', number(16)):validate(function (self) self.len = #self.data end) }
	message = record{ head, field('data', text:count(function (self) return self.len end)) }
	export(message)
end)

local g = haka.grammar.new('extended', function ()
	extend(base)
	head = record{ field('v', number(8)):const(2), field('len', number(8)):validate(function (self) self.len = #self.data end),
		field('urgent', flag), field('pad', number(7)) }
	define('node')
	node = record{ field('n', number(8)), field('sub', array(node):count(function (self) return self.n end)) }
	export(node)
end)

haka.rule{
	on = haka.dissectors.udp.events.receive_packet,
	eval = function (pkt)
		if pkt.dstport ~= 9000 then return end
		local n = tonumber(pkt.payload:asstring():match('%d$'))
		if not n then return pkt:drop() end
		pkt.payload:erase()
		local r = (n == 0 and base or g).message:create(pkt.payload:pos('begin'), { data = ('x'):rep(n + 1), urgent = true })
		print(r.v, r.len, r.urgent, r.data)
	end
}

print(pcall(base.message.create, base.message, haka.vbuffer_from(''):pos('begin'), { len = 9, data = 'short' }))
print(g.node:parse(haka.vbuffer_from('\2\0\1\0'):pos('begin')).sub[2].sub[1].n)
print(select(2, g.node:parse(haka.vbuffer_from(('\1'):rep(20)):pos('begin'))))
