-- SPDX-License-Identifier: MPL-2.0
-- capture: fragments
-- covers: dont_reassemble
-- Fragments stay fragments, and are forwarded in their order.
haka.rule{
	on = haka.dissectors.ipv4.events.receive_packet,
	eval = function (pkt)
		pkt.dont_reassemble = true
		print(pkt.frag_offset, pkt.dont_reassemble)
	end
}
haka.rule{ on = haka.dissectors.udp.events.receive_packet, eval = function (pkt) print("never") end }
