-- SPDX-License-Identifier: MPL-2.0
-- capture: datagrams
-- covers: abort
-- Leaves the packet, without an error: nothing behind it runs, pcall does not catch it.
haka.rule{
	on = haka.dissectors.udp.events.receive_packet,
	eval = function (pkt)
		print(pkt.id, haka.capture_mode())
		if pkt.id > 2 then pcall(haka.abort) print("never") end
	end
}
haka.rule{ on = haka.dissectors.udp.events.receive_packet, eval = function (pkt) print("second", pkt.id) end }
