-- SPDX-License-Identifier: MPL-2.0
-- capture: retransmission
-- covers: fault_1
-- What comes again goes on, changed as it was the first time; so does a keep-alive probe. Data is shown once.
haka.rule{ on = haka.dissectors.tcp_connection.events.receive_data, eval = function (flow, data, direction)
	print(direction, data:asstring())
	if data:asstring() == "first line\n" then data:setstring("FIRST LINE, CHANGED\n") end
end }
