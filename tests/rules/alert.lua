-- SPDX-License-Identifier: MPL-2.0
-- capture: datagrams
-- covers: alert alert_update alert_address
-- Alerts of all fields, of none, and refused fields.
local first
haka.rule{ on = haka.dissectors.udp.events.receive_packet, when = { dstport = 9001 }, eval = function (pkt)
	first = haka.alert{
		start_time = pkt.timestamp, end_time = 1001, description = "a port that nobody uses", severity = "medium",
		confidence = 7, completion = "failed", method = { description = "a probe", ref = { "doc-1", "doc-2" } },
		sources = haka.alert.address(pkt.src, "a name"),
		targets = { haka.alert.address(pkt.dst), haka.alert.service(string.format("udp/%d", pkt.dstport), "probe") },
	}
	first:update{ severity = "high", description = "still\nat it" }
	haka.alert{ description = "refers", ref = { first } }
	haka.alert{}
end }
for _, bad in ipairs{ { severity = "huge" }, { colour = 1 }, { confidence = {} }, { sources = 5 }, { completion = true },
		{ method = 1 }, { start_time = "now" } } do
	print(pcall(haka.alert, bad))
end
