-- SPDX-License-Identifier: MPL-2.0
-- capture: http-until-close
-- covers: fault_7
-- A body that only the end of the connection ends goes through.
haka.rule{ on = haka.dissectors.http.events.response, eval = function (http) print("response") end }
