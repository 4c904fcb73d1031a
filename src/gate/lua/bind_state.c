/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Services for the files of bind_*: the state of a script, the walk during which it runs, results
 * of its rules.
 */
#include "gate/lua/bind_class.h"
#include "gate/lua/bind_impl.h"

#include "base/error.h"
#include "base/log.h"

#include <errno.h>
#include <lauxlib.h>

struct script_dhcp *bind_dhcp(struct gate_bind *b)
{
	return &b->dhcp;
}

unsigned *bind_policy_ids(struct gate_bind *b)
{
	return b->policies;
}

struct gate_bind *bind_of(lua_State *L)
{
	return script_host(L);
}

struct gate *bind_gate_of(lua_State *L)
{
	return bind_of(L)->g;
}

void bind_check_write(lua_State *L, int result, const char *what)
{
	if (result == 0)
		return;
	if (result == -EROFS)
		(void)luaL_error(L, "%s: read only: the gate only looks on (--pass-through)", what);
	(void)luaL_error(L, "%s: %s", what, usher_strerror(result));
}

struct script *gate_bind_script(const struct gate_bind *b)
{
	return b->script;
}

/* --- Results ------------------------------------------------------------------------------------- */

/* Handles the result of a raise. Returns false if the walk stops. Without a packet the caller drops
 * the flow. */
bool bind_outcome(struct gate_walk *w, const struct flow *f, unsigned result)
{
	struct gate *g = w->g;
	struct gate_packet *p = w->p;
	bool failed = result & SCRIPT_RAISE_FAULT && !g->fail_open;

	if (result & SCRIPT_RAISE_FAULT && g->fail_open)
		g->counters.failed_open++;
	if (!p)
		return !failed && !(result & SCRIPT_RAISE_ABORTED);
	if (failed)
		gate_drop(p, GATE_DROP_RULE_FAILED);
	if (result & SCRIPT_RAISE_ABORTED)
		gate_drop(p, GATE_DROP_RULE);
	if (f && f->dropped)
		gate_drop(p, GATE_DROP_FLOW_DROPPED);
	return !p->stopped;
}

struct gate_walk *bind_enter(struct gate_bind *b, struct gate_walk *w)
{
	struct gate_walk *before = b->walk;

	b->walk = w;
	return before;
}

struct gate_packet *bind_packet_of(const struct gate_bind *b, const struct flow *f)
{
	return gate_walk_is_of(b->walk, f) ? b->walk->p : NULL;
}

bool bind_fault(struct gate_bind *b, struct gate_walk *w, struct flow *f, const char *why)
{
	log_msg(script_log(b->script), LOG_USHER_SCRIPT_FAULT, "%s", why);
	return bind_outcome(w, f, SCRIPT_RAISE_FAULT);
}
