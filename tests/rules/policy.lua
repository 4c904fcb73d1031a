-- SPDX-License-Identifier: MPL-2.0
-- capture: datagrams
-- covers: policy policy_action policy_stock install next_dissector
-- All criteria must hold, the last entry that matches wins, only its actions run.
local udp = haka.dissectors.udp

haka.policy{ on = udp.policies.next_dissector, action = haka.policy.accept }
haka.policy{ on = udp.policies.next_dissector, name = "answers", srcport = 9000,
	action = { haka.policy.log(haka.log.warning, "an answer to %d", 1000), haka.policy.alert{ severity = "low" } } }
haka.policy{ on = udp.policies.next_dissector, dstport = 9001, action = haka.policy.drop }
haka.policy{ on = udp.policies.next_dissector, srcport = 1000, dstport = 9000,
	action = {
		function (policy, ctx, values, desc)
			print(policy.name, ctx.src, values.srcport, values.dstport, type(desc))
		end,
		haka.dissectors.udp_connection.install,
	} }
haka.rule{ on = haka.dissectors.udp_connection.events.new_connection, eval = function (flow, pkt)
	print("flow", flow.srcip, flow.srcport, flow.dstip, flow.dstport)
end }
