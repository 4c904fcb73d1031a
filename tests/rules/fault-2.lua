-- SPDX-License-Identifier: MPL-2.0
-- capture: silence
-- covers: fault_2
-- A connection that is silent for too long ends, and a coroutine that waits for its data sees the end.
local tcp = haka.dissectors.tcp_connection.events

haka.rule{
	on = tcp.receive_data,
	options = { streamed = true },
	eval = function (flow, iter, direction)
		repeat until iter:advance(100) < 100
		print('end of data', direction, iter.meter)
	end
}

haka.rule{
	on = tcp.end_connection,
	eval = function (flow)
		print('end', flow.srcport, flow.state, haka.network_time())
	end
}
