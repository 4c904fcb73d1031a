-- SPDX-License-Identifier: MPL-2.0
-- Helpers that rules find as globals: additions to table and string, sorted_pairs, debug.pprint.
local pairs, ipairs, type, tostring, rawget, getmetatable = pairs, ipairs, type, tostring, rawget, getmetatable
local select, unpack, print, next = select, unpack, print, next
local format, gsub, byte, rep, match = string.format, string.gsub, string.byte, string.rep, string.match
local concat, sort = table.concat, table.sort

local function want(value, kind, what)
	if type(value) ~= kind then
		error(format('%s: %s expected, got %s', what, kind, value == nil and 'nothing' or type(value)), 3)
	end
end

function table.merge(dst, src)
	want(dst, 'table', 'table.merge: first argument')
	want(src, 'table', 'table.merge: second argument')
	for k, v in pairs(src) do
		dst[k] = v
	end
end

function table.append(dst, src)
	want(dst, 'table', 'table.append: first argument')
	want(src, 'table', 'table.append: second argument')
	local n = #dst
	for i, v in ipairs(src) do
		dst[n + i] = v
	end
end

function table.copy(src)
	want(src, 'table', 'table.copy')
	local dst = {}
	for k, v in pairs(src) do
		dst[k] = v
	end
	return dst
end

-- {v = true}
function table.dict(list)
	want(list, 'table', 'table.dict')
	local dst = {}
	for _, v in pairs(list) do
		dst[v] = true
	end
	return dst
end

-- {v = k}
function table.invert(t)
	want(t, 'table', 'table.invert')
	local dst = {}
	for k, v in pairs(t) do
		dst[v] = k
	end
	return dst
end

-- Is there something under this key?
function table.contains(t, key)
	want(t, 'table', 'table.contains')
	return t[key] ~= nil
end

local function by_text(a, b)
	return tostring(a) < tostring(b)
end

function sorted_pairs(t, less)
	local keys = {}
	for k in pairs(t) do
		keys[#keys + 1] = k
	end
	sort(keys, less or by_text)
	local i = 0
	return function()
		i = i + 1
		if keys[i] ~= nil then
			return keys[i], t[keys[i]]
		end
	end
end

local function escape(c)
	return format('\\x%02x', byte(c))
end

-- Returns text from the network in a printable form.
function safe_string(s)
	want(s, 'string', 'safe_string')
	return (gsub(s, '[^\32-\126]', escape))
end

-- The same, as Haka calls it: s is data, never a format. keep_newlines: ends of lines stay as they are.
function string.safe_format(s, keep_newlines)
	want(s, 'string', 'string.safe_format')
	return (gsub(s, keep_newlines and '[^\32-\126\r\n]' or '[^\32-\126]', escape))
end

-- debug.pprint

local function kind_of(value)
	local classof = rawget(value, '__class')
	return classof and 'class ' .. tostring(classof.name) or 'table'
end

local function hidden(hide, k, v)
	for _, f in ipairs(hide) do
		if f(k, v) then
			return true
		end
	end
	return false
end

-- The entries of a table, its own first, then those only pairs() knows (properties); each sorted by name.
local function entries(value)
	local own, more = {}, {}
	for k, v in pairs(value) do
		local list = type(value) == 'table' and rawget(value, k) == nil and more or own
		list[#list + 1] = {k, v}
	end
	local function less(a, b)
		return tostring(a[1]) < tostring(b[1])
	end
	sort(own, less)
	sort(more, less)
	for _, e in ipairs(more) do
		own[#own + 1] = e
	end
	return own
end

-- Haka has these in C, and prints them as userdata.
local in_c = {packet = true, ethernet = true, vlan = true, arp = true, ipv4 = true, tcp = true, vbuffer = true}

local function title_of(value)
	if type(value) == 'table' then
		return kind_of(value)
	end
	local name = tostring(getmetatable(value))
	return (in_c[name] and 'userdata ' or 'class ') .. name
end

local function iterable(value)
	return type(value) == 'table' or type(value) == 'userdata' and (pcall(pairs, value))
end

local function show(out, indent, head, value, opts, depth, seen)
	local kind = type(value)
	if kind == 'string' then
		out(indent .. head .. '"' .. safe_string(value) .. '"')
	elseif kind == 'userdata' and not iterable(value) then
		local name, text = getmetatable(value), tostring(value)
		name = type(name) == 'string' and name or ''
		text = text == '<' .. name .. '>' and '' or ' ' .. text
		out(indent .. head .. 'userdata ' .. name .. text)
	elseif kind == 'number' or kind == 'boolean' or kind == 'nil' then
		out(indent .. head .. tostring(value))
	elseif not iterable(value) then
		out(indent .. head .. kind)
	else
		local name = title_of(value)
		if seen[value] then
			out(indent .. head .. name .. ' { recursive }')
		elseif depth == 0 then
			out(indent .. head .. name)
		else
			seen[value] = true
			out(indent .. head .. name .. ' {')
			for _, e in ipairs(entries(value)) do
				if e[1] ~= '__class' and not hidden(opts.hide, e[1], e[2]) then
					show(out, indent .. opts.step, safe_string(tostring(e[1])) .. ' : ', e[2], opts, depth - 1, seen)
				end
			end
			out(indent .. '}')
			seen[value] = nil
		end
	end
end

debug = debug or {}

function debug.hide_underscore(key)
	return type(key) == 'string' and byte(key) == 95
end

function debug.hide_function(_, value)
	return type(value) == 'function'
end

-- pprint(value [, {indent = '', depth = n, hide = function or list, out = function(line)}])
function debug.pprint(value, opts)
	opts = opts or {}
	want(opts, 'table', 'debug.pprint: options')
	local hide = opts.hide or {debug.hide_underscore, debug.hide_function}
	if type(hide) == 'function' then
		hide = {hide}
	end
	show(opts.out or print, opts.indent or '', '', value, {hide = hide, step = '  '}, opts.depth or 32, {})
end
