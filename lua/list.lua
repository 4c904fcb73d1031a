-- SPDX-License-Identifier: MPL-2.0
-- Lists of records with named columns. list.new(name) makes a class; give it `field` (the columns' names), and as it
-- needs `key`, `field_format` ({column = function}), `field_aggregate` ({column = function(values)}: the last line).
local class = require('class')
local check = require('check')
local color = require('color')
local ipairs, rawget, rawset, tostring, type, print = ipairs, rawget, rawset, tostring, type, print
local rep, format, concat, sort = string.rep, string.format, table.concat, table.sort

local module = {formatter = {}, aggregator = {}}
local List = class.class('list')

local function records(self)
	return rawget(self, '_data') or {}
end

local function like(self, data)
	local l = class.classof(self):new()
	rawset(l, '_data', data)
	return l
end

function List.method:__init()
	rawset(self, '_data', {})
end

-- `#` does not see it: LuaJIT without 5.2 compatibility asks no table for __len.
function List.method:len()
	return #records(self)
end

function List.method:add(more)
	local data = records(self)
	for _, r in ipairs(more) do
		data[#data + 1] = r
	end
end

function List.method:addall(lists)
	for _, l in ipairs(lists) do
		self:add(l)
	end
end

function List.method:filter(keep)
	check.type(1, keep, 'function')
	local kept = {}
	for _, r in ipairs(records(self)) do
		if keep(r) then
			kept[#kept + 1] = r
		end
	end
	rawset(self, '_data', kept)
	return self
end

function List.method:sort(order, invert)
	check.types(1, order, {'string', 'function'})
	local less = order
	if type(order) == 'string' then
		if not table.dict(class.classof(self).field)[order] then
			check.error(format("no column '%s'", order))
		end
		less = function(a, b)
			return a[order] < b[order]
		end
	end
	sort(records(self), invert and function(a, b)
		return less(b, a)
	end or less)
	return self
end

function List.method:get(name)
	local key = class.classof(self).key
	for _, r in ipairs(records(self)) do
		if r[key] == name then
			return like(self, {r})
		end
	end
end

-- Of one record its columns; else the n-th record as a list.
function List.method:__index(name)
	local data = records(self)
	if #data == 1 then
		return data[1][name]
	end
	return data[name] and like(self, {data[name]})
end

function List.method:_aggregate()
	local cls = class.classof(self)
	local by = cls.field_aggregate
	local data = records(self)
	if not by or #data < 2 then
		return nil
	end
	local last = {}
	for _, column in ipairs(cls.field) do
		local values = {}
		for i, r in ipairs(data) do
			values[i] = r[column]
		end
		last[column] = by[column] and by[column](values) or ''
	end
	return last
end

function List.method:print(out)
	local cls = class.classof(self)
	local rows, width = {}, {}
	local shown = table.copy(records(self))
	shown[#shown + 1] = self:_aggregate()
	for _, column in ipairs(cls.field) do
		local text = cls.field_format and cls.field_format[column] or tostring
		width[column] = #column
		for i, r in ipairs(shown) do
			rows[i] = rows[i] or {}
			rows[i][column] = tostring(text(r[column]))
			width[column] = math.max(width[column], #rows[i][column])
		end
	end
	local head = {}
	for i, column in ipairs(cls.field) do
		head[i] = color.blue .. color.bold .. column .. color.clear .. rep(' ', width[column] - #column) .. ' | '
	end
	out = out or print
	out(concat(head))
	for _, row in ipairs(rows) do
		local line = {}
		for i, column in ipairs(cls.field) do
			line[i] = row[column] .. rep(' ', width[column] - #row[column]) .. ' | '
		end
		out(concat(line))
	end
end

function module.new(name)
	return class.class(name, List)
end

-- 1500 -> 1.50k
function module.formatter.unit(n)
	local unit = ''
	for _, u in ipairs{'k', 'M', 'G', 'T'} do
		if not n or n < 1000 then
			break
		end
		n, unit = n / 1000, u
	end
	return unit == '' and tostring(n) or format('%.2f%s', n, unit)
end

function module.formatter.optional(default)
	return function(value)
		return value or default
	end
end

function module.aggregator.add(values)
	local sum = 0
	for _, v in ipairs(values) do
		sum = sum + v
	end
	return sum
end

function module.aggregator.replace(value)
	return function()
		return value
	end
end

return module
