-- SPDX-License-Identifier: MPL-2.0
-- capture: labels
-- covers: packet_dissector parent delegation packet_events verbs dissector_new policy_new install
-- Two dissectors of packets on top of each other, written in Lua: the second one's criterion is a field of the first.
local outer = haka.dissector.new{ type = haka.helper.PacketDissector, name = 'tunnel' }

outer.grammar = haka.grammar.new('tunnel', function ()
	packet = record{
		field('version', number(4)):const(2),
		field('label', number(4)),
		field('type', number(8)),
		field('length', number(16)):validate(function (self) self.length = #self.payload end),
		field('payload', bytes()),
	}
	export(packet)
end)

function outer.method:install_criterion()
	return { type = self.type }
end

function outer.method:forge_payload(parent, payload)
	if payload.modified then self.length = nil end
end

local inner = haka.dissector.new{ type = haka.helper.PacketDissector, name = 'message' }

inner.grammar = haka.grammar.new('message', function ()
	message = record{ field('number', number(16)), field('text', text) }
	export(message)
end)

function inner.method:parse_payload(parent, payload)
	print('parse', self.name, parent.name, #payload)
	return haka.helper.PacketDissector.method.parse_payload(self, parent, payload)
end

haka.policy{ on = haka.dissectors.udp.policies.next_dissector, dstport = 5000, action = haka.dissectors.tunnel.install }
haka.policy{ on = haka.dissectors.tunnel.policies.next_dissector, type = 1, action = haka.dissectors.message.install }

haka.rule{
	on = haka.dissectors.tunnel.events.receive_packet,
	eval = function (pkt)
		print('tunnel', pkt.label, pkt.type, pkt.length, pkt.dstport, pkt.src, pkt.ttl, pkt._hidden)
		if pkt.type == 2 then pkt:drop() end
	end
}

haka.rule{
	on = haka.dissectors.message.events.receive_packet,
	eval = function (pkt)
		print('message', pkt.number, pkt.text, pkt.label, pkt:parent().name, pkt:parent('udp').dstport, pkt:parent(3).ttl, pkt:parent(0) == pkt)
		pkt.text = 'a longer text'
	end
}

haka.rule{
	on = haka.dissectors.message.events.send_packet,
	eval = function (pkt) print('send', pkt.text, pkt.length) end
}

haka.rule{
	on = haka.dissectors.tunnel.events.protocol_error,
	eval = function (pkt, err) print('broken', pkt.dstport, err) end
}
