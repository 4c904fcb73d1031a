-- SPDX-License-Identifier: MPL-2.0
-- capture: reordered
-- covers: tcp_receive_data
-- Octets as they come in order, once each; a change of length moves the numbers of all later octets.
haka.rule{
	on = haka.dissectors.tcp_connection.events.receive_data,
	eval = function (flow, current, direction)
		print(direction, flow.dstport, #current, (current:asstring():gsub('%s', '')))
		if direction == 'up' then
			current:sub(0, 5):setstring(current[1] == 102 and '1st' or 'the second,')
		end
	end
}
