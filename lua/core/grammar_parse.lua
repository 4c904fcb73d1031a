-- SPDX-License-Identifier: MPL-2.0
-- Reading octets by a grammar. One function a kind of entity: it moves ctx.iter and says whether it succeeded; what
-- went wrong is in ctx.err. Results are objects whose fields are properties over octets: to read one asks the buffer,
-- to write one changes it. On an iterator that waits, so does the reader; a record holds its octets back meanwhile.
local with, narrow = ...
local type, pairs, ipairs, error, tostring = type, pairs, ipairs, error, tostring
local setmetatable, getmetatable, rawget, rawset = setmetatable, getmetatable, rawget, rawset
local format, floor, ceil, min = string.format, math.floor, math.ceil, math.min
local safe_string = safe_string
local class = require('class')

local MAX_DEPTH = 10		-- of rules inside of themselves
local COUNT_MAX = 0xffffffff
local FIRST_PIECE = 64		-- octets looked at for a token; more each time

-- What went wrong

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

-- What functions of a grammar get

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

-- A function that the grammar was given. What it gives, and whether the parse goes on.
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

-- What stands in the octets for a value.
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

-- What was set is taken back if an alternative fails (try).
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
	table.remove(self.__subs, i)
	table.remove(self.__offs, i)
	table.remove(self, i)
end

-- Writes an element that is a number, a token or bytes: list[i] = v could not be told from the value that is there.
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

function List:append(init)
	local e = self.__entity
	local at = end_of(self)
	if e.creation_f then
		local buffer, elem = e.creation_f(e.of, init)
		self.__subs[#self + 1], self.__offs[#self + 1] = narrow(at:insert(buffer)), false
		rawset(self, #self + 1, elem)
		return
	end
	local sub = narrow(at:insert(self.__create(e.of, init)))
	local holder = {}
	local ok, err = self.__parse(e.of, sub:pos('begin'), holder, self.__user)
	if not ok then
		sub:erase()
		error('append: ' .. tostring(err), 2)
	end
	self.__subs[#self + 1], self.__offs[#self + 1] = sub, false
	rawset(self, #self + 1, holder[1])
end

-- Reading

local read, create_octets = {}, nil

local function step(e, ctx, result, name, list)
	local rule = ctx.rule
	if e.rule then
		ctx.rule = e.rule
	end
	if not read[e.kind](e, ctx, result, e.name or name, list) then
		return false
	end
	ctx.rule = rule
	return true
end

-- A value is read: check it, keep it, tell it.
local function store(e, ctx, result, name, list, sub, off)
	local v
	if e.fixed ~= nil or e.apply_f or list then
		v = value_of(e, sub, off)
	end
	if e.fixed ~= nil then
		local want, have, ok = e.fixed, v, true
		if type(want) == 'function' then
			want, ok = ask(ctx, e, want, result, ctx)
		end
		if type(have) == 'userdata' then
			have = have:asstring()
		end
		if not ok or have ~= want then
			return fail(ctx, e, name, "'%s' expected, got '%s'", safe_string(tostring(want)), safe_string(tostring(have)))
		end
	end
	narrow(sub)
	if list then
		set(ctx, list, #list + 1, v)
		ctx.leaf, ctx.leaf_bit = sub, off or false
	elseif name then
		set_field(ctx, result, name, e, sub, off)
	end
	if e.apply_f then
		local _, ok = ask(ctx, e, e.apply_f, v, result, ctx)
		return ok
	end
	return true
end

local function too_short(ctx, e, name, n)
	return fail(ctx, e, name, 'not enough data: %d octets expected', n)
end

function read.number(e, ctx, result, name, list)
	local it, bit, bits = ctx.iter, ctx.bit, e.bits
	local n = ceil((bit + bits) / 8)
	if not it:check_available(n) then
		return too_short(ctx, e, name, n)
	end
	if bit == 0 and bits % 8 == 0 then
		return store(e, ctx, result, name, list, it:sub(n), nil)
	end
	local sub, done = it:copy():sub(n), bit + bits
	it:advance(floor(done / 8))
	ctx.bit = done % 8
	return store(e, ctx, result, name, list, sub, bit)
end

-- Where a pattern matches, in octets from here; nil: nowhere. The reader stays where it is.
local function scan(ctx, regexp, anchored)
	local it = ctx.iter
	local begin, meter, size = it:copy(), it.meter, FIRST_PIECE
	local sink = regexp:create_sink()
	local found, where, more
	begin:mark()
	repeat
		more = it:check_available(1)
		if more then
			found, where = sink:feed(it:sub(min(it:available(), size)):asstring(), false)
			size = 2 * size
		else
			found, where = sink:feed('', true)
		end
	until found or not more or (anchored and not sink:ispartial())
	it:move_to(begin)
	it.meter = meter
	begin:unmark()
	if found then
		return where.first, where.last
	end
end

local function unaligned(ctx, e, name)
	return ctx.bit ~= 0 and not fail(ctx, e, name, 'it does not begin with an octet')
end

function read.token(e, ctx, result, name, list)
	if unaligned(ctx, e, name) then
		return false
	end
	local first, last = scan(ctx, e.regexp, true)
	if not first then
		return fail(ctx, e, name, "no match for '%s'", safe_string(e.pattern))
	end
	return store(e, ctx, result, name, list, ctx.iter:sub(last), nil)
end

-- How many octets or elements; nil: until something else ends it.
local function count_of(e, ctx, result, name)
	local n, ok = e.n, true
	if type(n) == 'function' then
		n, ok = ask(ctx, e, n, result, ctx)
		if not ok then
			return nil, false
		end
		if type(n) ~= 'number' or n < 0 or n > COUNT_MAX or floor(n) ~= n then
			return nil, fail(ctx, e, name, 'invalid count: %s', tostring(n))
		end
	end
	return n, true
end

-- Octets are told as they come, and kept by nobody. n nil: to the end; then the last call has no octets.
local function read_chunks(e, ctx, result, name, n)
	local it = ctx.iter
	while n ~= 0 do
		if not it:check_available(1) then
			if n then
				return too_short(ctx, e, name, n)
			end
			break
		end
		local size = it:available()
		size = n and min(n, size) or size
		n = n and n - size
		local _, ok = ask(ctx, e, e.chunked_f, result, it:sub(size), n == 0, ctx)
		if not ok then
			return false
		end
	end
	if not n or n == 0 and e.n == 0 then
		local _, ok = ask(ctx, e, e.chunked_f, result, nil, true, ctx)
		return ok
	end
	return true
end

function read.bytes(e, ctx, result, name, list)
	if unaligned(ctx, e, name) then
		return false
	end
	local n, ok = count_of(e, ctx, result, name)
	if not ok then
		return false
	end
	if e.stop then
		n = scan(ctx, e.stop, false)
		if not n then
			return fail(ctx, e, name, 'its end was not found')
		end
	end
	if e.chunked_f then
		return read_chunks(e, ctx, result, name, n)
	end
	if n and not ctx.iter:check_available(n) then
		return too_short(ctx, e, name, n)
	end
	local sub = ctx.iter:sub(n or 'all')
	if not sub then	-- an iterator that waits has nothing at the end of all
		sub = ctx.iter:copy():sub(0)
	end
	return store(e, ctx, result, name, list, sub, nil)
end

-- Composed entities: where their fields go, and whether that is a result of their own.
local function open(e, ctx, result, name, list)
	if not name and not list then
		return result, false
	end
	local r = new_result(e)
	if list then
		set(ctx, list, #list + 1, r)
	else
		local p = rawget(result, '__property')
		if p then
			set(ctx, p, name, nil)
		end
		set(ctx, result, name, r)
	end
	ctx.results[#ctx.results + 1] = r
	return r, true
end

local function close(e, ctx, result, r, own)
	if own then
		ctx.results[#ctx.results] = nil
	end
	if e.apply_f then
		local _, ok = ask(ctx, e, e.apply_f, r, result, ctx)
		return ok
	end
	return true
end

local function read_all(list, ctx, result)
	for i = 1, #list do
		if not step(list[i], ctx, result) then
			return false
		end
	end
	return true
end

local function add_extras(e, ctx, r)
	for key, f in pairs(e.extras) do
		if type(key) == 'string' then
			set(ctx, part_of(r, '__property'), key, {get = f})
		end
	end
	for _, f in ipairs(e.extras) do
		local _, ok = ask(ctx, e, f, r, ctx)
		if not ok then
			return false
		end
	end
	return true
end

function read.sequence(e, ctx, result, name, list)
	local r, own = open(e, ctx, result, name, list)
	return read_all(e.list, ctx, r) and (not e.extras or add_extras(e, ctx, r)) and close(e, ctx, result, r, own)
end

-- The octets of a record stay until it is complete, so that who is told of it may change them.
function read.record(e, ctx, result, name, list)
	local mark
	if not ctx.retain_mark then
		mark = ctx.iter:copy()
		mark:mark()
		ctx.retain_mark = mark
	end
	local ok = read.sequence(e, ctx, result, name, list)
	if mark then
		mark:unmark()
		ctx.retain_mark = nil
	end
	return ok
end

local function place(ctx)
	return {iter = ctx.iter:copy(), meter = ctx.iter.meter, bit = ctx.bit}
end

local function go_to(ctx, p)
	ctx.iter:move_to(p.iter)
	ctx.iter.meter, ctx.bit = p.meter, p.bit
end

local function behind(a, b)
	return a.meter > b.meter or a.meter == b.meter and a.bit > b.bit
end

-- Each from the same place; it ends where the longest does.
function read.union(e, ctx, result, name, list)
	local r, own = open(e, ctx, result, name, list)
	local begin = place(ctx)
	local far, ok = begin, true
	begin.iter:mark()
	for i = 1, #e.list do
		go_to(ctx, begin)
		ok = step(e.list[i], ctx, r)
		if not ok then
			break
		end
		local at = place(ctx)
		far = behind(at, far) and at or far
	end
	begin.iter:unmark()
	if not ok then
		return false
	end
	go_to(ctx, far)
	return close(e, ctx, result, r, own)
end

local function take_back(undo, from)
	for i = #undo, from + 1, -1 do
		rawset(undo[i][1], undo[i][2], undo[i][3])
		undo[i] = nil
	end
end

-- The first alternative that can be read; if none can, what is wrong with the last.
function read.try(e, ctx, result, name, list)
	local begin, outer = place(ctx), ctx.undo
	local undo = outer or {}
	local from, depth, n, rule = #undo, ctx.depth, #ctx.results, ctx.rule
	local ok = false
	ctx.undo = undo
	begin.iter:mark()
	for i = 1, #e.list do
		ok = step(e.list[i], ctx, result, name, list)
		if ok or i == #e.list then
			break
		end
		take_back(undo, from)
		go_to(ctx, begin)
		ctx.err, ctx.depth, ctx.rule = nil, depth, rule
		for j = #ctx.results, n + 1, -1 do
			ctx.results[j] = nil
		end
	end
	begin.iter:unmark()
	ctx.undo = outer
	return ok or ctx.err == nil and fail(ctx, e, name, 'no alternative')
end

function read.branch(e, ctx, result, name, list)
	local case, ok = ask(ctx, e, e.selector, result, ctx)
	if not ok then
		return false
	end
	local of = case ~= nil and e.cases[case] or e.cases.default
	if not of then
		return fail(ctx, e, name, "no case for '%s'", safe_string(tostring(case)))
	end
	return step(of, ctx, result, name, list)
end

function read.optional(e, ctx, result, name, list)
	local there, ok = ask(ctx, e, e.present, result, ctx)
	if not there or not ok then
		return ok
	end
	return step(e.of, ctx, result, name, list)
end

local function resolve(e)
	if not e.resolved then
		local to = e.rules[e.target]
		for k, v in pairs(e.changes or {}) do
			to = with(to, k, v)
		end
		e.resolved = to
	end
	return e.resolved
end

function read.ref(e, ctx, result, name, list)
	if ctx.depth >= MAX_DEPTH then
		return fail(ctx, e, name, 'more than %d rules inside of each other', MAX_DEPTH)
	end
	ctx.depth = ctx.depth + 1
	local ok = step(resolve(e), ctx, result, name, list)
	ctx.depth = ctx.depth - 1
	return ok
end

function read.execute(e, ctx, result)
	local _, ok = ask(ctx, e, e.f, result, ctx)
	return ok
end

function read.verify(e, ctx, result, name)
	local right, ok = ask(ctx, e, e.f, result, ctx)
	return ok and (right and true or fail(ctx, e, name, '%s', e.message))
end

function read.empty()
	return true
end

function read.fail(e, ctx, _, name)
	return fail(ctx, e, name, '%s', e.message)
end

-- The padding up to a multiple of so many octets from where the parse began.
function read.align(e, ctx, _, name)
	if ctx.bit ~= 0 then
		ctx.iter:advance(1)
		ctx.bit = 0
	end
	local n = -(ctx.iter.meter - ctx.start) % e.octets
	if n > 0 and not ctx.iter:check_available(n) then
		return too_short(ctx, e, name, n)
	end
	ctx.iter:advance(n)
	return true
end

-- Arrays

local function is_over(e, ctx, list, n, elem)
	if n and #list >= n then
		return true
	end
	if e.untilcond_f then
		return (ask(ctx, e, e.untilcond_f, elem, ctx))
	end
	if e.whilecond_f then
		return not ask(ctx, e, e.whilecond_f, elem, ctx)
	end
	if e.stop then
		return scan(ctx, e.stop, true) ~= nil
	end
	return not n and ctx.bit == 0 and not ctx.iter:check_available(1)
end

local parse_one

local function new_list(e, ctx)
	local list = {__subs = {}, __offs = {}, __bits = {}, __entity = e, __begin = ctx.iter:copy(), __user = ctx.user,
		__create = create_octets, __parse = parse_one}
	return setmetatable(list, list_meta)
end

-- The octets of the element that was just read, for list:remove() and list:set().
local function note_octets(ctx, list, begin)
	local i, it = #list, ctx.iter
	local whole = begin.bit == 0 and ctx.bit == 0
	set(ctx, list.__subs, i, whole and narrow(begin.iter:sub(it.meter - begin.meter)) or false)
	set(ctx, list.__offs, i, ctx.leaf and ctx.leaf_bit or false)
	if not whole then
		set(ctx, list.__bits, i, ctx.leaf)
	end
end

local function read_elements(e, ctx, result, name, list)
	local n, ok = count_of(e, ctx, result, name)
	local elem
	while ok and not is_over(e, ctx, list, n, elem) do
		local begin = place(ctx)
		ctx.leaf = nil
		if ctx.err or not step(e.of, ctx, result, nil, list) then
			return false
		end
		elem = list[#list]
		if #list > 0 then
			note_octets(ctx, list, begin)
		end
		if ctx.iter.meter == begin.meter and ctx.bit == begin.bit and not n then
			return fail(ctx, e, name, 'an element without octets is repeated')
		end
	end
	return ok and not ctx.err
end

function read.array(e, ctx, result, name, holder)
	local list = new_list(e, ctx)
	if holder then
		set(ctx, holder, #holder + 1, list)
	elseif name then
		local p = rawget(result, '__property')
		if p then
			set(ctx, p, name, nil)
		end
		set(ctx, result, name, list)
	end
	ctx.results[#ctx.results + 1] = list
	if not read_elements(e, ctx, result, name, list) then
		return false
	end
	return close(e, ctx, result, list, true)
end

-- Doors

local function new_context(e, rule, iter, result, user)
	return setmetatable({iter = iter, user = user, start = iter.meter, bit = 0, rule = rule, depth = 0, top = e,
		results = {result}}, context_meta)
end

-- One entity into a list: its only element is the result.
function parse_one(e, iter, holder, user)
	local ctx = new_context(e, e.rule or '<' .. e.kind .. '>', iter, nil, user)
	return step(e, ctx, new_result(e), nil, holder), ctx.err
end

-- A table becomes a result; objects of a class are.
local function to_result(e, result)
	if result == nil then
		return new_result(e)
	end
	if type(result) ~= 'table' then
		error('parse: result: table expected, got ' .. type(result), 3)
	end
	if not class.classof(result) then
		if getmetatable(result) ~= nil then
			error('parse: result: a table without metatable, or an object of a class expected', 3)
		end
		rawset(result, '__class', result_class)
		setmetatable(result, result_meta)
	end
	return result
end

local Export = class.class('grammar rule')

function Export.new(grammar, e)
	local x = class.super(Export).new(Export)
	rawset(x, 'entity', e)
	rawset(x, 'name', e.rule)
	rawset(x, 'grammar', grammar)
	return x
end

function Export.method:__tostring()
	return format("rule '%s' of grammar '%s'", self.name, self.grammar)
end

local alone = {number = true, token = true, bytes = true, array = true}

function Export.method:parse(iter, result, user)
	local e = self.entity
	if type(iter) ~= 'userdata' or not iter.meter then
		error(format('%s:parse: iterator expected, got %s', self.name, type(iter)), 2)
	end
	local target = e.kind == 'ref' and resolve(e) or e
	local holder = alone[target.kind] and not target.name and not e.name and {} or nil
	result = to_result(e, result)
	local ctx = new_context(e, self.name, iter, result, user)
	step(e, ctx, result, nil, holder)
	if holder then
		result = holder[1]
	end
	return result, ctx.err
end

Export.raw_of, Export.resolve = raw_of, resolve
function Export.set_create(f)
	create_octets = f
end

return Export
