-- SPDX-License-Identifier: MPL-2.0
-- capture: retransmission
-- covers: fault_1
-- What comes again goes on, changed as it was the first time; so does a keep-alive probe. Nobody sees it twice.
haka.rule{
	on = haka.dissectors.tcp_connection.events.receive_data,
	eval = function (flow, current, direction)
		print(direction, (current:asstring():gsub('%s', ' ')))
		current:sub(0, 5):setstring('changed')
	end
}
