-- SPDX-License-Identifier: MPL-2.0
-- haka.state_machine: machines defined by a function that runs in an environment of its own, and their instances.
-- A state has, for each event, a list of actions: its own, then those of `any`. The first whose `when` holds is run,
-- then the machine jumps. Time-outs are timers of the host (src/script/rules/timer.c), armed when a state is entered.
local with_environment, _, _, arm, disarm = ...
local type, pairs, ipairs, error, tostring, pcall = type, pairs, ipairs, error, tostring, pcall
local select, unpack = select, unpack
local setmetatable, getmetatable, rawget = setmetatable, getmetatable, rawget
local format = string.format
local warning = haka.log.warning
local class = require('class')
local globals = _G

local MAX_NESTED = 32	-- transitions inside of each other: a machine that jumps in circles ends

local state_machine = {}
local State, Machine, Instance = {}, {}, {}	-- methods

local function meta(name, methods, text)
	return {
		__metatable = name,
		__index = methods,
		__tostring = text or function(o)
			return name .. (o.name and " '" .. o.name .. "'" or '')
		end,
		__pairs = function()
			return function() end
		end,
	}
end
local type_meta, event_meta, state_meta = meta('state type', {}), meta('event', {}), meta('state', State)
local machine_meta = meta('state machine', Machine)
local instance_meta = meta('state machine instance', Instance, function(i)
	return format("instance of state machine '%s' in state %s", i.machine.name, i.current)
end)

local function is(value, name)
	return type(value) == 'table' and getmetatable(value) == name
end

local function expect(value, kind, what, level)
	local got = type(value)
	if got ~= kind and not is(value, kind) then
		error(format('%s: %s expected, got %s', what, kind, value == nil and 'nothing' or got), (level or 1) + 2)
	end
end

-- State types

local function check_keys(t, what, known)
	for k in pairs(t) do
		if not known[k] then
			error(format("%s: unknown key '%s'", what, tostring(k)), 4)
		end
	end
end

local base = setmetatable({name = 'State', events = {'init', 'enter', 'leave', 'fail', 'finish'}}, type_meta)

local function new_type(what, t)
	expect(t, 'table', what, 2)
	check_keys(t, what, {name = true, parent = true, events = true, update = true})
	if t.parent ~= nil then
		expect(t.parent, 'state type', what .. ": 'parent'", 2)
	end
	local new = setmetatable({name = t.name or 'unnamed', parent = t.parent or base, events = {}}, type_meta)
	if t.update ~= nil then
		expect(t.update, 'function', what .. ": 'update'", 2)
		new.update = t.update
	end
	for _, name in ipairs(t.events or {}) do
		expect(name, 'string', what .. ': event', 2)
		new.events[#new.events + 1] = name
	end
	return new
end

-- Haka's other way to make a type: a class below State, with its events in `_events` and a method `update`.
local StateClass = class.class('State')

local function type_of_class(c)
	local new = setmetatable({name = c.name, parent = base, events = {}}, type_meta)
	while c and c ~= StateClass do
		for _, name in ipairs(rawget(c, '_events') or {}) do
			expect(name, 'string', 'state_type: _events', 3)
			new.events[#new.events + 1] = name
		end
		new.update = new.update or rawget(c, 'method').update
		c = rawget(c, 'super')
	end
	return new
end

function state_machine.new_state_type(t)
	return new_type('haka.state_machine.new_state_type', t)
end

-- The function of a type, or of the nearest above it.
local function inherited(t, name)
	while t do
		local f = rawget(t, name)
		if f then
			return f
		end
		t = t.parent
	end
end

local function has_event(t, name)
	while t do
		for _, e in ipairs(t.events) do
			if e == name then
				return true
			end
		end
		t = t.parent
	end
	return false
end

-- Returns the rule that parses a direction: an exported rule of a grammar, or its name in the owner's grammar.
local function grammar_of(inst, rule)
	if type(rule) == 'string' then
		local grammar = inst.owner.grammar
		if not grammar then
			error(format("state machine '%s': there is no grammar to find '%s' in", inst.machine.name, rule), 0)
		end
		return grammar[rule]
	end
	return rule
end

-- Raises the machine's event for an error; the owner, a dissector, learns whether an action handled it.
local function failed(inst, err, name, ...)
	local args, n = {...}, select('#', ...)
	local function handle()
		return inst:trigger(name, unpack(args, 1, n))
	end
	local owner = inst.owner
	if type(owner) == 'table' and owner.parse_failed then
		return owner:parse_failed(err, handle)
	end
	handle()
end

local bidirectional = new_type('BidirectionalState', {
	name = 'BidirectionalState',
	events = {'up', 'down', 'parse_error', 'missing_grammar'},
	update = function(state, inst, iter, direction, ...)
		if direction ~= 'up' and direction ~= 'down' then
			error(format("update: direction 'up' or 'down' expected, got %s", tostring(direction)), 0)
		end
		local rule = grammar_of(inst, state.rules[direction])
		if not rule then
			return failed(inst, nil, 'missing_grammar', direction, iter, ...)
		end
		local result, err = rule:parse(iter, nil, inst.owner)
		if err then
			return failed(inst, err, 'parse_error', err, direction, ...)
		end
		return inst:trigger(direction, result, ...)
	end,
})

local function check_rule(rule)
	if rule ~= nil and type(rule) ~= 'string' and not (type(rule) == 'table' and rule.parse) then
		error('state: a rule that a grammar exports, its name, or nil expected, got ' .. type(rule), 3)
	end
	return rule
end

function bidirectional.init(state, up, down)
	state.rules = {up = check_rule(up), down = check_rule(down)}
end

state_machine.BidirectionalState = bidirectional

-- States: <state>:on{event=, events=, when=, execute=, jump=}

local function take_event(state, e)
	expect(e, 'event', 'on', 2)
	if not e.seconds and state.type and not has_event(state.type, e.name) then
		error(format("on: a %s has no event '%s'", state.type.name, e.name), 3)
	end
	return e
end

function State:on(t)
	expect(t, 'table', 'on')
	check_keys(t, 'on', {event = true, events = true, when = true, execute = true, jump = true})
	if (t.event == nil) == (t.events == nil) then
		error("on: either 'event' or 'events' expected", 2)
	end
	for _, key in ipairs{'when', 'execute'} do
		if t[key] ~= nil then
			expect(t[key], 'function', 'on: ' .. key)
		end
	end
	if t.jump ~= nil then
		expect(t.jump, 'state', 'on: jump')
		if t.jump.home ~= self.home then
			error('on: jump: a state of another machine', 2)
		end
		if t.jump == self.home.any then
			error("on: jump: 'any' is no state to be in", 2)
		end
	end
	local events = t.event and {t.event} or t.events
	expect(events, 'table', 'on: events')
	for _, e in ipairs(events) do
		local action = {event = take_event(self, e), when = t.when, execute = t.execute, jump = t.jump}
		self.actions[#self.actions + 1] = action
	end
	return self
end

-- Definition

local function event_table()
	local made = {}
	return setmetatable({
		timeout = function(seconds)
			expect(seconds, 'number', 'events.timeout')
			if not arm then
				error('events.timeout: this program has no timers: only packets have a time that passes', 2)
			end
			if not (seconds >= 1e-6 and seconds <= 1e9) then
				error(format('events.timeout: %s is no number of seconds', tostring(seconds)), 2)
			end
			return setmetatable({name = format('timeout(%s)', tostring(seconds)), seconds = seconds}, event_meta)
		end,
	}, {__index = function(_, name)
		if type(name) ~= 'string' then
			error('events: a name expected, got ' .. type(name), 2)
		end
		made[name] = made[name] or setmetatable({name = name}, event_meta)
		return made[name]
	end, __newindex = function()
		error('events: they are not to be changed', 2)
	end})
end

local function new_state(home, name, state_type)
	return setmetatable({home = home, name = name, type = state_type, actions = {}}, state_meta)
end

-- The environment of a definition: its own names, then those of the machine, then the script's globals. Once the
-- definition is over, assignments work as anywhere else.
local function new_environment(m, home)
	local offered, vars, open = {}, {}, true
	local current = base
	offered.BidirectionalState, offered.events = bidirectional, event_table()
	offered.any, offered.fail, offered.finish = home.any, home.fail, home.finish

	function offered.state_type(t)
		if is(t, 'state type') then
			current = t
		elseif class.isclass(t) then
			current = type_of_class(t)
		else
			current = new_type('state_type', t)
		end
	end
	function offered.state(...)
		local s = new_state(home, nil, current)
		local init = inherited(current, 'init')
		s.arguments = {...}
		if init then
			init(s, ...)
		end
		m.states[#m.states + 1] = s
		return s
	end
	function offered.initial(s)
		expect(s, 'state', 'initial')
		if s.home ~= home or not s.type then
			error('initial: a state of this machine expected', 2)
		end
		m.first = s
	end

	local env = setmetatable({}, {
		__index = function(_, name)
			local v = vars[name]
			if v == nil then
				v = offered[name]
			end
			if v == nil then
				v = globals[name]
			end
			return v
		end,
		__newindex = function(_, name, value)
			if not open and vars[name] == nil then
				globals[name] = value
				return
			end
			if open and offered[name] ~= nil then
				error(format("state machine '%s': '%s' is a word of the language", m.name, tostring(name)), 2)
			end
			vars[name] = value
			if is(value, 'state') and not value.name then
				value.name = name
			end
		end,
	})
	return env, function()
		open = false
	end
end

-- Lists of actions by event; time-outs, the same number of seconds once.
local function arrange(s, defaults)
	s.on_event, s.timeouts = {}, {}
	for _, list in ipairs{s.actions, defaults} do
		for _, a in ipairs(list) do
			local name = a.event.name
			if a.event.seconds and not s.on_event[name] then
				s.timeouts[#s.timeouts + 1] = a.event
			end
			s.on_event[name] = s.on_event[name] or {}
			s.on_event[name][#s.on_event[name] + 1] = a
		end
	end
end

local function warn_unreachable(m)
	local reached, todo = {[m.first] = true}, {m.first}
	while #todo > 0 do
		local s = todo[#todo]
		todo[#todo] = nil
		for _, list in pairs(s.on_event) do
			for _, a in ipairs(list) do
				if a.jump and a.jump.type and not reached[a.jump] then
					reached[a.jump] = true
					todo[#todo + 1] = a.jump
				end
			end
		end
	end
	for _, s in ipairs(m.states) do
		if not reached[s] then
			warning("state machine '%s': state '%s' is never reached", m.name, s.name)
		end
	end
end

function state_machine.new(name, define)
	expect(name, 'string', 'haka.state_machine.new')
	expect(define, 'function', 'haka.state_machine.new')
	local m = setmetatable({name = name, states = {}}, machine_meta)
	local home = {}
	home.any, home.fail, home.finish = new_state(home, 'any'), new_state(home, 'fail'), new_state(home, 'finish')
	local env, close = new_environment(m, home)
	with_environment(define, env)
	close()
	if not m.first then
		error(format("haka.state_machine.new: '%s' has no initial state", name), 2)
	end
	m.home = home
	for i, s in ipairs(m.states) do
		s.name = s.name or format('state %d', i)
		for _, a in ipairs(home.any.actions) do
			if not a.event.seconds and not has_event(s.type, a.event.name) then
				error(format("haka.state_machine.new: '%s': any: a %s has no event '%s'", name, s.type.name, a.event.name), 2)
			end
		end
		arrange(s, home.any.actions)
	end
	warn_unreachable(m)
	return m
end

-- Instances

local function nested(inst, f, ...)
	if inst.depth >= MAX_NESTED then
		error(format("state machine '%s': more than %d transitions inside of each other", inst.machine.name, MAX_NESTED), 0)
	end
	inst.depth = inst.depth + 1
	local ok, result = pcall(f, inst, ...)
	inst.depth = inst.depth - 1
	if not ok then
		error(result, 0)
	end
	return result
end

local jump

-- Executes the action of an event. Returns whether there is one, and the state it jumps to.
local function act(inst, name, ...)
	local list = inst.state.on_event[name]
	for i = 1, list and #list or 0 do
		local a = list[i]
		if not a.when or a.when(inst.owner, ...) then
			if a.execute then
				a.execute(inst.owner, ...)
			end
			return true, a.jump
		end
	end
	return false
end

local function run(inst, name, ...)
	local found, to = act(inst, name, ...)
	if to and inst.state then
		jump(inst, to)
	end
	return found
end

-- Returns the state that the action of `leave` jumps to.
local function leave(inst)
	local _, to = act(inst, 'leave')
	return to
end

local function disarm_all(inst)
	for i, id in pairs(inst.timers) do
		disarm(id)
		inst.timers[i] = nil
	end
end

-- Called when a time-out expires. There is no packet: a failure is reported to the owner, which ends its flow.
local function timed_out(inst, name)
	local ok, err = pcall(run, inst, name)
	if not ok then
		if type(inst.owner) == 'table' and inst.owner.error then
			inst.owner:error()
		end
		error(err, 0)
	end
end

local function enter(inst, state)
	inst.state, inst.current = state, state.name
	for i, e in ipairs(state.timeouts) do
		local ok, id = pcall(arm, e.seconds, function()
			timed_out(inst, e.name)
		end, true)
		if not ok then	-- there are too many: a machine has all of its timers, or none
			disarm_all(inst)
			inst.state, inst.current = nil, 'fail'
			error(id, 0)
		end
		inst.timers[i] = id
	end
end

-- Raises fail, leave and finish while the state before is still there; their actions cannot jump any more.
local function stop(inst, how, left)
	local state = inst.state
	disarm_all(inst)
	inst.ending = true
	if how == 'fail' then
		nested(inst, act, 'fail')
	end
	if not left then
		nested(inst, act, 'leave')
	end
	nested(inst, act, 'finish')
	if inst.state == state then
		inst.state, inst.current = nil, how
	end
end

-- A jump of the action of `leave` replaces this one: the state is left once.
function jump(inst, to)
	if inst.ending then
		return
	end
	if not to.type then
		return stop(inst, to.name)
	end
	local other = nested(inst, leave)
	if not inst.state or inst.ending then
		return
	end
	to = other or to
	if not to.type then
		return stop(inst, to.name, true)
	end
	disarm_all(inst)
	enter(inst, to)
	nested(inst, run, 'enter')
end

local function alive(inst, what)
	if not inst.state then
		error(format("%s: state machine '%s' has ended (%s)", what, inst.machine.name, inst.current), 3)
	end
end

function Instance:trigger(name, ...)
	alive(self, 'trigger')
	if type(name) ~= 'string' or not has_event(self.state.type, name) then
		error(format("trigger: state '%s' has no event '%s'", self.current, tostring(name)), 2)
	end
	return nested(self, run, name, ...)
end

function Instance:update(...)
	alive(self, 'update')
	local update = inherited(self.state.type, 'update')
	if not update then
		error(format("update: state '%s' of state machine '%s' has no update", self.current, self.machine.name), 2)
	end
	update(self.state, self, ...)
end

-- Again is no fault.
function Instance:finish()
	if self.state and not self.ending then
		stop(self, 'finish')
	end
end

-- Has it ended?
function Instance:ended()
	return self.state == nil
end

function Machine:instanciate(owner)
	local inst = setmetatable({machine = self, owner = owner, timers = {}, depth = 0}, instance_meta)
	enter(inst, self.first)
	nested(inst, run, 'enter')
	if inst.state == self.first then
		nested(inst, run, 'init')
	end
	return inst
end

-- The call that Haka's manual shows.
return setmetatable(state_machine, {__index = {State = StateClass}, __call = function(_, name, define)
	return state_machine.new(name, define)
end})
