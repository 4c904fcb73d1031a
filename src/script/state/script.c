/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The record of a Lua state: it is found from the Lua state, and asked for its parts.
 */
#include "script/state/script_impl.h"
#include "script/state/state_open.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct script_keys script_keys;

int script_record_init(struct script *s, const struct script_opts *o)
{
	s->profile = o->profile;
	s->thread = o->thread;
	s->log = o->log;
	s->clock = o->clock ? *o->clock : clock_system;
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

void script_record_fini(struct script *s)
{
	for (size_t i = 0; i < s->n_paths; i++)
		free(s->paths[i]);
	free(s->paths);
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

void script_push_pointer(struct script *s, const void *p)
{
	bool before = s->limits.reserve;

	s->limits.reserve = true;
	lua_pushlightuserdata(s->L, (void *)(uintptr_t)p);
	s->limits.reserve = before;
}

void script_push_haka(lua_State *L)
{
	script_push_key(L, &script_keys.haka);
}

void script_stats(const struct script *s, struct script_stats *ret)
{
	ret->calls = atomic_load_explicit(&s->calls, memory_order_relaxed);
	ret->aborts = atomic_load_explicit(&s->aborts, memory_order_relaxed);
	for (size_t i = 0; i < SCRIPT_N_FAULTS; i++)
		ret->faults[i] = atomic_load_explicit(&s->faults[i], memory_order_relaxed);
	ret->memory = atomic_load_explicit(&s->limits.memory, memory_order_relaxed);
	ret->memory_max = s->limits.memory_max;
	ret->memory_peak = atomic_load_explicit(&s->limits.memory_peak, memory_order_relaxed);
}

/* Called for an error outside of a call. It cannot happen: everything that raises is inside a
 * protected call. */
int script_on_panic(lua_State *L)
{
	struct script *s = script_of(L);

	log_msg(s->log, LOG_USHER_SCRIPT_FATAL, "error outside of a call: %s",
		lua_isstring(L, -1) ? lua_tostring(L, -1) : "?");
	abort();
}
