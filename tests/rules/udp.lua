-- SPDX-License-Identifier: MPL-2.0
-- capture: datagrams
-- covers: udp transport_events
haka.rule{
	on = haka.dissectors.udp.events.receive_packet,
	eval = function (pkt)
		print(pkt.srcport, pkt.dstport, pkt.length, pkt.checksum, pkt:verify_checksum(), pkt.payload:asstring())
		if pkt.id == 1 then pkt.dstport = 9999 end
		if pkt.id == 2 then pkt.payload:erase() end
		if pkt.id == 3 then pkt.payload[1] = 68 end
	end
}
haka.rule{
	on = haka.dissectors.udp.events.send_packet,
	eval = function (pkt) if pkt.id == 10 then pkt:drop() end end
}
