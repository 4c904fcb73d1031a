/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Filters: criteria compiled over the fields of a host. Texts have become numbers too, and all is
 * one block: no Lua is needed to match. This is our own code: a library of filters (libpcap's BPF)
 * compares octets of packets, not the fields of events.
 */
#include "script/rules/filter.h"

#include "script/rules/criterion_impl.h"
#include "script/rules/rules_impl.h"

#include <lauxlib.h>
#include <stdio.h>

struct condition {
	uint64_t (*get)(const void *ctx);
	bool (*present)(const void *ctx);
	bool outside;
	bool absent;
	uint32_t n;
	const struct criterion_range *ranges;
};

struct script_filter {
	uint32_t n;
	struct condition conditions[];
};

bool script_filter_match(const struct script_filter *f, const void *ctx)
{
	for (uint32_t i = 0; i < f->n; i++) {
		const struct condition *c = &f->conditions[i];
		bool there = !c->present || c->present(ctx);

		if (there == c->absent)
			return false;
		if (there && criterion_includes(c->ranges, c->n, c->get(ctx)) == c->outside)
			return false;
	}
	return true;
}

static const struct script_filter_field *find_field(const struct script_filter_field *fields,
						    const char *name)
{
	for (const struct script_filter_field *f = fields; f && f->name; f++)
		if (strcmp(f->name, name) == 0)
			return f;
	return NULL;
}

static void refuse_field(lua_State *L, const struct script_filter_field *fields, const char *what,
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

static bool is_skipped(const char *skip, const char *name)
{
	char word[SCRIPT_NAME_LEN];

	(void)snprintf(word, sizeof(word), " %s ", name);
	return skip && strstr(skip, word);
}

/* Returns how many texts the criterion at the top has. */
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

/* Converts the texts of the criterion at the top into numbers, at r. Returns how many. */
static uint32_t parse_texts(lua_State *L, const struct script_filter_field *f, const char *what,
			    struct criterion_range *r)
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
		r[n++] = (struct criterion_range){value, value};
	}
	lua_pop(L, 1);
	return n;
}

/* Pushes a table {name = criterion} of the entries of the table at idx; counts conditions and
 * ranges. */
static void collect_criteria(lua_State *L, int idx, const struct script_filter_field *fields,
			     const char *what, const char *skip, uint32_t *ret_n,
			     uint32_t *ret_ranges)
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
		if (!is_skipped(skip, name)) {
			if (!find_field(fields, name))
				refuse_field(L, fields, what, name);
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
	struct criterion_range *ranges;
	uint32_t n = 0;
	uint32_t n_ranges = 0;
	size_t head;

	luaL_checkstack(L, 16, what);
	collect_criteria(L, idx, fields, what, skip, &n, &n_ranges);
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
							   .n = criterion_sort(ranges, k),
							   .ranges = ranges};
		ranges += k;
		lua_pop(L, 1);
	}
	lua_remove(L, -2);
}
