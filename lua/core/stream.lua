-- SPDX-License-Identifier: MPL-2.0
-- haka.vbuffer_sub_stream(): a stream of octets that lie elsewhere, as subs, and go back there. haka.vbuffer_stream_comanager: coroutines
-- that follow a stream, each under a name of the script's.
local haka, setmetatable, error, pairs, type = haka, setmetatable, error, pairs, type
local create, resume, status, remove = coroutine.create, coroutine.resume, coroutine.status, table.remove
local stream, blocking = haka.vbuffer_stream, haka.vbuffer_iterator_blocking

local sub_stream = {}

local function sub_stream_index(self, key)
	if key == 'data' or key == 'isfinished' then
		return self._stream[key]
	end
	return sub_stream[key]
end

-- The octets are taken out of where they are; an iterator at their beginning in the stream.
function sub_stream:push(sub)
	local place, octets = sub:select()
	local iter = self._stream:push(octets)
	self._places[#self._places + 1] = place
	return iter
end

-- The next ones go back to where they were, as they are now: a sub there. nil: there are none, or a mark holds them.
function sub_stream:pop()
	local octets = self._stream:pop()
	return octets and remove(self._places, 1):insert(octets)
end

function sub_stream:finish()
	self._stream:finish()
end

local sub_stream_meta = {__index = sub_stream_index, __metatable = 'vbuffer_sub_stream'}

function haka.vbuffer_sub_stream()
	return setmetatable({_stream = stream(), _places = {}}, sub_stream_meta)
end

local comanager = {}
local comanager_meta = {__index = comanager, __metatable = 'vbuffer_stream_comanager'}

function comanager:new()
	return setmetatable({_co = {}}, comanager_meta)
end

-- fn(iterator) runs from the next process() on.
function comanager:start(id, fn)
	if id == nil or type(fn) ~= 'function' then
		error('comanager:start: a name and a function expected', 2)
	end
	self._co[id] = create(fn)
end

function comanager:has(id)
	return self._co[id] ~= nil
end

local function go_on(self, id, iter)
	local co = self._co[id]
	if not co then
		return
	end
	-- the argument is used only the first time, when the coroutine starts
	local ok, why = resume(co, status(co) == 'suspended' and blocking(iter) or nil)
	if status(co) == 'dead' then
		self._co[id] = false
	end
	if not ok then
		error(why, 0)
	end
end

-- Resumes one: there is new data at the iterator, or the end.
function comanager:process(id, iter)
	if self._co[id] == nil then
		error('comanager:process: nothing was started under this name', 2)
	end
	go_on(self, id, iter)
end

function comanager:process_all(iter)
	for id in pairs(self._co) do
		go_on(self, id, iter)
	end
end

haka.vbuffer_stream_comanager = comanager
