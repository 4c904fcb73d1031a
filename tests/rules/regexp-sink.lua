-- SPDX-License-Identifier: MPL-2.0
-- capture: talk
-- covers: regexp_sink
-- A match may begin in one packet and end in another.
local re = require("regexp/pcre").re
local pattern = re:compile("line%nsec")
local words = re:set{ "first", "line%nsecond", "never" }

haka.rule{ on = haka.dissectors.tcp_connection.events.new_connection, eval = function (flow)
	flow.sink, flow.words, flow.found = pattern:create_sink(), words:create_sink(), haka.regexp_result()
end }
haka.rule{ on = haka.dissectors.tcp_connection.events.receive_data, when = { direction = "up" }, eval = function (flow, data)
	local text = data:asstring()
	print(flow.sink:feed(text, false, flow.found), flow.sink:ispartial(), flow.found.first, flow.found.last)
	print(unpack(flow.words:feed(text) or { "none" }))
end }
