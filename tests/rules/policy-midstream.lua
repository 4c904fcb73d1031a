-- SPDX-License-Identifier: MPL-2.0
-- capture: midstream
-- covers: tcp_policies
-- Connections without a handshake are refused with an alert of a policy.
local tcp_connection = require("protocol/tcp_connection")

haka.policy{ on = haka.dissectors.tcp_connection.policies.no_connection_found,
	action = { haka.policy.alert{ severity = "high", description = "nobody said hello" }, haka.policy.drop } }
haka.rule{ on = haka.dissectors.tcp_connection.events.new_connection, eval = function () print("new") end }
