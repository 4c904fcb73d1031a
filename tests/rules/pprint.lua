-- SPDX-License-Identifier: MPL-2.0
-- capture: datagrams
-- covers: pprint
-- Tables in the order of their keys, names that begin with _ and functions left out, packets by their fields.
debug.pprint({ b = 2, a = { 1, 2, { deep = true } }, _hidden = 1, f = print, [1] = "one" })
debug.pprint("text\n")
debug.pprint({ _shown = 1, f = print }, { hide = function () return false end, indent = "> " })
debug.pprint({ { { { 4 } } } }, { depth = 2 })
local lines = {}
debug.pprint({ 1 }, { out = function (s) table.insert(lines, s) end })
print(#lines > 0, table.concat(lines, "|"))
haka.rule{ on = haka.dissectors.udp.events.receive_packet, when = { dstport = 9001 }, eval = function (pkt)
	debug.pprint(pkt.flags)
	pkt.data.note = 'kept as long as the packet'
	debug.pprint(pkt:parent('ipv4'), { depth = 1 })
	debug.pprint(pkt:parent('packet'), { hide = function (name) return name == 'iface' end })
	debug.pprint(pkt)
	print(pkt.id, pkt.data.note)
end }
