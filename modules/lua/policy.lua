-- SPDX-License-Identifier: MPL-2.0
-- A policy that runs unchanged in usher-server and in usher-gate: clients that name the vendor class
-- below get no answer; the others are counted by vendor class, and every thousandth is logged.
--
--   usher-server: "hooks-libraries": [ { "library": "lua", "parameters": { "script": "policy.lua" } } ]
--   usher-gate:   usher-gate policy.lua -i eth0 -i eth1

local VENDOR_CLASS = 60
local LOG_EVERY = 1000

local blocked = { ["acme-camera"] = true }
local seen = 0

haka.rule{
	name = "vendor class",
	on = haka.dissectors.dhcp.events.pkt4_receive,
	eval = function (msg)
		local class = msg.options[VENDOR_CLASS]

		if class and blocked[class] then
			haka.log.debug("%s: vendor class %s is not served", msg.chaddr, safe_string(class))
			msg:drop()
			return
		end
		seen = seen + 1
		if seen % LOG_EVERY == 0 then
			haka.log.info("%d packets, the last one %s of %s", seen, tostring(msg.type_name), msg.chaddr)
		end
	end
}
