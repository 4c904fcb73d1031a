-- SPDX-License-Identifier: MPL-2.0
-- capture: talk:2222
-- covers: tcp_policies install
-- New connections by policy: none to port 2222; for others tcp_connection is asked for the protocol.
haka.policy{
	on = haka.dissectors.tcp_connection.policies.new_connection, dstport = 2222,
	action = {function (policy, ctx, values) print(ctx.dstport, values.srcip, values.port) end, haka.policy.drop},
}
haka.rule{ on = haka.dissectors.tcp_connection.events.receive_packet, eval = function () print("never") end }
