/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Expressions of client classes in scripts: haka.expression(text) compiles one while the script is
 * loaded, expression:value(message) evaluates it on a message of the call.
 */
#include "server/lua/lua_hook.h"

#include <errno.h>
#include <lauxlib.h>

/* An expression as Lua sees it. */
struct lua_expression {
	struct lua_state *st;
	const usher_expression *expression;
	bool condition;
};

static int expression_value(lua_State *L);

static const struct script_class expression_class = {
	.name = "expression",
	.methods = (const struct script_method[]){{"value", expression_value}, {0}},
};

/* Returns a message of the call that is argument 2. */
static const usher_msg *check_message(lua_State *L, const struct lua_state *st)
{
	const struct script_dhcp *d = script_check(L, 2, &script_dhcp_class);

	if (!st->call || (d != &st->query && d != &st->response))
		(void)luaL_error(L, "expression:value: the message is not one of this call");
	return d->msg;
}

/* Gives Lua octets, or a boolean; where there is no value nil and the reason. */
static int expression_value(lua_State *L)
{
	const struct lua_expression *x = script_check(L, 1, &expression_class);
	const usher_msg *msg = check_message(L, x->st);
	const char *reason = "there is no packet";
	const uint8_t *p;
	bool holds;
	size_t n;
	int r;

	if (x->condition) {
		r = usher_expression_holds(x->st->call, x->expression, msg, &holds, &reason);
		if (r == 0)
			lua_pushboolean(L, holds);
	} else {
		r = usher_expression_octets(x->st->call, x->expression, msg, &p, &n, &reason);
		if (r == 0)
			lua_pushlstring(L, (const char *)p, n);
	}
	if (r == 0)
		return 1;
	lua_pushnil(L);
	lua_pushstring(L, reason);
	return 2;
}

/* Implements haka.expression(text, [condition]). */
static int new_expression(lua_State *L)
{
	struct lua_state *st = lua_touserdata(L, lua_upvalueindex(1));
	const usher_expression *e = NULL;
	const char *error = "out of memory";
	struct lua_expression *x;
	bool condition;
	int r;

	(void)script_check_span(L, 1, "haka.expression");
	condition = !lua_isnoneornil(L, 2) && script_check_bool(L, 2, "haka.expression");
	r = usher_expression_compile(st->hook->lib, lua_tostring(L, 1), condition, &e, &error);
	if (r == -EBUSY)
		return luaL_error(L, "haka.expression: only while the script is loaded");
	if (r < 0)
		return luaL_error(L, "haka.expression: %s", error);
	x = script_push_object(L, &expression_class, sizeof(*x), NULL);
	*x = (struct lua_expression){st, e, condition};
	return 1;
}

int lua_expression_register(struct lua_state *st)
{
	int r = script_class_register(st->script, &expression_class);

	return r < 0 ? r : script_haka_function(st->script, "expression", new_expression, st);
}
