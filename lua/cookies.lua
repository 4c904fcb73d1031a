-- SPDX-License-Identifier: MPL-2.0
-- Cookies as HTTP sends them (RFC 6265 4.2): "a=1; b=2".
local type, error, gmatch, match = type, error, string.gmatch, string.match

local M = {}

-- {name = value}; of nil, a message without cookies, an empty table
function M.split(s)
	if s == nil then
		return {}
	elseif type(s) ~= 'string' then
		error('cookies.split: string expected, got ' .. type(s), 2)
	end
	local cookies = {}
	for pair in gmatch(s, '[^;]+') do
		local name, value = match(pair, '^%s*([^=%s]+)%s*=%s*(.-)%s*$')
		if name then
			cookies[name] = match(value, '^"(.*)"$') or value
		end
	end
	return cookies
end

return M
