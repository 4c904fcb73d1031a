-- SPDX-License-Identifier: MPL-2.0
-- capture: http
-- covers: http_request http_response http_headers
-- Assignments rewrite those octets of the stream: replaced, appended, removed.
local function why(ok, e) return ok, (tostring(e):gsub("^.-:%d+: ", "")) end

haka.rule{
	on = haka.dissectors.http.events.request,
	eval = function (http, request)
		request.uri = "/changed"
		request.headers["user-agent"] = "nobody"
		request.headers["X-New"] = "a text that makes up for what is gone"
		request.headers.cookie = nil
		if request.method == "POST" then request.version = "1.0" request.method = "PUT" end
	end
}

haka.rule{
	on = haka.dissectors.http.events.response,
	eval = function (http, response)
		response.reason = "Changed " .. response.reason
		if response.status == "404" then response.status = 410 end
		response.headers.Server = "hidden"
		for _, code in ipairs{"response.headers['Content-Length'] = '4'", "response.status = 204", "response.headers['a b'] = 'c'",
			"response.reason = 'a\\nb'"} do
			local f = load("local response = ... " .. code)
			print(why(pcall(f, response)))
		end
	end
}
