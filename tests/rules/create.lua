-- SPDX-License-Identifier: MPL-2.0
-- capture: datagrams
-- covers: create verbs packet_verbs consumed
-- Packets are made and sent before the current one; one is injected behind it; using a sent packet is an error.
local function why(ok, e) return ok, (tostring(e):gsub("^.-:%d+: ", "")) end

local d = haka.dissectors

haka.rule{
	on = d.udp.events.receive_packet,
	eval = function (pkt)
		print(pkt.srcport, pkt.dstport, pkt.payload:asstring(), pkt.state)
		if pkt.id == 1 then
			local udp = d.udp.create(d.ipv4.create(d.packet.create(), {src = "192.0.2.1", dst = pkt.dst, ttl = 3}),
				{srcport = 5, dstport = 6})
			udp.payload:setstring("made")
			print(udp.state, udp:parent().ttl)
			udp:send()
			print(why(pcall(function () return udp.srcport end)))
			local tcp = d.tcp.create(d.ipv4.create(d.raw.create{iface = pkt.iface}, {src = pkt.dst, dst = pkt.src}),
				{srcport = 80, dstport = 81, seq = 1, ack_seq = 2, window_size = 3, flags = {rst = true, ack = true}})
			tcp:send()
			local icmp = d.icmp.create(d.ipv4.create(d.raw.create(), {src = "192.0.2.9", dst = pkt.dst}), {type = 8, code = 0})
			icmp.payload:setstring("\0\1\0\1")
			icmp:send()
			local dropped = d.raw.create(20)
			dropped:drop()
			print(why(pcall(function () dropped:send() end)))
		elseif pkt.id == 2 then
			local udp = d.udp.create(d.ipv4.create(d.raw.create(), {src = pkt.src, dst = pkt.dst}), {srcport = 7, dstport = 9001})
			udp.payload:setstring("came in")
			udp:inject()
			pkt:drop()
		elseif pkt.id == 3 then
			print(why(pcall(pkt.inject, pkt)))
			pkt:send()
			print(why(pcall(function () return pkt.id end)))
		end
	end
}
haka.rule{
	on = d.udp.events.receive_packet,
	eval = function (pkt) print("not sent, not dropped", pkt.srcport, pkt.dstport) end
}
