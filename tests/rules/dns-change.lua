-- SPDX-License-Identifier: MPL-2.0
-- capture: names
-- covers: dns_fields
-- Written fields are in the output, with lengths and checksums.
haka.rule{
	on = haka.dissectors.dns.events.query,
	eval = function (dns, q)
		if q.id == 1 then q.question.name = "other.example.com" q.rd = false end
	end
}

haka.rule{
	on = haka.dissectors.dns.events.response,
	eval = function (dns, r, q)
		if r.id == 1 then
			r.question.name = "www.example.com"
			r.answer[1].rdata_name = "mirror.example.net"
			r.answer[2].ip = "198.51.100.1"
			r.answer[2].ttl = 0
			r.aa = true
		else
			r.rcode = 3
		end
	end
}
-- the changed message is seen when it is sent
haka.rule{
	on = haka.dissectors.udp.events.send_packet,
	eval = function (p) print(p.srcport, p.length, (p.payload:asstring():gsub("[^%w]", "."))) end
}
