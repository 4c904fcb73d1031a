/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Makes a Lua state of the modules below: opens each of them, in the order in which they need one
 * another. Only this folder knows all of them.
 */
#include "script/script_open.h"

#include "script/buffer/buffer_impl.h"
#include "script/library/library_impl.h"
#include "script/regexp/regexp_impl.h"
#include "script/rules/rules_impl.h"
#include "script/state/script_impl.h"
#include "script/state/state_open.h"
#include "script/values/values_impl.h"

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
	script_open_raises(L);
	script_open_rules(L);
	script_open_time(L);
	script_open_say(L);
	script_open_alert(L);
	script_open_regexp_kinds(L);
	script_open_policy(L);
	script_open_timers(L);
	script_open_lazy(L);
	script_open_languages(L);
	script_open_commands(L);
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

/* Opens the modules that make protected calls themselves. */
static int open_more(struct script *s)
{
	struct event_table *events = &s->rules->events;
	struct script_error err;

	if (script_class_register(s, &script_class_vbuffer) < 0 ||
	    script_class_register(s, &script_class_blocking) < 0 || buffer_register_stream(s) < 0 ||
	    script_protect(s, open_buffers, NULL, &err) < 0)
		return -ENOMEM;
	if (script_module(s, "protocol/ipv4", script_open_ipv4) < 0 ||
	    script_module(s, "color", script_open_color) < 0 ||
	    script_module(s, "regexp/pcre", script_open_regexp) < 0 || script_open_shared(s) < 0 ||
	    script_open_console(s) < 0 ||
	    script_event_define(s, NULL, "started", 0, &events->started) < 0 ||
	    script_event_define(s, NULL, "exiting", 0, &events->exiting) < 0)
		return -ENOMEM;
	return 0;
}

int script_new(const struct script_opts *opts, struct script **ret)
{
	struct script *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	script_limits_init(s, opts);
	if (script_record_init(s, opts) < 0 || library_new(s, opts) < 0 ||
	    rules_state_new(s, opts) < 0)
		goto no_memory;
	s->L = lua_newstate(script_alloc, s);
	s->main = s->L;
	if (!s->L)
		goto no_memory;
	(void)lua_atpanic(s->L, script_on_panic);
	if (lua_cpcall(s->L, open_modules, NULL) != 0 || open_more(s) < 0)
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
		s->limits.reserve = true;
		s->limits.slice = 0; /* no hook any more */
		lua_close(s->main);
	}
	script_record_fini(s);
	library_free(s);
	regexp_lib_free(s->regexp);
	rules_state_free(s);
	script_alloc_fini(s);
	free(s);
}
