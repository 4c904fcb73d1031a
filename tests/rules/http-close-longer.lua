-- SPDX-License-Identifier: MPL-2.0
-- capture: http-until-close
-- covers: fault_7 http_data
-- A body that ends with the connection is a body, and may change its length.
haka.rule{
	on = haka.dissectors.http.events.response,
	eval = function (http, response) print(response.version, response.status, http:enable_data_modification()) end
}
haka.rule{
	on = haka.dissectors.http.events.response_data,
	eval = function (http, sub) print(sub:asstring()) sub:setstring("<" .. sub:asstring() .. ">") end
}
