-- SPDX-License-Identifier: MPL-2.0
-- capture: datagrams
-- covers: vbuffer buffer_index buffer_more sub_read sub_write sub_edit
-- A packet's payload is a buffer like one in memory; each datagram is read and changed in another way.
-- Returns the text of an error, without its place.
local function fails(f, ...)
	local ok, why = pcall(f, ...)
	return not ok and (why:gsub('^.-:%d+: ', ''))
end

local n = 0
local ways = {
	function (b) -- read
		print(#b, b[1], b[#b], b[99], b:sub(0, 4):asstring(), b:sub(5, 'all'):asstring(), b:pos(9):available())
		print(b:sub(0, 2):asnumber(), b:sub(0, 2):asnumber('little'), b:asbits(0, 4), b:asbits(4, 8), b:asbits(4, 8, 'little'))
		print(#b:sub(99), b:sub(8, 99):asstring(), b.modified)
	end,
	function (b) -- written, keeping the length
		b[1] = 68
		b:sub(1, 3):setfixedstring('AT')
		b:sub(4, 2):setnumber(0x4142)
		b:sub(6, 2):setnumber(0x4142, 'little')
		b:setbits(8 * 8, 8, 63)
		print(b:sub():asstring(), b.modified, fails(b.setbits, b, 0, 4, 16))
	end,
	function (b) -- and changing it
		local tail = b:sub(8)
		b:sub(0, 4):setstring('new')
		b:sub(3, 2):erase()
		tail:replace(haka.vbuffer_from('END'))
		b:sub(0, 1):zero()
		b:append(haka.vbuffer_from('!'))
		print(#b, tail:asstring())
	end,
	function (b) -- by another buffer
		local copy, zeros = b:clone(), haka.vbuffer_allocate(2)
		copy:append(zeros)
		copy[7], copy[8] = 43, 43
		print(#zeros, copy.modified, b.modified, copy:sub():asstring(), fails(copy.append, copy, copy))
		local ref, cut = b:sub(2, 2):select()
		print(cut:sub():asstring(), b:sub():asstring())
		ref:restore(copy)
	end,
	function (b)
		local read_only = b:clone('ro clone')
		print(fails(function () read_only[1] = 1 end))
		print(b:sub():isflat(), b:sub():check_size(9), b:sub():check_size(10))
	end,
}

haka.rule{
	on = haka.dissectors.udp.events.receive_packet,
	eval = function (pkt)
		n = n + 1
		ways[n](pkt.payload)
	end
}
