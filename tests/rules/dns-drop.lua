-- SPDX-License-Identifier: MPL-2.0
-- capture: names
-- covers: dns_drop
-- A query is dropped; one that was sent can be read and not be written.
local function why(ok, e) return ok, (tostring(e):gsub("^.-:%d+: ", "")) end

haka.rule{
	on = haka.dissectors.dns.events.query,
	eval = function (dns, q)
		if q.question.type == "MX" then q:drop() end
	end
}

haka.rule{
	on = haka.dissectors.dns.events.response,
	eval = function (dns, r, q)
		print(q.id, why(pcall(function () q.id = 7 end)))
		print(why(pcall(function () q.question.name = "a." end)))
	end
}
