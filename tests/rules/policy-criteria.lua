-- SPDX-License-Identifier: MPL-2.0
-- capture: datagrams
-- covers: criteria policy_new fault_4
-- Criteria one by one, on a policy of the file's own; sets of addresses match (Haka's never did).
local ipv4 = require("protocol/ipv4")
local p = haka.policy

local function try(name, criterion, ...)
	local policy, met = p.new(name), {}
	haka.policy{ on = policy, value = criterion, action = function (_, ctx, values, desc)
		table.insert(met, tostring(values.value) .. (ctx or "") .. (desc and desc.note or ""))
	end }
	for i = 1, select("#", ...) do
		policy:apply{ ctx = "!", values = { value = (select(i, ...)) }, desc = { note = "?" } }
	end
	print(name, #met > 0 and table.concat(met, " ") or "none")
end

try("plain", 5, 4, 5, nil)
try("value", p.value("a"), "a", "b")
try("range", p.range(10, 20), 9, 10, 20, 21, nil)
try("outofrange", p.outofrange(10, 20), 9, 10, 20, 21, nil)
try("set", p.set{ 1, "two" }, 1, 2, "two", "three")
try("set of addresses", p.set{ ipv4.addr("10.0.0.1"), ipv4.addr("10.0.0.9") }, ipv4.addr("10.0.0.1"), ipv4.addr("10.0.0.2"))
try("network", p.ipv4_in_network(ipv4.network("10.0.0.0/8")), ipv4.addr("10.9.9.9"), ipv4.addr("11.0.0.1"), nil)
try("present", p.present(), false, 1, nil)
try("absent", p.absent(), 1, nil)

-- the last that matches wins, and none is an answer as well
local last = p.new("last")
haka.policy{ on = last, action = function () print("any") end }
haka.policy{ on = last, a = 1, action = function () print("a") end }
haka.policy{ on = last, a = 1, b = 2, action = function () print("a and b") end }
last:apply{ values = { a = 1, b = 2 } }
last:apply{ values = { a = 1, b = 3 } }
last:apply{ values = {} }
print(pcall(p.range, "x", 1))
print(pcall(p.set, {}))
print(pcall(haka.policy, { on = last, action = 7 }))
print(pcall(haka.policy, { on = 7, action = print }))
haka.rule{ on = haka.dissectors.udp.events.receive_packet, eval = function () end }
