/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The record of a Lua state: it is found from the Lua state, and asked for its parts.
 */
#include "script/state/script_impl.h"

#include "base/log.h"

#include <stdlib.h>

const struct script_keys script_keys;

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

void script_push_pointer(struct script *s, const void *p)
{
	bool before = s->reserve;

	s->reserve = true;
	lua_pushlightuserdata(s->L, (void *)(uintptr_t)p);
	s->reserve = before;
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
int script_on_panic(lua_State *L)
{
	struct script *s = script_of(L);

	log_msg(s->log, LOG_USHER_SCRIPT_FATAL, "error outside of a call: %s",
		lua_isstring(L, -1) ? lua_tostring(L, -1) : "?");
	abort();
}
