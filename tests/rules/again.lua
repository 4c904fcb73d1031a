-- SPDX-License-Identifier: MPL-2.0
-- capture: retransmission
-- covers: fault_1 tcp_receive_data
-- A segment that comes again is edited like the first time and goes on; so does a keep-alive probe. Rules see data once.
haka.rule{
	on = haka.dissectors.tcp_connection.events.receive_data,
	eval = function (flow, sub, direction)
		if #sub == 0 then return end
		print(direction, (sub:asstring():gsub("\n", "")))
		if direction == "up" then sub:setstring(sub:asstring():gsub("line", "changed line")) end
	end
}
