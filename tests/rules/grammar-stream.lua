-- SPDX-License-Identifier: MPL-2.0
-- capture: lines:7
-- covers: grammar_retain grammar_live
-- A streamed rule reads messages that are cut between segments. A record holds its octets until it is complete, so that its first
-- field can be changed when the last is known; a sequence lets them go as they are read.
local g = haka.grammar.new('lines', function ()
	local function length() return field('len', token('[0-9][0-9]')):convert(converter.tonumber('%02d', 10)) end
	local function content() return field('text', text:count(function (self) return self.len end)) end
	held = record{ length(), content() }
	passing = sequence{ length(), execute(function (self) print('length', self.len) end), content() }
	export(held, passing)
end)

haka.rule{
	on = haka.dissectors.tcp_connection.events.receive_data,
	options = { streamed = true },
	eval = function (flow, iter, direction)
		local rule = direction == 'up' and g.held or g.passing
		while iter:wait() do
			local message, err = rule:parse(iter)
			if err then print(direction, err) return end
			print(direction, message.len, message.text)
			if direction == 'up' then message.text = message.text:upper() .. '!' message.len = #message.text end
		end
		print(direction, 'end')
	end
}
