-- SPDX-License-Identifier: MPL-2.0
-- capture: talk
-- covers: tcp_new_connection flow_drop
-- A connection that a rule does not want never begins.
haka.rule{ on = haka.dissectors.tcp_connection.events.new_connection, eval = function (flow, pkt) pkt:drop() end }
haka.rule{ on = haka.dissectors.tcp_connection.events.receive_packet, eval = function () print("never") end }
