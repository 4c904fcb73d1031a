-- SPDX-License-Identifier: MPL-2.0
-- Checks of arguments, whose errors point at the caller's caller.
local error, type, ipairs = error, type, ipairs
local format, concat = string.format, table.concat

local check = {}

local function wrong(message, level)
	error(message, 4 + (level or 0))
end

function check.error(message, level)
	wrong(message, level)
end

function check.assert(holds, message, level)
	if not holds then
		wrong(message == nil and 'assertion failed' or message, level)
	end
end

function check.type(n, value, wanted, level)
	if type(value) ~= wanted then
		wrong(format('invalid parameter %d, expected %s', n, wanted), level)
	end
end

function check.types(n, value, wanted, level)
	for _, t in ipairs(wanted) do
		if type(value) == t then
			return
		end
	end
	wrong(format('invalid parameter %d, expected %s', n, concat(wanted, ' or ')), level)
end

return check
