-- SPDX-License-Identifier: MPL-2.0
-- capture: pieces:6:13
-- covers: tcp_streamed
-- A streamed rule that fails drops its connection; its held data is not forwarded.
haka.rule{
	name = "broken",
	on = haka.dissectors.tcp_connection.events.receive_data,
	options = { streamed = true },
	eval = function (flow, iter, direction)
		iter:sub(10)
		error('oops')
	end
}
