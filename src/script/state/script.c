/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The life of a Lua state, and its one entry: script_pcall(). It arms
 * the limits when it is the outermost call, classifies errors, and frees memory when the limit was
 * reached. No function here raises: operations that may run out of memory run inside a protected
 * call.
 */
#include "script/buffer/buffer_impl.h"
#include "script/rules/event_impl.h"
#include "script/regexp/regexp_impl.h"
#include "script/rules/timer_impl.h"

#include "base/error.h"
#include "base/log.h"
#include "base/rng.h"

#include <errno.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>

const struct script_keys script_keys;

static const char *const fault_names[] = {"none", "syntax", "runtime", "budget", "memory"};

const char *script_fault_name(enum script_fault f)
{
	return fault_names[f];
}

struct script *script_of(lua_State *L)
{
	void *ud;

	(void)lua_getallocf(L, &ud);
	return ud;
}

void script_set_host(struct script *s, void *host)
{
	s->host = host;
}

void *script_host(lua_State *L)
{
	return script_of(L)->host;
}

lua_State *script_lua(struct script *s)
{
	return s->L;
}

enum script_profile script_profile(const struct script *s)
{
	return s->profile;
}

struct log *script_log(const struct script *s)
{
	return s->log;
}

/* Does the text open with "file:line: "? */
static bool has_place(const char *text)
{
	const char *p = strstr(text, ": ");
	const char *c = p;

	while (c && c > text && c[-1] >= '0' && c[-1] <= '9')
		c--;
	return c && c != p && c > text && c[-1] == ':';
}

static void place_of(lua_State *L, char *out, size_t n)
{
	const struct script *s = script_of(L);
	lua_Debug ar;

	for (int level = 1; lua_getstack(L, level, &ar); level++) {
		/* not in Lua of our own: the script has called it */
		if (lua_getinfo(L, "Sl", &ar) && ar.currentline > 0 &&
		    strcmp(ar.short_src, "[usher]") != 0) {
			(void)snprintf(out, n, "%s:%d", ar.short_src, ar.currentline);
			return;
		}
	}
	(void)snprintf(out, n, "%s", s->where ? s->where : "?:0");
}

const char *script_visible(lua_State *L)
{
	size_t n;
	const char *text = lua_tolstring(L, -1, &n), *zero;
	luaL_Buffer b uninit;

	if (!memchr(text, 0, n))
		return text;
	luaL_buffinit(L, &b);
	while ((zero = memchr(text, 0, n)) != NULL) {
		luaL_addlstring(&b, text, (size_t)(zero - text));
		luaL_addlstring(&b, "\\x00", 4);
		n -= (size_t)(zero - text) + 1;
		text = zero + 1;
	}
	luaL_addlstring(&b, text, n);
	luaL_pushresult(&b);
	lua_replace(L, -2);
	return lua_tostring(L, -1);
}

/* The message handler: gives every message a place while the stack still stands. Runs no Lua. */
static int on_error(lua_State *L)
{
	char place[128];
	lua_Debug ar;

	if (lua_type(L, 1) == LUA_TLIGHTUSERDATA)
		return 1;
	lua_settop(L, 1);
	if (lua_isstring(L, 1)) {
		(void)script_visible(L);
		/* the function that raised the error is below this one */
		if (lua_getstack(L, 1, &ar) && lua_getinfo(L, "f", &ar))
			lua_insert(L, 1);
		(void)script_explain(L, lua_gettop(L) > 1 ? 1 : 0);
		lua_replace(L, 1);
		lua_settop(L, 1);
	}
	if (!lua_isstring(L, 1)) {
		place_of(L, place, sizeof(place));
		lua_pushfstring(L, "%s: (the error is a %s)", place, luaL_typename(L, 1));
	} else if (!has_place(lua_tostring(L, 1))) {
		place_of(L, place, sizeof(place));
		lua_pushfstring(L, "%s: %s", place, lua_tostring(L, 1));
	}
	return 1;
}

static int fail(struct script *s, int status, struct script_error *err)
{
	lua_State *L = s->L;
	const char *where = s->where ? s->where : "?:0";
	const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;

	if (s->spent) {
		err->fault = SCRIPT_E_BUDGET;
		if (s->limit_text[0])
			(void)snprintf(err->text, sizeof(err->text), "%s", s->limit_text);
		else
			(void)snprintf(err->text, sizeof(err->text),
				       "%s: more than %llu instructions in one call (memory)",
				       where, (unsigned long long)s->budget);
	} else if (s->out_of_memory || status == LUA_ERRMEM) {
		err->fault = SCRIPT_E_MEMORY;
		(void)snprintf(err->text, sizeof(err->text),
			       "%s: more than %zu octets of memory, or %zu at once", where,
			       s->memory_max, s->object_max);
	} else if (lua_type(L, -1) == LUA_TLIGHTUSERDATA &&
		   lua_touserdata(L, -1) == &script_keys.abort) {
		return SCRIPT_ABORTED;
	} else {
		err->fault = status == LUA_ERRSYNTAX ? SCRIPT_E_SYNTAX : SCRIPT_E_RUNTIME;
		(void)snprintf(err->text, sizeof(err->text), "%s%s%s",
			       text && has_place(text) ? "" : where,
			       text && has_place(text) ? "" : ": ",
			       text ? text : "error in error handling");
	}
	return -USHER_E_SCRIPT;
}

static void enter(struct script *s)
{
	if (s->depth++ == 0) {
		script_arm(s);
		script_count(&s->calls);
	}
}

static int leave(struct script *s, int status, struct script_error *err)
{
	bool outermost = --s->depth == 0;
	int r = 0;

	if (status != 0) {
		r = fail(s, status, err);
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

/* An error may have left a coroutine behind as the one that runs. */
static int call_at(struct script *s, int nargs, int nresults, int handler)
{
	lua_State *L = s->L;
	int status = lua_pcall(L, nargs, nresults, handler);

	s->L = L;
	return status;
}

/* The same with the handler below the function. */
static int call(struct script *s, int nargs, int nresults)
{
	lua_State *L = s->L;
	int handler = lua_gettop(L) - nargs;
	int status;

	lua_rawgeti(L, LUA_REGISTRYINDEX, s->on_error);
	lua_insert(L, handler);
	status = call_at(s, nargs, nresults, handler);
	lua_remove(L, handler);
	return status;
}

int script_call(struct script *s, int nargs, int nresults, int handler, struct script_error *err)
{
	enter(s);
	return leave(s, call_at(s, nargs, nresults, handler), err);
}

int script_pcall(struct script *s, int nargs, int nresults, struct script_error *err)
{
	enter(s);
	return leave(s, call(s, nargs, nresults), err);
}

int script_protect(struct script *s, lua_CFunction fn, void *ud, struct script_error *err)
{
	lua_State *L = s->L;
	int status;

	enter(s);
	status = lua_cpcall(L, fn, ud);
	s->L = L;
	return leave(s, status, err);
}

void script_rethrow(lua_State *L, int idx)
{
	const struct script *s = script_of(L);

	if (s->spent || s->out_of_memory || lua_type(L, idx) == LUA_TLIGHTUSERDATA) {
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
	enter(s);
	s->reserve = true;
	status = script_load(s->L, text, chunkname);
	s->reserve = false;
	if (status == 0)
		status = call(s, 0, 0);
	r = leave(s, status, err);
	s->where = before;
	return r;
}

int script_run_file(struct script *s, const char *path, struct script_error *err)
{
	const char *why = NULL;
	char name[256];
	size_t n;
	char *text = script_read_file(path, &n, &why);
	int r;

	if (!text || script_first_path(s, path) < 0) {
		err->fault = SCRIPT_E_RUNTIME;
		(void)snprintf(err->text, sizeof(err->text), "%s:0: %s", path,
			       why ? why : "memory is out");
		script_count(&s->faults[err->fault]);
		free(text);
		return -USHER_E_SCRIPT;
	}
	(void)snprintf(name, sizeof(name), "@%s", path);
	r = script_run_text(s, name, span_of(text, n), err);
	free(text);
	return r;
}

void script_push_pointer(struct script *s, const void *p)
{
	bool before = s->reserve;

	s->reserve = true;
	lua_pushlightuserdata(s->L, (void *)(uintptr_t)p);
	s->reserve = before;
}

void script_push_haka(lua_State *L)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)&script_keys.haka);
	lua_rawget(L, LUA_REGISTRYINDEX);
}

struct named_function {
	const char *name;
	lua_CFunction fn;
	void *ud;
};

static int add_function(lua_State *L)
{
	const struct named_function *f = lua_touserdata(L, 1);

	script_push_haka(L);
	lua_pushlightuserdata(L, f->ud);
	lua_pushcclosure(L, f->fn, 1);
	lua_setfield(L, -2, f->name);
	return 0;
}

int script_haka_function(struct script *s, const char *name, lua_CFunction fn, void *ud)
{
	struct script_error err;

	return script_protect(s, add_function, &(struct named_function){name, fn, ud}, &err);
}

void script_stats(const struct script *s, struct script_stats *ret)
{
	ret->calls = atomic_load_explicit(&s->calls, memory_order_relaxed);
	ret->aborts = atomic_load_explicit(&s->aborts, memory_order_relaxed);
	for (size_t i = 0; i < SCRIPT_N_FAULTS; i++)
		ret->faults[i] = atomic_load_explicit(&s->faults[i], memory_order_relaxed);
	ret->memory = atomic_load_explicit(&s->memory, memory_order_relaxed);
	ret->memory_peak = atomic_load_explicit(&s->memory_peak, memory_order_relaxed);
}

/* Cannot happen: everything that raises is inside a protected call. */
static int on_panic(lua_State *L)
{
	struct script *s = script_of(L);

	log_msg(s->log, LOG_USHER_SCRIPT_FATAL, "error outside of a call: %s",
		lua_isstring(L, -1) ? lua_tostring(L, -1) : "?");
	abort();
}

static int haka_abort(lua_State *L)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)&script_keys.abort);
	return lua_error(L);
}

static int open_all(lua_State *L)
{
	struct script *s = script_of(L);

	if (s->profile == SCRIPT_TRUSTED)
		luaL_openlibs(L);
	lua_pushcfunction(L, on_error);
	s->on_error = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_newtable(L);
	lua_pushvalue(L, -1);
	lua_setglobal(L, "haka");
	lua_pushlightuserdata(L, (void *)(uintptr_t)&script_keys.haka);
	lua_pushvalue(L, -2);
	lua_rawset(L, LUA_REGISTRYINDEX);
	lua_pushcfunction(L, haka_abort);
	lua_setfield(L, -2, "abort");
	lua_settop(L, 0);
	script_open_sandbox(L);
	script_open_require(L);
	script_open_addr(L);
	script_open_filter(L);
	script_open_events(L);
	script_open_rules(L);
	script_open_time(L);
	script_open_say(L);
	script_open_alert(L);
	script_open_regexp_kinds(L);
	script_open_policy(L);
	script_open_timers(L);
	script_open_languages(L);
	script_open_missed(L);
	return 0;
}

static int open_buffers(lua_State *L)
{
	buffer_open_memory(L);
	buffer_open_iters(L);
	buffer_open_stream(L);
	return 0;
}

static int opts_take(struct script *s, const struct script_opts *o)
{
	s->profile = o->profile;
	s->budget = o->instructions ? o->instructions : SCRIPT_INSTRUCTIONS;
	s->memory_max = o->memory ? o->memory : SCRIPT_MEMORY;
	s->object_max = o->profile == SCRIPT_TRUSTED ? s->memory_max : s->memory_max / 4;
	s->call_ms = o->call_ms ? o->call_ms : SCRIPT_CALL_MS;
	s->thread = o->thread;
	s->color = o->color;
	s->has_timers = o->timers;
	s->log = o->log;
	s->clock = o->clock ? *o->clock : clock_system;
	s->print = o->print;
	s->exit = o->exit;
	s->log_level = o->log_level;
	s->prompt = o->prompt;
	buf_init(&s->line);
	s->ctx = o->ctx;
	s->shared = o->shared;
	buf_init(&s->shared_text);
	if (!s->shared) {
		struct hash_key key;
		struct rng rng;

		rng_seed_system(&rng);
		key = (struct hash_key){rng_u64(&rng), rng_u64(&rng)};
		if (shared_store_new(0, &key, &s->own_shared) < 0)
			return -ENOMEM;
		s->shared = s->own_shared;
	}
	s->paths = calloc(o->n_paths + 1, sizeof(*s->paths));
	if (!s->paths)
		return -ENOMEM;
	s->n_paths = o->n_paths + 1;
	for (size_t i = 0; i < o->n_paths; i++) {
		s->paths[i + 1] = strdup(o->paths[i]);
		if (!s->paths[i + 1])
			return -ENOMEM;
	}
	return 0;
}

int script_new(const struct script_opts *opts, struct script **ret)
{
	struct script *s = calloc(1, sizeof(*s));
	struct script_error err;

	if (!s || opts_take(s, opts) < 0)
		goto no_memory;
	s->events = calloc(1, sizeof(*s->events));
	if (!s->events || script_policies_new(s) < 0 || script_timers_new(s) < 0)
		goto no_memory;
	s->L = lua_newstate(script_alloc, s);
	s->main = s->L;
	if (!s->L)
		goto no_memory;
	(void)lua_atpanic(s->L, on_panic);
	if (lua_cpcall(s->L, open_all, NULL) != 0)
		goto no_memory;
	if (script_class_register(s, &script_class_vbuffer) < 0 ||
	    script_class_register(s, &script_class_blocking) < 0 || buffer_register_stream(s) < 0 ||
	    script_protect(s, open_buffers, NULL, &err) < 0)
		goto no_memory;
	if (script_module(s, "protocol/ipv4", script_open_ipv4) < 0 ||
	    script_module(s, "color", script_open_color) < 0 ||
	    script_module(s, "regexp/pcre", script_open_regexp) < 0 || script_open_shared(s) < 0 ||
	    script_open_console(s) < 0 ||
	    script_event_define(s, NULL, "started", 0, &s->events->started) < 0 ||
	    script_event_define(s, NULL, "exiting", 0, &s->events->exiting) < 0)
		goto no_memory;
	script_limits_on(s);
	*ret = s;
	return 0;
no_memory:
	script_free(s);
	return -ENOMEM;
}

void script_free(struct script *s)
{
	if (!s)
		return;
	if (s->main) {
		s->reserve = true;
		s->slice = 0; /* no hook any more */
		lua_close(s->main);
	}
	for (size_t i = 0; i < s->n_paths; i++)
		free(s->paths[i]);
	free(s->paths);
	shared_store_free(s->own_shared);
	buf_fini(&s->shared_text);
	buf_fini(&s->line);
	regexp_lib_free(s->regexp);
	script_timers_free(s);
	free(s->policies);
	free(s->events);
	script_alloc_fini(s);
	free(s);
}
