-- SPDX-License-Identifier: MPL-2.0
-- A streamed event in Haka's form: trigger(name, stream, iterator). A listener that follows it has one coroutine for all
-- pieces and sees the end; one that does not has each piece; further arguments go to both.
-- capture: datagrams
local udp_connection = require('protocol/udp_connection')
local Notes = haka.dissector.new{type = udp_connection.helper.UdpFlowDissector, name = 'notes'}

Notes:register_streamed_event('content')

function Notes.method:receive(pkt, payload, direction)
	self.stream = self.stream or haka.vbuffer_sub_stream()
	local iter = self.stream:push(payload:sub())
	self.count = (self.count or 0) + 1
	if self.count == 3 then self.stream:finish() end
	self:trigger('content', self.stream, iter, self.count)
	self.stream:pop()
	if self.count == 3 then self.stream = nil end
	pkt:send()
end

haka.policy{on = udp_connection.policies.next_dissector, port = 9000, action = haka.dissectors.notes.install}

haka.rule{
	on = haka.dissectors.notes.events.content,
	options = {streamed = true},
	eval = function (flow, iter, count)
		for piece in iter:foreach_available() do
			print('follows', count, piece:asstring())
		end
		print('end of', count)
	end
}
haka.rule{
	on = haka.dissectors.notes.events.content,
	eval = function (flow, piece, count)
		print('piece', count, piece and piece:asstring())
	end
}
