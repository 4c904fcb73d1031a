-- SPDX-License-Identifier: MPL-2.0
-- capture: http
-- covers: http_modification http_data
-- Bodies that change their length are forwarded in chunks: one with a length, one that came in chunks, one of a request.
haka.rule{
	on = haka.dissectors.http.events.request,
	eval = function (http, request) print("request", http:enable_data_modification()) end
}
haka.rule{
	on = haka.dissectors.http.events.response,
	eval = function (http, response) print("response", http:enable_data_modification()) end
}
haka.rule{
	on = haka.dissectors.http.events.request_data,
	eval = function (http, sub) sub:setstring(sub:asstring():gsub("test", "somebody else")) end
}
haka.rule{
	on = haka.dissectors.http.events.response_data,
	eval = function (http, sub)
		print(http.request.uri, http.response.status, sub:asstring())
		sub:setstring(sub:asstring():upper() .. "!")
	end
}
