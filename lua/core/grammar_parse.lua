-- SPDX-License-Identifier: MPL-2.0
-- Reading octets by a grammar. One function a kind of entity: it moves ctx.iter and returns whether it succeeded; the
-- error is in ctx.err. On an iterator that waits, so does the reader; a record holds its octets back meanwhile.
local with, narrow, part = ...
local type, pairs, ipairs, error, tostring = type, pairs, ipairs, error, tostring
local setmetatable, getmetatable, rawget, rawset = setmetatable, getmetatable, rawget, rawset
local format, floor, ceil, min = string.format, math.floor, math.ceil, math.min
local safe_string = safe_string
local class = require('class')
local value = part('core/grammar_value', narrow)
local fail, ask, set, set_field, part_of = value.fail, value.ask, value.set, value.set_field, value.part_of
local value_of, new_result, new_list = value.value_of, value.new_result, value.new_list

local MAX_DEPTH = 10		-- of rules inside of themselves
local COUNT_MAX = 0xffffffff
local FIRST_PIECE = 64		-- octets looked at for a token; more each time

local read = {}

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

-- Calls the function of chunked() with the next `size` octets. It may change them, also take them out and put others in: the
-- iterator ends behind the last octet that has arrived then.
local function give_chunk(e, ctx, result, size, last)
	local it = ctx.iter
	local begin, meter = it:copy(), it.meter
	local sub = it:sub(size)
	local left = it:available()
	local _, ok = ask(ctx, e, e.chunked_f, result, sub, last, ctx)
	if not ok then
		return false
	end
	it:move_to(begin)
	size = it:available() - left
	it:advance(size)
	it.meter = meter + size
	return true
end

-- Calls it without octets: the end.
local function give_end(e, ctx, result)
	local _, ok = ask(ctx, e, e.chunked_f, result, nil, true, ctx)
	return ok
end

-- Passes octets on as they come and keeps none. n nil: to the end; then the last call has no octets.
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
		if not give_chunk(e, ctx, result, size, n == 0) then
			return false
		end
	end
	return (n and (n > 0 or e.n ~= 0)) or give_end(e, ctx, result)
end

-- Passes octets on as they come, up to a match of the pattern, where the iterator stays. Octets that a match may begin with
-- wait for the octets behind them. The last call has no octets if the match begins where a piece did; neither has the
-- end of a stream without a match.
local function read_chunks_until(e, ctx, result)
	local it = ctx.iter
	local sink, fed, given = e.stop:create_sink(), 0, 0
	repeat
		local begin, meter = it:copy(), it.meter
		begin:mark()
		it:advance(fed - given)
		local more = it:check_available(1)
		local octets = more and it:sub(it:available()):asstring() or ''
		local found, where = sink:feed(octets, not more)
		fed = fed + #octets
		it:move_to(begin)
		it.meter = meter
		begin:unmark()
		local upto = found and where.first or more and sink:partial() or fed
		if upto > given and not give_chunk(e, ctx, result, upto - given, found) then
			return false
		elseif upto == given and found or not found and not more then
			return give_end(e, ctx, result)
		end
		given = upto
	until found
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
	if e.stop and e.chunked_f then
		return read_chunks_until(e, ctx, result)
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

-- Holds the octets of a record until it is complete, so that its listeners may change them.
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

-- Reads the first alternative that matches; if none does, the error is the one of the last.
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
		results = {result}}, value.context_meta)
end

-- One entity into a list: its only element is the result.
function value.hooks.parse(e, iter, holder, user)
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
		rawset(result, '__class', value.result_class)
		setmetatable(result, value.result_meta)
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

Export.raw_of, Export.resolve = value.raw_of, resolve
function Export.set_create(f)
	value.hooks.create = f
end

return Export
