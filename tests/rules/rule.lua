-- SPDX-License-Identifier: MPL-2.0
-- capture: datagrams
-- covers: rule eval
-- Rules run in their order; one that drops the packet ends the event; eval gets the event's arguments.
local udp = haka.dissectors.udp.events

haka.rule{
	name = "first",
	on = udp.receive_packet,
	eval = function (pkt)
		print("first", pkt.src, pkt.dst, pkt.srcport, pkt.dstport, pkt.payload:asstring())
		if pkt.dstport == 9001 then pkt:drop() end
	end
}

haka.rule{
	hook = udp.receive_packet,
	eval = function (pkt)
		print("second", pkt.dstport)
		if pkt.srcport == 9000 then pkt.payload:setstring("changed answer") end
	end
}

haka.rule{
	on = udp.receive_packet,
	when = { dstport = haka.range(9001, 9005) },
	eval = function () error("dropped before") end
}
