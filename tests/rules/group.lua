-- SPDX-License-Identifier: MPL-2.0
-- capture: datagrams
-- covers: rule_group group_rule
-- init, then each rule; `continue` decides by the rule's result whether the next one runs; final if all did.
local group = haka.rule_group{
	on = haka.dissectors.udp.events.receive_packet,
	name = "ports",
	init = function (pkt) print("init", pkt.dstport) end,
	continue = function (ret, pkt) print("continue", ret, pkt.dstport) return ret ~= "enough" end,
	final = function (pkt) print("final", pkt.dstport) end,
}

group:rule{ eval = function (pkt) return pkt.dstport end }
group:rule{ eval = function (pkt) if pkt.dstport == 9001 then return "enough" end end }
group:rule(function (pkt) if pkt.dstport == 1000 then pkt:drop() end return "last" end)
