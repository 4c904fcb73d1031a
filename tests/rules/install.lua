-- SPDX-License-Identifier: MPL-2.0
-- capture: http:8081
-- covers: install next_dissector
-- HTTP on a port of its own, by policy.
haka.policy{ on = haka.dissectors.tcp_connection.policies.next_dissector, port = 8081, action = haka.dissectors.http.install }
haka.rule{ on = haka.dissectors.http.events.request, eval = function (http, request) print(http.dstport, request.uri) end }
