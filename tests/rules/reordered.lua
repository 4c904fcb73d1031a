-- SPDX-License-Identifier: MPL-2.0
-- capture: reordered
-- covers: tcp_receive_data
-- Data is shown in order, with its segments in any order.
haka.rule{ on = haka.dissectors.tcp_connection.events.receive_data, eval = function (flow, data, direction)
	print(direction, data:asstring())
end }
