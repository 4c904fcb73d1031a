/* SPDX-License-Identifier: MPL-2.0 */
/*
 * haka.alert{}: the table is checked whole, turned into struct script_alert, and given to the
 * sinks. Texts made on the way and arrays are userdata and strings kept by one table on the stack,
 * so an error leaves nothing behind.
 */
#include "script/rules/alert.h"

#include "script/state/class.h"
#include "script/rules/rules_impl.h"
#include "script/values/moment.h"

#include "base/error.h"
#include "base/log.h"

#include <lauxlib.h>
#include <stdio.h>

#define ALERT_MAGIC 0x6f02d8b9c4e7153aULL

enum { LIST_MAX = 256 };

struct alert_object {
	uint64_t magic;
	uint64_t id;
};

static const char key_node_meta;
static const char key_alert_meta;

int script_alert_sink(struct script *s, const struct script_alert_sink *sink)
{
	struct alert_table *t = &s->rules->alerts;

	if (t->n_sinks == SCRIPT_ALERT_SINKS)
		return -USHER_E_LIMIT;
	t->sinks[t->n_sinks++] = *sink;
	return 0;
}

uint64_t script_alerts(const struct script *s)
{
	return atomic_load_explicit(&s->rules->alerts.n_raised, memory_order_relaxed);
}

static void log_alert(struct script *s, const struct script_alert *a)
{
	struct buf text = {0};

	if (log_wants(s->log, LOG_USHER_SCRIPT_WARN)) {
		alert_text(a, ALERT_ONELINE, &text);
		if (!text.failed)
			log_msg(s->log, LOG_USHER_SCRIPT_WARN, "%.*s", (int)text.len - 1, text.p);
	}
	buf_fini(&text);
}

uint64_t script_alert(struct script *s, const struct script_alert *a)
{
	struct alert_table *t = &s->rules->alerts;
	struct script_alert copy = *a;

	script_count(&t->n_raised);
	if (!copy.id)
		copy.id = (uint64_t)s->thread << 40 | ++t->last_id;
	if (!copy.time_ns)
		copy.time_ns = clock_wall_ns(&s->clock);
	for (size_t i = 0; i < t->n_sinks; i++)
		t->sinks[i].write(t->sinks[i].ctx, &copy);
	if (t->n_sinks == 0)
		log_alert(s, &copy);
	return copy.id;
}

/* An alert being read: `keep` is the table that holds the values made for it. */
struct reading {
	lua_State *L;
	int keep;
	const char *what; /* "haka.alert" */
};

static void fail_field(const struct reading *r, const char *field, const char *expected)
{
	char text[128];

	(void)snprintf(text, sizeof(text), "%s: %s", r->what, field);
	script_expected(r->L, -1, text, expected);
}

/* Keeps the value at the top. */
static void keep_value(const struct reading *r)
{
	lua_rawseti(r->L, r->keep, (int)lua_objlen(r->L, r->keep) + 1);
}

static void *make_array(const struct reading *r, size_t n, size_t size)
{
	void *p = lua_newuserdata(r->L, n * size + 1);

	keep_value(r);
	return p;
}

/* Pops the value at the top, of any type, and returns it as text. */
static struct span take_text(const struct reading *r)
{
	lua_State *L = r->L;
	size_t n;
	const char *s;

	lua_getglobal(L, "tostring");
	lua_insert(L, -2);
	lua_call(L, 1, 1);
	s = lua_tolstring(L, -1, &n);
	if (!s)
		luaL_error(L, "%s: a value has no text", r->what);
	keep_value(r);
	return span_of(s, n);
}

/* Pops the table at the top, as an array of texts; a single value counts as one. */
static const struct span *take_texts(const struct reading *r, const char *field, size_t *ret_n)
{
	lua_State *L = r->L;
	size_t n = lua_type(L, -1) == LUA_TTABLE ? lua_objlen(L, -1) : 1;
	struct span *out;

	if (n > LIST_MAX)
		luaL_error(L, "%s: %s: more than %d entries", r->what, field, LIST_MAX);
	out = make_array(r, n, sizeof(*out));
	for (size_t i = 0; i < n; i++) {
		if (lua_type(L, -1) == LUA_TTABLE)
			lua_rawgeti(L, -1, (int)i + 1);
		else
			lua_pushvalue(L, -1);
		out[i] = take_text(r);
	}
	lua_pop(L, 1);
	*ret_n = n;
	return out;
}

/* Called for haka.alert.address(...) and .service(...): makes a table with the class's metatable,
 * field `service`, and the values. */
static int new_node(lua_State *L, bool service)
{
	int n = lua_gettop(L);

	if (n == 0)
		return luaL_error(L, "haka.alert.%s: a value expected, got nothing",
				  service ? "service" : "address");
	lua_createtable(L, n, 1);
	for (int i = 1; i <= n; i++) {
		lua_pushvalue(L, i);
		lua_rawseti(L, -2, i);
	}
	lua_pushboolean(L, service);
	lua_setfield(L, -2, "service");
	script_push_key(L, &key_node_meta);
	(void)lua_setmetatable(L, -2);
	return 1;
}

void script_push_alert_node(lua_State *L, bool service, const char *text)
{
	lua_createtable(L, 1, 1);
	lua_pushstring(L, text);
	lua_rawseti(L, -2, 1);
	lua_pushboolean(L, service);
	lua_setfield(L, -2, "service");
	script_push_key(L, &key_node_meta);
	(void)lua_setmetatable(L, -2);
}

static int alert_address(lua_State *L)
{
	return new_node(L, false);
}

static int alert_service(lua_State *L)
{
	return new_node(L, true);
}

static bool is_node(lua_State *L)
{
	bool is;

	if (lua_type(L, -1) != LUA_TTABLE || !lua_getmetatable(L, -1))
		return false;
	script_push_key(L, &key_node_meta);
	is = lua_rawequal(L, -1, -2);
	lua_pop(L, 2);
	return is;
}

/* Pops the node at the top. */
static struct alert_node take_node(const struct reading *r, const char *field)
{
	struct alert_node node = {0};
	lua_State *L = r->L;

	if (!is_node(L))
		fail_field(r, field, "haka.alert.address() or haka.alert.service()");
	lua_getfield(L, -1, "service");
	node.service = lua_toboolean(L, -1);
	lua_pop(L, 1);
	node.values = take_texts(r, field, &node.n);
	return node;
}

/* Pops a list of nodes, or one node, at the top. */
static const struct alert_node *take_nodes(const struct reading *r, const char *field,
					   size_t *ret_n)
{
	lua_State *L = r->L;
	struct alert_node *out;
	size_t n;

	if (lua_type(L, -1) != LUA_TTABLE)
		fail_field(r, field, "haka.alert.address() or haka.alert.service()");
	n = is_node(L) ? 1 : lua_objlen(L, -1);
	if (n > LIST_MAX)
		luaL_error(L, "%s: %s: more than %d entries", r->what, field, LIST_MAX);
	out = make_array(r, n, sizeof(*out));
	if (is_node(L)) {
		out[0] = take_node(r, field);
	} else {
		for (size_t i = 0; i < n; i++) {
			lua_rawgeti(L, -1, (int)i + 1);
			out[i] = take_node(r, field);
		}
		lua_pop(L, 1);
	}
	*ret_n = n;
	return out;
}

static enum alert_level take_level(const struct reading *r, const char *field)
{
	static const char *const names[] = {"low", "medium", "high"};
	lua_State *L = r->L;
	const char *s = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(s, names[i]) == 0) {
			lua_pop(L, 1);
			return (enum alert_level)(ALERT_LOW + i);
		}
	}
	if (s[0])
		luaL_error(L, "%s: %s: '%s' is no level (low, medium, high)", r->what, field, s);
	fail_field(r, field, "level (low, medium, high)");
	return ALERT_LEVEL_NONE;
}

static void read_start(const struct reading *r, struct script_alert *a)
{
	a->start_ns = script_check_time(r->L, -1, "haka.alert: start_time");
	a->has_start = true;
	lua_pop(r->L, 1);
}

static void read_end(const struct reading *r, struct script_alert *a)
{
	a->end_ns = script_check_time(r->L, -1, "haka.alert: end_time");
	a->has_end = true;
	lua_pop(r->L, 1);
}

static void read_description(const struct reading *r, struct script_alert *a)
{
	if (lua_type(r->L, -1) == LUA_TTABLE)
		fail_field(r, "description", "text");
	a->description = take_text(r);
}

static void read_severity(const struct reading *r, struct script_alert *a)
{
	a->severity = take_level(r, "severity");
}

static void read_confidence(const struct reading *r, struct script_alert *a)
{
	if (lua_type(r->L, -1) == LUA_TNUMBER) {
		a->confidence = ALERT_NUMBER;
		a->confidence_number = lua_tonumber(r->L, -1);
		lua_pop(r->L, 1);
	} else {
		a->confidence = take_level(r, "confidence");
	}
}

static void read_completion(const struct reading *r, struct script_alert *a)
{
	const char *s = lua_type(r->L, -1) == LUA_TSTRING ? lua_tostring(r->L, -1) : "";

	if (strcmp(s, "failed") == 0)
		a->completion = ALERT_FAILED;
	else if (strcmp(s, "successful") == 0)
		a->completion = ALERT_SUCCESSFUL;
	else
		fail_field(r, "completion", "'failed' or 'successful'");
	lua_pop(r->L, 1);
}

static void read_method(const struct reading *r, struct script_alert *a)
{
	lua_State *L = r->L;

	if (lua_type(L, -1) != LUA_TTABLE)
		fail_field(r, "method", "table {description, ref}");
	lua_pushnil(L);
	while (lua_next(L, -2)) {
		const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";

		if (strcmp(key, "description") == 0)
			a->method = take_text(r);
		else if (strcmp(key, "ref") == 0)
			a->method_refs = take_texts(r, "method.ref", &a->n_method_refs);
		else
			luaL_error(L, "%s: method has no field '%s' (description, ref)", r->what,
				   key);
	}
	lua_pop(L, 1);
}

static void read_sources(const struct reading *r, struct script_alert *a)
{
	a->sources = take_nodes(r, "sources", &a->n_sources);
}

static void read_targets(const struct reading *r, struct script_alert *a)
{
	a->targets = take_nodes(r, "targets", &a->n_targets);
}

static const struct alert_object *to_alert(lua_State *L, int idx)
{
	const struct alert_object *o = lua_type(L, idx) == LUA_TUSERDATA ? lua_touserdata(L, idx)
									 : NULL;

	return o && lua_objlen(L, idx) == sizeof(*o) && o->magic == ALERT_MAGIC ? o : NULL;
}

static void read_ref(const struct reading *r, struct script_alert *a)
{
	lua_State *L = r->L;
	bool list = lua_type(L, -1) == LUA_TTABLE;
	size_t n = list ? lua_objlen(L, -1) : 1;
	const struct alert_object *o;
	uint64_t *ids;

	if (n > LIST_MAX)
		luaL_error(L, "%s: ref: more than %d entries", r->what, LIST_MAX);
	ids = make_array(r, n, sizeof(*ids));
	for (size_t i = 0; i < n; i++) {
		if (list)
			lua_rawgeti(L, -1, (int)i + 1);
		else
			lua_pushvalue(L, -1);
		o = to_alert(L, -1);
		if (!o)
			fail_field(r, "ref", "alert");
		ids[i] = o->id;
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	a->refs = ids;
	a->n_refs = n;
}

static const struct {
	const char *name;
	void (*read)(const struct reading *r,
		     struct script_alert *a); /* takes the value from the top */
} fields[] = {
	{"start_time", read_start},	   {"end_time", read_end},
	{"description", read_description}, {"severity", read_severity},
	{"confidence", read_confidence},   {"completion", read_completion},
	{"method", read_method},	   {"sources", read_sources},
	{"targets", read_targets},	   {"ref", read_ref},
};

/* Reads the table at idx. */
static void read_alert(lua_State *L, int idx, const char *what, struct script_alert *a)
{
	struct reading r = {.L = L, .what = what};

	if (lua_type(L, idx) != LUA_TTABLE)
		script_expected(L, idx, what, "table");
	luaL_checkstack(L, 16, what);
	lua_newtable(L);
	r.keep = lua_gettop(L);
	lua_pushnil(L);
	while (lua_next(L, idx)) {
		const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2)
								 : luaL_typename(L, -2);
		size_t i = 0;

		while (i < ARRAY_LEN(fields) && strcmp(fields[i].name, key) != 0)
			i++;
		if (i == ARRAY_LEN(fields))
			luaL_error(L, "%s: unknown field '%s'", what, key);
		fields[i].read(&r, a);
	}
}

/* Called for haka.alert{...}: raises an alert. Argument 1 is the table `haka.alert`. */
static int alert_call(lua_State *L)
{
	struct alert_object *o;
	struct script_alert a = {0};

	read_alert(L, 2, "haka.alert", &a);
	o = lua_newuserdata(L, sizeof(*o));
	*o = (struct alert_object){.magic = ALERT_MAGIC};
	script_push_key(L, &key_alert_meta);
	(void)lua_setmetatable(L, -2);
	o->id = script_alert(script_of(L), &a);
	return 1;
}

static int alert_update(lua_State *L)
{
	const struct alert_object *o = to_alert(L, 1);
	struct script_alert a = {.update = true};

	if (!o)
		script_expected(L, 1, "alert:update", "alert as object");
	a.id = o->id;
	read_alert(L, 2, "alert:update", &a);
	(void)script_alert(script_of(L), &a);
	return 0;
}

static int push_alert_text(lua_State *L)
{
	const struct alert_object *o = to_alert(L, 1);
	char text[32];

	if (!o)
		script_expected(L, 1, "tostring", "alert");

	(void)snprintf(text, sizeof(text), "alert %llu", (unsigned long long)o->id);
	lua_pushstring(L, text);
	return 1;
}

void script_open_alert(lua_State *L)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)&key_node_meta);
	lua_newtable(L);
	lua_pushliteral(L, "node");
	lua_setfield(L, -2, "__metatable");
	lua_rawset(L, LUA_REGISTRYINDEX);
	lua_pushlightuserdata(L, (void *)(uintptr_t)&key_alert_meta);
	lua_newtable(L);
	lua_pushcfunction(L, push_alert_text);
	lua_setfield(L, -2, "__tostring");
	lua_newtable(L);
	lua_pushcfunction(L, alert_update);
	lua_setfield(L, -2, "update");
	lua_setfield(L, -2, "__index");
	lua_pushliteral(L, "alert");
	lua_setfield(L, -2, "__metatable");
	lua_rawset(L, LUA_REGISTRYINDEX);
	script_push_haka(L);
	lua_newtable(L);
	lua_pushcfunction(L, alert_address);
	lua_setfield(L, -2, "address");
	lua_pushcfunction(L, alert_service);
	lua_setfield(L, -2, "service");
	lua_newtable(L);
	lua_pushcfunction(L, alert_call);
	lua_setfield(L, -2, "__call");
	(void)lua_setmetatable(L, -2);
	lua_setfield(L, -2, "alert");
	lua_pop(L, 1);
}
