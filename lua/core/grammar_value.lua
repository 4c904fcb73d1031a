-- SPDX-License-Identifier: MPL-2.0
-- The values that a parse produces: results, whose fields are properties over octets (reading one reads the buffer,
-- writing one changes it), lists, errors; and the context that functions of a grammar get.
local narrow = ...
local type, ipairs, error, tostring = type, ipairs, error, tostring
local setmetatable, getmetatable, rawget, rawset = setmetatable, getmetatable, rawget, rawset
local format, table_remove = string.format, table.remove
local class = require('class')

-- Errors

local error_meta = {__metatable = 'parse error'}

function error_meta.__tostring(e)
	return format('parse error at byte %d for field %s in %s: %s', e.position, e.field.name, e.field.rule, e.description)
end

local function fail(ctx, e, name, fmt, ...)
	if not ctx.err then
		ctx.err = setmetatable({
			field = {name = name or e.name or '<' .. e.kind .. '>', rule = ctx.rule},
			position = ctx.iter.meter - ctx.start,
			iterator = ctx.iter:copy(),
			description = format(fmt, ...),
		}, error_meta)
	end
	return false
end

-- The context of functions of a grammar

local Context = {}
local context_meta = {__index = Context, __metatable = 'parse context'}

function Context:result(i)
	i = i or 1
	return self.results[i > 0 and i or #self.results + 1 + i]
end

-- The next octet, or -1.
function Context:lookahead()
	if not self.iter:check_available(1) then
		return -1
	end
	return self.iter:copy():sub(1):asnumber()
end

function Context:error(fmt, ...)
	if type(fmt) ~= 'string' then
		error('ctx:error: string expected, got ' .. type(fmt), 2)
	end
	fail(self, self.entity or self.top, nil, fmt, ...)
end

-- Calls a function that the grammar was given. Returns its value, and whether the parse continues.
local function ask(ctx, e, f, ...)
	local before = ctx.entity
	ctx.entity = e
	local v = f(...)
	ctx.entity = before
	return v, not ctx.err
end

-- Values

local result_class = class.class('result')
local result_meta = getmetatable(result_class:new())

local function new_result(e)
	return e.class and e.class:new() or setmetatable({__class = result_class}, result_meta)
end

local function value_of(e, sub, off)
	local v = sub
	if e.kind == 'number' then
		if off then
			v = sub:asbits(off, e.bits, e.endian)
		else
			v = sub:asnumber(e.endian)
		end
	end
	local list = e.converters
	for i = 1, list and #list or 0 do
		v = list[i].get(v)
	end
	return v
end

-- Returns the raw value of the octets for a value.
local function raw_of(e, name, v)
	local list = e.converters
	for i = list and #list or 0, 1, -1 do
		if not list[i].set then
			error(format("field '%s' is read-only: its converter has no set", name), 3)
		end
		v = list[i].set(v)
	end
	if e.kind == 'number' then
		if type(v) ~= 'number' then
			error(format("field '%s': number expected, got %s", name, type(v)), 3)
		end
	elseif type(v) ~= 'string' then
		if type(v) ~= 'userdata' then
			error(format("field '%s': string or buffer expected, got %s", name, type(v)), 3)
		end
		v = v:asstring()
	end
	return v
end

local function put(e, name, sub, off, v)
	v = raw_of(e, name, v)
	if e.kind ~= 'number' then
		sub:setstring(v)
	elseif off then
		sub:setbits(off, e.bits, v, e.endian)
	else
		sub:setnumber(v, e.endian)
	end
end

local function part_of(o, key)
	local t = rawget(o, key)
	if not t then
		t = {}
		rawset(o, key, t)
	end
	return t
end

-- The property that a field is in its result, the same for all results.
local function property(e, name)
	e.properties = e.properties or {}
	local p = e.properties[name]
	if p then
		return p
	end
	p = {}
	function p.get(o)
		local memo = e.memo and part_of(o, '__memo')
		local v = memo and memo[name]
		if v == nil then
			local bits = rawget(o, '__bits')
			v = value_of(e, o.__octets[name], bits and bits[name])
			if memo then
				memo[name] = v
			end
		end
		return v
	end
	function p.set(o, v)
		if v == nil then
			if not e.validate_f then
				error(format("field '%s': it has no validate() that would compute it", name), 3)
			end
			return e.validate_f(o)
		end
		local bits, memo = rawget(o, '__bits'), rawget(o, '__memo')
		put(e, name, o.__octets[name], bits and bits[name], v)
		if memo then
			memo[name] = nil
		end
	end
	e.properties[name] = p
	return p
end

-- Records the old value, which is restored if an alternative fails (try).
local function note(ctx, t, key)
	local undo = ctx.undo
	if undo then
		undo[#undo + 1] = {t, key, rawget(t, key)}
	end
end

local function set(ctx, t, key, v)
	note(ctx, t, key)
	rawset(t, key, v)
end

local function set_field(ctx, result, name, e, sub, off)
	if rawget(result, name) ~= nil then
		set(ctx, result, name, nil)
	end
	set(ctx, part_of(result, '__property'), name, property(e, name))
	set(ctx, part_of(result, '__octets'), name, sub)
	if off or rawget(result, '__bits') then
		set(ctx, part_of(result, '__bits'), name, off)
	end
	if rawget(result, '__memo') then
		set(ctx, part_of(result, '__memo'), name, nil)
	end
end

-- Lists

local List = {}
local list_meta = {__index = List, __metatable = 'grammar array'}

function list_meta.__pairs(list)
	return ipairs(list)
end

local function index_of(list, what)
	if type(what) == 'number' then
		return list[what] ~= nil and what or nil
	end
	for i, elem in ipairs(list) do
		if elem == what then
			return i
		end
	end
end

function List:remove(what)
	local i = index_of(self, what)
	if not i then
		error(format('remove: there is no element %s', tostring(what)), 2)
	end
	if not self.__subs[i] then
		error('remove: the element is not made of whole octets', 2)
	end
	self.__subs[i]:erase()
	table_remove(self.__subs, i)
	table_remove(self.__offs, i)
	table_remove(self, i)
end

-- Writes an element that is a number, a token or bytes: list[i] = v does not reach __newindex while a value is there.
function List:set(i, v)
	local e = self.__entity.of
	if self[i] == nil then
		error(format('set: there is no element %s', tostring(i)), 2)
	end
	if e.kind ~= 'number' and e.kind ~= 'bytes' and e.kind ~= 'token' then
		error('set: the elements have fields that can be set', 2)
	end
	local off = self.__offs[i] or nil
	put(e, 'element', self.__subs[i] or self.__bits[i], off, v)
	rawset(self, i, value_of(e, self.__subs[i] or self.__bits[i], off))
end

-- The octets behind the last element.
local function end_of(list)
	local last = list.__subs[#list]
	return last and last:pos('end') or list.__begin:copy()
end

-- Reads one element: the element, or nil and the error.
local function read_one(hooks, e, iter, user)
	local holder = {}
	local ok, err = hooks.parse(e, iter, holder, user)
	if not ok then
		return nil, err
	end
	return holder[1]
end

-- Returns the element that the function of creation() gets: create(iter, init) writes init over the existing
-- octets, and inserts octets that have no room; parse(iter, [user]) reads. Both return the element.
local function element_of(list)
	local hooks, of = list.__hooks, list.__entity.of
	local element = {}
	function element:parse(iter, user)
		return read_one(hooks, of, iter, user)
	end
	function element:create(iter, init)
		local text = hooks.create(of, init)
		local begin = iter:copy()
		local there = begin:copy():sub(#text)
		if there and #there == #text then
			there:setfixedstring(text)
		else
			if there then
				there:erase()
			end
			begin:copy():insert(text)
		end
		local elem, err = read_one(hooks, of, begin)
		if elem == nil then
			error('create: ' .. tostring(err), 2)
		end
		return elem
	end
	return element
end

-- The result of element:create() refers to a buffer that is empty now: it is read anew at its octets' new place.
local function append_created(list, at, init)
	local buffer, elem = list.__entity.creation_f(element_of(list), init)
	local sub, i = narrow(at:insert(buffer)), #list + 1
	if class.classof(elem) == result_class or type(elem) == 'userdata' then
		elem = read_one(list.__hooks, list.__entity.of, sub:pos('begin'), list.__user) or elem
	end
	list.__subs[i], list.__offs[i] = sub, false
	rawset(list, i, elem)
end

function List:append(init)
	local e = self.__entity
	local at = end_of(self)
	if e.creation_f then
		return append_created(self, at, init)
	end
	local sub = narrow(at:insert(self.__hooks.create(e.of, init)))
	local holder = {}
	local ok, err = self.__hooks.parse(e.of, sub:pos('begin'), holder, self.__user)
	if not ok then
		sub:erase()
		error('append: ' .. tostring(err), 2)
	end
	self.__subs[#self + 1], self.__offs[#self + 1] = sub, false
	rawset(self, #self + 1, holder[1])
end

-- Filled in by grammar_parse.lua: parse(e, iter, holder, user), create(e, init).
local hooks = {}

local function new_list(e, ctx)
	local list = {__subs = {}, __offs = {}, __bits = {}, __entity = e, __begin = ctx.iter:copy(), __user = ctx.user, __hooks = hooks}
	return setmetatable(list, list_meta)
end

return {
	fail = fail, ask = ask, context_meta = context_meta, new_result = new_result, result_class = result_class,
	result_meta = result_meta, value_of = value_of, raw_of = raw_of, part_of = part_of, set = set, set_field = set_field,
	new_list = new_list, hooks = hooks,
}
