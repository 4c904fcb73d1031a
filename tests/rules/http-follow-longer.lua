-- SPDX-License-Identifier: MPL-2.0
-- capture: http
-- covers: http_data http_modification
-- Rules that follow bodies may change their length, too.
haka.rule{ on = haka.dissectors.http.events.response, eval = function (http, r) print(http:enable_data_modification()) end }
haka.rule{ on = haka.dissectors.http.events.request, eval = function (http, r) print(http:enable_data_modification()) end }
local function f(http, iter)
	local n = 0
	for piece in iter:foreach_available() do
		n = n + 1
		local s = piece:asstring()
		print(s, iter.meter)
		piece:setstring("<" .. s .. s .. ">")
	end
	print("end", n, iter:wait())
end
haka.rule{ on = haka.dissectors.http.events.response_data, options = {streamed = true}, eval = f }
haka.rule{ on = haka.dissectors.http.events.request_data, options = {streamed = true}, eval = f }
