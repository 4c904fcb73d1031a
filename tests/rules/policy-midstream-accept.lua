-- SPDX-License-Identifier: MPL-2.0
-- capture: midstream
-- covers: tcp_policies fault_2
-- The same traffic, let through by a policy.
haka.policy{ on = haka.dissectors.tcp_connection.policies.no_connection_found, action = haka.policy.accept }
haka.rule{ on = haka.dissectors.tcp_connection.events.receive_data, eval = function () print("data") end }
