-- SPDX-License-Identifier: MPL-2.0
-- Classes. class.class(name, [super]) makes one; its instances' functions go into `method`, computed fields into
-- `property` as {get = f, set = f}. An instance is a table; fields that it lacks are looked up in the methods
-- and properties of its class, then of each class above. Methods named like metamethods (__tostring, __eq, __call ...)
-- work as such; __index and __newindex are asked last. `class.super(c).f(self)` reaches f of the class above.
local rawget, rawset, type, pairs, next = rawget, rawset, type, pairs, next
local setmetatable, getmetatable, error = setmetatable, getmetatable, error
local format, byte = string.format, string.byte

local class = {}
local base = {name = 'BaseClass', method = {}, property = {}}

local function method_of(cls, name)
	while cls do
		local m = rawget(cls, 'method')[name]
		if m ~= nil then
			return m
		end
		cls = rawget(cls, 'super')
	end
end

local function property_of(object, cls, name)
	local own = rawget(object, '__property')
	if own and own[name] then
		return own[name]
	end
	while cls do
		local p = rawget(cls, 'property')[name]
		if p then
			return p
		end
		cls = rawget(cls, 'super')
	end
end

local function index(object, name)
	local cls = rawget(object, '__class')
	local m = method_of(cls, name)
	if m ~= nil then
		return m
	end
	local p = property_of(object, cls, name)
	if p then
		return p.get and p.get(object)
	end
	m = method_of(cls, '__index')
	if m then
		return m(object, name)
	end
end

local function newindex(object, name, value)
	local cls = rawget(object, '__class')
	local p = property_of(object, cls, name)
	if p then
		if not p.set then
			error(format("property '%s' is read-only", tostring(name)), 2)
		end
		return p.set(object, value)
	end
	local m = method_of(cls, '__newindex')
	if m then
		return m(object, name, value)
	end
	rawset(object, name, value)
end

-- Fields, then properties that have a value.
local function each(object)
	local cls = rawget(object, '__class')
	local own = method_of(cls, '__pairs')
	if own then
		return own(object)
	end
	local seen = {}
	local all = {}
	for k, v in next, object do
		if type(k) ~= 'string' or byte(k, 1) ~= 95 or byte(k, 2) ~= 95 then	-- '__...' is of our own
			all[k], seen[k] = v, true
		end
	end
	local function add(properties)
		for k, p in next, properties or {} do
			if not seen[k] then
				seen[k] = true
				all[k] = p.get and p.get(object)
			end
		end
	end
	add(rawget(object, '__property'))
	while cls do
		add(rawget(cls, 'property'))
		cls = rawget(cls, 'super')
	end
	return next, all, nil
end

local forwarded = {'__call', '__tostring', '__eq', '__lt', '__le', '__add', '__sub', '__mul', '__div', '__mod', '__pow',
	'__unm', '__concat', '__len'}

-- Metamethods are found by name when they are first needed; classes may get methods after they were made.
local function metatable_of(cls)
	local mt = rawget(cls, 'instances')
	if not mt then
		mt = {__index = index, __newindex = newindex, __pairs = each}
		rawset(cls, 'instances', mt)
	end
	for _, name in next, forwarded do
		mt[name] = method_of(cls, name)
	end
	return mt
end

local class_meta = {
	__index = function(cls, name)
		local above = rawget(cls, 'super')
		while above do
			local v = rawget(above, name)
			if v ~= nil and name ~= 'instances' then
				return v
			end
			above = rawget(above, 'super')
		end
		return method_of(cls, name)
	end,
	__tostring = function(cls)
		return 'class ' .. rawget(cls, 'name')
	end,
}
setmetatable(base, class_meta)

function base.new(cls, ...)
	local object = setmetatable({__class = cls}, metatable_of(cls))
	local init = method_of(cls, '__init')
	if init then
		init(object, ...)
	end
	return object
end

function base.method:clone()
	local copy = {}
	for k, v in next, self do
		copy[k] = v
	end
	return setmetatable(copy, getmetatable(self))
end

function base.method:addproperty(name, get, set)
	local own = rawget(self, '__property')
	if not own then
		own = {}
		rawset(self, '__property', own)
	end
	own[name] = {get = get, set = set}
end

function class.class(name, super)
	if type(name) ~= 'string' then
		error('class.class: name expected, got ' .. type(name), 2)
	end
	if super ~= nil and not class.isclass(super) then
		error('class.class: a class expected as second argument, got ' .. type(super), 2)
	end
	return setmetatable({name = name, method = {}, property = {}, super = super or base}, class_meta)
end

function class.isclass(c)
	return type(c) == 'table' and getmetatable(c) == class_meta
end

function class.classof(object)
	return type(object) == 'table' and rawget(object, '__class') or nil
end

function class.super(cls)
	return rawget(cls, 'super')
end

-- Is class c the class `other`, or below it?
function class.isaclass(c, other)
	while c do
		if c == other then
			return true
		end
		c = rawget(c, 'super')
	end
	return false
end

function class.isa(object, cls)
	return class.isaclass(class.classof(object), cls)
end

return class
