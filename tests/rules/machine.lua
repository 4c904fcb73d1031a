-- SPDX-License-Identifier: MPL-2.0
-- capture: lines
-- covers: state_machine state_timeouts state_types flow_dissector dissector_new register_event trigger name_state fault_6
-- A dissector with a state machine of its own type: a connection that is quiet for too long is dropped (by packet time).
local class = require('class')
local tcp_connection = require('protocol/tcp_connection')
local before = {}
for name in pairs(_G) do before[name] = true end

local lines = haka.dissector.new{ type = tcp_connection.helper.TcpFlowDissector, name = 'lines' }
lines:register_event('message')

lines.grammar = haka.grammar.new('lines', function ()
	message = record{
		field('len', token('[0-9][0-9]')):convert(converter.tonumber('%02d', 10)),
		field('text', text:count(function (self) return self.len end)),
	}
	export(message)
end)

local Talk = haka.state_machine.new_state_type{
	name = 'Talk',
	events = { 'question', 'answer' },
	update = function (state, instance, iter, direction)
		local message, err = instance.owner.grammar.message:parse(iter)
		if err then return instance.owner:protocol_error(err) end
		instance:trigger(direction == 'up' and 'question' or 'answer', message)
	end
}

lines.state_machine = haka.state_machine.new('lines', function ()
	state_type(Talk)
	idle = state()
	asked = state()
	unused = state()
	local function tell(what)
		return function (self) print(what, self.name, self.state and self.state.current or '-', haka.network_time().seconds) end
	end

	any:on{ event = events.init, execute = tell('init') }
	any:on{ event = events.enter, execute = tell('enter') }
	any:on{ event = events.leave, execute = tell('leave') }
	any:on{ event = events.finish, execute = tell('finish') }
	any:on{ event = events.timeout(9), execute = tell('timeout 9') }
	any:on{ event = events.question, execute = function (self, m) self:trigger('message', m) end }
	idle:on{
		event = events.question,
		when = function (self, m) return m.text ~= 'late' end,
		execute = function (self, m) self:trigger('message', m) end,
		jump = asked
	}
	asked:on{ events = { events.answer, events.fail }, execute = tell('answer'), jump = idle }
	idle:on{ event = events.timeout(20), execute = function (self) print('too quiet') self:drop() end, jump = fail }
	initial(idle)
end)

haka.policy{ on = tcp_connection.policies.next_dissector, port = 7000, action = haka.dissectors.lines.install }

haka.rule{
	on = haka.dissectors.lines.events.message,
	eval = function (lines, message) print('message', lines.state.current, message.text) end
}

haka.rule{
	on = haka.events.exiting,
	eval = function ()
		for name in sorted_pairs(_G) do if not before[name] then print('a new global', name) end end
	end
}
