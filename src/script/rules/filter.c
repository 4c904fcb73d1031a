/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A criterion is a userdata: sorted, disjoint ranges of numbers, and in its environment the set of
 * texts. Compiled for a field the texts have become numbers too, and all is one block: no Lua is
 * needed to match.
 */
#include "script/rules/filter.h"

#include "script/values/addr.h"
#include "script/rules/rules_impl.h"

#include "base/ip.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

#define CRITERION_MAGIC 0x7c1e84f0b6d2953aULL

enum { SET_MAX = 65536 };

struct range {
	uint64_t lo, hi;
};

struct criterion {
	uint64_t magic;
	bool outside; /* of the ranges and texts */
	bool absent;  /* holds for an absent field only */
	uint32_t n;
	struct range ranges[];
};

struct condition {
	uint64_t (*get)(const void *ctx);
	bool (*present)(const void *ctx);
	bool outside;
	bool absent;
	uint32_t n;
	const struct range *ranges;
};

struct script_filter {
	uint32_t n;
	struct condition conditions[];
};

static const char key_meta;

static bool in_ranges(const struct range *r, uint32_t n, uint64_t v)
{
	uint32_t lo = 0;

	while (n > 1) {
		uint32_t half = n / 2;

		lo = r[lo + half].lo <= v ? lo + half : lo;
		n -= half;
	}
	return n && r[lo].lo <= v && v <= r[lo].hi;
}

bool script_filter_match(const struct script_filter *f, const void *ctx)
{
	for (uint32_t i = 0; i < f->n; i++) {
		const struct condition *c = &f->conditions[i];
		bool there = !c->present || c->present(ctx);

		if (there == c->absent)
			return false;
		if (there && in_ranges(c->ranges, c->n, c->get(ctx)) == c->outside)
			return false;
	}
	return true;
}

static struct criterion *to_criterion(lua_State *L, int idx)
{
	struct criterion *c = lua_type(L, idx) == LUA_TUSERDATA ? lua_touserdata(L, idx) : NULL;

	return c && lua_objlen(L, idx) >= sizeof(*c) && c->magic == CRITERION_MAGIC ? c : NULL;
}

/* A criterion being made; room for `max` ranges; its texts' table is at index `texts`. */
struct maker {
	struct criterion *c;
	uint32_t max;
	int texts;
	const char *what;
};

static int compare_ranges(const void *a, const void *b)
{
	const struct range *x = a;
	const struct range *y = b;

	return x->lo < y->lo ? -1 : x->lo > y->lo;
}

/* Sorts and joins; returns how many are left. */
static uint32_t tidy(struct range *r, uint32_t n)
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

static void add_range(lua_State *L, struct maker *m, uint64_t lo, uint64_t hi)
{
	if (m->c->n == m->max)
		luaL_error(L, "%s: more than %d values", m->what, SET_MAX);
	m->c->ranges[m->c->n++] = (struct range){lo, hi};
}

/* One value, no list. */
static void add_value(lua_State *L, struct maker *m, int idx)
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
		other = to_criterion(L, idx);
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

/* How many ranges the value at idx may need. */
static uint32_t room_for(lua_State *L, int idx)
{
	const struct criterion *c;
	size_t n = 0;

	if (lua_type(L, idx) != LUA_TTABLE) {
		c = to_criterion(L, idx);
		return c ? c->n + 1 : 1;
	}
	for (size_t i = 1; i <= lua_objlen(L, idx) && n < SET_MAX; i++) {
		lua_rawgeti(L, idx, (int)i);
		c = to_criterion(L, -1);
		n += c ? c->n + 1 : 1;
		lua_pop(L, 1);
	}
	return n < SET_MAX ? (uint32_t)n : SET_MAX;
}

/* Pushes an empty criterion with room, and behind it its table of texts. */
static struct maker begin(lua_State *L, uint32_t room, const char *what)
{
	struct maker m = {.max = room, .what = what};

	m.c = lua_newuserdata(L, sizeof(*m.c) + room * sizeof(struct range));
	*m.c = (struct criterion){.magic = CRITERION_MAGIC};
	script_push_key(L, &key_meta);
	(void)lua_setmetatable(L, -2);
	lua_newtable(L);
	m.texts = lua_gettop(L);
	return m;
}

/* The table of texts becomes the environment; the criterion stays at the top. */
static void end(lua_State *L, struct maker *m)
{
	(void)lua_setfenv(L, -2);
	m->c->n = tidy(m->c->ranges, m->c->n);
}

void script_push_criterion(lua_State *L, int idx, const char *what)
{
	struct maker m;

	if (to_criterion(L, idx)) {
		lua_pushvalue(L, idx);
		return;
	}
	idx = idx < 0 ? lua_gettop(L) + idx + 1 : idx;
	luaL_checkstack(L, 8, what);
	m = begin(L, room_for(L, idx), what);
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
	end(L, &m);
}

bool script_criterion_holds(lua_State *L, int crit, int idx)
{
	const struct criterion *c = to_criterion(L, crit);
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
		     in_ranges(c->ranges, c->n, (uint64_t)n);
		break;
	case LUA_TBOOLEAN:
		in = in_ranges(c->ranges, c->n, (uint64_t)lua_toboolean(L, idx));
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
		in = script_is_addr(L, idx, &addr) && in_ranges(c->ranges, c->n, addr);
		break;
	default:
		break;
	}
	return in != c->outside;
}

static const struct script_filter_field *find_field(const struct script_filter_field *fields,
						    const char *name)
{
	for (const struct script_filter_field *f = fields; f && f->name; f++)
		if (strcmp(f->name, name) == 0)
			return f;
	return NULL;
}

static void unknown_field(lua_State *L, const struct script_filter_field *fields, const char *what,
			  const char *name)
{
	luaL_Buffer b uninit;

	luaL_buffinit(L, &b);
	for (const struct script_filter_field *f = fields; f && f->name; f++) {
		luaL_addstring(&b, f == fields ? "" : ", ");
		luaL_addstring(&b, f->name);
	}
	luaL_pushresult(&b);
	luaL_error(L, "%s: no field '%s' (there are: %s)", what, name,
		   lua_objlen(L, -1) ? lua_tostring(L, -1) : "none");
}

static bool skipped(const char *skip, const char *name)
{
	char word[SCRIPT_NAME_LEN];

	(void)snprintf(word, sizeof(word), " %s ", name);
	return skip && strstr(skip, word);
}

/* How many texts the criterion at the top has. */
static uint32_t count_texts(lua_State *L)
{
	uint32_t n = 0;

	lua_getfenv(L, -1);
	lua_pushnil(L);
	while (lua_next(L, -2)) {
		lua_pop(L, 1);
		n++;
	}
	lua_pop(L, 1);
	return n;
}

/* The texts of the criterion at the top become numbers at r. */
static uint32_t parse_texts(lua_State *L, const struct script_filter_field *f, const char *what,
			    struct range *r)
{
	uint64_t value = 0;
	uint32_t n = 0;

	lua_getfenv(L, -1);
	lua_pushnil(L);
	while (lua_next(L, -2)) {
		lua_pop(L, 1);
		if (!f->parse || f->parse(lua_tostring(L, -1), &value) < 0)
			luaL_error(L, "%s: '%s' is no value of '%s'", what, lua_tostring(L, -1),
				   f->name);
		r[n++] = (struct range){value, value};
	}
	lua_pop(L, 1);
	return n;
}

/* Pushes a table {name = criterion} of the entries of the table at idx; counts conditions and
 * ranges. */
static void collect(lua_State *L, int idx, const struct script_filter_field *fields,
		    const char *what, const char *skip, uint32_t *ret_n, uint32_t *ret_ranges)
{
	char field_what[2 * SCRIPT_NAME_LEN];
	int out;

	lua_newtable(L);
	out = lua_gettop(L);
	lua_pushnil(L);
	while (lua_next(L, idx)) {
		const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;

		if (!name)
			luaL_error(L, "%s: a field's name expected, got %s", what,
				   luaL_typename(L, -2));
		if (!skipped(skip, name)) {
			if (!find_field(fields, name))
				unknown_field(L, fields, what, name);
			(void)snprintf(field_what, sizeof(field_what), "%s: %s", what, name);
			script_push_criterion(L, -1, field_what);
			*ret_ranges += ((const struct criterion *)lua_touserdata(L, -1))->n +
				       count_texts(L);
			++*ret_n;
			lua_setfield(L, out, name);
		}
		lua_pop(L, 1);
	}
}

void script_filter_compile(lua_State *L, int idx, const struct script_filter_field *fields,
			   const char *what, const char *skip)
{
	struct script_filter *f;
	struct range *ranges;
	uint32_t n = 0;
	uint32_t n_ranges = 0;
	size_t head;

	luaL_checkstack(L, 16, what);
	collect(L, idx, fields, what, skip, &n, &n_ranges);
	head = sizeof(*f) + n * sizeof(struct condition);
	f = lua_newuserdata(L, head + n_ranges * sizeof(*ranges));
	ranges = (void *)((char *)f + head);
	f->n = 0;
	lua_pushnil(L);
	while (lua_next(L, -3)) {
		const struct criterion *c = lua_touserdata(L, -1);
		const struct script_filter_field *field = find_field(fields, lua_tostring(L, -2));
		uint32_t k = c->n;

		memcpy(ranges, c->ranges, c->n * sizeof(*ranges));
		k += parse_texts(L, field, what, ranges + k);
		f->conditions[f->n++] = (struct condition){.get = field->get,
							   .present = field->present,
							   .outside = c->outside,
							   .absent = c->absent,
							   .n = tidy(ranges, k),
							   .ranges = ranges};
		ranges += k;
		lua_pop(L, 1);
	}
	lua_remove(L, -2);
}

static int range_of(lua_State *L, const char *what, bool outside)
{
	uint32_t addr[2];
	uint64_t lo, hi;
	struct maker m;

	if (script_is_addr(L, 1, &addr[0]) && script_is_addr(L, 2, &addr[1])) {
		lo = addr[0];
		hi = addr[1];
	} else {
		lo = script_check_uint(L, 1, UINT64_MAX, what);
		hi = script_check_uint(L, 2, UINT64_MAX, what);
	}
	if (lo > hi)
		return luaL_error(L, "%s: the first value is above the second", what);
	m = begin(L, 1, what);
	add_range(L, &m, lo, hi);
	m.c->outside = outside;
	end(L, &m);
	return 1;
}

static int haka_range(lua_State *L)
{
	return range_of(L, "haka.range", false);
}

static int policy_outofrange(lua_State *L)
{
	return range_of(L, "haka.policy.outofrange", true);
}

static int policy_set(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	script_push_criterion(L, 1, "haka.policy.set");
	return 1;
}

static int policy_value(lua_State *L)
{
	luaL_checkany(L, 1);
	script_push_criterion(L, 1, "haka.policy.value");
	return 1;
}

/* present(): outside of the empty set. absent(): inside of the empty set, but it matches an absent
 * field. */
static int policy_present(lua_State *L)
{
	struct maker m = begin(L, 0, "haka.policy.present");

	m.c->outside = true;
	end(L, &m);
	return 1;
}

static int policy_absent(lua_State *L)
{
	struct maker m = begin(L, 0, "haka.policy.absent");

	m.c->absent = true;
	end(L, &m);
	return 1;
}

static int policy_in_network(lua_State *L)
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
		{"outofrange", policy_outofrange},
		{"set", policy_set},
		{"value", policy_value},
		{"present", policy_present},
		{"absent", policy_absent},
		{"ipv4_in_network", policy_in_network},
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
