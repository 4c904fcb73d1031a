-- SPDX-License-Identifier: MPL-2.0
-- capture: datagrams
-- covers: ipv4_addr ipv4_network fault_9
-- Addresses and networks as values; numbers are from 0 to 2^32 - 1, equal addresses are one.
local ipv4 = require("protocol/ipv4")
local a = ipv4.addr("192.168.1.9")

print(a, a.packed, ipv4.addr(3232235785) == a, ipv4.addr(192, 168, 1, 9) == a, ({ [a] = "key" })[ipv4.addr("192.168.1.9")])
print(a < ipv4.addr("192.168.1.10"), a <= a, ipv4.addr("255.255.255.255").packed, ipv4.addr("0.0.0.0").packed)
local n = ipv4.network("192.168.0.0/16")
print(n, n.net, n.mask, n.bits, n:contains(a), n:contains(ipv4.addr("192.169.0.0")), ipv4.network(a, 24))
for _, bad in ipairs{ "1.2.3", "1.2.3.256", "", "x" } do print(pcall(ipv4.addr, bad)) end
print(pcall(ipv4.network, "10.0.0.0/33"))
print(pcall(ipv4.addr, -1))
haka.rule{ on = haka.dissectors.ipv4.events.receive_packet, eval = function (pkt)
	if n:contains(pkt.src) or pkt.src == ipv4.addr("10.0.0.2") then pkt:drop() end
end }
