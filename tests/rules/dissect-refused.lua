-- SPDX-License-Identifier: MPL-2.0
-- capture: ping
-- covers: dissector_new register_event trigger events
-- Definitions of dissectors that are refused.
local udp = require('protocol/udp_connection').helper.UdpFlowDissector
local function refused(f, ...)
	print((select(2, pcall(f, ...)):gsub('^.*/', '')))
end

refused(haka.dissector.new, 3)
refused(haka.dissector.new, { type = udp })
refused(haka.dissector.new, { type = udp, name = 'a name' })
refused(haka.dissector.new, { type = 'udp', name = 'x' })
refused(haka.dissector.new, { type = udp, name = 'dns' })
local one = haka.dissector.new{ type = udp, name = 'one' }
refused(haka.dissector.new, { type = udp, name = 'one' })
refused(one.register_event, one, 3)
one:register_event('told')
refused(one.register_event, one, 'told')
refused(function () return haka.dissectors.one.events.untold end)
refused(function () return haka.dissectors.two end)
refused(haka.dissector.opposite_direction, 'left')
print(haka.dissector.opposite_direction('up'), haka.dissector.opposite_direction('down'))
for i = 2, 32 do haka.dissector.new{ type = udp, name = 'd' .. i } end
refused(haka.dissector.new, { type = udp, name = 'd33' })
