-- SPDX-License-Identifier: MPL-2.0
-- capture: datagrams
-- covers: udp_connection flow_members flow_drop
local udp = haka.dissectors.udp_connection.events
haka.rule{
	on = udp.new_connection,
	eval = function (flow, pkt) print("new", flow.srcip, flow.dstport, pkt.id) if flow.dstport == 9001 then flow:drop() end end
}
haka.rule{ on = udp.receive_packet, eval = function (flow, pkt, direction) print("packet", direction, pkt.id) end }
haka.rule{
	on = udp.receive_data,
	eval = function (flow, pkt, direction)
		print("data", direction, pkt.payload:asstring(), flow.in_pkts, flow.out_pkts)
		if pkt.id == 2 then flow:drop(pkt) end
	end
}
haka.rule{ on = udp.end_connection, eval = function (flow) print("end", flow.dstport, flow.in_pkts, flow.out_pkts) end }
