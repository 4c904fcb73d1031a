-- SPDX-License-Identifier: MPL-2.0
-- capture: pieces:6:13:20
-- covers: iterator_mark iterator_invalid
-- Octets behind a mark are held until unmark(), and may be changed until then; forwarded ones are gone.
-- Returns the text of an error, without its place.
local function fails(f, ...)
	local ok, why = pcall(f, ...)
	return not ok and (why:gsub('^.-:%d+: ', ''))
end

haka.rule{
	on = haka.dissectors.tcp_connection.events.receive_data,
	options = { streamed = true },
	eval = function (flow, iter, direction)
		if direction == 'down' then return end
		local old = iter:copy()
		iter:advance(4)
		local path = iter:copy()
		path:mark()
		iter:advance(16)
		print(iter.meter, iter:available())
		path:copy():sub(7):setstring('/published')
		path:unmark()
		iter:advance('all')
		print(fails(old.sub, old, 1))
	end
}
