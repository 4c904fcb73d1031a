-- SPDX-License-Identifier: MPL-2.0
-- capture: retransmission
-- covers: fault_1
-- Retransmissions are forwarded, changed as the first time; so are keep-alive probes. Data is shown once.
haka.rule{ on = haka.dissectors.tcp_connection.events.receive_data, eval = function (flow, data, direction)
	print(direction, data:asstring())
	if data:asstring() == "first line\n" then data:setstring("FIRST LINE, CHANGED\n") end
end }
