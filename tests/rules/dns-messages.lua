-- SPDX-License-Identifier: MPL-2.0
-- capture: names
-- covers: dns_events dns_fields fault_10
-- The fields of queries and responses; a record's owner (name) and the name in its data are two things. An answer
-- without a query is dropped.
local function line(r)
	return r.name, r.type, r.class, r.ttl, r.length, r.ip, r.rdata_name, r.pref
end

haka.rule{
	on = haka.dissectors.dns.events.query,
	eval = function (dns, q)
		print("query", dns.srcip, dns.dstport, q.id, q.opcode, q.qr, q.rd, q.qdcount, q.ancount)
		print("", q.question.name, q.question.type, q.question.class)
	end
}

haka.rule{
	on = haka.dissectors.dns.events.response,
	eval = function (dns, r, q)
		print("response", dns.name, r.id, r.rcode, r.qr, r.aa, r.tc, r.rd, r.ra, r.ancount, r.nscount, r.arcount, q.question.name)
		for i, answer in ipairs(r.answer) do
			print(i, line(answer))
		end
		debug.pprint(r.answer[#r.answer])
	end
}
