/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The entry into Lua: script_pcall() and its relatives. The outermost call arms the limits,
 * classifies its error, and frees memory when the limit was reached. No function here raises but
 * script_rethrow().
 */
#include "script/state/script_impl.h"

#include "base/error.h"

#include <lauxlib.h>
#include <stdio.h>

static const char *const fault_names[] = {"none", "syntax", "runtime", "budget", "memory"};

const char *script_fault_name(enum script_fault f)
{
	return fault_names[f];
}

/* Fills *err with the fault and the message of the error at the top of the stack. Returns
 * -USHER_E_SCRIPT, or SCRIPT_ABORTED for haka.abort(). */
static int classify_error(struct script *s, int status, struct script_error *err)
{
	lua_State *L = s->L;
	const char *where = s->where ? s->where : "?:0";
	const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;

	if (s->limits.spent) {
		err->fault = SCRIPT_E_BUDGET;
		if (s->limits.text[0])
			(void)snprintf(err->text, sizeof(err->text), "%s", s->limits.text);
		else
			(void)snprintf(err->text, sizeof(err->text),
				       "%s: more than %llu instructions in one call (memory)",
				       where, (unsigned long long)s->limits.budget);
	} else if (s->limits.out_of_memory || status == LUA_ERRMEM) {
		err->fault = SCRIPT_E_MEMORY;
		(void)snprintf(err->text, sizeof(err->text),
			       "%s: more than %zu octets of memory, or %zu at once", where,
			       s->limits.memory_max, s->limits.object_max);
	} else if (lua_type(L, -1) == LUA_TLIGHTUSERDATA &&
		   lua_touserdata(L, -1) == &script_keys.abort) {
		return SCRIPT_ABORTED;
	} else {
		err->fault = status == LUA_ERRSYNTAX ? SCRIPT_E_SYNTAX : SCRIPT_E_RUNTIME;
		(void)snprintf(err->text, sizeof(err->text), "%s%s%s",
			       text && script_has_place(text) ? "" : where,
			       text && script_has_place(text) ? "" : ": ",
			       text ? text : "error in error handling");
	}
	return -USHER_E_SCRIPT;
}

static void enter_call(struct script *s)
{
	if (s->limits.depth++ == 0) {
		script_arm(s);
		script_count(&s->calls);
	}
}

static int leave_call(struct script *s, int status, struct script_error *err)
{
	bool outermost = --s->limits.depth == 0;
	int r = 0;

	if (status != 0) {
		r = classify_error(s, status, err);
		lua_pop(s->L, 1);
		if (outermost && r < 0)
			script_count(&s->faults[err->fault]);
		else if (outermost)
			script_count(&s->aborts);
	}
	if (outermost) {
		s->L = s->main;
		script_make_room(s);
	}
	return r;
}

/* Calls a function. Restores the running coroutine, which an error may have left at another one. */
static int call_handled(struct script *s, int nargs, int nresults, int handler)
{
	lua_State *L = s->L;
	int status = lua_pcall(L, nargs, nresults, handler);

	s->L = L;
	return status;
}

/* Calls a function with the handler of the state below it. */
static int call_function(struct script *s, int nargs, int nresults)
{
	lua_State *L = s->L;
	int handler = lua_gettop(L) - nargs;
	int status;

	lua_rawgeti(L, LUA_REGISTRYINDEX, s->on_error);
	lua_insert(L, handler);
	status = call_handled(s, nargs, nresults, handler);
	lua_remove(L, handler);
	return status;
}

int script_call(struct script *s, int nargs, int nresults, int handler, struct script_error *err)
{
	enter_call(s);
	return leave_call(s, call_handled(s, nargs, nresults, handler), err);
}

int script_pcall(struct script *s, int nargs, int nresults, struct script_error *err)
{
	enter_call(s);
	return leave_call(s, call_function(s, nargs, nresults), err);
}

int script_protect(struct script *s, lua_CFunction fn, void *ud, struct script_error *err)
{
	lua_State *L = s->L;
	int status;

	enter_call(s);
	status = lua_cpcall(L, fn, ud);
	s->L = L;
	return leave_call(s, status, err);
}

void script_rethrow(lua_State *L, int idx)
{
	const struct script *s = script_of(L);

	if (s->limits.spent || s->limits.out_of_memory || lua_type(L, idx) == LUA_TLIGHTUSERDATA) {
		lua_pushvalue(L, idx);
		(void)lua_error(L);
	}
}

int script_load(lua_State *L, struct span text, const char *chunkname)
{
	/* bytecode is not verified by LuaJIT: it could do anything */
	return luaL_loadbufferx(L, (const char *)text.p, text.n, chunkname, "t");
}

int script_run_text(struct script *s, const char *chunkname, struct span text,
		    struct script_error *err)
{
	const char *before = s->where;
	int status;
	int r;

	s->where = chunkname[0] == '@' || chunkname[0] == '=' ? chunkname + 1 : chunkname;
	enter_call(s);
	s->limits.reserve = true;
	status = script_load(s->L, text, chunkname);
	s->limits.reserve = false;
	if (status == 0)
		status = call_function(s, 0, 0);
	r = leave_call(s, status, err);
	s->where = before;
	return r;
}
