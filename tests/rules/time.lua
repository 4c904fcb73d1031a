-- SPDX-License-Identifier: MPL-2.0
-- capture: datagrams
-- covers: time packet_timestamp
-- The time of packets is the capture's; times are values.
local begin
haka.rule{ on = haka.dissectors.udp.events.receive_packet, eval = function (pkt)
	local now = haka.network_time()
	begin = begin or now
	print(tostring(now), now == pkt.timestamp, now - begin, now >= begin, (begin + 1.5).seconds)
end }
local t = haka.time(1383576587.25)
print(tostring(t), t.secs, t.nsecs, t.seconds, t < haka.time(1383576588), t == haka.time(1383576587.25))
print(pcall(haka.time, "x"))
