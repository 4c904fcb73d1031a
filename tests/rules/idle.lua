-- SPDX-License-Identifier: MPL-2.0
-- capture: idle
-- covers: fault_2
-- An established connection that is idle ends, and is not known any more.
haka.rule{ on = haka.dissectors.tcp_connection.events.end_connection, eval = function (flow) print("end", flow.dstport, flow.in_pkts) end }
haka.rule{ on = haka.dissectors.udp.events.receive_packet, eval = function (pkt) print("later") end }
