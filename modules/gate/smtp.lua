-- SPDX-License-Identifier: MPL-2.0
-- SMTP (RFC 5321) as a dissector of a connection: a grammar for its lines, a state machine for the order of commands and replies. Commands
-- may come in groups (RFC 2920), so each waits in a list for its answer. Servers are at port 25, elsewhere a policy says
-- where: action = haka.dissectors.smtp.install.
--
-- Events: command(smtp, command), with verb and parameter; response(smtp, response, verb), with lines {code, sep, text};
-- mail_content(smtp, octets), streamed, each line of a message. All fields can be written. After STARTTLS nothing is
-- looked at any more.
local tcp_connection = require('protocol/tcp_connection')

local MAX_WAITING = 100	-- commands without an answer

local smtp = haka.dissector.new{type = tcp_connection.helper.TcpFlowDissector, name = 'smtp'}
smtp:register_event('command')
smtp:register_event('response')
smtp:register_streamed_event('mail_content')

smtp.grammar = haka.grammar.new('smtp', function ()
	local line_end = token('%r?%n')

	command = record{
		field('verb', token('[A-Za-z]+')),
		token(' *'),
		field('parameter', token('[^%r%n]*')),
		line_end,
	}
	line = record{
		field('code', token('[2-5][0-9][0-9]')),
		field('sep', token('[- ]?')),
		field('text', token('[^%r%n]*')),
		line_end,
	}
	response = record{
		field('lines', array(line):untilcond(function (last) return last and last.sep ~= '-' end)),
	}
	content = record{ field('line', raw_token('[^%n]*%n')) }
	opaque = sequence{ bytes():chunked(function () end) }
	export(command, response, content, opaque)
end)

local rule = smtp.grammar

smtp.state_machine = haka.state_machine.new('smtp', function ()
	state_type(BidirectionalState)
	greeting = state(nil, rule.response)
	session = state(rule.command, rule.response)
	mail = state(rule.content, nil)
	opaque = state(rule.opaque, rule.opaque)

	local function answered(self, response)
		local verb = table.remove(self.waiting, 1)
		if not verb then
			return self:drop()	-- an answer to nothing
		end
		self:trigger('response', response, verb)
		return verb
	end

	greeting:on{
		event = events.down,
		execute = function (self, response) self:trigger('response', response, 'CONNECT') end,
		jump = session,
	}
	session:on{
		event = events.up,
		execute = function (self, command)
			self:trigger('command', command)
			if #self.waiting >= MAX_WAITING then
				return self:drop()
			end
			table.insert(self.waiting, command.verb:upper())
		end,
	}
	session:on{
		event = events.down,
		when = function (self, response) return self.waiting[1] == 'DATA' and response.lines[1].code == '354' end,
		execute = answered,
		jump = mail,
	}
	session:on{
		event = events.down,
		when = function (self, response) return self.waiting[1] == 'STARTTLS' and response.lines[1].code == '220' end,
		execute = answered,
		jump = opaque,
	}
	session:on{ event = events.down, execute = answered }

	mail:on{
		event = events.up,
		when = function (_, content) return content.line:asstring():match('^%.\r?\n$') end,
		execute = function (self)
			self:trigger('mail_content', nil)
			table.insert(self.waiting, 'END')
		end,
		jump = session,
	}
	mail:on{
		event = events.up,
		execute = function (self, content) self:trigger('mail_content', content.line) end,
	}
	any:on{ event = events.fail, execute = function (self) self:drop() end }
	initial(greeting)
end)

function smtp.method:__init(flow)
	self.waiting = {}
	require('class').super(smtp).__init(self, flow)
end

haka.policy{
	name = 'smtp',
	on = haka.dissectors.tcp_connection.policies.next_dissector,
	port = 25,
	action = haka.dissectors.smtp.install,
}

return smtp
