/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The environment of every rule file: log, alerts and their texts, times, the helpers written in
 * Lua.
 */
#include "script/rules/alert.h"
#include "script/script_open.h"
#include "script/state/class.h"

#include "base/log.h"
#include "config/json/json.h"

#include <errno.h>
#include <lauxlib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
	struct script *s;
	struct log *log;
	struct virtual_clock clock;
	char log_path[64];
	char said[8192];
	struct buf alerts[3];
	unsigned exits;
	char level[64];
};

static struct world world;

static void print_line(void *ctx, struct span line)
{
	struct world *w = ctx;

	(void)snprintf(w->said + strlen(w->said), sizeof(w->said) - strlen(w->said), "%.*s\n",
		       (int)line.n, (const char *)line.p);
}

static void on_exit_call(void *ctx)
{
	((struct world *)ctx)->exits++;
}

static void on_level(void *ctx, const char *level, const char *section)
{
	struct world *w = ctx;

	(void)snprintf(w->level, sizeof(w->level), "%s/%s", level, section ? section : "-");
}

static void take_alert(void *ctx, const struct script_alert *a)
{
	struct world *w = ctx;

	alert_text(a, ALERT_PRETTY, &w->alerts[ALERT_PRETTY]);
	alert_text(a, ALERT_ONELINE, &w->alerts[ALERT_ONELINE]);
	alert_text(a, ALERT_JSON, &w->alerts[ALERT_JSON]);
}

static int setup(void **state)
{
	struct world *w = &world;
	struct log_output out;
	struct log_rule rule;
	struct script_opts o;
	int fd;

	assert_int_equal(setenv("TZ", "UTC", 1), 0);
	memset(w, 0, sizeof(*w));
	virtual_clock_init(&w->clock, 1700000000LL * NS_PER_S + 123456789);
	w->log = log_new(&w->clock.src, "kea-dhcp4");
	(void)strcpy(w->log_path, "/tmp/usher-script-log-XXXXXX");
	fd = mkstemp(w->log_path);
	assert_true(fd >= 0);
	(void)close(fd);
	out = (struct log_output){.kind = LOG_SINK_FILE, .path = w->log_path};
	rule = (struct log_rule){"kea-dhcp4", LOG_SEV_DEBUG, &out, 1, 99};
	assert_int_equal(log_configure(w->log, &rule, 1, false), 0);
	o = (struct script_opts){.log = w->log,
				 .clock = &w->clock.src,
				 .thread = 3,
				 .print = print_line,
				 .exit = on_exit_call,
				 .log_level = on_level,
				 .ctx = w};
	assert_int_equal(script_new(&o, &w->s), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	script_free(w->s);
	log_free(w->log);
	(void)unlink(w->log_path);
	for (size_t i = 0; i < 3; i++)
		buf_fini(&w->alerts[i]);
	return 0;
}

static void ok(struct world *w, const char *text)
{
	struct script_error err = {0};

	w->said[0] = '\0';
	for (size_t i = 0; i < 3; i++)
		buf_reset(&w->alerts[i]);
	if (script_run_text(w->s, "@t.lua", span_str(text), &err) != 0) {
		print_error("%s\n%s\n", text, err.text);
		fail();
	}
}

static void fails(struct world *w, const char *text, const char *with)
{
	struct script_error err = {0};

	if (script_run_text(w->s, "@t.lua", span_str(text), &err) >= 0 ||
	    strcmp(err.text, with) != 0) {
		print_error("%s\ngives: %s\nnot:   %s\n", text, err.text, with);
		fail();
	}
}

static bool logged(struct world *w, const char *line)
{
	static char text[65536];
	FILE *f = fopen(w->log_path, "rbe");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	(void)fclose(f);
	return strstr(text, line) != NULL;
}

static void test_log(void **state)
{
	struct world *w = *state;

	ok(w, "haka.log('%d packets', 5) haka.log.warning('careful %s', 'now') "
	      "haka.log.debug('deep')");
	assert_true(logged(w, "INFO  [kea-dhcp4.scripts/") &&
		    logged(w, "USHER_SCRIPT_INFO external: 5 packets"));
	assert_true(logged(w, "USHER_SCRIPT_WARN external: careful now") &&
		    logged(w, "USHER_SCRIPT_DEBUG external: deep"));
	ok(w, "log = haka.log_section('mine') log('hello') log.error('bad') log.fatal('worse')");
	assert_true(logged(w, "USHER_SCRIPT_INFO mine: hello") &&
		    logged(w, "USHER_SCRIPT_ERROR mine: bad"));
	assert_true(logged(w, "USHER_SCRIPT_FATAL mine: worse"));
	/* messages below the level are not even formatted */
	ok(w, "haka.setloglevel('error', 'mine') log.warning('%d', 'no number') "
	      "haka.log.warning('still there')");
	assert_string_equal(w->level, "error/mine");
	assert_true(logged(w, "still there") && !logged(w, "no number"));
	ok(w, "haka.setloglevel('warn') haka.log('gone')");
	assert_string_equal(w->level, "warning/-");
	assert_false(logged(w, "gone"));
	fails(w, "haka.log.error('%d', 'x')",
	      "t.lua:1: bad argument #2 to 'format' (number expected, got string)");
	fails(w, "table.insert({}, {}, 2)",
	      "t.lua:1: bad argument #2 to 'insert' (number expected, got table)");
	/* functions that pcall and xpcall call, which LuaJIT has no names for */
	ok(w,
	   "for name, f in pairs{floor = math.floor, byte = string.byte, setmetatable = setmetatable,\n"
	   " require = require, rep = string.rep, tobit = bit.tobit, remove = table.remove, ipairs = ipairs} do\n"
	   " local good, text = pcall(f)\n"
	   " assert(not good and text:find(\"bad argument #1 to '\" .. name .. \"'\", 1, true), text)\n"
	   " good, text = xpcall(f, function(m) return 'X' .. m end)\n"
	   " assert(not good and text:find(\"^Xbad argument #1 to '\" .. name .. \"'\"), text)\n"
	   "end");
	fails(w, "haka.log.error()", "t.lua:1: haka.log: format string expected, got nothing");
	fails(w, "haka.setloglevel('loud')",
	      "t.lua:1: haka.setloglevel: 'loud' is no level (debug, info, warning, error, fatal)");
}

static void test_small_things(void **state)
{
	struct world *w = *state;

	ok(w, "assert(haka.current_thread() == 3) haka.exit()");
	assert_int_equal(w->exits, 1);
	ok(w, "local t = haka.network_time() assert(t.secs == 1700000000 and t.nsecs == 123456789)"
	      "assert(tostring(t) == 'Tue Nov 14 22:13:20 2023', tostring(t)) assert(t - 20 < t "
	      "and t - (t - 20) == 20)"
	      "assert(haka.time(1.5).nsecs == 5e8 and haka.time(1.5) == haka.time(1) + 0.5 and "
	      "haka.time(-0.5).secs == -1)"
	      "assert(haka.time(2) <= haka.time(2) and haka.time(1.5).seconds == 1.5)");
	fails(w, "haka.time('x')",
	      "t.lua:1: haka.time: time or number of seconds expected, got string");
	fails(w, "haka.time(1/0)", "t.lua:1: haka.time: inf seconds is out of range");
	ok(w, "assert(require('color').red == '' and require('color').clear == '')");
}

#define FULL                                                                                    \
	"a = haka.alert{start_time = haka.time(1390236283), severity = 'medium', confidence = " \
	"'high',"                                                                               \
	" completion = 'failed', description = 'packet received',"                              \
	" method = {description = 'Packet sent', ref = {'cve:2O13-XXX', 'cwe:809'}},"           \
	" sources = haka.alert.address(require('protocol/ipv4').addr('192.168.20.99'), "        \
	"'evil.host'),"                                                                         \
	" targets = {haka.alert.address('192.168.20.1'), haka.alert.service('tcp/22', 'ssh')}}"

static void test_alerts(void **state)
{
	struct world *w = *state;
	struct script_alert_sink sink = {take_alert, w};
	struct arena arena;
	struct json *v;
	struct config_error err;

	assert_int_equal(script_alert_sink(w->s, &sink), 0);
	ok(w, FULL);
	assert_string_equal(w->alerts[ALERT_PRETTY].p,
			    "alert: id = 3298534883329\n\tstart time = Mon Jan 20 16:44:43 "
			    "2014\n\tseverity = medium\n"
			    "\tconfidence = high\n\tcompletion = failed\n\tdescription = packet "
			    "received\n\tmethod = {\n"
			    "\t\tdescription = Packet sent\n\t\tref = { cve:2O13-XXX, cwe:809 "
			    "}\n\t}\n\tsources = {\n"
			    "\t\taddress: 192.168.20.99, evil.host\n\t}\n\ttargets = "
			    "{\n\t\taddress: 192.168.20.1\n"
			    "\t\tservice: tcp/22, ssh\n\t}\n");
	assert_string_equal(
		w->alerts[ALERT_ONELINE].p,
		"alert: id = 3298534883329, start time = Mon Jan 20 16:44:43 2014, severity = "
		"medium, "
		"confidence = high, completion = failed, description = packet received, method = { "
		"description = Packet sent, ref = { cve:2O13-XXX, cwe:809 } }, sources = { "
		"address: "
		"192.168.20.99, evil.host }, targets = { address: 192.168.20.1, service: tcp/22, "
		"ssh }\n");
	arena_init(&arena);
	assert_int_equal(json_parse(span_of(w->alerts[ALERT_JSON].p, w->alerts[ALERT_JSON].len),
				    &(struct json_opts){0}, &arena, &v, &err),
			 0);
	assert_string_equal(json_get_str(v, "description"), "packet received");
	assert_string_equal(json_get_str(json_get(v, "method"), "description"), "Packet sent");
	assert_non_null(json_get(v, "targets"));
	ok(w, "a:update{completion = 'successful', confidence = 0.5, ref = a}");
	assert_string_equal(w->alerts[ALERT_PRETTY].p,
			    "alert: update id = 3298534883329\n\tconfidence = 0.5\n"
			    "\tcompletion = successful\n\tref = { 3298534883329 }\n");
	ok(w, "b = haka.alert{ref = {a, a}} assert(tostring(b) == 'alert 3298534883330')");
	assert_string_equal(w->alerts[ALERT_ONELINE].p,
			    "alert: id = 3298534883330, ref = { 3298534883329, 3298534883329 }\n");
	/* text from the network stays in its line, and JSON stays JSON */
	ok(w, "haka.alert{description = 'x\\nalert: id = 1\\0\\255\"\\\\', sources = "
	      "{haka.alert.service('\\27[1m', 5)}}");
	assert_string_equal(w->alerts[ALERT_PRETTY].p,
			    "alert: id = 3298534883331\n\tdescription = x\\x0aalert: id = "
			    "1\\x00\xff\"\\\n\tsources = {\n"
			    "\t\tservice: \\x1b[1m, 5\n\t}\n");
	assert_int_equal(json_parse(span_of(w->alerts[ALERT_JSON].p, w->alerts[ALERT_JSON].len),
				    &(struct json_opts){0}, &arena, &v, &err),
			 0);
	arena_fini(&arena);
	assert_int_equal(script_alerts(w->s), 4);
}

static void test_alerts_refused(void **state)
{
	struct world *w = *state;

	fails(w, "\nhaka.alert{desc = 'x'}", "t.lua:2: haka.alert: unknown field 'desc'");
	fails(w, "haka.alert{1}", "t.lua:1: haka.alert: unknown field 'number'");
	fails(w, "haka.alert()", "t.lua:1: haka.alert: table expected, got nothing");
	fails(w, "haka.alert{severity = 'huge'}",
	      "t.lua:1: haka.alert: severity: 'huge' is no level (low, medium, high)");
	fails(w, "haka.alert{severity = 1}",
	      "t.lua:1: haka.alert: severity: level (low, medium, high) expected, got number");
	fails(w, "haka.alert{completion = 'maybe'}",
	      "t.lua:1: haka.alert: completion: 'failed' or 'successful' expected, got string");
	fails(w, "haka.alert{start_time = 'now'}",
	      "t.lua:1: haka.alert: start_time: time or number of seconds expected, got string");
	fails(w, "haka.alert{sources = 'x'}",
	      "t.lua:1: haka.alert: sources: haka.alert.address() or haka.alert.service() "
	      "expected, got string");
	fails(w, "haka.alert{sources = {'x'}}",
	      "t.lua:1: haka.alert: sources: haka.alert.address() or haka.alert.service() "
	      "expected, got string");
	fails(w, "haka.alert{method = {x = 1}}",
	      "t.lua:1: haka.alert: method has no field 'x' (description, ref)");
	fails(w, "haka.alert{ref = 5}", "t.lua:1: haka.alert: ref: alert expected, got number");
	fails(w, "haka.alert.address()",
	      "t.lua:1: haka.alert.address: a value expected, got nothing");
	fails(w, "haka.alert{description = {}}",
	      "t.lua:1: haka.alert: description: text expected, got table");
	fails(w, "haka.alert{}.update(1, {})",
	      "t.lua:1: alert:update: alert as object expected, got number");
	fails(w, "haka.alert{}:update{x = 1}", "t.lua:1: alert:update: unknown field 'x'");
	/* without a sink: the log */
	ok(w, "haka.alert{description = 'to the log'}");
	assert_true(logged(w, "USHER_SCRIPT_WARN alert: id = ") &&
		    logged(w, "description = to the log"));
}

static void test_alert_files(void **state)
{
	struct world *w = *state;
	char path[] = "/tmp/usher-alert-XXXXXX";
	char text[512];
	struct alert_file *f = NULL;
	struct script_alert_sink sink;
	int fd = mkstemp(path);
	ssize_t n;

	assert_int_equal(alert_file_open("/nowhere/x", ALERT_ONELINE, &f), -ENOENT);
	assert_int_equal(alert_file_open(path, ALERT_ONELINE, &f), 0);
	sink = alert_file_sink(f);
	assert_int_equal(script_alert_sink(w->s, &sink), 0);
	ok(w, "haka.alert{severity = 'low'} haka.alert{severity = 'high'}");
	assert_int_equal(alert_file_reopen(f), 0);
	ok(w, "haka.alert{severity = 'medium'}");
	n = read(fd, text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_string_equal(text, "alert: id = 3298534883329, severity = low\nalert: id = "
				  "3298534883330, severity = high\n"
				  "alert: id = 3298534883331, severity = medium\n");
	assert_int_equal(alert_file_lost(f), 0);
	alert_file_close(f);
	assert_int_equal(alert_file_open("/dev/full", ALERT_PRETTY, &f), 0);
	sink = alert_file_sink(f);
	sink.write(sink.ctx, &(struct script_alert){.id = 1});
	assert_int_equal(alert_file_lost(f), 1);
	alert_file_close(f);
	(void)close(fd);
	(void)unlink(path);
}

/* Functions that take values of any type: once, each of these read memory that was no table, or no
 * object. */
static void test_forged_arguments(void **state)
{
	static const char *const calls[] = {
		"load('return 1', 'x', 't', 5)",
		"load('return 1', 'x', 't', 'text')",
		"load('return 1', 'x', 't', print)",
		"getmetatable(haka.log).__call(5, 'x')",
		"haka.dissectors.udp = 5 haka.dissectors.udp.events = 5",
		"local f, o = pairs(haka.vbuffer_from('x')) f(5) f(nil) f({}) f(print)",
		"haka.log[1] = nil haka.log('x')",
		"string.format = function() end haka.log('x')",
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		struct script_error err = {0};

		/* it may fail, and the next chunk runs as if nothing had happened */
		if (script_run_text(w->s, "@t.lua", span_str(calls[i]), &err) < 0)
			assert_true(err.text[0]);
		ok(w, "assert(#{1, 2} == 2)");
	}
	ok(w, "assert(load('return x', 'n', 't', {x = 7})() == 7)");
	ok(w, "assert(load('return 3', 'n', 't', nil)() == 3)");
}

static void test_tables(void **state)
{
	struct world *w = *state;

	ok(w, "local t = {1} table.append(t, {2, 3}) assert(#t == 3 and t[3] == 3) local c = "
	      "table.copy(t) c[1] = 9"
	      " assert(t[1] == 1) table.merge(t, {x = 1}) assert(t.x == 1 and table.contains(t, "
	      "'x') and not table.contains(t, 'y'))"
	      " assert(table.dict({'a', 'b'}).b and table.invert({a = 'x'}).x == 'a')");
	ok(w, "local s = '' for k, v in sorted_pairs{b = 2, a = 1, c = 3, [1] = 0} do s = s .. k "
	      ".. v end assert(s == '10a1b2c3')");
	ok(w,
	   "assert(string.safe_format('%s a\\n\\200') == '%s a\\\\x0a\\\\xc8' and string.safe_format('a\\n\\200', true) == 'a\\n\\\\xc8', "
	   "string.safe_format('%s a\\n\\200'))");
	fails(w, "table.merge({})",
	      "t.lua:1: table.merge: second argument: table expected, got nothing");
}

static const char *pet_name(void *obj)
{
	return obj;
}

static int pet_get(lua_State *L, void *obj)
{
	lua_pushstring(L, pet_name(obj));
	return 1;
}

static const struct script_class pet_class = {
	.name = "Pet",
	.fields = (const struct script_field[]){{"name", pet_get, NULL},
						{"again", pet_get, NULL},
						{0}},
	.meta = (const struct luaL_Reg[]){{"__pairs", script_pairs_fields}, {NULL, NULL}},
};

static int set_pet(lua_State *L)
{
	script_push(L, &pet_class, lua_touserdata(L, 1), NULL);
	lua_setglobal(L, "pet");
	return 0;
}

static void test_pprint(void **state)
{
	struct world *w = *state;
	struct script_error err;
	char name[] = "Rex";

	ok(w, "local class = require('class') local R = class.class('Result')"
	      " R.property.virtual = {get = function() return 7 end}"
	      " local r = R:new() r.sub = {b = true, a = 'x\\n', _hidden = 1, f = print} r.ip = "
	      "require('protocol/ipv4').addr('1.2.3.4')"
	      " debug.pprint(r)");
	assert_string_equal(w->said, "class Result {\n  ip : userdata addr 1.2.3.4\n  sub : table "
				     "{\n    a : \"x\\x0a\"\n"
				     "    b : true\n  }\n  virtual : 7\n}\n");
	ok(w, "debug.pprint({1, {2, {3}}}, {depth = 2}) local t = {} t.t = t debug.pprint(t)");
	assert_string_equal(w->said,
			    "table {\n  1 : 1\n  2 : table {\n    1 : 2\n    2 : table\n  }\n}\n"
			    "table {\n  t : table { recursive }\n}\n");
	ok(w, "debug.pprint('x') debug.pprint(nil) debug.pprint(print) debug.pprint({a = 1, _b = "
	      "2}, {hide = function(k) return k == 'a' end,"
	      " indent = '  ', out = function(l) print('>' .. l) end})");
	assert_string_equal(w->said, "\"x\"\nnil\nfunction\n>  table {\n>    _b : 2\n>  }\n");
	assert_int_equal(script_class_register(w->s, &pet_class), 0);
	assert_int_equal(script_protect(w->s, set_pet, name, &err), 0);
	ok(w, "debug.pprint({pet = pet}) local n = 0 for k, v in pairs(pet) do n = n + 1 end "
	      "assert(n == 2)");
	assert_string_equal(
		w->said,
		"table {\n  pet : class Pet {\n    again : \"Rex\"\n    name : \"Rex\"\n  }\n}\n");
}

static void test_classes(void **state)
{
	struct world *w = *state;

	ok(w,
	   "class = require('class') A = class.class('A') B = class.class('B', A)"
	   " function A.method:__init(x) self.x = x end function A.method:get() return self.x end"
	   " function B.method:__init(x) class.super(B).__init(self, x + 1) end"
	   " function B.method:get() return class.super(B).get(self) * 2 end"
	   " A.property.double = {get = function(self) return self.x * 2 end, set = function(self, "
	   "v) self.x = v / 2 end}"
	   " A.property.fixed = {get = function() return 1 end} A.static = 5"
	   " local a, b = A:new(1), B:new(1) assert(a:get() == 1 and b:get() == 4 and b.double == "
	   "4)"
	   " b.double = 10 assert(b.x == 5 and B.static == 5 and a.nothing == nil)"
	   " assert(class.classof(b) == B and class.isa(b, A) and not class.isa(a, B) and "
	   "class.isclass(A) and not class.isclass(a))"
	   " assert(class.isaclass(B, A) and not class.isaclass(A, B) and tostring(A) == 'class A' "
	   "and A.name == 'A')"
	   " local c = b:clone() c.x = 9 assert(b.x == 5 and c:get() == 18 and class.isa(c, B))"
	   " b:addproperty('own', function(self) return self.x end) assert(b.own == 5 and c.own == "
	   "nil)"
	   " function A.method:__tostring() return 'A' .. self.x end function A.method:__eq(o) "
	   "return self.x == o.x end"
	   " assert(tostring(A:new(3)) == 'A3' and A:new(3) == A:new(3))"
	   " local n = 0 for k, v in pairs(b) do n = n + 1 end assert(n == 4, n)");
	fails(w, "A:new(1).fixed = 2", "t.lua:1: property 'fixed' is read-only");
	fails(w, "class.class(1)", "t.lua:1: class.class: name expected, got number");
	fails(w, "class.class('x', {})",
	      "t.lua:1: class.class: a class expected as second argument, got table");
	ok(w, "local C = class.class('C') function C.method:__index(k) return k .. '!' end"
	      " function C.method:__newindex(k, v) rawset(self, k, v .. '?') end"
	      " local c = C:new() c.a = 'x' assert(c.b == 'b!' and c.a == 'x?')");
	ok(w, "check = require('check') local function f(a) check.type(1, a, 'string') end local "
	      "function g(a) f(a) end"
	      " local ok, e = pcall(g, 1) assert(e:find('invalid parameter 1, expected string'), e)"
	      " ok, e = pcall(check.types, 1, 2, {'table', 'string'}) assert(e:find('expected "
	      "table or string'), e)"
	      " check.assert(true, 'x') ok, e = pcall(check.assert, false, 'no') "
	      "assert(e:find('no'))");
}

static void test_lists(void **state)
{
	struct world *w = *state;

	ok(w,
	   "local list = require('list') local L = list.new('cnx') L.field = {'id', 'bytes'} L.key "
	   "= 'id'"
	   " L.field_format = {bytes = list.formatter.unit}"
	   " L.field_aggregate = {id = list.aggregator.replace('sum'), bytes = list.aggregator.add}"
	   " local l = L:new() l:addall({{{id = 'a', bytes = 1500}, {id = 'b', bytes = 2}}, {{id = "
	   "'c', bytes = 3e6}}})"
	   " l:sort('bytes', true):print() assert(l:get('b').bytes == 2 and l[1].id == 'c' and "
	   "l:len() == 3)"
	   " assert(l:filter(function(r) return r.id ~= 'c' end):len() == 2) "
	   "assert(list.formatter.optional('-')(nil) == '-')");
	assert_string_equal(
		w->said,
		"id  | bytes | \nc   | 3.00M | \na   | 1.50k | \nb   | 2     | \nsum | 3.00M | \n");
}

/* Members that a table of ours, a module or a library has not, and globals: the nearest name, also
 * in caught errors. */
static void test_missed_members(void **state)
{
	static const struct {
		const char *text, *with;
	} rows[] = {
		{"haka.logg('x')",
		 "call field 'logg' (a nil value): haka has no 'logg' (did you mean 'log'?)"},
		{"haka.log.inf('x')",
		 "call field 'inf' (a nil value): haka.log has no 'inf' (did you mean 'info'?)"},
		{"haka.policy.acept()",
		 "call field 'acept' (a nil value): haka.policy has no 'acept' "
		 "(did you mean 'accept'?)"},
		{"haka.alert.adress()",
		 "call field 'adress' (a nil value): haka.alert has no 'adress' "
		 "(did you mean 'address'?)"},
		{"string.fnd('x')",
		 "call field 'fnd' (a nil value): string has no 'fnd' (did you mean 'find'?)"},
		{"('x'):uper()",
		 "call method 'uper' (a nil value): string has no 'uper' (did you mean 'upper'?)"},
		{"require('protocol/ipv4').adr('x')",
		 "call field 'adr' (a nil value): protocol/ipv4 has no 'adr' "
		 "(did you mean 'addr'?)"},
		{"require('regexp/pcre').re:compil('x')",
		 "call method 'compil' (a nil value): re has no 'compil' "
		 "(did you mean 'compile'?)"},
		{"local x = haka.logs.info",
		 "index field 'logs' (a nil value): haka has no 'logs' (did you mean 'log'?)"},
		{"math.nothing_like_it()",
		 "call field 'nothing_like_it' (a nil value): math has no 'nothing_like_it'"},
		{"prin('x')", "call global 'prin' (a nil value) (did you mean 'print'?)"},
		{"nothing_like_it('x')", "call global 'nothing_like_it' (a nil value)"},
		/* a table of the script's own, after another table was asked */
		{"local x = haka.logg local t = {} t.other()", "call field 'other' (a nil value)"},
	};
	struct world *w = *state;
	char expected[256];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)snprintf(expected, sizeof(expected), "t.lua:1: attempt to %s", rows[i].with);
		fails(w, rows[i].text, expected);
	}
	ok(w,
	   "assert(haka.logg == nil and string.fnd == nil and rawget(haka, 'logg') == nil)\n"
	   "local good, text = pcall(function() haka.logg('x') end)\n"
	   "assert(text:find(\"did you mean 'log'\", 1, true))\n"
	   "good, text = pcall(error, text, 0) assert(select(2, text:gsub('did you mean', '')) == 1)\n"
	   "haka.own = function() return 7 end assert(haka.own() == 7)\n"
	   "good, text = pcall(error, {5}) assert(not good and text[1] == 5)\n"
	   "good, text = pcall(error) assert(not good and text == nil)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_log, setup, teardown),
		cmocka_unit_test_setup_teardown(test_small_things, setup, teardown),
		cmocka_unit_test_setup_teardown(test_alerts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_alerts_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_alert_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tables, setup, teardown),
		cmocka_unit_test_setup_teardown(test_forged_arguments, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pprint, setup, teardown),
		cmocka_unit_test_setup_teardown(test_classes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lists, setup, teardown),
		cmocka_unit_test_setup_teardown(test_missed_members, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
