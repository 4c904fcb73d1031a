/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Criteria as values of scripts: haka.range, haka.policy's constructors, and the comparison of a
 * criterion with a Lua value. Searching the ranges is our own code: bsearch(3) finds an equal
 * element only, not the last range that begins at or before a value.
 */
#include "script/rules/criterion_impl.h"

#include "script/rules/rules_impl.h"
#include "script/values/addr.h"

#include "base/ip.h"

#include <lauxlib.h>
#include <stdlib.h>

#define CRITERION_MAGIC 0x7c1e84f0b6d2953aULL

enum { SET_MAX = 65536 };

static const char key_meta;

static int compare_ranges(const void *a, const void *b)
{
	const struct criterion_range *x = a;
	const struct criterion_range *y = b;

	return x->lo < y->lo ? -1 : x->lo > y->lo;
}

uint32_t criterion_sort(struct criterion_range *r, uint32_t n)
{
	uint32_t k = 0;

	qsort(r, n, sizeof(*r), compare_ranges);
	for (uint32_t i = 0; i < n; i++) {
		if (k && (r[i].lo <= r[k - 1].hi || r[i].lo == r[k - 1].hi + 1)) {
			if (r[i].hi > r[k - 1].hi)
				r[k - 1].hi = r[i].hi;
		} else {
			r[k++] = r[i];
		}
	}
	return k;
}

static struct criterion *find_criterion(lua_State *L, int idx)
{
	struct criterion *c = lua_type(L, idx) == LUA_TUSERDATA ? lua_touserdata(L, idx) : NULL;

	return c && lua_objlen(L, idx) >= sizeof(*c) && c->magic == CRITERION_MAGIC ? c : NULL;
}

/* A criterion being made; room for `max` ranges; its texts' table is at index `texts`. */
struct criterion_maker {
	struct criterion *c;
	uint32_t max;
	int texts;
	const char *what;
};

static void add_range(lua_State *L, struct criterion_maker *m, uint64_t lo, uint64_t hi)
{
	if (m->c->n == m->max)
		luaL_error(L, "%s: more than %d values", m->what, SET_MAX);
	m->c->ranges[m->c->n++] = (struct criterion_range){lo, hi};
}

/* Adds the value at idx, which is no list. */
static void add_value(lua_State *L, struct criterion_maker *m, int idx)
{
	const struct criterion *other;
	struct script_net net;
	uint32_t addr;
	uint64_t n;

	switch (lua_type(L, idx)) {
	case LUA_TNUMBER:
		n = script_check_uint(L, idx, UINT64_MAX, m->what);
		add_range(L, m, n, n);
		return;
	case LUA_TBOOLEAN:
		add_range(L, m, (uint64_t)lua_toboolean(L, idx), (uint64_t)lua_toboolean(L, idx));
		return;
	case LUA_TSTRING:
		lua_pushvalue(L, idx);
		lua_pushboolean(L, 1);
		lua_rawset(L, m->texts);
		return;
	case LUA_TUSERDATA:
		if (script_is_addr(L, idx, &addr)) {
			add_range(L, m, addr, addr);
			return;
		}
		if (script_is_network(L, idx, &net)) {
			add_range(L, m, net.net, net.net | ~ip_mask(net.bits));
			return;
		}
		other = find_criterion(L, idx);
		if (other && !other->outside && !other->absent) {
			for (uint32_t i = 0; i < other->n; i++)
				add_range(L, m, other->ranges[i].lo, other->ranges[i].hi);
			return;
		}
		break;
	default:
		break;
	}
	script_expected(L, idx, m->what, "number, boolean, text, address, network or haka.range");
}

/* Returns how many ranges the value at idx may need. */
static uint32_t count_room(lua_State *L, int idx)
{
	const struct criterion *c;
	size_t n = 0;

	if (lua_type(L, idx) != LUA_TTABLE) {
		c = find_criterion(L, idx);
		return c ? c->n + 1 : 1;
	}
	for (size_t i = 1; i <= lua_objlen(L, idx) && n < SET_MAX; i++) {
		lua_rawgeti(L, idx, (int)i);
		c = find_criterion(L, -1);
		n += c ? c->n + 1 : 1;
		lua_pop(L, 1);
	}
	return n < SET_MAX ? (uint32_t)n : SET_MAX;
}

/* Pushes an empty criterion with room, and behind it its table of texts. */
static struct criterion_maker begin_criterion(lua_State *L, uint32_t room, const char *what)
{
	struct criterion_maker m = {.max = room, .what = what};

	m.c = lua_newuserdata(L, sizeof(*m.c) + room * sizeof(struct criterion_range));
	*m.c = (struct criterion){.magic = CRITERION_MAGIC};
	script_push_key(L, &key_meta);
	(void)lua_setmetatable(L, -2);
	lua_newtable(L);
	m.texts = lua_gettop(L);
	return m;
}

/* Makes the table of texts the environment of the criterion, which stays at the top. */
static void end_criterion(lua_State *L, struct criterion_maker *m)
{
	(void)lua_setfenv(L, -2);
	m->c->n = criterion_sort(m->c->ranges, m->c->n);
}

void script_push_criterion(lua_State *L, int idx, const char *what)
{
	struct criterion_maker m;

	if (find_criterion(L, idx)) {
		lua_pushvalue(L, idx);
		return;
	}
	idx = idx < 0 ? lua_gettop(L) + idx + 1 : idx;
	luaL_checkstack(L, 8, what);
	m = begin_criterion(L, count_room(L, idx), what);
	if (lua_type(L, idx) != LUA_TTABLE) {
		add_value(L, &m, idx);
	} else {
		size_t n = lua_objlen(L, idx);

		if (n == 0)
			luaL_error(L, "%s: an empty list", what);
		for (size_t i = 1; i <= n; i++) {
			lua_rawgeti(L, idx, (int)i);
			add_value(L, &m, lua_gettop(L));
			lua_pop(L, 1);
		}
	}
	end_criterion(L, &m);
}

bool script_criterion_holds(lua_State *L, int crit, int idx)
{
	const struct criterion *c = find_criterion(L, crit);
	uint32_t addr;
	double n;
	bool in = false;

	if (lua_isnoneornil(L, idx))
		return c->absent;
	if (c->absent)
		return false;
	switch (lua_type(L, idx)) {
	case LUA_TNUMBER:
		n = lua_tonumber(L, idx);
		in = n >= 0 && n < 18446744073709551616.0 && (double)(uint64_t)n == n &&
		     criterion_includes(c->ranges, c->n, (uint64_t)n);
		break;
	case LUA_TBOOLEAN:
		in = criterion_includes(c->ranges, c->n, (uint64_t)lua_toboolean(L, idx));
		break;
	case LUA_TSTRING:
		idx = idx < 0 ? lua_gettop(L) + idx + 1 : idx;
		lua_getfenv(L, crit);
		lua_pushvalue(L, idx);
		lua_rawget(L, -2);
		in = lua_toboolean(L, -1);
		lua_pop(L, 2);
		break;
	case LUA_TUSERDATA:
		in = script_is_addr(L, idx, &addr) && criterion_includes(c->ranges, c->n, addr);
		break;
	default:
		break;
	}
	return in != c->outside;
}

static int push_range(lua_State *L, const char *what, bool outside)
{
	uint32_t addr[2];
	uint64_t lo, hi;
	struct criterion_maker m;

	if (script_is_addr(L, 1, &addr[0]) && script_is_addr(L, 2, &addr[1])) {
		lo = addr[0];
		hi = addr[1];
	} else {
		lo = script_check_uint(L, 1, UINT64_MAX, what);
		hi = script_check_uint(L, 2, UINT64_MAX, what);
	}
	if (lo > hi)
		return luaL_error(L, "%s: the first value is above the second", what);
	m = begin_criterion(L, 1, what);
	add_range(L, &m, lo, hi);
	m.c->outside = outside;
	end_criterion(L, &m);
	return 1;
}

static int haka_range(lua_State *L)
{
	return push_range(L, "haka.range", false);
}

static int criterion_outofrange(lua_State *L)
{
	return push_range(L, "haka.policy.outofrange", true);
}

static int criterion_set(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	script_push_criterion(L, 1, "haka.policy.set");
	return 1;
}

static int criterion_value(lua_State *L)
{
	luaL_checkany(L, 1);
	script_push_criterion(L, 1, "haka.policy.value");
	return 1;
}

/* Called for present(): outside of the empty set. absent() is inside of the empty set, but it
 * matches an absent field. */
static int criterion_present(lua_State *L)
{
	struct criterion_maker m = begin_criterion(L, 0, "haka.policy.present");

	m.c->outside = true;
	end_criterion(L, &m);
	return 1;
}

static int criterion_absent(lua_State *L)
{
	struct criterion_maker m = begin_criterion(L, 0, "haka.policy.absent");

	m.c->absent = true;
	end_criterion(L, &m);
	return 1;
}

static int criterion_in_network(lua_State *L)
{
	struct script_net net;

	if (!script_is_network(L, 1, &net))
		script_expected(L, 1, "haka.policy.ipv4_in_network", "IPv4 network");
	script_push_criterion(L, 1, "haka.policy.ipv4_in_network");
	return 1;
}

void script_add_criteria(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"range", haka_range},
		{"outofrange", criterion_outofrange},
		{"set", criterion_set},
		{"value", criterion_value},
		{"present", criterion_present},
		{"absent", criterion_absent},
		{"ipv4_in_network", criterion_in_network},
		{NULL, NULL},
	};

	luaL_setfuncs(L, functions, 0);
}

void script_open_filter(lua_State *L)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)&key_meta);
	lua_newtable(L);
	lua_pushliteral(L, "criterion");
	lua_setfield(L, -2, "__metatable");
	lua_rawset(L, LUA_REGISTRYINDEX);
	script_push_haka(L);
	lua_pushcfunction(L, haka_range);
	lua_setfield(L, -2, "range");
	lua_pop(L, 1);
}
