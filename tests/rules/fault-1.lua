-- SPDX-License-Identifier: MPL-2.0
-- capture: retransmission
-- covers: fault_1
-- Retransmissions are forwarded, changed as the first time; so are keep-alive probes. No rule sees them twice.
haka.rule{
	on = haka.dissectors.tcp_connection.events.receive_data,
	eval = function (flow, current, direction)
		print(direction, (current:asstring():gsub('%s', ' ')))
		current:sub(0, 5):setstring('changed')
	end
}
