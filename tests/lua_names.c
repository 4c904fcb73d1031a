/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For lua_doc_test.py: prints every name that a rule file finds in a RESTRICTED state, one a line:
 * globals and their members, modules, methods of objects. With arguments ("address.packed") it
 * prints those that are not there.
 */
#include "script/script_open.h"
#include "script/values/dhcp.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

/* The table of methods of an object, if its class has one; nil if a function looks them up. */
static int methods(lua_State *L)
{
	if (!luaL_getmetafield(L, 1, "__index") || !lua_istable(L, -1))
		lua_pushnil(L);
	return 1;
}

static struct arena arena;
static struct dhcp4_msg msg;
static struct script_dhcp dhcp = {.msg = &msg};

static int message(lua_State *L)
{
	script_dhcp_push(L, &dhcp);
	return 1;
}

static const char names[] =
	"local _, _ = haka.state_machine, haka.grammar local seen = {[_G] = true}\n"
	"local function walk(prefix, t) seen[t] = true for k, v in pairs(t) do if type(k) == "
	"'string' then\n"
	" print(prefix .. k) if type(v) == 'table' and not seen[v] then walk(prefix .. k .. '.', "
	"v) end end end end\n"
	"walk('', _G)\n"
	"local ipv4, re = require('protocol/ipv4'), require('regexp/pcre').re\n"
	"for _, m in ipairs{'check', 'class', 'color', 'cookies', 'list', 'protocol/ipv4', 'regexp/pcre', 'uri'} do\n"
	" walk(m .. '.', require(m)) end\n"
	"MACHINE = haka.state_machine.new('m', function () s = state() initial(s) end)\n"
	"local WORDS, OPTIONS = {}, nil\n"
	"GRAMMAR = haka.grammar.new('g', function () r = array(number(8)) export(r) OPTIONS = r\n"
	" for n, e in pairs{number = number, flag = flag, token = token, raw_token = raw_token, bytes = bytes,\n"
	"  text = text, field = field, record = record, sequence = sequence, array = array, branch = branch,\n"
	"  optional = optional, union = union, try = try, execute = execute, verify = verify, fail = fail,\n"
	"  empty = empty, align = align} do WORDS[n] = e end end)\n"
	"local C = require('class').class('c')\n"
	"OBJECTS = {address = ipv4.addr(1), network = ipv4.network('1.0.0.0/8'), time = "
	"haka.time(1), alert = haka.alert{},\n"
	" policy = haka.policy.new('p'), regexp = re:compile('a'), sink = "
	"re:compile('a'):create_sink(), set = re:set{'a'},\n"
	" element = WORDS, option = OPTIONS, machine = MACHINE, rule = GRAMMAR.r, array = GRAMMAR.r:parse(haka.vbuffer_from('a'):pos('begin')), instance = MACHINE:instanciate(1), uri = require('uri').split('http://h/'), ['set sink'] = re:set{'a'}:create_sink(), group = haka.rule_group{on = "
	"haka.events.started}, object = C:new(), msg = haka.message(), options = "
	"haka.message().options, shared = haka.shared('s')}\n"
	"OBJECTS.vbuffer = haka.vbuffer_from('x') OBJECTS.sub = OBJECTS.vbuffer:sub() OBJECTS.iterator = OBJECTS.vbuffer:pos(0)\n"
	"for kind, o in pairs(OBJECTS) do local m = haka.methods(o) if m then for k in pairs(m) do "
	"print(kind .. ':' .. k) end end end\n";

static const char probe[] = "local kind, name = NAME:match('^(.-)[.:]([%w_]+)$')\n"
			    "local ok, value = pcall(function() return OBJECTS[kind][name] end)\n"
			    "if not ok or value == nil then print(NAME) end\n";

static bool quiet;

static void print_line(void *ctx, struct span line)
{
	(void)ctx;
	if (!quiet)
		(void)printf("%.*s\n", (int)line.n, (const char *)line.p);
}

int main(int argc, char **argv)
{
	struct script_opts o = {.print = print_line};
	struct script_error err = {0};
	struct script *s;

	quiet = argc > 1;
	arena_init(&arena);
	dhcp4_init(&msg, &arena);
	if (dhcp4_opt_set_u8(&msg, 53, DHCP4_DISCOVER) < 0 || script_new(&o, &s) < 0 ||
	    script_dhcp_register(s) < 0 || script_haka_function(s, "methods", methods, NULL) < 0 ||
	    script_haka_function(s, "message", message, NULL) < 0 ||
	    script_run_text(s, "@names", span_str(names), &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	quiet = false;
	for (int i = 1; i < argc; i++) {
		lua_pushstring(script_lua(s), argv[i]);
		lua_setglobal(script_lua(s), "NAME");
		if (script_run_text(s, "@probe", span_str(probe), &err) < 0)
			(void)fprintf(stderr, "%s\n", err.text);
	}
	script_free(s);
	script_dhcp_fini(&dhcp);
	arena_fini(&arena);
	return 0;
}
