/* SPDX-License-Identifier: MPL-2.0 */
/*
 * HTTP as rules see it: the connection, the request and the response of the current exchange, their
 * fields. An assignment rewrites just those octets of the stream, until the head is forwarded;
 * afterwards it can be read, as forwarded.
 */
#include "base/error.h"
#include "gate/lua/bind_class.h"
#include "gate/app/dissect_http.h"
#include "script/rules/event.h"

#include <errno.h>
#include <lauxlib.h>

static const char key_splits, key_uri, key_cookies;

static const struct script_class class_http, class_request, class_response, class_request_fields,
	class_response_fields;

/* A message that a handle stands for. */
struct at {
	struct gate *g;
	const struct http_head *head;
	struct span octets;
	bool live;
};

static bool find_header(lua_State *L, const struct flow *f, bool response, struct at *ret)
{
	ret->g = bind_gate_of(L);
	ret->head = gate_http_message(ret->g, f, response, &ret->octets, &ret->live);
	return ret->head != NULL;
}

static struct at message(lua_State *L, const void *obj, bool response)
{
	struct at a;

	if (!find_header(L, obj, response, &a))
		(void)luaL_error(L, "http: there is no such message any more");
	return a;
}

static void check_write(lua_State *L, int r, const char *what)
{
	if (r == -EPERM)
		(void)luaL_error(L, "%s: this would change where the body ends", what);
	if (r == -EINVAL)
		(void)luaL_error(L, "%s: this cannot stand there", what);
	bind_check_write(L, r < 0 ? r : 0, what);
}

static struct gate *own_http_message(lua_State *L, const void *obj, bool response, const char *what)
{
	struct at a = message(L, obj, response);

	if (!a.live)
		(void)luaL_error(L, "%s: read-only: the head was forwarded", what);
	return a.g;
}

static void push_span(lua_State *L, struct span s)
{
	lua_pushlstring(L, s.n ? (const char *)s.p : "", s.n);
}

/* --- Start lines ------------------------------------------------------------------------------ */

#define PART(field, kind, is_response, part_of)                                           \
	static int get_##kind##_##field(lua_State *L, void *obj)                          \
	{                                                                                 \
		struct at a = message(L, obj, is_response);                               \
		push_span(L, http_text(a.octets, a.head->part[part_of]));                 \
		return 1;                                                                 \
	}                                                                                 \
	static void set_##kind##_##field(lua_State *L, void *obj, int idx)                \
	{                                                                                 \
		struct gate *g = own_http_message(L, obj, is_response, #kind "." #field); \
		struct span text = text_at(L, idx, #kind "." #field);                     \
		check_write(L, gate_http_set_part(g, part_of, text), #kind "." #field);   \
	}

/* Returns the text at idx; a status may be given as a number. */
static struct span text_at(lua_State *L, int idx, const char *what)
{
	if (lua_type(L, idx) == LUA_TNUMBER)
		(void)lua_tostring(L, idx);
	return script_check_span(L, idx, what);
}

PART(method, request, false, HTTP_METHOD)
PART(uri, request, false, HTTP_URI)
/* Haka's form of a version has no "HTTP/" in front. */
enum { VERSION_PREFIX_LEN = 5, VERSION_LEN = 3 };

static int push_version(lua_State *L, void *obj, bool response)
{
	struct at a = message(L, obj, response);
	struct span s = http_text(a.octets, a.head->part[HTTP_VERSION]);

	push_span(L, span_sub(s, VERSION_PREFIX_LEN, s.n));
	return 1;
}

static void set_version(lua_State *L, void *obj, int idx, bool response)
{
	const char *what = response ? "response.version" : "request.version";
	struct gate *g = own_http_message(L, obj, response, what);
	struct span text = script_check_span(L, idx, what);
	uint8_t octets[VERSION_PREFIX_LEN + VERSION_LEN] = "HTTP/";

	if (text.n != VERSION_LEN)
		luaL_error(L, "%s: expected digit.digit, as \"1.1\"", what);
	memcpy(octets + VERSION_PREFIX_LEN, text.p, VERSION_LEN);
	check_write(L, gate_http_set_part(g, HTTP_VERSION, span_of(octets, sizeof(octets))), what);
}

static int get_request_version(lua_State *L, void *obj)
{
	return push_version(L, obj, false);
}

static void set_request_version(lua_State *L, void *obj, int idx)
{
	set_version(L, obj, idx, false);
}

static int get_response_version(lua_State *L, void *obj)
{
	return push_version(L, obj, true);
}

static void set_response_version(lua_State *L, void *obj, int idx)
{
	set_version(L, obj, idx, true);
}

PART(status, response, true, HTTP_STATUS)
PART(reason, response, true, HTTP_REASON)

/* --- Fields ----------------------------------------------------------------------------------- */

static bool is_response(lua_State *L, int idx)
{
	const struct script_class *cls = script_class_of(L, idx);

	return cls == &class_response || cls == &class_response_fields;
}

/* Pushes a field's value with its folded lines joined (RFC 9112 5.2). */
static void push_unfolded(lua_State *L, struct span s)
{
	luaL_Buffer b uninit;

	luaL_buffinit(L, &b);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\n')
			luaL_addchar(&b, ' ');
		else if (s.p[i] != '\r')
			luaL_addchar(&b, (char)s.p[i]);
	}
	luaL_pushresult(&b);
}

static void push_value(lua_State *L, const struct at *a, const struct http_field *f)
{
	struct span s = http_text(a->octets, f->value);

	if (f->folded)
		push_unfolded(L, s);
	else
		push_span(L, s);
}

static int field_index(lua_State *L, void *obj)
{
	struct at a = message(L, obj, is_response(L, 1));
	struct span name;
	uint16_t i;

	if (lua_type(L, 2) != LUA_TSTRING)
		return 0;
	name = script_check_span(L, 2, "headers");
	i = http_find(a.head, a.octets, name, 0);
	if (i == a.head->n_fields)
		return 0;
	push_value(L, &a, &a.head->field[i]);
	return 1;
}

static bool field_newindex(lua_State *L, void *obj)
{
	struct gate *g = own_http_message(L, obj, is_response(L, 1), "headers");
	struct span name = script_check_span(L, 2, "headers: name");

	if (lua_isnil(L, 3))
		check_write(L, gate_http_remove_field(g, name), lua_tostring(L, 2));
	else
		check_write(L, gate_http_set_field(g, name, text_at(L, 3, lua_tostring(L, 2))),
			    lua_tostring(L, 2));
	return true;
}

/* Steps through fields. Argument 1: the fields; upvalue 1: the number of the next one. */
static int next_field(lua_State *L)
{
	bool response = is_response(L, 1);
	struct at a = message(L,
			      script_check(L, 1,
					   response ? &class_response_fields
						    : &class_request_fields),
			      response);
	lua_Integer i = lua_tointeger(L, lua_upvalueindex(1));

	if (i >= a.head->n_fields)
		return 0;
	lua_pushinteger(L, i + 1);
	lua_replace(L, lua_upvalueindex(1));
	push_span(L, http_text(a.octets, a.head->field[i].name));
	push_value(L, &a, &a.head->field[i]);
	return 2;
}

static int field_pairs(lua_State *L)
{
	lua_pushinteger(L, 0);
	lua_pushcclosure(L, next_field, 1);
	lua_pushvalue(L, 1);
	return 2;
}

static const luaL_Reg fields_meta[] = {{"__pairs", field_pairs}, {NULL, NULL}};
static const struct script_class class_request_fields = {.name = "http_headers",
							 .index = field_index,
							 .newindex = field_newindex,
							 .meta = fields_meta};
static const struct script_class class_response_fields = {.name = "http_headers",
							  .index = field_index,
							  .newindex = field_newindex,
							  .meta = fields_meta};

static void push_head(lua_State *L, const struct script_class *cls, void *obj)
{
	script_push(L, cls, obj, gate_http_generation(bind_gate_of(L)));
}

static int get_request_headers(lua_State *L, void *obj)
{
	push_head(L, &class_request_fields, obj);
	return 1;
}

static int get_response_headers(lua_State *L, void *obj)
{
	push_head(L, &class_response_fields, obj);
	return 1;
}

/* --- Split ------------------------------------------------------------------------------------ */

static void push_key(lua_State *L, const char *key)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)key);
	lua_rawget(L, LUA_REGISTRYINDEX);
}

/* Returns whether the value under `slot` belongs to this event and this text, which is at the top.
 * The table of values is below it. */
static bool kept_head(lua_State *L, int slot, uint32_t generation)
{
	bool same;

	lua_rawgeti(L, -2, slot + 1);
	lua_rawgeti(L, -3, slot + 2);
	same = lua_tonumber(L, -2) == generation && lua_rawequal(L, -1, -3);
	lua_pop(L, 2);
	return same;
}

/* Replaces the text at the top by the result of module.split(): one object during an event as long
 * as the text does not change, so that a rule can change it bit by bit. */
static int push_split(lua_State *L, const char *module, int slot)
{
	uint32_t generation = *gate_http_generation(bind_gate_of(L));
	int text = lua_gettop(L);

	push_key(L, &key_splits);
	lua_insert(L, text);
	text++;
	if (!kept_head(L, slot, generation)) {
		push_key(L, module);
		lua_getfield(L, -1, "split");
		lua_pushvalue(L, text);
		lua_call(L, 1, 1);
		lua_rawseti(L, text - 1, slot);
		lua_pushnumber(L, generation);
		lua_rawseti(L, text - 1, slot + 1);
		lua_pushvalue(L, text);
		lua_rawseti(L, text - 1, slot + 2);
	}
	lua_rawgeti(L, text - 1, slot);
	return 1;
}

enum { SLOT_URI = 1, SLOT_COOKIE = 4, SLOT_SET_COOKIE = 7 };

static int get_split_uri(lua_State *L, void *obj)
{
	(void)get_request_uri(L, obj);
	return push_split(L, &key_uri, SLOT_URI);
}

static int push_cookies(lua_State *L, const void *obj, bool response, const char *name, int slot)
{
	struct at a = message(L, obj, response);
	uint16_t i = http_find(a.head, a.octets, span_str(name), 0);

	/* without any it is an empty object, which is kept like another */
	if (i == a.head->n_fields)
		lua_pushliteral(L, "");
	else
		push_value(L, &a, &a.head->field[i]);
	return push_split(L, &key_cookies, slot);
}

static int get_request_cookies(lua_State *L, void *obj)
{
	return push_cookies(L, obj, false, "Cookie", SLOT_COOKIE);
}

static int get_response_cookies(lua_State *L, void *obj)
{
	return push_cookies(L, obj, true, "Set-Cookie", SLOT_SET_COOKIE);
}

static const luaL_Reg message_meta[] = {{"__pairs", script_pairs_fields}, {NULL, NULL}};
static const struct script_field request_fields[] = {
	{"method", get_request_method, set_request_method},
	{"uri", get_request_uri, set_request_uri},
	{"version", get_request_version, set_request_version},
	{"headers", get_request_headers, NULL},
	{"split_uri", get_split_uri, NULL},
	{"split_cookies", get_request_cookies, NULL},
	{0},
};
static const struct script_class class_request = {.name = "http_request",
						  .fields = request_fields,
						  .meta = message_meta};
static const struct script_field response_fields[] = {
	{"version", get_response_version, set_response_version},
	{"status", get_response_status, set_response_status},
	{"reason", get_response_reason, set_response_reason},
	{"headers", get_response_headers, NULL},
	{"split_cookies", get_response_cookies, NULL},
	{0},
};
static const struct script_class class_response = {.name = "http_response",
						   .fields = response_fields,
						   .meta = message_meta};

/* --- The connection --------------------------------------------------------------------------- */

static int get_request(lua_State *L, void *obj)
{
	struct at a;

	if (!find_header(L, obj, false, &a))
		return 0;
	push_head(L, &class_request, obj);
	return 1;
}

static int get_response(lua_State *L, void *obj)
{
	struct at a;

	if (!find_header(L, obj, true, &a))
		return 0;
	push_head(L, &class_response, obj);
	return 1;
}

static int get_http_name(lua_State *L, void *obj)
{
	(void)obj;
	lua_pushliteral(L, "http");
	return 1;
}

static int method_enable(lua_State *L)
{
	static const char what[] = "http:enable_data_modification";
	const struct flow *f = script_check(L, 1, &class_http);
	struct gate *g = bind_gate_of(L);
	struct at a;
	int r;

	if (!(find_header(L, f, false, &a) && a.live) && !(find_header(L, f, true, &a) && a.live))
		return luaL_error(L, "%s: only in a rule on request or response", what);
	r = gate_http_free_length(g);
	if (r == -EPROTONOSUPPORT)
		r = 0;
	bind_check_write(L, r < 0 ? r : 0, what);
	lua_pushboolean(L, r);
	return 1;
}

static const struct script_field http_fields[] = {{"request", get_request, NULL},
						  {"response", get_response, NULL},
						  {"name", get_http_name, NULL},
						  {0}};
static const struct script_method http_methods[] = {{"enable_data_modification", method_enable},
						    {0}};

static void *http_parent_flow(void *obj)
{
	return obj;
}

static const struct script_class class_http = {
	.name = "http",
	.fields = http_fields,
	.methods = http_methods,
	.parent = &bind_class_flow,
	.to_parent = http_parent_flow,
	.flags = SCRIPT_CLASS_EXTENSIBLE,
};

const struct script_class *const bind_http_classes[] = {&class_http,
							&class_request,
							&class_response,
							&class_request_fields,
							&class_response_fields,
							NULL};

int bind_push_http(lua_State *L, struct flow *f, enum gate_event e)
{
	f->script = 1;
	script_push(L, &class_http, f, &f->generation);
	if (e == EVENT_HTTP_request)
		push_head(L, &class_request, f);
	else if (e == EVENT_HTTP_response)
		push_head(L, &class_response, f);
	else
		return 1;
	return 2;
}

/* --- The module ------------------------------------------------------------------------------- */

static void load_module(lua_State *L, const char *name, const char *key)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)key);
	lua_getglobal(L, "require");
	lua_pushstring(L, name);
	lua_call(L, 1, 1);
	script_push_dissector(L, gate_dissector_name(DISSECT_HTTP));
	lua_pushvalue(L, -2);
	lua_setfield(L, -2, name);
	lua_pop(L, 1);
	lua_rawset(L, LUA_REGISTRYINDEX);
}

int bind_open_http(lua_State *L)
{
	load_module(L, "uri", &key_uri);
	load_module(L, "cookies", &key_cookies);
	lua_pushlightuserdata(L, (void *)(uintptr_t)&key_splits);
	lua_newtable(L);
	lua_rawset(L, LUA_REGISTRYINDEX);
	return 0;
}
