-- SPDX-License-Identifier: MPL-2.0
-- capture: mixed
-- covers: policy policy_stock next_dissector
-- Default deny: by the protocol over Ethernet, and by the protocol over IPv4.
local ipv4 = require("protocol/ipv4")
require("protocol/udp")

haka.policy{ on = haka.dissectors.ethernet.policies.next_dissector, action = { haka.policy.alert(), haka.policy.drop } }
haka.policy{ on = haka.dissectors.ethernet.policies.next_dissector, proto = haka.policy.set{ 0x0806, 0x8100 }, action = haka.policy.accept }
haka.policy{ on = haka.dissectors.ethernet.policies.next_dissector, proto = 0x0800, action = haka.dissectors.ipv4.install }
haka.policy{ on = haka.dissectors.ipv4.policies.next_dissector, action = haka.policy.drop }
haka.policy{ on = haka.dissectors.ipv4.policies.next_dissector, proto = 17, action = haka.dissectors.udp.install }
haka.rule{ on = haka.dissectors.udp.events.receive_packet, eval = function (pkt) print(pkt.payload:asstring()) end }
