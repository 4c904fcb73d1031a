-- SPDX-License-Identifier: MPL-2.0
-- capture: pieces:6:13:20
-- covers: regexp regexp_sink
-- A match over the borders of packets, found as it comes; on subs and iterators; by a sink that is fed piece by piece.
-- Returns the text of an error, without its place.
local function fails(f, ...)
	local ok, why = pcall(f, ...)
	return not ok and (why:gsub('^.-:%d+: ', ''))
end

local re = require('regexp/pcre').re
local secret = re:compile('/SECRET/[a-z]+', re.CASE_INSENSITIVE)

haka.rule{
	on = haka.dissectors.tcp_connection.events.receive_data,
	options = { streamed = true },
	eval = function (flow, iter, direction)
		local found = secret:match(iter, true)
		print(direction, found and found:asstring(), iter.meter)
		if found then
			local dir = re:match('%w+', found)
			dir:setstring('published')
			print(found:asstring(), re:match('%d%.%d', iter), iter.meter)
		end
	end
}

local sinks = {}

haka.rule{
	on = haka.dissectors.tcp_connection.events.receive_data,
	eval = function (flow, current, direction)
		local sink = sinks[direction] or re:compile('such thing'):create_sink()
		sinks[direction] = sink
		local result = haka.regexp_result()
		local matched = sink:feed(current, false, result)
		print('sink', direction, matched, sink:ispartial(), result.first, result.last)
	end
}

haka.rule{
	on = haka.dissectors.tcp_connection.events.new_connection,
	eval = function (flow, tcp)
		print(re:match('(?<=b)c+', 'abccd'), re:match('A # a', 'bab', 'ix'), secret:match('nothing'))
		print(fails(re.compile, re, '('))
	end
}
