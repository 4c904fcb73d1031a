-- SPDX-License-Identifier: MPL-2.0
-- capture: tftp
-- options: --modules @modules@
-- covers: dissector_new register_event trigger flow_dissector
-- A dissector of datagrams, written in Lua: rules listen to its events; malformed datagrams are dropped.
require('tftp')
local events = haka.dissectors.tftp.events

haka.rule{
	on = events.request,
	eval = function (tftp, request)
		print('request', request.opcode, request.filename, request.mode, request.options[1].name, request.options[1].value)
		request.filename = 'other.img'
		request.options:remove(1)
	end
}

haka.rule{
	on = events.data,
	eval = function (tftp, data)
		print('data', data.block, data.payload:asstring())
		if data.block == 2 then tftp:drop() end
	end
}

haka.rule{
	on = events.ack,
	eval = function (tftp, ack) print('ack', ack.block) end
}

haka.rule{
	on = events.failure,
	eval = function (tftp, failure) print('failure', failure.code, failure.text) end
}

haka.rule{
	on = events.protocol_error,
	eval = function (tftp, err) print(err) end
}
