-- SPDX-License-Identifier: MPL-2.0
-- capture: smtp
-- options: --modules @modules@
-- covers: flow_dissector register_event delegation name_state
-- A dissector of a connection, written in Lua: grammar and state machine over data that is cut between segments. A change of
-- a field by a rule changes the stream; a streamed rule follows the content of a mail.
require('smtp')
local events = haka.dissectors.smtp.events

haka.rule{
	on = events.command,
	eval = function (smtp, command)
		print('command', smtp.name, smtp.state.current, command.verb, command.parameter, smtp.srcip, smtp.dstport)
		if command.verb == 'RCPT' then command.parameter = 'TO:<someone.else@mail.example>' end
	end
}

haka.rule{
	on = events.response,
	eval = function (smtp, response, verb)
		for _, line in ipairs(response.lines) do print('response', verb, line.code, line.text) end
		if verb == 'EHLO' then response.lines[2].text = 'SOMETHING ELSE' end
	end
}

haka.rule{
	on = events.mail_content,
	eval = function (smtp, line)
		if not line then return end
		local at = line:asstring():find('secret', 1, true)
		if at then line:sub(at - 1, 6):setstring('public') end
	end
}

haka.rule{
	on = events.mail_content,
	options = { streamed = true },
	eval = function (smtp, iter)
		local n = 0
		for piece in iter:foreach_available() do
			n = n + 1
			print('piece', n, safe_string(piece:asstring()))
		end
		print('end of mail', n)
	end
}
