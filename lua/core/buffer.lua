-- SPDX-License-Identifier: MPL-2.0
-- Iterators that wait: each method yields until raw.ready() says that its data is there. The coroutine is resumed
-- without arguments: new data is seen in the buffer.
local method, raw = ...
local yield, running, type = coroutine.yield, coroutine.running, type
local ready, advance, sub, check_available, available = raw.ready, raw.advance, raw.sub, raw.check_available, raw.available
local error, yieldable = error, coroutine.isyieldable

local function wait_for(iter, what, unheld)
	while not ready(iter, what, unheld) do
		if not yieldable() then
			error('iterator: only a coroutine, as of a streamed rule, can wait for data', 3)
		end
		yield()
	end
end

local function each(iter)
	return iter:sub('available')
end

local function foreach_available(iter)
	return each, iter
end

method(false, 'foreach_available', foreach_available)
method(true, 'foreach_available', foreach_available)

method(true, 'sub', function(iter, n, split)
	wait_for(iter, n)
	if n ~= 0 and available(iter) == 0 then
		return nil
	end
	return sub(iter, n, split)
end)

method(true, 'advance', function(iter, n)
	if n == 'available' then
		return advance(iter, n)
	end
	local done, all = 0, n == nil or n == 'all'
	repeat
		local got = advance(iter, all and n or type(n) == 'number' and n - done or n)
		done = done + got
		if not all and done >= n then
			break
		end
		wait_for(iter, 'available')
	until available(iter) == 0
	return done
end)

method(true, 'check_available', function(iter, n, nonblocking)
	if not nonblocking then
		wait_for(iter, n)
	end
	return check_available(iter, n)
end)

method(true, 'wait', function(iter)
	wait_for(iter, 'available')
	return available(iter) > 0
end)
