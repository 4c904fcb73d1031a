-- SPDX-License-Identifier: MPL-2.0
-- The stock actions of policies that have arguments.
local haka, pairs, type, error, unpack, select = haka, pairs, type, error, unpack, select
local alert = haka.alert

-- An alert with the fields that the place of the decision describes, and those given here.
function haka.policy.alert(fields)
	if fields ~= nil and type(fields) ~= 'table' then
		error('haka.policy.alert: table expected, got ' .. type(fields), 2)
	end
	return function(policy, _, _, desc)
		local merged = {}
		for k, v in pairs(desc or {}) do
			merged[k] = v
		end
		for k, v in pairs(fields or {}) do
			merged[k] = v
		end
		merged.description = merged.description or policy.name
		alert(merged)
	end
end

-- A line through one of haka.log's functions.
function haka.policy.log(logger, ...)
	if type(logger) ~= 'function' and type(logger) ~= 'table' then
		error('haka.policy.log: a function of haka.log expected, got ' .. type(logger), 2)
	end
	local args, n = {...}, select('#', ...)
	return function()
		logger(unpack(args, 1, n))
	end
end
