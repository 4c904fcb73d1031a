-- SPDX-License-Identifier: MPL-2.0
-- capture: midstream
-- options: --midstream
-- covers: fault_2
-- Taken up in the middle: data is seen, both ways.
haka.rule{ on = haka.dissectors.tcp_connection.events.receive_data, eval = function (flow, data, direction)
	print(direction, flow.srcip, flow.dstport, data:asstring())
end }
