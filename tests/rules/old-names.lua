-- SPDX-License-Identifier: MPL-2.0
-- capture: http:8082
-- covers: fault_3
-- Names of older rule files: hook, events of a module, a port for a protocol.
local http = require('protocol/http')
http.install_tcp_rule(8082)
require('protocol/dns').install_udp_rule(5353)
haka.rule{ hook = http.events.request, eval = function (http, request) print(http.dstport, request.uri) end }
