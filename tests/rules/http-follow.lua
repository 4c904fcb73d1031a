-- SPDX-License-Identifier: MPL-2.0
-- capture: http
-- covers: http_data
-- A rule that reads bodies as if they were files, one coroutine a body, with any chunks.
local function follow(what)
	return function (http, iter)
		print(what, http.request.uri, http.response and http.response.status)
		local first = iter:sub(2)
		print(first:asstring(), iter.meter, iter.iseof)
		if what == 'request' then first:setstring('NA') end
		for piece in iter:foreach_available() do
			print('+', piece:asstring())
		end
		print('end', iter.meter, iter:wait())
	end
end

haka.rule{ on = haka.dissectors.http.events.request_data, options = { streamed = true }, eval = follow('request') }
haka.rule{ on = haka.dissectors.http.events.response_data, options = { streamed = true }, eval = follow('response') }
