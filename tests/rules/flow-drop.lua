-- SPDX-License-Identifier: MPL-2.0
-- capture: talk
-- covers: flow_drop
haka.rule{
	on = haka.dissectors.tcp_connection.events.receive_data,
	eval = function (flow, sub, direction) if direction == "down" then flow:drop() end end
}
