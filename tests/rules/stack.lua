-- SPDX-License-Identifier: MPL-2.0
-- capture: mixed
-- covers: parent delegation name_state packet_payload packet_timestamp
-- The parents of a packet, and the dissector that a field belongs to.
haka.rule{
	on = haka.dissectors.udp.events.receive_packet,
	eval = function (pkt)
		print(pkt.name, pkt.state, pkt.src, pkt.ttl, pkt.timestamp, pkt.timestamp.seconds, pkt.src_mac, pkt._src)
		print(pkt:parent().name, pkt:parent().proto, pkt:parent(2).dst, pkt:parent("ipv4").src, pkt:parent("ethernet").type)
		print(pkt:parent("packet").len, pkt:parent("vlan") and pkt:parent("vlan").vid, pkt:parent("tcp"), pkt:parent(7))
		print(#pkt:parent("packet").payload, pkt:parent("packet").payload:sub(0, 2):asnumber())
	end
}
haka.rule{
	on = haka.dissectors.udp_connection.events.receive_data,
	eval = function (flow, pkt) print(flow.name, flow.state, flow:parent().name, flow:parent("ipv4").dst, flow.ttl) end
}
haka.rule{
	on = haka.dissectors.packet.events.receive_packet,
	eval = function (pkt) print(pkt.name, pkt.len, pkt.iface ~= "", #pkt.payload) end
}
require('protocol/vlan')
