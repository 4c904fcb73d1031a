-- SPDX-License-Identifier: MPL-2.0
-- capture: datagrams
-- covers: iterator iterator_mark iterator_invalid
-- Places in a payload: advancing, inserting, and those whose octets are gone.
-- Returns the text of an error, without its place.
local function fails(f, ...)
	local ok, why = pcall(f, ...)
	return not ok and (why:gsub('^.-:%d+: ', ''))
end

local n = 0
local ways = {
	function (b)
		local it = b:pos('begin')
		print(it:advance(4), it.meter, it:available(), it:check_available(6), it:check_available(7))
		print(it:sub(3):asstring(), it.meter, it.iseof, it:copy():sub('all'):asstring())
		print(it:advance('all'), it.iseof, it:wait(), it:sub('available'), #it:sub('all'))
	end,
	function (b)
		local it, other = b:pos(4), b:pos(4)
		print(it:insert(haka.vbuffer_from('<>')):asstring(), it:sub(2):asstring(), other:sub(2):asstring())
		it:move_to(b:pos('end'))
		it:insert('.')
		it:split()
		print(haka.vbuffer_sub(other, it):asstring())
	end,
	function (b)
		local first, inside, behind = b:pos(2), b:pos(3), b:pos(6)
		b:sub(2, 4):erase()
		print(first:sub(1):asstring(), behind:sub(1):asstring())
		print(fails(inside.advance, inside, 1))
	end,
	function (b)
		local it = b:pos(3)
		it:mark()
		print(fails(it.mark, it))
		it:unmark()
		print(fails(it.unmark, it))
		it.meter = 40
		for piece in it:foreach_available() do
			print(piece:asstring(), it.meter)
		end
	end,
	function () end
}

haka.rule{
	on = haka.dissectors.udp.events.receive_packet,
	eval = function (pkt)
		n = n + 1
		ways[n](pkt.payload)
	end
}
