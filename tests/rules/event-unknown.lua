-- SPDX-License-Identifier: MPL-2.0
-- capture: datagrams
-- covers: events
-- An event or a dissector that is not there refuses the file.
print(pcall(function () return haka.dissectors.udp.events.received end))
print(pcall(function () return haka.dissectors.nosuch.events end))
haka.rule{ on = haka.dissectors.tcp.events.no_such_event, eval = print }
