-- SPDX-License-Identifier: MPL-2.0
-- capture: http
-- covers: http_split http_uri
-- URIs and cookies, of messages and of texts.
local http = require('protocol/http')
local u = http.uri.split("http://user:pass@Www.Example.com:8080/a/b?x=1&y#end")
for _, part in ipairs{"scheme", "authority", "userinfo", "user", "pass", "host", "port", "path", "query", "fragment"} do
	print(part, u[part])
end
print(u.args.x, u.args.y == "", tostring(u), u:normalize() == u, u)
print(http.uri.normalize("HTTP://example.com:80/a/./b/../%7ec"))
local cookies = http.cookies.split("one=1; two=2")
print(cookies.one, cookies.two, cookies.three)

haka.rule{
	on = http.events.request,
	eval = function (http, request)
		local uri = request.split_uri
		print(uri.path, uri.query, uri.args and uri.args.r, request.split_uri == uri)
		print(request.split_cookies and request.split_cookies.b)
	end
}

haka.rule{
	on = http.events.response,
	eval = function (http, response) print(response.split_cookies and response.split_cookies.c) end
}
