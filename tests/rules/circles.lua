-- SPDX-License-Identifier: MPL-2.0
-- capture: names-in-circles
-- covers: fault_8
-- Names that do not come to an end are no names.
haka.rule{ on = haka.dissectors.dns.events.query, eval = function (dns, q) print(q.question.name) end }
