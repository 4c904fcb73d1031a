-- SPDX-License-Identifier: MPL-2.0
-- capture: midstream
-- options: --midstream
-- covers: fault_2
-- A connection whose beginning nobody saw is taken up if that is asked for.
haka.rule{
	on = haka.dissectors.tcp_connection.events.receive_data,
	eval = function (flow, current, direction)
		print(direction, (current:asstring():gsub('%s', ' ')))
	end
}
