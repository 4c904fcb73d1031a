-- SPDX-License-Identifier: MPL-2.0
-- capture: http
-- covers: regexp
-- Patterns on text: places count from 0, % and \ escape alike, options, sets.
local re = require("regexp/pcre").re

local r = re:compile("([a-z]+)=%d+", re.CASE_INSENSITIVE)
print(r:match("x A=12 b=3"))
print(r:match("nothing"))
print(re:match("^%s*(?<word>\\w+)", "  word"))
print(re:match("a b # spaces do not count", "ab", re.EXTENDED))
print(re:match("A", "xa", "i"))
print(pcall(function () return re:compile("(") end))
print(pcall(function () return re:match("(a+)+$", ("a"):rep(40) .. "b") end))
local set = re:set{ "GET", "POST", "www%.example" }
print(unpack(set:match("POST / www.example") or {}))
print(set:match("nothing"))
haka.rule{ on = haka.dissectors.tcp_connection.events.receive_data, when = { direction = "up" }, eval = function (flow, data)
	print(re:match("^[A-Z]+ [^ ]+", data:asstring()))
end }
