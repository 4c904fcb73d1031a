-- SPDX-License-Identifier: MPL-2.0
-- capture: fragments
-- covers: ipv4_events ipv4_payload
-- Rules see each fragment, and the whole datagram once; changed, it leaves in fragments again.
haka.rule{
	on = haka.dissectors.ipv4.events.receive_packet,
	eval = function (pkt) print("piece", pkt.frag_offset, pkt.flags.mf, #pkt.payload) end
}
haka.rule{
	on = haka.dissectors.ipv4.events.receive_packet_reassembled,
	eval = function (pkt)
		print("whole", #pkt.payload, pkt.payload:sub(8, 26):asstring())
		pkt.payload:sub(8, 3):setstring("abc")
	end
}
