-- SPDX-License-Identifier: MPL-2.0
-- URIs (RFC 3986): split into parts, put together again, made comparable.
local type, error, setmetatable, tonumber = type, error, setmetatable, tonumber
local find, sub, match, gmatch, gsub = string.find, string.sub, string.match, string.gmatch, string.gsub
local lower, upper, char, concat = string.lower, string.upper, string.char, table.concat

local M, method = {}, {}
local meta = {__index = method}
local default_ports = {http = '80', https = '443', ftp = '21', ws = '80', wss = '443'}

local function want(value, what)
	if type(value) ~= 'string' then
		error(what .. ': string expected, got ' .. (value == nil and 'nothing' or type(value)), 3)
	end
end

-- Returns the text behind the first c, and the text before it.
local function cut(s, c)
	local at = find(s, c, 1, true)
	if not at then
		return nil, s
	end
	return sub(s, at + 1), sub(s, 1, at - 1)
end

local function split_authority(u, authority)
	local host = authority
	u.authority = authority
	local userinfo, behind = match(authority, '^(.*)@(.*)$')
	if userinfo then
		u.userinfo, host = userinfo, behind
		u.pass, u.user = cut(userinfo, ':')
	end
	local name, port = match(host, '^(%[.*%]):?(%d*)$')
	if not name then
		name, port = match(host, '^([^:]*):?(%d*)$')
	end
	u.host = name or host
	if port and port ~= '' then
		u.port = port
	end
end

local function split_args(query)
	local args = {}
	for arg in gmatch(query, '[^&]+') do
		local value, name = cut(arg, '=')
		args[name] = value or ''
	end
	return args
end

-- scheme, authority, userinfo, user, pass, host, port, path, query, args, fragment; missing parts are nil.
function M.split(s)
	want(s, 'uri.split')
	local u, rest = {}, s
	u.fragment, rest = cut(rest, '#')
	u.query, rest = cut(rest, '?')
	if u.query then
		u.args = split_args(u.query)
	end
	-- the target of CONNECT is an authority alone
	if not u.query and match(rest, '^[^/@]+:%d+$') then
		split_authority(u, rest)
		return setmetatable(u, meta)
	end
	local scheme, behind = match(rest, '^(%a[%w+.-]*):(.*)$')
	if scheme then
		u.scheme, rest = scheme, behind
	end
	local authority, path = match(rest, '^//([^/]*)(.*)$')
	if authority then
		split_authority(u, authority)
		rest = path
	end
	if rest ~= '' then
		u.path = rest
	end
	return setmetatable(u, meta)
end

-- The authority of the parts, if there is a host: they may have been written.
local function authority_of(u)
	if not u.host then
		return u.authority
	end
	local userinfo = u.user and (u.pass and u.user .. ':' .. u.pass or u.user) or u.userinfo
	return (userinfo and userinfo .. '@' or '') .. u.host .. (u.port and ':' .. u.port or '')
end

function meta.__tostring(u)
	local t, authority = {}, authority_of(u)
	if u.scheme then
		t[#t + 1] = u.scheme .. ':'
	end
	if authority then
		t[#t + 1] = ((u.scheme or u.path) and '//' or '') .. authority
	end
	t[#t + 1] = u.path
	if u.query then
		t[#t + 1] = '?' .. u.query
	end
	if u.fragment then
		t[#t + 1] = '#' .. u.fragment
	end
	return concat(t)
end

-- Escapes of characters that need none become the character, the others are written in capitals (6.2.2.1, 6.2.2.2).
local function escapes(s)
	return s and (gsub(s, '%%(%x%x)', function(hex)
		local c = char(tonumber(hex, 16))
		return find(c, '^[%w._~-]$') and c or '%' .. upper(hex)
	end))
end

-- 5.2.4: "." and ".." are gone.
local function without_dots(path)
	local out, last = {}, nil
	local absolute = sub(path, 1, 1) == '/'
	for segment in gmatch(path, '[^/]+') do
		last = segment
		if segment == '..' then
			if #out > 0 then
				out[#out] = nil
			end
		elseif segment ~= '.' then
			out[#out + 1] = segment
		end
	end
	local folder = sub(path, -1) == '/' or last == '.' or last == '..'
	return (absolute and '/' or '') .. concat(out, '/') .. (folder and #out > 0 and '/' or '')
end

-- As RFC 3986 6.2 has it; the object itself.
function method:normalize()
	self.scheme = self.scheme and lower(self.scheme)
	self.host = self.host and lower(escapes(self.host))
	self.user, self.pass, self.userinfo = escapes(self.user), escapes(self.pass), escapes(self.userinfo)
	if self.port and (self.port == default_ports[self.scheme] or self.port == '') then
		self.port = nil
	end
	if self.path then
		self.path = without_dots(escapes(self.path))
	elseif self.host and self.scheme then
		self.path = '/'
	end
	self.query, self.fragment = escapes(self.query), escapes(self.fragment)
	self.args = self.query and split_args(self.query)
	self.authority = authority_of(self)
	return self
end

-- The text of a URI, so that equal ones are the same.
function M.normalize(s)
	want(s, 'uri.normalize')
	return meta.__tostring(M.split(s):normalize())
end

return M
