-- SPDX-License-Identifier: MPL-2.0
-- capture: http
-- covers: http_reset
-- Both ends are told that the connection is over.
haka.rule{
	on = haka.dissectors.http.events.response,
	eval = function (http, response)
		if response.status == "404" then http:reset() end
	end
}
