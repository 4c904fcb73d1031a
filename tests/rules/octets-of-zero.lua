-- SPDX-License-Identifier: MPL-2.0
-- capture: datagrams
-- covers: alert
-- Octets of value 0 in all that a rule writes, and check.assert() without a message.
local check = require('check')
print('a\0b', 'c\0')
print(pcall(check.assert, false))
print(pcall(check.assert, nil, 'why'))
haka.log('log\0ged')
haka.log.warning('log\0ged: %s', 'x\0y')
haka.alert{
	description = 'text\0behind',
	method = { description = 'how\0', ref = 'r\0r' },
	sources = { haka.alert.address('10.0.0.1\0') },
}
haka.rule{ on = haka.dissectors.udp.events.receive_packet, when = { dstport = 9001 }, eval = function (pkt)
	print(pkt.payload:asstring() .. '\0end')
	debug.pprint({ ['k\0'] = 'v\0' })
	error('fault\0of a rule')
end }
