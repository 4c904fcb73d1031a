-- SPDX-License-Identifier: MPL-2.0
-- The functions that catch errors, so that no script holds up one that is not its own: rethrow(err) raises again
-- what exceeded a limit or is haka.abort(). begins and ended tell the C side which coroutine runs.
-- xpcall's handler runs behind the call, not inside it: in a handler that LuaJIT calls for an error of the count
-- hook, that hook sleeps, and a loop would never end.
local rethrow, begins, ended = ...
local pcall_, resume_, create = pcall, coroutine.resume, coroutine.create
local error, select = error, select

local function finish(ok, ...)
	if not ok then
		rethrow((...))
	end
	return ok, ...
end

function pcall(f, ...)
	return finish(pcall_(f, ...))
end

local function failed(...)
	return false, select(2, finish(...))
end

local function handle(handler, ok, ...)
	if ok then
		return ok, ...
	end
	rethrow((...))
	return failed(pcall_(handler, ...))
end

function xpcall(f, handler, ...)
	return handle(handler, pcall_(f, ...))
end

local function resumed(...)
	ended()
	return finish(...)
end

function coroutine.resume(co, ...)
	begins(co)
	return resumed(resume_(co, ...))
end

local function unwrap(ok, ...)
	ended()
	if not ok then
		error((...), 0)
	end
	return ...
end

function coroutine.wrap(f)
	local co = create(f)
	return function(...)
		begins(co)
		return unwrap(resume_(co, ...))
	end
end
