-- SPDX-License-Identifier: MPL-2.0
-- capture: datagrams
-- covers: rule_errors
-- An invalid rule is refused with its place; nothing is let through.
local udp = haka.dissectors.udp.events

for _, bad in ipairs{
	{ eval = print }, { on = 7, eval = print }, { on = udp.receive_packet }, { on = udp.receive_packet, eval = 7 },
	{ on = udp.receive_packet, eval = print, when = { colour = 1 } }, { on = udp.receive_packet, eval = print, whn = {} },
} do
	print(pcall(haka.rule, bad))
end
print(pcall(haka.rule))
haka.rule{ on = "udp.receive_packet", eval = print }
