-- SPDX-License-Identifier: MPL-2.0
-- capture: datagrams
-- covers: create verbs packet_dissector trigger consumed
-- Packets of a dissector in Lua, made on top of a datagram: one is sent before the current packet, one is injected
-- behind it and read like any other, one is dropped. Missing fields are computed.
local d = haka.dissectors
local note = haka.dissector.new{ type = haka.helper.PacketDissector, name = 'note' }

note.grammar = haka.grammar.new('note', function ()
	body = record{
		field('len', number(8)):validate(function (self) self.len = #self.text end),
		field('kind', number(8)),
		field('text', text:count(function (self) return self.len end)),
	}
	export(body)
end)
haka.policy{ on = d.udp.policies.next_dissector, dstport = 9002, action = d.note.install }

haka.rule{
	on = d.note.events.receive_packet,
	eval = function (pkt) print('receive', pkt.kind, pkt.len, pkt.text, pkt.srcport) end
}
haka.rule{
	on = d.note.events.send_packet,
	eval = function (pkt) print('send', pkt.kind, pkt.text) end
}

local function make(pkt, init)
	local udp = d.udp.create(d.ipv4.create(d.packet.create(), { src = pkt.src, dst = pkt.dst }), { srcport = pkt.id, dstport = 9002 })
	return d.note.create(udp, init)
end

haka.rule{
	on = d.udp.events.receive_packet,
	eval = function (pkt)
		if pkt.dstport ~= 9000 then return end
		if pkt.id == 1 then
			local n = make(pkt, { kind = 1, text = 'sent at once' })
			print('made', n.len, n.text, n.dstport, n:parent().srcport)
			n.text = 'sent, but changed before'
			n.len = nil
			n:send()
			print((select(2, pcall(function () return n.text end)):gsub('^.-:%d+: ', '')))
		elseif pkt.id == 2 then
			make(pkt, { kind = 2, text = 'comes in' }):inject()
		else
			local n = make(pkt, { kind = 3, text = 'dropped' })
			n:drop()
			for _, args in ipairs{ { pkt, { kind = 300 } }, {} } do
				print((select(2, pcall(d.note.create, args[1], args[2])):gsub('^.-:%d+: ', '')))
			end
		end
	end
}
