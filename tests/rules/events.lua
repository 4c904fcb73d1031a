-- SPDX-License-Identifier: MPL-2.0
-- capture: datagrams
-- covers: events
-- Unknown events and dissectors are errors with their line.
local function why(ok, e) return ok, (tostring(e):gsub("^.-:%d+: ", "")) end

print(why(pcall(function () return haka.dissectors.udp.events.nothing end)))
print(why(pcall(function () return haka.dissectors.nothing end)))
haka.rule{ on = haka.dissectors.raw.events.send_packet, eval = function (pkt) print(pkt.len) end }
haka.rule{ on = haka.dissectors.ipv4.events.no_such_event, eval = print }
