-- SPDX-License-Identifier: MPL-2.0
-- capture: ping
-- covers: icmp transport_events
local function why(ok, e) return ok, (tostring(e):gsub("^.-:%d+: ", "")) end

haka.rule{
	on = haka.dissectors.icmp.events.receive_packet,
	eval = function (pkt)
		print(pkt.type, pkt.code, pkt.checksum, pkt:verify_checksum(), pkt.payload:asstring():sub(5), pkt.ttl)
		if pkt.type == 8 then
			pkt.code = 3
			pkt.payload:sub(4):setstring("a longer one")
		else
			pkt.checksum = 0
			print(pkt:verify_checksum(), why(pcall(function () pkt.type = 256 end)))
		end
	end
}
haka.rule{
	on = haka.dissectors.icmp.events.send_packet,
	eval = function (pkt) print("send", pkt.type, pkt.code, #pkt.payload) end
}
