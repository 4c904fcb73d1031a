-- SPDX-License-Identifier: MPL-2.0
-- capture: smtp-broken
-- options: --modules @modules@
-- covers: flow_dissector packet_events grammar_errors
-- A connection that does not speak its protocol: it raises protocol_error, and is dropped by a name of its own.
require('smtp')

haka.rule{
	on = haka.dissectors.smtp.events.protocol_error,
	eval = function (smtp, err)
		haka.alert{
			description = tostring(err),
			severity = 'high',
			sources = haka.alert.address(smtp.dstip),
		}
	end
}
