/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Makes a Lua state of the modules below: opens each of them, in the order in which they need one
 * another. Only this folder knows all of them.
 */
#include "script/script_open.h"

#include "script/buffer/buffer_impl.h"
#include "script/regexp/regexp_impl.h"
#include "script/rules/event_impl.h"
#include "script/rules/timer_impl.h"
#include "script/state/script_impl.h"

#include "base/rng.h"

#include <errno.h>
#include <lualib.h>
#include <stdlib.h>

/* Opens the modules that need no protected call of their own. */
static int open_modules(lua_State *L)
{
	struct script *s = script_of(L);

	if (s->profile == SCRIPT_TRUSTED)
		luaL_openlibs(L);
	script_open_errors(L);
	script_open_haka(L);
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
	script_open_lazy(L);
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

static int take_options(struct script *s, const struct script_opts *o)
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

	if (!s || take_options(s, opts) < 0)
		goto no_memory;
	s->events = calloc(1, sizeof(*s->events));
	if (!s->events || script_policies_new(s) < 0 || script_timers_new(s) < 0)
		goto no_memory;
	s->L = lua_newstate(script_alloc, s);
	s->main = s->L;
	if (!s->L)
		goto no_memory;
	(void)lua_atpanic(s->L, script_on_panic);
	if (lua_cpcall(s->L, open_modules, NULL) != 0)
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
