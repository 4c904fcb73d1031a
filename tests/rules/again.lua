-- SPDX-License-Identifier: MPL-2.0
-- capture: retransmission
-- covers: fault_1 tcp_receive_data
-- A retransmitted segment is edited like the first one and forwarded; so is a keep-alive probe. Rules see data once.
haka.rule{
	on = haka.dissectors.tcp_connection.events.receive_data,
	eval = function (flow, sub, direction)
		if #sub == 0 then return end
		print(direction, (sub:asstring():gsub("\n", "")))
		if direction == "up" then sub:setstring(sub:asstring():gsub("line", "changed line")) end
	end
}
