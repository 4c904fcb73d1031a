-- SPDX-License-Identifier: MPL-2.0
-- capture: talk
-- covers: tcp_fields tcp_flags tcp_payload transport_events
-- Segments by themselves: no dissector of connections is loaded.
local function why(ok, e) return ok, (tostring(e):gsub("^.-:%d+: ", "")) end

local tcp = haka.dissectors.tcp.events
haka.rule{
	on = tcp.receive_packet,
	eval = function (pkt)
		local f = pkt.flags
		print(pkt.srcport, pkt.dstport, pkt.seq, pkt.ack_seq, pkt.hdr_len, pkt.res, pkt.window_size, pkt.urgent_pointer, f.all)
		print(f.fin, f.syn, f.rst, f.psh, f.ack, f.urg, f.ecn, f.cwr, pkt.checksum > 0, pkt:verify_checksum(), #pkt.payload)
		if f.syn then
			pkt.window_size, pkt.urgent_pointer, f.urg, pkt.seq, pkt.ack_seq = 1, 2, true, 4294967295, 7
			print(why(pcall(function () f.fin = 1 end)))
			print(why(pcall(function () pkt.seq = 4294967296 end)))
			print(why(pcall(function () pkt.hdr_len = 5 end)))
		elseif f.fin then
			f.all = 4
			pkt.res = 5
		elseif #pkt.payload > 0 then
			pkt.checksum = 0
			print(pkt:verify_checksum())
			pkt:compute_checksum()
			print(pkt:verify_checksum())
			pkt.payload:sub(0, 1):setstring("<>")
		end
	end
}
haka.rule{ on = tcp.send_packet, eval = function (pkt) if pkt.flags.rst then pkt:drop() end end }
