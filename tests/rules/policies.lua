-- SPDX-License-Identifier: MPL-2.0
-- capture: datagrams
-- covers: policy policy_action policy_stock install criteria policy_new next_dissector fault_4
-- The last entry whose criteria all hold wins, and only its actions run. Sets of addresses match.
local ipv4 = require('protocol/ipv4')
local ip, udp = haka.dissectors.ipv4.policies, haka.dissectors.udp.policies

haka.policy{ name = "nothing passes", on = ip.next_dissector, action = haka.policy.drop }
haka.policy{
	name = "of these", on = ip.next_dissector, proto = 17,
	src = haka.policy.set{ipv4.addr("10.0.0.1"), ipv4.addr("10.0.0.9")},
	action = haka.dissectors.udp.install,
}
haka.policy{
	name = "ports", on = udp.next_dissector, dstport = haka.policy.range(9001, 9010), srcport = haka.policy.outofrange(1, 9),
	dstip = haka.policy.ipv4_in_network(ipv4.network("10.0.0.0/8")), srcip = haka.policy.present(),
	action = {
		haka.policy.alert{severity = "low"},
		haka.policy.log(haka.log.warning, "port %d", 9001),
		function (policy, ctx, values, desc) print(policy.name, ctx.name, values.srcport, values.dstport, values.srcip, type(desc)) end,
		haka.policy.drop,
	},
}
haka.rule{ on = haka.dissectors.udp.events.receive_packet, eval = function (pkt) print("udp", pkt.id) end }

local mine = haka.policy.new("my own")
haka.policy{ on = mine, n = haka.policy.value(3), action = function (policy, ctx, values) print(policy.name, ctx, values.n) end }
haka.policy{ on = mine, n = haka.policy.absent(), action = haka.policy.accept }
mine:apply{ ctx = "ctx", values = {n = 3} }
mine:apply{ ctx = "ctx", values = {} }
