-- SPDX-License-Identifier: MPL-2.0
-- capture: datagrams
-- options: --alert-format json
-- covers: alert alert_address
-- Alerts as JSON, a line each; text from packets stays inside its string.
haka.rule{ on = haka.dissectors.udp.events.receive_packet, when = { dstport = 9001 }, eval = function (pkt)
	haka.alert{ description = 'a "quoted"\nline of ' .. pkt.payload:asstring(), severity = "low", confidence = "high",
		sources = haka.alert.address(pkt.src), targets = haka.alert.service("udp/" .. pkt.dstport) }
end }
