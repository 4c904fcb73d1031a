/* SPDX-License-Identifier: MPL-2.0 */
/*
 * call:park() and its handle. The handle is Lua's own memory, in a list of the library's, because
 * it must be returned in every case: when the rule that took it fails, when no reference to it is
 * left, and when another configuration takes over. A parked packet holds the registry, so that
 * without the last case neither would ever be freed.
 */
#include "server/lua/lua_hook.h"

#include <lauxlib.h>

#define PARKED_MAGIC 0x3fd0a61b92e7c584ULL

struct lua_parked {
	uint64_t magic;
	struct lua_state *st;
	struct lua_parked *next, **at; /* at: NULL when it is in no list */
	usher_parked *packet;	       /* NULL: returned */
	uint32_t call;		       /* the generation of the state that took it */
};

static const char key_meta;

enum how { GO_ON, DROP, IN_USE };

/* Removes the handle from the list. Called under the lock. */
static usher_parked *take_handle(struct lua_parked *p)
{
	usher_parked *packet = p->packet;

	if (p->at) {
		*p->at = p->next;
		if (p->next)
			p->next->at = p->at;
		else
			p->st->hook->parked_end = p->at;
	}
	p->at = NULL;
	p->packet = NULL;
	return packet;
}

/* Returns a handle to the server. Returns false if it had been returned before. */
static bool give_back(struct lua_parked *p, enum how how)
{
	struct lua_hook *h = p->st->hook;
	usher_parked *packet;

	(void)pthread_mutex_lock(&h->park_lock);
	packet = take_handle(p);
	(void)pthread_mutex_unlock(&h->park_lock);
	if (!packet)
		return false;
	if (how == DROP)
		usher_unpark_drop(packet);
	else if (how == IN_USE)
		usher_unpark_in_use(packet);
	else
		usher_unpark(packet);
	return true;
}

static struct lua_parked *check_handle(lua_State *L, const char *what)
{
	struct lua_parked *p = lua_type(L, 1) == LUA_TUSERDATA ? lua_touserdata(L, 1) : NULL;

	if (!p || lua_objlen(L, 1) != sizeof(*p) || p->magic != PARKED_MAGIC)
		script_expected(L, 1, what, "handle of call:park()");
	return p;
}

static int handle_unpark(lua_State *L)
{
	lua_pushboolean(L, give_back(check_handle(L, "handle:unpark"), GO_ON));
	return 1;
}

static int handle_drop(lua_State *L)
{
	lua_pushboolean(L, give_back(check_handle(L, "handle:drop"), DROP));
	return 1;
}

static int handle_in_use(lua_State *L)
{
	lua_pushboolean(L, give_back(check_handle(L, "handle:in_use"), IN_USE));
	return 1;
}

static int handle_gc(lua_State *L)
{
	(void)give_back(check_handle(L, "handle"), GO_ON);
	return 0;
}

/* Appends a handle: packets are resumed in the order of their arrival. Called under the lock. */
static void append_handle(struct lua_hook *h, struct lua_parked *p)
{
	p->next = NULL;
	p->at = h->parked_end;
	*p->at = p;
	h->parked_end = &p->next;
}

int lua_call_park(lua_State *L)
{
	struct lua_state *st = script_check(L, 1, &lua_call_class);
	struct lua_hook *h = st->hook;
	struct lua_parked *p;
	bool retired;

	if (!st->call->parked || !hook_point_parks(st->call->point))
		return luaL_error(L, "call:park: a packet cannot be parked at %s",
				  usher_hook_point(st->call));
	p = lua_newuserdata(L, sizeof(*p));
	*p = (struct lua_parked){.magic = PARKED_MAGIC, .st = st, .call = st->generation};
	lua_pushlightuserdata(L, (void *)(uintptr_t)&key_meta);
	lua_rawget(L, LUA_REGISTRYINDEX);
	(void)lua_setmetatable(L, -2);
	(void)pthread_mutex_lock(&h->park_lock);
	retired = h->retired;
	if (!retired) {
		p->packet = usher_park(st->call);
		append_handle(h, p);
	}
	(void)pthread_mutex_unlock(&h->park_lock);
	if (!retired) /* otherwise the handle has been returned already, and the packet is not
			 parked */
		usher_set_status(st->call, USHER_PARK);
	return 1;
}

void lua_park_undo(struct lua_state *st, bool drop)
{
	struct lua_hook *h = st->hook;

	(void)pthread_mutex_lock(&h->park_lock);
	for (struct lua_parked *p = h->parked; p;) {
		struct lua_parked *next = p->next;
		usher_parked *packet = p->st == st && p->call == st->generation ? take_handle(p)
										: NULL;

		if (packet && drop)
			usher_unpark_drop(packet);
		else if (packet)
			usher_unpark(packet);
		p = next;
	}
	(void)pthread_mutex_unlock(&h->park_lock);
}

void lua_park_retire(struct lua_hook *h)
{
	(void)pthread_mutex_lock(&h->park_lock);
	h->retired = true;
	while (h->parked)
		usher_unpark(take_handle(h->parked));
	(void)pthread_mutex_unlock(&h->park_lock);
}

static int open_meta(lua_State *L)
{
	static const luaL_Reg methods[] = {{"unpark", handle_unpark},
					   {"drop", handle_drop},
					   {"in_use", handle_in_use},
					   {NULL, NULL}};

	lua_pushlightuserdata(L, (void *)(uintptr_t)&key_meta);
	lua_createtable(L, 0, 3);
	lua_createtable(L, 0, 3);
	luaL_setfuncs(L, methods, 0);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, handle_gc);
	lua_setfield(L, -2, "__gc");
	lua_pushliteral(L, "parked");
	lua_setfield(L, -2, "__metatable");
	lua_rawset(L, LUA_REGISTRYINDEX);
	return 0;
}

int lua_park_register(struct lua_state *st)
{
	struct script_error err;

	return script_protect(st->script, open_meta, NULL, &err);
}
