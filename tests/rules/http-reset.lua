-- SPDX-License-Identifier: MPL-2.0
-- capture: http
-- covers: http_reset
-- Both ends get a RST.
haka.rule{
	on = haka.dissectors.http.events.response,
	eval = function (http, response)
		if response.status == "404" then http:reset() end
	end
}
