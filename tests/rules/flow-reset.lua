-- SPDX-License-Identifier: MPL-2.0
-- capture: talk
-- covers: flow_reset
-- Before it is established a connection cannot be reset; halfreset() sends RST to the server alone.
local function why(ok, e) return ok, (tostring(e):gsub("^.-:%d+: ", "")) end

haka.rule{
	on = haka.dissectors.tcp_connection.events.new_connection,
	eval = function (flow) print(why(pcall(flow.reset, flow))) end
}
haka.rule{
	on = haka.dissectors.tcp_connection.events.receive_data,
	eval = function (flow, sub, direction)
		if direction == "up" then flow:halfreset() else flow:reset() end
	end
}
