-- SPDX-License-Identifier: MPL-2.0
-- TFTP (RFC 1350, options of RFC 2347): a dissector of datagrams. A rule file loads it with require('tftp'); servers are
-- at port 69, elsewhere a policy says where:
--
--	haka.policy{on = haka.dissectors.udp_connection.policies.next_dissector, port = 1069,
--		action = haka.dissectors.tftp.install}
--
-- Events, each with the dissector's object and the message: request (opcode, filename, mode, options), data (block,
-- payload), ack (block), failure (code, text). protocol_error: it could not be read, and goes no further.
local udp_connection = require('protocol/udp_connection')

local tftp = haka.dissector.new{type = udp_connection.helper.UdpFlowDissector, name = 'tftp'}

for _, event in ipairs{'request', 'data', 'ack', 'failure'} do
	tftp:register_event(event)
end

tftp.grammar = haka.grammar.new('tftp', function ()
	-- text ends with an octet of value 0, which belongs to no field
	local zero = number(8):const(0)
	local function text_field(name)
		return field(name, token('[^%x00]+'))
	end

	option = record{ text_field('name'), zero, text_field('value'), zero }

	request = record{
		text_field('filename'), zero,
		text_field('mode'), zero,
		field('options', array(option)),
	}
	data = record{ field('block', number(16)), field('payload', bytes()) }
	ack = record{ field('block', number(16)) }
	failure = record{ field('code', number(16)), field('text', token('[^%x00]*')), zero }
	agreed = record{ field('options', array(option)) }

	message = record{
		field('opcode', number(16)),
		branch({
			[1] = request, [2] = request, [3] = data, [4] = ack, [5] = failure, [6] = agreed,
			default = fail('no such opcode'),
		}, function (result) return result.opcode end),
	}
	export(message)
end)

local events = {'request', 'request', 'data', 'ack', 'failure', 'ack'}

function tftp.method:receive(pkt, payload, direction)
	local message, err = tftp.grammar.message:parse(payload:pos('begin'))
	if err then
		return self:protocol_error(err)
	end
	self:trigger(events[message.opcode], message)
end

haka.policy{
	name = 'tftp',
	on = haka.dissectors.udp_connection.policies.next_dissector,
	port = 69,
	action = haka.dissectors.tftp.install,
}

return tftp
