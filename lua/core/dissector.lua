-- SPDX-License-Identifier: MPL-2.0
-- haka.dissector and haka.helper: dissectors as classes of scripts. The engine knows each by a number and calls the
-- functions that are returned here (src/gate/lua/bind_dissect.c): a flow begins, has data, ends; a packet comes and goes.
local host = ...
local type, pairs, ipairs, error, tostring, pcall, next = type, pairs, ipairs, error, tostring, pcall, next
local rawget, rawset, format, unpack, select, getmetatable = rawget, rawset, string.format, unpack, select, getmetatable
local create, resume, status = coroutine.create, coroutine.resume, coroutine.status
local class = require('class')
local new_policy, abort, alert, log_error = haka.policy.new, haka.abort, haka.alert, haka.log.error
local sub = string.sub

-- Calls the host; errors that it raises are blamed on the script, not on this file.
local function blame(level, f, ...)
	local ok, a, b = pcall(f, ...)
	if not ok then
		error(type(a) == 'string' and a:gsub('^%[usher%]:%d+: ', '') or a, level + 1)
	end
	return a, b
end

local classes = {}	-- by number
local flows = {}	-- objects by the flow's id, with the coroutines of both directions
local packets = {}	-- the objects of the current packet, by number

-- Common to all dissectors

local Dissector = class.class('Dissector')

function Dissector.method:__init(parent)
	rawset(self, '_parent', parent)
end

-- Looks up a field that an object lacks in its parent, unless its name begins with '_'.
function Dissector.method:__index(name)
	local parent = rawget(self, '_parent')
	if parent == nil or type(name) ~= 'string' or sub(name, 1, 1) == '_' then
		return nil
	end
	local v = parent[name]
	if type(v) ~= 'function' then
		return v
	end
end

Dissector.property.name = {
	get = function(self)
		return class.classof(self).dissector_name
	end,
}

-- n steps down, or to the one of that name.
function Dissector.method:parent(which)
	local object = self
	local n = which == nil and 1 or which
	if type(n) ~= 'number' and type(n) ~= 'string' then
		error('parent: a number or a name expected, got ' .. type(n), 2)
	end
	while type(object) == 'table' and n ~= 0 and object.name ~= n do
		object = rawget(object, '_parent')
		n = type(n) == 'number' and n - 1 or n
	end
	if type(object) == 'userdata' and n ~= 0 then
		return host.below(object, n)
	end
	return object
end

local function lowest(object)
	while type(object) == 'table' do
		object = rawget(object, '_parent')
	end
	return object
end

function Dissector.method:can_continue()
	return not host.is_gone(lowest(self))
end

-- Leaves the processing of the packet if there is no more to process.
function Dissector.method:continue()
	if not self:can_continue() then
		abort()
	end
end

function Dissector.method:drop()
	host.drop(lowest(self), 'rule')
end

function Dissector.method:error()
	host.drop(lowest(self), 'failed')
end

function Dissector.method:send()
	self:forge()
	rawget(self, '_parent'):send()
end

function Dissector.method:inject()
	self:forge(true)
	rawget(self, '_parent'):inject()
end

function Dissector.method:forge()
end

function Dissector.method:alert(fields)
	return alert(fields)
end

function Dissector.method:install_criterion()
	return {}
end

-- Events

local function event_of(cls, name)
	while cls do
		local own = rawget(cls, 'event_ids')
		if own and own[name] then
			return own[name]
		end
		cls = class.super(cls)
	end
end

local function register_event(cls, name, streamed, continue)
	if type(name) ~= 'string' then
		error('register_event: a name expected, got ' .. type(name), 3)
	end
	if continue ~= nil and type(continue) ~= 'function' then
		error('register_event: continue: function expected, got ' .. type(continue), 3)
	end
	local dissector = rawget(cls, 'dissector_name')
	if not dissector then
		error('register_event: a class made by haka.dissector.new expected', 3)
	end
	cls.event_ids[name] = {id = blame(3, host.define_event, dissector, name, streamed), streamed = streamed, continue = continue}
end

-- Raises a streamed event for its next piece; piece nil: the end. Further arguments go to the listeners behind it.
local function raise_piece(self, event, name, piece, ...)
	local pieces = rawget(self, '_pieces') or {}
	rawset(self, '_pieces', pieces)
	local iter = host.piece(pieces, name, piece)	-- the coroutines that follow the event wait on it
	local fault = host.raise(event.id, {self, piece, ...}, select('#', ...) + 2, {self, iter, ...}, pieces[name])
	if piece == nil then
		host.forget(pieces[name])
		pieces[name] = nil
	end
	return fault
end

local function is_stream(v)
	local meta = getmetatable(v)
	return meta == 'vbuffer_stream' or meta == 'vbuffer_sub_stream'
end

-- Haka's form: the stream, and an iterator at the beginning of its new octets, or nil. A stream that is finished ends the event.
local function raise_stream(self, event, name, stream, iter, ...)
	local piece, fault = iter and iter:copy():sub('available')
	if piece then
		fault = raise_piece(self, event, name, piece, ...)
	end
	if stream.isfinished and not fault then
		fault = raise_piece(self, event, name, nil, ...)
	end
	return fault
end

local function trigger(self, name, ...)
	local cls = class.classof(self)
	local event = event_of(cls, name)
	if not event then
		error(format("trigger: dissector '%s' has no event '%s'", tostring(cls.dissector_name), tostring(name)), 3)
	end
	local fault
	if event.streamed then
		fault = (is_stream((...)) and raise_stream or raise_piece)(self, event, name, ...)
	else
		fault = host.raise(event.id, {self, ...}, select('#', ...) + 1)
	end
	if fault == 'abort' then
		abort()
	elseif fault then
		self:error()
	end
	if event.continue then
		event.continue(self, ...)
	else
		self:continue()
	end
end

Dissector.method.trigger = trigger

-- Packets

local PacketDissector = class.class('PacketDissector', Dissector)

local function single_rule(cls)
	local grammar = cls.grammar
	if grammar == nil then
		return nil
	end
	if type(grammar) == 'table' and class.isclass(class.classof(grammar)) then
		return grammar	-- an exported rule itself
	end
	local name, rule
	for k, r in pairs(grammar) do
		if name then
			error(format("dissector '%s': its grammar exports more than one rule: parse_payload has to be written", cls.dissector_name), 0)
		end
		name, rule = k, r
	end
	return rule
end

function PacketDissector.method:parse_payload(_, payload)
	local rule = single_rule(class.classof(self))
	if rule then
		local _, err = rule:parse(payload:pos('begin'), self)
		return err
	end
end

function PacketDissector.method:create_payload(_, payload, init)
	local rule = single_rule(class.classof(self))
	if rule then
		rule:create(payload:pos('begin'), init, self)
	end
end

function PacketDissector.method.forge_payload()
end

-- Called once, on the way out. injected: the packet is received first; send_packet is raised when it leaves after that.
function PacketDissector.method:forge(injected)
	local parent = rawget(self, '_parent')
	if rawget(self, '_sent') then
		return
	end
	rawset(self, '_sent', true)
	if not injected then
		trigger(self, 'send_packet')
	end
	self:forge_payload(parent, parent.payload)
	if type(parent) == 'table' then
		parent:forge(injected)
	end
end

function PacketDissector.method:select_next_dissector(dissector)
	local id = type(dissector) == 'table' and rawget(dissector, 'number')
	if not id then
		error('select_next_dissector: a dissector of packets, of haka.dissectors, expected', 2)
	end
	rawset(self, '_next', id)
end

function PacketDissector.method:activate_next_dissector()
	local cls = class.classof(self)
	cls.next_policy:apply{ctx = self, values = self:install_criterion(), desc = {}}
	self:continue()
	return rawget(self, '_next')
end

-- Reports a malformed packet to the rules, and drops it.
local function broken(self, err)
	pcall(trigger, self, 'protocol_error', err)
	if not host.drop(lowest(self), 'parse') then
		abort()
	end
	local flow = rawget(self, 'flow')
	if flow and flows[flow.id] then	-- the flow is forwarded unexamined (--fail-open)
		flows[flow.id].dead = true
	end
end

function PacketDissector.method:receive()
	local parent = rawget(self, '_parent')
	local err = self:parse_payload(parent, parent.payload)
	if err then
		return broken(self, err)
	end
	trigger(self, 'receive_packet')
	return self:activate_next_dissector()
end

-- Flows

local FlowDissector = class.class('FlowDissector', Dissector)

function FlowDissector.method:__init(flow)
	class.super(FlowDissector).__init(self, flow)
	rawset(self, 'flow', flow)
	local machine = class.classof(self).state_machine
	if machine then
		rawset(self, 'state', machine:instanciate(self))
	end
end

FlowDissector.property.grammar = {
	get = function(self)
		return class.classof(self).grammar
	end,
}

-- For dissectors that parse themselves: raises protocol_error and ends the flow.
function FlowDissector.method:protocol_error(err)
	broken(self, err)
end

-- Of state machines: a parse failed, or there is no grammar for a direction; handle() says whether the machine has an answer.
function FlowDissector.method:parse_failed(err, handle)
	if err ~= nil then
		trigger(self, 'protocol_error', err)
	end
	if not handle() then
		host.drop(lowest(self), 'parse')
	end
	self:continue()
end

local function update(self, what, direction, ...)
	local machine = rawget(self, 'state')
	if not machine then
		error(format("dissector '%s' has no state machine: its data has to be received by a method of its own", self.name), 0)
	end
	machine:update(what, direction, ...)
end

local TcpFlowDissector = class.class('TcpFlowDissector', FlowDissector)

function TcpFlowDissector.method:receive_streamed(iter, direction)
	while iter:wait() do
		update(self, iter, direction)
		self:continue()
	end
end

local UdpFlowDissector = class.class('UdpFlowDissector', FlowDissector)

function UdpFlowDissector.method:receive(pkt, payload, direction)
	update(self, payload:pos('begin'), direction, pkt)
end

-- Entry points of the engine

local engine = {}

function engine.begin(number, id, flow)
	flows[id] = {object = classes[number]:new(flow)}
end

function engine.stop(id)
	local f = flows[id]
	flows[id] = nil
	if not f then
		return
	end
	for _, piece in pairs(rawget(f.object, '_pieces') or {}) do
		host.forget(piece)
	end
	local machine = rawget(f.object, 'state')
	if machine and type(machine) == 'table' and machine.finish and not machine:ended() then
		machine:finish()
	end
	if f.object.finished then
		f.object:finished()
	end
end

local function go_on(f, direction, ...)
	local co = f[direction]
	if co and status(co) == 'suspended' then
		local ok, err = resume(co, ...)
		if not ok then
			f.dead = true
			error(err, 0)
		end
	end
end

-- Starts or resumes the coroutine of a direction.
function engine.data(id, direction, iter)
	local f = flows[id]
	if not f or f.dead then
		return
	end
	if not f[direction] and iter then
		f[direction] = create(f.object.receive_streamed)
		return go_on(f, direction, f.object, iter, direction)
	end
	go_on(f, direction)
end

function engine.datagram(id, pkt, payload, direction)
	local f = flows[id]
	if f then
		f.object:receive(pkt, payload, direction)
		f.object:continue()
	end
end

-- A packet comes: which dissector is next, as a number.
function engine.packet(number, parent)
	local object = classes[number]:new(type(parent) == 'number' and packets[parent] or parent)
	packets[number] = object
	local after = object:receive()
	return type(after) == 'number' and after or rawget(object, '_next')
end

function engine.send(number)
	local object = packets[number]
	packets[number] = nil
	if object then
		object:forge()
	end
end

-- haka.dissector

local dissector = {}

function dissector.pcall(object, f)
	local ok, err = pcall(f)
	if not ok then
		log_error('%s: %s', tostring(object.name), tostring(err))
		object:error()
	end
	return ok
end

function dissector.opposite_direction(direction)
	if direction ~= 'up' and direction ~= 'down' then
		error(format("haka.dissector.opposite_direction: 'up' or 'down' expected, got %s", tostring(direction)), 2)
	end
	return direction == 'up' and 'down' or 'up'
end

local function kind_of(cls)
	for kind, base in pairs{tcp = TcpFlowDissector, udp = UdpFlowDissector, packet = PacketDissector} do
		if class.isaclass(cls, base) then
			return kind
		end
	end
end

local function create_packet(cls, parent, init)
	if parent == nil then
		error(format('haka.dissectors.%s.create: what it is on top of expected', cls.dissector_name), 3)
	end
	local object = cls:new(parent)
	blame(3, object.create_payload, object, parent, parent.payload, init or {})
	return object
end

function dissector.new(t)
	if type(t) ~= 'table' then
		error('haka.dissector.new: table expected, got ' .. type(t), 2)
	end
	if type(t.name) ~= 'string' or not t.name:match('^[%w_%-]+$') or #t.name > 60 then
		error('haka.dissector.new: a name of letters, digits and underscores expected', 2)
	end
	local kind = class.isclass(t.type) and kind_of(t.type)
	if not kind and t.type ~= FlowDissector then
		error('haka.dissector.new: type: haka.helper.PacketDissector, or a TcpFlowDissector or UdpFlowDissector of its connection, expected', 2)
	end
	local cls = class.class(t.name, t.type)
	cls.dissector_name, cls.event_ids = t.name, {}
	cls.register_event = function(self, name, continue)
		register_event(self, name, false, continue)
	end
	cls.register_streamed_event = function(self, name, continue)
		register_event(self, name, true, continue)
	end
	if t.type == FlowDissector then	-- to derive from: it is of no transport
		return cls
	end
	local number, entry = blame(2, host.register, t.name, kind)
	classes[number] = cls
	entry.number = number
	register_event(cls, 'protocol_error', false)
	if kind == 'packet' then
		cls.next_policy = new_policy(t.name .. '.next_dissector')
		entry.policies = {next_dissector = cls.next_policy}
		entry.create = function(parent, init)
			return create_packet(cls, parent, init)
		end
		register_event(cls, 'receive_packet', false)
		register_event(cls, 'send_packet', false)
	end
	return cls
end

return engine, dissector, {PacketDissector = PacketDissector, FlowDissector = FlowDissector}, TcpFlowDissector, UdpFlowDissector
