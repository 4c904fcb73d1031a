-- SPDX-License-Identifier: MPL-2.0
-- capture: http
-- covers: http_drop
-- The first exchange passes; the second request ends the connection, and its octets do not leave.
haka.rule{
	on = haka.dissectors.http.events.request,
	eval = function (http, request)
		if request.method == "POST" then http:drop() end
	end
}
haka.rule{
	on = haka.dissectors.http.events.request,
	eval = function (http, request) print("not dropped", request.method) end
}
