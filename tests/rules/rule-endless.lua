-- SPDX-License-Identifier: MPL-2.0
-- capture: datagrams
-- options: --fail-open --instructions 100000
-- covers: eval
-- A rule without end ends; pcall does not save it; under --fail-open its packet is forwarded.
haka.rule{
	on = haka.dissectors.udp.events.receive_packet,
	when = { srcport = 9000 },
	eval = function (pkt)
		pcall(function () while true do end end)
		print("not reached")
	end
}
