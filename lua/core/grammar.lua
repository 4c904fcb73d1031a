-- SPDX-License-Identifier: MPL-2.0
-- haka.grammar: the entities of a grammar, and the environment in which one is defined. An entity is a table that is
-- not changed any more once it is made: options give changed copies. grammar_parse.lua reads octets by it,
-- grammar_write.lua writes them.
local with_environment, part, narrow = ...
local type, pairs, ipairs, error, tostring, tonumber, next = type, pairs, ipairs, error, tostring, tonumber, next
local setmetatable, getmetatable = setmetatable, getmetatable
local format, floor = string.format, math.floor
local isclass = require('class').isclass
local re = require('regexp/pcre').re
local globals = _G

local Entity = {}
local entity_meta = {__index = Entity, __metatable = 'grammar entity'}

local function is_entity(v)
	return type(v) == 'table' and getmetatable(v) == 'grammar entity'
end

local function got(v)
	return is_entity(v) and 'an entity' or v == nil and 'nothing' or type(v)
end

local function expect(v, kind, what, level)
	if kind == 'entity' then
		if is_entity(v) then
			return v
		end
	elseif type(v) == kind then
		return v
	end
	error(format('%s: %s expected, got %s', what, kind, got(v)), (level or 1) + 2)
end

local function new(kind, fields)
	fields.kind = kind
	return setmetatable(fields, entity_meta)
end

function entity_meta.__tostring(e)
	return e.name and format("'%s'", e.name) or e.rule and format("rule '%s'", e.rule) or '<' .. e.kind .. '>'
end

-- A copy with one thing changed. A copy of a rule remembers its changes: the rule may be overridden (extend).
local function with(e, key, value)
	local copy = {}
	for k, v in pairs(e) do
		copy[k] = v
	end
	copy[key] = value
	copy.properties, copy.resolved = nil, nil
	if e.rule or e.kind == 'ref' then
		copy.changes = {}
		for k, v in pairs(e.changes or {}) do
			copy.changes[k] = v
		end
		copy.changes[key] = value
	end
	return setmetatable(copy, entity_meta)
end

-- Options

local kinds_of = {
	count = {array = true, bytes = true},
	untilcond = {array = true},
	whilecond = {array = true},
	chunked = {bytes = true},
	untiltoken = {bytes = true, array = true},
	creation = {array = true, record = true, sequence = true, bytes = true, number = true, token = true, branch = true,
		ref = true},
	extra = {record = true, sequence = true},
	const = {number = true, bytes = true, token = true},
}

local function option(e, name)
	expect(e, 'entity', name, 3)
	local kinds = kinds_of[name]
	if kinds and not kinds[e.kind] and e.kind ~= 'ref' then
		error(format(':%s is no option of %s', name, e.kind), 3)
	end
	return e
end

function Entity:count(n)
	option(self, 'count')
	if type(n) ~= 'function' and not (type(n) == 'number' and n >= 0 and floor(n) == n) then
		error(format('count: a number or a function expected, got %s', got(n)), 2)
	end
	return with(self, 'n', n)
end

for _, name in ipairs{'untilcond', 'whilecond', 'chunked', 'creation', 'validate', 'apply'} do
	Entity[name] = function(self, f)
		return with(option(self, name), name .. '_f', expect(f, 'function', name))
	end
end

function Entity:untiltoken(pattern)
	option(self, 'untiltoken')
	expect(pattern, 'string', 'untiltoken')
	return with(self, 'stop', re:compile(self.kind == 'array' and '^(?:' .. pattern .. ')' or pattern))
end

function Entity:const(value)
	if value == nil then
		error('const: a value or a function expected, got nothing', 2)
	end
	return with(option(self, 'const'), 'fixed', value)
end

function Entity:convert(converter, memoize)
	option(self, 'convert')
	if type(converter) ~= 'table' or type(converter.get) ~= 'function' then
		error('convert: a converter {get = f, set = f} expected, got ' .. got(converter), 2)
	end
	local list = {}
	for i, c in ipairs(self.converters or {}) do
		list[i] = c
	end
	list[#list + 1] = converter
	local e = with(self, 'converters', list)
	return memoize and with(e, 'memo', true) or e
end

function Entity:memoize()
	return with(option(self, 'memoize'), 'memo', true)
end

function Entity:result(class)
	if not isclass(class) then
		error('result: a class expected, got ' .. got(class), 2)
	end
	return with(option(self, 'result'), 'class', class)
end

-- Names are computed fields of the result; positions are functions called when the record is complete.
function Entity:extra(t)
	option(self, 'extra')
	expect(t, 'table', 'extra')
	for _, f in pairs(t) do
		expect(f, 'function', 'extra')
	end
	return with(self, 'extras', t)
end

-- Converters

local converter = {
	bool = {
		get = function(x)
			return x ~= 0
		end,
		set = function(x)
			return x and 1 or 0
		end,
	},
	string = {
		get = function(x)
			return type(x) == 'string' and x or x:asstring()
		end,
		set = function(x)
			return tostring(x)
		end,
	},
}

function converter.mult(n)
	if type(n) ~= 'number' or n == 0 then
		error('converter.mult: a number other than 0 expected, got ' .. got(n), 2)
	end
	return {
		get = function(x)
			return x * n
		end,
		set = function(x)
			if x % n ~= 0 then
				error(format('%s is no multiple of %s', tostring(x), tostring(n)), 0)
			end
			return x / n
		end,
	}
end

function converter.tonumber(fmt, base)
	expect(fmt, 'string', 'converter.tonumber')
	return {
		get = function(x)
			return tonumber(type(x) == 'string' and x or x:asstring(), base or 10)
		end,
		set = function(x)
			return format(fmt, x)
		end,
	}
end

-- Elements

local words = {converter = converter}

local function check_endian(endian, what)
	if endian ~= nil and endian ~= 'big' and endian ~= 'little' then
		error(format("%s: byte order: 'big' or 'little' expected, got %s", what, tostring(endian)), 3)
	end
	return endian
end

function words.number(bits, endian)
	if type(bits) ~= 'number' or bits < 1 or bits > 64 or floor(bits) ~= bits then
		error('number: 1 to 64 bits expected, got ' .. tostring(bits), 2)
	end
	return new('number', {bits = bits, endian = check_endian(endian, 'number')})
end

-- A token is matched where the reader stands, and nowhere behind.
local function token(pattern, what)
	return new('token', {pattern = pattern, regexp = re:compile('^(?:' .. expect(pattern, 'string', what, 2) .. ')')})
end

function words.raw_token(pattern)
	return token(pattern, 'raw_token')
end

function words.token(pattern)
	return token(pattern, 'token'):convert(converter.string)
end

function words.bytes()
	return new('bytes', {})
end

words.flag = new('number', {bits = 1}):convert(converter.bool)
words.text = new('bytes', {}):convert(converter.string)

function words.field(name, e)
	expect(name, 'string', 'field: name')
	return with(expect(e, 'entity', 'field'), 'name', name)
end

local function list_of(kind)
	return function(t)
		expect(t, 'table', kind)
		local list = {}
		for i, e in ipairs(t) do
			list[i] = expect(e, 'entity', kind)
		end
		for k in pairs(t) do
			if type(k) ~= 'number' or k < 1 or k > #list then
				error(format('%s: a list of entities expected, it has a key %s', kind, tostring(k)), 2)
			end
		end
		return new(kind, {list = list})
	end
end
words.record, words.sequence, words.union, words.try =
	list_of('record'), list_of('sequence'), list_of('union'), list_of('try')

function words.array(e)
	return new('array', {of = expect(e, 'entity', 'array')})
end

function words.branch(cases, selector)
	expect(cases, 'table', 'branch')
	expect(selector, 'function', 'branch: selector')
	local copy = {}
	for k, e in pairs(cases) do
		if k == 'default' and e == 'continue' then
			e = words.empty()
		end
		copy[k] = expect(e, 'entity', format("branch: case '%s'", tostring(k)))
	end
	return new('branch', {cases = copy, selector = selector})
end

function words.optional(e, present)
	expect(present, 'function', 'optional: predicate')
	return new('optional', {of = expect(e, 'entity', 'optional'), present = present})
end

function words.execute(f)
	return new('execute', {f = expect(f, 'function', 'execute')})
end

function words.verify(f, message)
	return new('verify', {f = expect(f, 'function', 'verify'), message = message and expect(message, 'string', 'verify') or 'verification failed'})
end

function words.empty()
	return new('empty', {})
end

function words.fail(message)
	return new('fail', {message = message and expect(message, 'string', 'fail') or 'failed'})
end

function words.align(bits)
	if type(bits) ~= 'number' or bits < 8 or bits % 8 ~= 0 or bits > 8 * 4096 then
		error('align: a multiple of 8 bits expected, got ' .. tostring(bits), 2)
	end
	return new('align', {octets = bits / 8})
end

-- Definition

local children = {'of'}

-- A copy of an inherited tree for another grammar: `rules` are its own, overridden rules are replaced.
local function inherit(e, rules, overridden)
	local name = e.rule
	if name and overridden[name] then
		local copy = rules[name]
		for k, v in pairs(e.changes or {}) do
			copy = with(copy, k, v)
		end
		return copy
	end
	local copy = {}
	for k, v in pairs(e) do
		copy[k] = v
	end
	copy.properties, copy.resolved = nil, nil
	if e.kind == 'ref' then
		copy.rules = rules
	end
	for _, key in ipairs(children) do
		if e[key] then
			copy[key] = inherit(e[key], rules, overridden)
		end
	end
	for _, key in ipairs{'list', 'cases'} do
		if e[key] then
			copy[key] = {}
			for k, v in pairs(e[key]) do
				copy[key][k] = inherit(v, rules, overridden)
			end
		end
	end
	return setmetatable(copy, entity_meta)
end

local secrets = setmetatable({}, {__mode = 'k'})	-- of grammars: rules and exports
local Export = part('core/grammar_parse', with, narrow, part)
local create = part('core/grammar_write', Export)

function Export.method:create(iter, init, result)
	return create(self, iter, init, result)
end

local grammar_meta = {
	__metatable = 'grammar',
	__index = function(g, name)
		local found = secrets[g].exports[name]
		if not found then
			error(format("grammar '%s' exports no '%s'", secrets[g].name, tostring(name)), 2)
		end
		return found
	end,
	__newindex = function(g)
		error(format("grammar '%s' is not to be changed", secrets[g].name), 2)
	end,
	__pairs = function(g)
		return next, secrets[g].exports, nil
	end,
	__tostring = function(g)
		return format("grammar '%s'", secrets[g].name)
	end,
}

local function is_grammar(v)
	return type(v) == 'table' and getmetatable(v) == 'grammar'
end

local function take_inherited(d, g)
	local other = secrets[g]
	for name, e in pairs(other.rules) do
		if d.rules[name] == nil then
			d.rules[name], d.inherited[name] = e, true
		end
	end
	for name in pairs(other.exports) do
		d.exported[name] = true
	end
end

-- The words that only make sense in a definition d.
local function definition_words(d)
	local own = {}

	function own.define(...)
		for _, name in ipairs{...} do
			expect(name, 'string', 'define')
			if d.rules[name] and not d.inherited[name] then
				error(format("define: rule '%s' is there already", name), 2)
			end
			d.defined[name] = new('ref', {rules = d.rules, target = name})
		end
	end
	function own.export(...)
		for i, e in ipairs{...} do
			expect(e, 'entity', format('export: argument %d', i))
			local name = e.rule or e.target
			if not name then
				error(format('export: argument %d is no rule: it was assigned to no name', i), 2)
			end
			d.exported[name] = true
		end
	end
	function own.extend(...)
		for i, g in ipairs{...} do
			if not is_grammar(g) then
				error(format('extend: argument %d: a grammar expected, got %s', i, got(g)), 2)
			end
			take_inherited(d, g)
		end
	end
	return own
end

-- Looks up rules, then words, then the definition's other assignments, then the script's globals. Once the definition
-- is over, assignments work as anywhere else.
local function new_environment(d)
	local own, vars = definition_words(d), {}

	return setmetatable({}, {
		__index = function(_, name)
			local v = d.rules[name] or d.defined[name] or own[name] or words[name]
			if v == nil then
				v = vars[name]
			end
			if v == nil then
				v = globals[name]
			end
			return v
		end,
		__newindex = function(_, name, value)
			if d.closed then
				if vars[name] ~= nil then
					vars[name] = value
				else
					globals[name] = value
				end
			elseif own[name] or words[name] then
				error(format("grammar '%s': '%s' is a word of the language", d.name, tostring(name)), 2)
			elseif not is_entity(value) then
				vars[name] = value
			elseif d.rules[name] and not d.inherited[name] then
				error(format("grammar '%s': rule '%s' is defined twice", d.name, name), 2)
			else
				local e = with(value, 'rule', name)
				e.changes = nil
				d.rules[name], d.defined[name] = e, nil
				if d.inherited[name] then
					d.inherited[name], d.overridden[name] = nil, true
				end
			end
		end,
	})
end

local function finish(d)
	local name = next(d.defined)
	if name then
		error(format("grammar '%s': rule '%s' is declared, but not defined", d.name, name), 3)
	end
	for rule in pairs(d.inherited) do
		d.rules[rule] = inherit(d.rules[rule], d.rules, d.overridden)
	end
	for rule in pairs(d.exported) do
		d.exports[rule] = Export.new(d.name, d.rules[rule])
	end
end

local function new_grammar(name, define)
	expect(name, 'string', 'haka.grammar.new')
	expect(define, 'function', 'haka.grammar.new')
	local d = {name = name, rules = {}, defined = {}, exported = {}, exports = {}, inherited = {}, overridden = {}}
	with_environment(define, new_environment(d))
	d.closed = true
	finish(d)
	local g = setmetatable({}, grammar_meta)
	secrets[g] = d
	return g
end

return {new = new_grammar, converter = converter}
