-- SPDX-License-Identifier: MPL-2.0
-- capture: datagrams
-- covers: started_exiting abort
-- Once before the first packet, once behind the last; abort leaves a packet without an error, and drops it.
local n = 0
haka.rule{ on = haka.events.started, eval = function (...) print("started", select("#", ...), haka.current_thread()) end }
haka.rule{ on = haka.events.exiting, eval = function () print("exiting", n) end }
haka.rule{
	on = haka.dissectors.udp.events.receive_packet,
	eval = function (pkt)
		n = n + 1
		if n == 2 then pcall(haka.abort) end
		print("on", n)
	end
}
haka.rule{ on = haka.dissectors.udp.events.receive_packet, eval = function () print("behind", n) end }
