-- SPDX-License-Identifier: MPL-2.0
-- capture: http
-- covers: http_events http_request http_response http_headers http_current delegation
-- The fields of requests and responses, and the exchange that they belong to.
local function why(ok, e) return ok, (tostring(e):gsub("^.-:%d+: ", "")) end

haka.rule{
	on = haka.dissectors.http.events.request,
	eval = function (http, request)
		print(http.srcip, http.dstport, request.method, request.uri, request.version)
		print(request.headers["host"], request.headers["HOST"], request.headers["X-None"], http.request.uri, http.response)
		for name, value in pairs(request.headers) do print("", name, value) end
		http.count = (http.count or 0) + 1
	end
}

haka.rule{
	on = haka.dissectors.http.events.response,
	eval = function (http, response)
		print(response.version, response.status, response.reason, http.count, http.request.method, http.response.status)
		for name, value in sorted_pairs(response.headers) do print("", name, value) end
		print(why(pcall(function () http.request.uri = "/late" end)))
		debug.pprint(http.request, {hide = debug.hide_function})
	end
}
