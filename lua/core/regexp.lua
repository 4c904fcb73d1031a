-- SPDX-License-Identifier: MPL-2.0
-- Matching on iterators that wait: piece by piece, until there is a match or nothing more comes. Gives regexp:match and re:match.
local match, re_compile, re_match, create_sink, step, waits = ...
local yield, yieldable, error, type = coroutine.yield, coroutine.isyieldable, error, type

local function wait_for(re, iter, createsub)
	local sink = create_sink(re)
	while true do
		local done, found = step(sink, iter, createsub)
		if done then
			return found
		end
		if not yieldable() then
			error('regexp:match: only a coroutine, as of a streamed rule, can wait for data', 3)
		end
		yield()
	end
end

local function regexp_match(re, subject, createsub, readonly)
	if type(subject) == 'userdata' and waits(re, subject) then
		return wait_for(re, subject, createsub)
	end
	return match(re, subject, createsub, readonly)
end

local function module_match(self, pattern, subject, options, createsub)
	if type(subject) == 'userdata' and waits(nil, subject) then
		return wait_for(re_compile(self, pattern, options), subject, createsub)
	end
	return re_match(self, pattern, subject, options, createsub)
end

return regexp_match, module_match
