-- SPDX-License-Identifier: MPL-2.0
-- capture: unsummed
-- covers: ipv4_checksum
-- IPv4 headers whose checksum is 0: dropped by name, or looked at with --ignore-checksums.
haka.rule{ on = haka.dissectors.ipv4.events.receive_packet, eval = function (pkt)
	print(pkt.proto, pkt.checksum, pkt:verify_checksum())
end }
haka.rule{ on = haka.dissectors.udp.events.receive_packet, eval = function (pkt) print('udp', pkt.dstport) end }
haka.rule{ on = haka.dissectors.icmp.events.receive_packet, eval = function (pkt) print('icmp', pkt.type) end }
