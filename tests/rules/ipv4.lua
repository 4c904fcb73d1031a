-- SPDX-License-Identifier: MPL-2.0
-- capture: datagrams
-- covers: ipv4_events ipv4_addresses ipv4_fields ipv4_flags ipv4_payload ipv4_checksum ipv4_addr ipv4_network fault_9
-- All fields of an IPv4 header, read and written; a value out of range is an error and changes nothing.
local function why(ok, e) return ok, (tostring(e):gsub("^.-:%d+: ", "")) end

local ipv4 = require('protocol/ipv4')

haka.rule{
	on = ipv4.events.receive_packet,
	eval = function (pkt)
		print(pkt.src, pkt.dst, pkt.proto, pkt.ttl, pkt.len, pkt.id, pkt.hdr_len, pkt.version, pkt.tos, pkt.frag_offset)
		print(pkt.flags.rb, pkt.flags.df, pkt.flags.mf, pkt.flags.all, pkt.checksum > 0, pkt:verify_checksum(), #pkt.payload)
		if pkt.id == 1 then
			for _, code in ipairs{"ttl = 256", "ttl = -1", "proto = 'x'", "id = 65536", "tos = 1.5", "frag_offset = 7", "src = 5.5",
				"flags.df = 1", "version = 16", "checksum = -3"} do
				local f = load("local pkt = ... pkt." .. code)
				print(why(pcall(f, pkt)))
			end
		elseif pkt.id == 2 then
			pkt.src, pkt.dst = ipv4.addr("192.0.2.1"), ipv4.addr(198, 51, 100, 7)
			pkt.ttl, pkt.tos, pkt.id, pkt.flags.df, pkt.proto = 1, 255, 4660, true, 200
		elseif pkt.id == 3 then
			pkt.checksum = 1
			print(pkt:verify_checksum())
			pkt:compute_checksum()
			print(pkt:verify_checksum())
		elseif pkt.id == 9 then
			pkt.proto = 201
			pkt.payload:setstring("another payload, longer than before")
		end
	end
}
haka.rule{ on = ipv4.events.send_packet, eval = function (pkt) print("send", pkt.id, pkt.state) end }

local a, net = ipv4.addr("192.0.2.255"), ipv4.network("192.0.2.0/24")
print(a, a.packed, ipv4.addr(a.packed) == a, ipv4.addr("10.0.0.1") < a, a <= a, tostring(a))
print(net, net.net, net.mask, net:contains(a), net:contains(ipv4.addr("192.0.3.0")), ipv4.network(a, 24).net)
print(ipv4.inet_checksum_compute("\69\0\0\20"), why(pcall(ipv4.addr, "1.2.3")))
