-- SPDX-License-Identifier: MPL-2.0
-- capture: damaged
-- covers: packet_events
-- A packet comes, is found wanting, or goes.
local d = haka.dissectors
local function tell(what) return function (pkt, err) print(what, pkt.len, err and err.description) end end
for _, name in ipairs{"packet", "ethernet", "ipv4", "udp"} do
	haka.rule{ on = d[name].events.receive_packet, eval = tell(name .. " receive") }
	haka.rule{ on = d[name].events.send_packet, eval = tell(name .. " send") }
	haka.rule{ on = d[name].events.protocol_error, eval = tell(name .. " error") }
end
require('protocol/udp_connection')
