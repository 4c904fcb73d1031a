-- SPDX-License-Identifier: MPL-2.0
-- capture: midstream
-- covers: tcp_policies next_dissector
-- Packets without a known connection are dropped by the dissector; a policy accepts them, by direction.
local tcp = haka.dissectors.tcp_connection.policies
haka.policy{
	on = tcp.no_connection_found, dstport = 7,
	action = {function (policy, ctx, values) print(policy.name, ctx.name, values.srcip, values.srcport, values.dstip, values.dstport) end,
		haka.policy.accept},
}
haka.policy{ on = tcp.unexpected_packet, action = haka.policy.accept }
haka.policy{ on = tcp.invalid_handshake, action = haka.policy.accept }
