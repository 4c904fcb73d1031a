-- SPDX-License-Identifier: MPL-2.0
-- capture: talk
-- covers: tcp_new_connection tcp_receive_packet tcp_receive_data tcp_end_connection flow_members name_state
local tcp = haka.dissectors.tcp_connection.events
haka.rule{
	on = tcp.new_connection,
	eval = function (flow, pkt) print("new", flow.srcip, flow.srcport, flow.dstip, flow.dstport, pkt.flags.syn, flow.state, flow.name) flow.lines = 0 end
}
haka.rule{
	on = tcp.receive_packet,
	eval = function (flow, pkt, direction) print("packet", direction, pkt.flags.all, flow.state) end
}
haka.rule{
	on = tcp.receive_data,
	eval = function (flow, sub, direction)
		if #sub == 0 then return end
		flow.lines = flow.lines + 1
		print("data", direction, flow.lines, (sub:asstring():gsub("\n", "")))
		if direction == "down" then sub:setstring("a changed answer\n") end
	end
}
haka.rule{
	on = tcp.end_connection,
	eval = function (flow) print("end", flow.lines, flow.in_pkts, flow.out_pkts, flow.in_bytes, flow.out_bytes, flow.id > 0) end
}
