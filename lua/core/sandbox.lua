-- SPDX-License-Identifier: MPL-2.0
-- The functions that catch errors, so that no script holds up one that is not its own: rethrow(err, f) raises again the
-- error of an exceeded limit or of haka.abort(), and returns others with names added; f: the function called. begins and
-- ended inform the C side which coroutine runs. xpcall's handler runs behind the call, not inside it: in a handler that
-- LuaJIT calls for an error of the count hook, that hook sleeps, and a loop would never end.
local rethrow, begins, ended = ...
local pcall_, resume_, create = pcall, coroutine.resume, coroutine.create
local error, select = error, select

local function finish(f, ok, ...)
	if not ok then
		return false, (rethrow((...), f))
	end
	return ok, ...
end

function pcall(f, ...)
	return finish(f, pcall_(f, ...))
end

local function failed(...)
	return false, select(2, finish(nil, ...))
end

local function handle(f, handler, ok, ...)
	if ok then
		return ok, ...
	end
	return failed(pcall_(handler, (rethrow((...), f))))
end

function xpcall(f, handler, ...)
	return handle(f, handler, pcall_(f, ...))
end

local function resumed(...)
	ended()
	return finish(nil, ...)
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
