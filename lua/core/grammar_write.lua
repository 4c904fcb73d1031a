-- SPDX-License-Identifier: MPL-2.0
-- Writing octets by a grammar: values of a table become text, which is put into the buffer and read back, so that the
-- result is live like any other, and so that nothing is written that could not be read.
local Export = ...
local type, pairs, ipairs, error, tostring, pcall = type, pairs, ipairs, error, tostring, pcall
local setmetatable, rawget = setmetatable, rawget
local format, char, byte, rep, floor = string.format, string.char, string.byte, string.rep, math.floor
local concat = table.concat
local allocate = haka.vbuffer_allocate
local raw_of, resolve = Export.raw_of, Export.resolve

local MAX_DEPTH = 10
local PADDING_MAX = 65536	-- octets that nobody gave

local Context = {}
local context_meta = {__index = Context, __metatable = 'parse context'}

function Context:result(i)
	i = i or 1
	return self.results[i > 0 and i or #self.results + 1 + i]
end

function Context.lookahead()
	return -1
end

function Context.error(_, fmt, ...)
	error(format(fmt, ...), 0)
end

local function missing(name, e)
	error(format("'%s' is missing", name or e.name or '<' .. e.kind .. '>'), 0)
end

-- The writer: whole octets as pieces of text, and an octet that is begun.

local function put_text(w, text)
	if w.bit ~= 0 then
		error('octets would not begin with an octet', 0)
	end
	w.parts[#w.parts + 1] = text
	w.size = w.size + #text
end

local function put_aligned(w, e, v)
	local list, n = {}, e.bits / 8
	for i = 1, n do
		list[e.endian == 'little' and i or n + 1 - i] = char(v % 256)
		v = floor(v / 256)
	end
	put_text(w, concat(list))
end

local function put_bits(w, e, v)
	local total = w.bit + e.bits
	local sub = allocate(floor((total + 7) / 8), true):sub()
	sub:setbits(w.bit, e.bits, v, e.endian)
	local text = sub:asstring()
	text = char(byte(text) + w.begun) .. text:sub(2)
	w.begun, w.bit = 0, 0
	if total % 8 ~= 0 then
		w.begun = byte(text, -1)
		text = text:sub(1, -2)
	end
	put_text(w, text)
	w.bit = total % 8
end

local write = {}

-- own: {value} of an element that has no name of its own.
local function step(e, w, init, view, name, own)
	return write[e.kind](e, w, init, view, e.name or name, own)
end

local function given(init, name, own)
	if own then
		return own[1]
	end
	return name ~= nil and type(init) == 'table' and init[name] or nil
end

-- Returns a missing field that can be computed (validate): requested once all others are known, then written again.
local function computed(e, w, view, name)
	w.k = w.k + 1
	if w.computed then
		return w.computed[w.k]
	end
	w.to_compute[w.k] = {e.validate_f, view, name}
end

-- False counts as a value, too.
local function value_of(e, w, init, view, name, own)
	local v
	if own then
		v = own[1]
	elseif name ~= nil and type(init) == 'table' then
		v = init[name]
	end
	if v == nil then
		v = e.fixed
		if type(v) == 'function' then
			v = v(view, w.ctx)
		end
	end
	if v == nil and e.validate_f and name ~= nil then
		v = computed(e, w, view, name)
	end
	return v
end

-- Returns the value of a function of the grammar; nothing if it needs octets, which do not exist yet.
local function guess(f, view, w)
	local ok, v = pcall(f, view, w.ctx)
	if ok then
		return v
	end
end

local function check_count(e, w, view, name, n)
	local want = w.computed and type(e.n) == 'function' and guess(e.n, view, w)
	if want and want ~= n then
		error(format("'%s': %d where %s would be read", name or 'element', n, tostring(want)), 0)
	end
end

local function show(view, name, v)
	if name then
		view[name] = v
	end
end

function write.number(e, w, init, view, name, own)
	local v = value_of(e, w, init, view, name, own)
	local raw = v == nil and 0 or raw_of(e, name or 'element', v)
	if raw < 0 or floor(raw) ~= raw or raw >= 2 ^ e.bits then
		error(format("'%s': %s is no number of %d bits", name or 'element', tostring(raw), e.bits), 0)
	end
	if v == nil then
		v = raw
		for _, c in ipairs(e.converters or {}) do
			v = c.get(v)
		end
	end
	show(view, name, v)
	if w.bit == 0 and e.bits % 8 == 0 then
		put_aligned(w, e, raw)
	else
		put_bits(w, e, raw)
	end
end

function write.token(e, w, init, view, name, own)
	local v = value_of(e, w, init, view, name, own)
	if v == nil then
		missing(name, e)
	end
	show(view, name, v)
	put_text(w, raw_of(e, name or 'element', v))
end

function write.bytes(e, w, init, view, name, own)
	local v = value_of(e, w, init, view, name, own)
	local text = v ~= nil and raw_of(e, name or 'element', v) or ''
	local n = e.n
	if type(n) == 'function' and v == nil then
		n = n(view, w.ctx)
	end
	if type(n) == 'number' then
		if #text > n or n - #text > PADDING_MAX then
			error(format("'%s': %d octets do not make %s", name or 'element', #text, tostring(n)), 0)
		end
		text = text .. rep('\0', n - #text)
	end
	check_count(e, w, view, name, #text)
	show(view, name, v == nil and text or v)
	put_text(w, text)
end

-- Where the fields of a composed entity come from, and where they are seen.
local function open(w, init, view, name, own)
	if not own and not name then
		return init, view, false
	end
	local inner = {}
	if name then
		view[name] = inner
	end
	w.ctx.results[#w.ctx.results + 1] = inner
	return given(init, name, own), inner, true
end

local function close(w, opened)
	if opened then
		w.ctx.results[#w.ctx.results] = nil
	end
end

function write.sequence(e, w, init, view, name, own)
	local opened
	init, view, opened = open(w, init, view, name, own)
	if init ~= nil and type(init) ~= 'table' then
		error(format("'%s': table expected, got %s", name or 'element', type(init)), 0)
	end
	for _, of in ipairs(e.list) do
		step(of, w, init, view)
	end
	close(w, opened)
end
write.record = write.sequence

-- How many of the names of an entity a table has.
local function score(e, init)
	if e.name then
		return init[e.name] ~= nil and 1 or 0
	end
	local n = 0
	for _, of in pairs(e.list or e.cases or {}) do
		n = n + score(of, init)
	end
	return n + (e.of and e.kind ~= 'array' and score(e.of, init) or 0)
end

-- Returns the alternative that has most of the given fields.
local function best(e, init)
	local found, most = e.list[1], -1
	for _, of in ipairs(e.list) do
		local n = type(init) == 'table' and score(of, init) or 0
		if n > most then
			found, most = of, n
		end
	end
	return found
end

function write.union(e, w, init, view, name, own)
	local opened
	init, view, opened = open(w, init, view, name, own)
	local of = best(e, init)
	if of then
		step(of, w, init, view)
	end
	close(w, opened)
end

write['try'] = function(e, w, init, view, name, own)
	local of = best(e, own and own[1] or init)
	if of then
		step(of, w, init, view, name, own)
	end
end

function write.branch(e, w, init, view, name, own)
	local case = e.selector(view, w.ctx)
	local of = case ~= nil and e.cases[case] or e.cases.default
	if not of then
		error(format("no case for '%s'", tostring(case)), 0)
	end
	step(of, w, init, view, name, own)
end

function write.optional(e, w, init, view, name, own)
	local there = guess(e.present, view, w)
	local wanted = own and own[1] ~= nil or name and given(init, name) ~= nil or
		type(init) == 'table' and score(e.of, init) > 0
	if wanted and w.computed and there == false then
		error(format("'%s' is given, but would not be read", name or e.of.name or 'element'), 0)
	end
	if wanted or there then
		step(e.of, w, init, view, name, own)
	end
end

function write.ref(e, w, init, view, name, own)
	if w.depth >= MAX_DEPTH then
		error(format('more than %d rules inside of each other', MAX_DEPTH), 0)
	end
	w.depth = w.depth + 1
	step(resolve(e), w, init, view, name, own)
	w.depth = w.depth - 1
end

function write.array(e, w, init, view, name, own)
	local list = given(init, name, own) or {}
	if type(list) ~= 'table' then
		error(format("'%s': list expected, got %s", name or 'element', type(list)), 0)
	end
	local n, inner = type(e.n) == 'number' and e.n or #list, {}
	if #list > n then
		error(format("'%s': %d elements where there are %d", name or 'element', #list, n), 0)
	end
	check_count(e, w, view, name, n)
	show(view, name, inner)
	w.ctx.results[#w.ctx.results + 1] = inner
	for i = 1, n do
		local seen = {}
		inner[i] = list[i] == nil and seen or list[i]
		step(e.of, w, nil, seen, nil, {list[i]})
	end
	w.ctx.results[#w.ctx.results] = nil
end

function write.align(e, w)
	if w.bit ~= 0 then
		local begun = w.begun
		w.bit, w.begun = 0, 0
		put_text(w, char(begun))
	end
	put_text(w, rep('\0', -w.size % e.octets))
end

function write.fail(e)
	error(e.message, 0)
end

function write.empty()
end
write.execute, write.verify = write.empty, write.empty

-- The text of an entity, and whether its last octet is only begun.
local function text_once(e, init, own, done)
	local view = {}
	local w = {parts = {}, size = 0, bit = 0, begun = 0, depth = 0, k = 0, to_compute = {}, computed = done}
	w.ctx = setmetatable({results = {view}}, context_meta)
	step(e, w, init, view, nil, own)
	local begun = w.bit ~= 0
	if begun then
		w.bit = 0
		put_text(w, char(w.begun))
	end
	return concat(w.parts), begun, w.to_compute
end

local function text_of(e, init, own)
	local _, _, to_compute = text_once(e, init, own)
	local done = {}
	for i = #to_compute, 1, -1 do
		local f, view, name = to_compute[i][1], to_compute[i][2], to_compute[i][3]
		if pcall(f, view) then
			done[i] = view[name]
		end
	end
	return text_once(e, init, own, done)
end

-- Computes missing fields where possible, from the inner ones to the outer ones.
local function complete(e, result, init)
	if e.kind == 'ref' then
		return complete(resolve(e), result, init)
	end
	if e.kind == 'array' or type(result) ~= 'table' then
		return
	end
	for _, of in pairs(e.list or {}) do
		local name = of.name
		if name and rawget(result, name) ~= nil then
			complete(of, result[name], type(init) == 'table' and init[name] or nil)
		elseif not name then
			complete(of, result, init)
		end
	end
	for _, of in pairs(e.list or {}) do
		local name, properties = of.name, rawget(result, '__property')
		if name and of.validate_f and properties and properties[name] and (type(init) ~= 'table' or init[name] == nil) then
			result[name] = nil
		end
	end
end

local alone = {number = true, token = true, bytes = true, array = true}

Export.set_create(function(e, init)
	return (text_of(e, nil, {init}))
end)

return function(rule, iter, init, result)
	local e = rule.entity
	if type(iter) ~= 'userdata' or not iter.meter then
		error(format('%s:create: iterator expected, got %s', rule.name, type(iter)), 2)
	end
	local target = e.kind == 'ref' and resolve(e) or e
	local own = alone[target.kind] and not target.name and {init} or nil
	local ok, text, begun = pcall(text_of, e, init, own)
	if not ok then
		error(format('%s:create: %s', rule.name, tostring(text)), 2)
	end
	local sub = iter:insert(text)
	local reader = sub:pos('begin')
	local err
	result, err = rule:parse(reader, result)
	local left = #text - reader.meter - (begun and 1 or 0)
	if err or left ~= 0 then
		sub:erase()
		error(format('%s:create: %s', rule.name, tostring(err or left .. ' octets were written that are not read')), 2)
	end
	complete(e, result, init)
	return result
end
