-- SPDX-License-Identifier: MPL-2.0
-- capture: midstream
-- options: --midstream
-- covers: fault_2
-- A connection whose beginning nobody saw is taken up where the gate is told to.
haka.rule{
	on = haka.dissectors.tcp_connection.events.receive_data,
	eval = function (flow, sub, direction) print(direction, flow.state, (sub:asstring():gsub("\n", ""))) end
}
