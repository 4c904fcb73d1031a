/* SPDX-License-Identifier: MPL-2.0 */
/*
 * msg.options: by code (1 to 254) or name, which may have '_' for '-'. The definition
 * decides the value read: numbers, booleans, addresses, lists of those; text as Kea writes it for
 * names and records; octets for binary types, for undefined options, and for data that does
 * not fit its type. Values of these types are written, or text in Kea's form; octets as they are
 * with options:raw(code, octets).
 */
#include "script/values/dhcp_impl.h"

#include "base/buf.h"
#include "base/cursor.h"
#include "script/values/addr.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>

enum { CODE_MIN = 1, CODE_MAX = 254, WHAT_LEN = 96, ITEM_MAX = 4 };

/* Returns the octets of one value of a type with a fixed width; 0: other types. */
static size_t get_width(enum option_type t)
{
	switch ((int)t) {
	case OPTION_BOOLEAN:
	case OPTION_INT8:
	case OPTION_UINT8:
		return 1;
	case OPTION_INT16:
	case OPTION_UINT16:
		return 2;
	case OPTION_INT32:
	case OPTION_UINT32:
	case OPTION_IPV4:
		return 4;
	default:
		return 0;
	}
}

static bool is_octets(enum option_type t)
{
	return t == OPTION_BINARY || t == OPTION_STRING || t == OPTION_EMPTY;
}

static const struct option_def *find_by_code(const struct script_dhcp *d, uint8_t code)
{
	if (d->host && d->host->by_code)
		return d->host->by_code(d, code);
	return option_def_by_code(OPTION_SPACE_DHCP4, code);
}

static const struct option_def *find_by_name(const struct script_dhcp *d, const char *name)
{
	if (d->host && d->host->by_name)
		return d->host->by_name(d, name);
	return option_def_by_name(OPTION_SPACE_DHCP4, name);
}

/* Returns the code of the option that the value at idx names. */
static uint8_t check_code(lua_State *L, const struct script_dhcp *d, int idx,
			  const struct option_def **ret_def)
{
	const struct option_def *def;
	char name[WHAT_LEN];
	double n;

	if (lua_type(L, idx) == LUA_TSTRING) {
		(void)snprintf(name, sizeof(name), "%s", lua_tostring(L, idx));
		for (char *p = name; *p; p++)
			*p = *p == '_' ? '-' : *p;
		def = find_by_name(d, name);
		if (!def)
			luaL_error(L, "dhcp.options: no option is called '%s'",
				   lua_tostring(L, idx));
		*ret_def = def;
		return (uint8_t)def->code;
	}
	n = script_check_number(L, idx, "dhcp.options: a code or name");
	if (!(n >= CODE_MIN && n <= CODE_MAX) || floor(n) != n)
		luaL_error(L, "dhcp.options: %f is no option code (1 to 254)", n);
	*ret_def = find_by_code(d, (uint8_t)n);
	return (uint8_t)n;
}

static const char *make_name(uint8_t code, char out[WHAT_LEN])
{
	(void)snprintf(out, WHAT_LEN, "dhcp.options[%u]", code);
	return out;
}

/* --- reading --------------------------------------------------------------------------------- */

static void push_octets(lua_State *L, struct span data)
{
	lua_pushlstring(L, data.n ? (const char *)data.p : "", data.n);
}

static void push_one(lua_State *L, enum option_type t, struct rd *r)
{
	switch ((int)t) {
	case OPTION_BOOLEAN:
		lua_pushboolean(L, rd_u8(r));
		break;
	case OPTION_INT8:
		lua_pushnumber(L, (int8_t)rd_u8(r));
		break;
	case OPTION_INT16:
		lua_pushnumber(L, (int16_t)rd_be16(r));
		break;
	case OPTION_INT32:
		lua_pushnumber(L, (int32_t)rd_be32(r));
		break;
	case OPTION_UINT8:
		lua_pushnumber(L, rd_u8(r));
		break;
	case OPTION_UINT16:
		lua_pushnumber(L, rd_be16(r));
		break;
	case OPTION_IPV4:
		script_push_addr(L, rd_be32(r));
		break;
	default:
		lua_pushnumber(L, rd_be32(r));
		break;
	}
}

static void push_list(lua_State *L, const struct option_def *def, struct span data)
{
	struct rd r = rd_init(data);
	int i = 1;

	lua_createtable(L, (int)(data.n / get_width(def->type)), 0);
	while (rd_left(&r) && rd_ok(&r)) {
		push_one(L, def->type, &r);
		lua_rawseti(L, -2, i++);
	}
}

static void push_option(lua_State *L, struct script_dhcp *d, const struct option_def *def,
			struct span data)
{
	struct rd r = rd_init(data);

	if (def && def->type == OPTION_EMPTY && data.n == 0) {
		lua_pushboolean(L, 1);
	} else if (!def || is_octets(def->type) || !option_data_valid(def, data)) {
		push_octets(L, data);
	} else if (get_width(def->type) && def->flags & OPTION_F_ARRAY) {
		push_list(L, def, data);
	} else if (get_width(def->type)) {
		push_one(L, def->type, &r);
	} else {
		buf_reset(&d->text);
		option_text(def, data, &d->text);
		if (d->text.failed)
			luaL_error(L, "dhcp.options: not enough memory");
		script_charge(L, d->text.len);
		push_octets(L, span_of(d->text.p, d->text.len));
	}
}

static int options_index(lua_State *L, void *obj)
{
	struct script_dhcp *d = obj;
	const struct option_def *def;
	uint8_t code = check_code(L, d, 2, &def);
	const struct dhcp4_option *o = dhcp4_opt(d->msg, code);

	if (!o)
		return 0;
	push_option(L, d, def, o->data);
	return 1;
}

/* --- writing --------------------------------------------------------------------------------- */

static int64_t check_int(lua_State *L, int idx, int64_t min, int64_t max, const char *what)
{
	double n = script_check_number(L, idx, what);

	if (!(n >= (double)min && n <= (double)max) || floor(n) != n)
		luaL_error(L, "%s: %f is no whole number from %f to %f", what, n, (double)min,
			   (double)max);
	return (int64_t)n;
}

/* Writes one value of a fixed width, in network order. */
static void put_one(lua_State *L, enum option_type t, int idx, const char *what, struct wr *w)
{
	switch ((int)t) {
	case OPTION_BOOLEAN:
		wr_u8(w, script_check_bool(L, idx, what));
		break;
	case OPTION_INT8:
		wr_u8(w, (uint8_t)check_int(L, idx, INT8_MIN, INT8_MAX, what));
		break;
	case OPTION_INT16:
		wr_be16(w, (uint16_t)check_int(L, idx, INT16_MIN, INT16_MAX, what));
		break;
	case OPTION_INT32:
		wr_be32(w, (uint32_t)check_int(L, idx, INT32_MIN, INT32_MAX, what));
		break;
	case OPTION_UINT8:
		wr_u8(w, (uint8_t)check_int(L, idx, 0, UINT8_MAX, what));
		break;
	case OPTION_UINT16:
		wr_be16(w, (uint16_t)check_int(L, idx, 0, UINT16_MAX, what));
		break;
	case OPTION_IPV4:
		wr_be32(w, script_check_addr(L, idx, what));
		break;
	default:
		wr_be32(w, (uint32_t)check_int(L, idx, 0, UINT32_MAX, what));
		break;
	}
}

static struct span encode_list(lua_State *L, struct dhcp4_msg *m, const struct option_def *def,
			       int idx, const char *what)
{
	size_t n = lua_objlen(L, idx);
	size_t len = n * get_width(def->type);
	void *mem = n <= UINT16_MAX ? arena_alloc(m->arena, len) : NULL;
	struct wr w = wr_init(mem, len);

	if (n == 0)
		luaL_error(L, "%s: an empty list", what);
	if (!mem)
		dhcp_check_room(L, -1, what);
	for (size_t i = 1; i <= n; i++) {
		lua_rawgeti(L, idx, (int)i);
		put_one(L, def->type, lua_gettop(L), what, &w);
		lua_pop(L, 1);
	}
	return span_of(mem, len);
}

static struct span encode_one(lua_State *L, struct dhcp4_msg *m, const struct option_def *def,
			      int idx, const char *what)
{
	size_t len = get_width(def->type);
	void *mem = arena_alloc(m->arena, ITEM_MAX);
	struct wr w = wr_init(mem, len);

	if (!mem)
		dhcp_check_room(L, -1, what);
	put_one(L, def->type, idx, what, &w);
	return span_of(mem, len);
}

static struct span encode_text(lua_State *L, struct dhcp4_msg *m, const struct option_def *def,
			       int idx, const char *what)
{
	const char *why = NULL;
	struct span data;

	if (option_encode_text(def, lua_tostring(L, idx), true, m->arena, &data, &why) < 0 || why)
		luaL_error(L, "%s (%s): '%s': %s", what, def->name, lua_tostring(L, idx),
			   why ? why : "no memory");
	return data;
}

/* Copies octets of Lua's to the memory of the message. */
static struct span keep_octets(lua_State *L, struct dhcp4_msg *m, struct span s, const char *what)
{
	void *copy = arena_memdup(m->arena, s.p, s.n);

	if (!copy)
		dhcp_check_room(L, -1, what);
	return span_of(copy, s.n);
}

/* Encodes the value at idx for a message, in its arena: by the definition's types, or as octets. */
static struct span encode_value(lua_State *L, struct dhcp4_msg *m, const struct option_def *def,
				int idx, const char *what)
{
	int type = lua_type(L, idx);
	struct span data;

	if (!def || is_octets(def->type)) {
		if (def && def->type == OPTION_EMPTY && type == LUA_TBOOLEAN &&
		    lua_toboolean(L, idx))
			return SPAN_NULL;
		data = script_check_span(L, idx, what);
		if (def && def->type == OPTION_STRING && !option_data_valid(def, data))
			luaL_error(L, "%s (%s): %d octets do not fit type %s", what, def->name,
				   (int)data.n, option_type_name(def->type));
		return keep_octets(L, m, data, what);
	}
	if (type == LUA_TTABLE && get_width(def->type) && def->flags & OPTION_F_ARRAY)
		data = encode_list(L, m, def, idx, what);
	else if (type == LUA_TSTRING)
		return encode_text(L, m, def, idx, what);
	else if (get_width(def->type))
		data = encode_one(L, m, def, idx, what);
	else
		script_expected(L, idx, what, "text");
	if (!option_data_valid(def, data))
		luaL_error(L, "%s (%s): the value does not fit type %s", what, def->name,
			   option_type_name(def->type));
	return data;
}

static void set_option(lua_State *L, struct script_dhcp *d, uint8_t code, struct span data)
{
	char what[WHAT_LEN];

	dhcp_check_room(L, dhcp4_opt_set_ref(d->msg, code, data), make_name(code, what));
	dhcp_touch(d);
}

static bool options_newindex(lua_State *L, void *obj)
{
	struct script_dhcp *d = dhcp_write(L, obj);
	const struct option_def *def;
	char what[WHAT_LEN];
	uint8_t code = check_code(L, d, 2, &def);

	if (!lua_isnil(L, 3))
		set_option(L, d, code, encode_value(L, d->msg, def, 3, make_name(code, what)));
	else if (dhcp4_opt_del(d->msg, code))
		dhcp_touch(d);
	return true;
}

/* Called for options:raw(code), which returns the octets, and options:raw(code, octets), which sets
 * them. */
static int options_raw(lua_State *L)
{
	struct script_dhcp *d = script_check(L, 1, &dhcp_options_class);
	const struct option_def *def;
	const struct dhcp4_option *o;
	char what[WHAT_LEN];
	struct span data;
	uint8_t code = check_code(L, d, 2, &def);

	if (!lua_isnoneornil(L, 3)) {
		(void)dhcp_write(L, d);
		data = script_check_span(L, 3, make_name(code, what));
		set_option(L, d, code, keep_octets(L, d->msg, data, what));
		return 0;
	}
	o = dhcp4_opt(d->msg, code);
	if (!o)
		return 0;
	push_octets(L, o->data);
	return 1;
}

/* --- pairs ----------------------------------------------------------------------------------- */

/* Iterates by code, so that a loop may change the options that it walks. Upvalue 1: the next
 * code. */
static int options_next(lua_State *L)
{
	struct script_dhcp *d = script_check(L, 1, &dhcp_options_class);
	lua_Integer code = lua_tointeger(L, lua_upvalueindex(1));

	while (code <= CODE_MAX && !dhcp4_opt(d->msg, (uint8_t)code))
		code++;
	lua_pushinteger(L, code + 1);
	lua_replace(L, lua_upvalueindex(1));
	if (code > CODE_MAX)
		return 0;
	lua_pushinteger(L, code);
	push_option(L, d, find_by_code(d, (uint8_t)code), dhcp4_opt_data(d->msg, (uint8_t)code));
	return 2;
}

static int options_pairs(lua_State *L)
{
	lua_pushinteger(L, CODE_MIN);
	lua_pushcclosure(L, options_next, 1);
	lua_pushvalue(L, 1);
	return 2;
}

const struct script_class dhcp_options_class = {
	.name = "dhcp.options",
	.methods = (const struct script_method[]){{"raw", options_raw}, {0}},
	.index = options_index,
	.newindex = options_newindex,
	.meta = (const struct luaL_Reg[]){{"__pairs", options_pairs}, {NULL, NULL}},
};
