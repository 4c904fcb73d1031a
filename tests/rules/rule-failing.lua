-- SPDX-License-Identifier: MPL-2.0
-- capture: datagrams
-- covers: eval
-- A rule that fails costs its packet: it is dropped, said with its line, and the next packet is judged anew.
haka.rule{
	on = haka.dissectors.udp.events.receive_packet,
	when = { dstport = 9000 },
	eval = function (pkt)
		if pkt.payload:asstring() == "datagram 1" then
			local none
			return none.field
		end
		print(pkt.payload:asstring())
	end
}
