-- SPDX-License-Identifier: MPL-2.0
-- capture: labels
-- covers: grammar elements array_options grammar_live grammar_errors
-- A grammar on the payload of datagrams: writing a field changes the packet, and octets that do not fit are an error
-- with its place. Versions other than 2 are refused by the grammar.
local g = haka.grammar.new('tunnel', function ()
	define('inner')
	head = record{
		field('version', number(4)):const(2),
		field('label', number(4)),
		field('type', number(8)),
		field('len', number(16)),
	}
	packet = record{
		head,
		field('octets', array(number(8)):count(function (self) return self.len end)),
		field('rest', bytes()),
	}
	inner = record{
		field('n', number(16)),
		field('text', token('[a-z]+')),
	}
	export(packet, inner)
end)

haka.rule{
	on = haka.dissectors.udp.events.receive_packet,
	eval = function (pkt)
		local iter = pkt.payload:pos('begin')
		local p, err = g.packet:parse(iter)
		if err then
			print(err, err.field.rule, err.field.name, err.position)
			return pkt:drop()
		end
		print(p.version, p.label, p.type, p.len, #p.octets, #p.rest, iter.meter)
		if p.type == 1 then
			local i = g.inner:parse(pkt.payload:pos(4))
			print(i.n, i.text)
			i.n = 258
			i.text = 'longer text'
			p.label = 15
			p.len = #pkt.payload - 4
		else
			p.octets:append(33)
			p.len = #p.octets
		end
	end
}
