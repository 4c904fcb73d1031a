-- SPDX-License-Identifier: MPL-2.0
-- capture: pieces:6:13:20
-- covers: tcp_streamed iterator_wait
-- A rule that reads a stream as if it were a file, once a direction; the request line is held until it is whole, and
-- retransmissions are forwarded with the changes.
haka.rule{
	name = "request line",
	on = haka.dissectors.tcp_connection.events.receive_data,
	options = { streamed = true },
	eval = function (flow, iter, direction)
		print('begin', direction, flow.srcport)
		if direction == 'up' then
			local line = iter:sub(26)
			print(line:asstring(), iter.meter)
			line:sub(5, 12):setstring('list/of/all/plans')
		end
		for piece in iter:foreach_available() do
			print(direction, #piece, iter.iseof)
		end
		print('end', direction, iter:wait(), iter.iseof, iter.meter)
	end
}
