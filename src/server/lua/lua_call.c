/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The view of a call in rules: the object `call` with the arguments of its hook point
 * (include/usher/hook.h, doc/hooks.md), leases and classes. An argument that a hook point lacks
 * reads as nil; setting one that may not be set there is an error.
 */
#include "server/lua/lua_hook.h"

#include "base/ip.h"
#include "lease/lease.h"
#include "script/values/addr.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

static const char *const steps[] = {"continue", "skip", "drop", "park"};

/* Raises an error of the hook ABI; 0 returns. */
static void check_abi_result(lua_State *L, const struct lua_state *st, int r, const char *what)
{
	if (r == -EINVAL)
		luaL_error(L, "%s: may not be set at %s", what, usher_hook_point(st->call));
	else if (r == -ENOSPC)
		luaL_error(L, "%s: too long", what);
	else if (r < 0)
		luaL_error(L, "%s: refused", what);
}

/* --- leases ----------------------------------------------------------------------------------- */

static struct lua_lease *lease_to_change(lua_State *L, void *obj, const char *what)
{
	struct lua_lease *l = obj;

	if (l->fixed)
		luaL_error(L, "%s: may be set at lease4_select and lease4_renew only", what);
	return l;
}

static void of_lease_set_lifetime(lua_State *L, void *obj, int idx)
{
	struct lua_lease *l = lease_to_change(L, obj, "lease.lifetime");
	uint64_t v = script_check_uint(L, idx, UINT32_MAX, "lease.lifetime");

	if (usher_lease_set_lifetime(l->lease, (uint32_t)v) < 0)
		luaL_error(L, "lease.lifetime: at least one second");
}

static void of_lease_set_hostname(lua_State *L, void *obj, int idx)
{
	struct lua_lease *l = lease_to_change(L, obj, "lease.hostname");
	struct span s = script_check_span(L, idx, "lease.hostname");

	if (memchr(s.p, 0, s.n))
		luaL_error(L, "lease.hostname: an octet of value 0");
	if (usher_lease_set_hostname(l->lease, (const char *)s.p) < 0)
		luaL_error(L, "lease.hostname: at most %d octets", LEASE_HOSTNAME_MAX);
}

typedef const uint8_t *lease_octets_fn(const usher_lease *l, size_t *ret_len);

/* Pushes octets of a lease as pairs of digits, for people. */
static int push_pairs(lua_State *L, const struct lua_lease *l, lease_octets_fn *get)
{
	char text[3 * LEASE_HW_MAX + 1] = "";
	size_t len;
	const uint8_t *p = get(l->lease, &len);
	size_t n = 0;

	for (size_t i = 0; i < len && i < LEASE_HW_MAX; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, i ? ":%02x" : "%02x", p[i]);
	lua_pushlstring(L, text, n);
	return 1;
}

/* Pushes octets of a lease as they are; none are nil. */
static int push_octets(lua_State *L, const struct lua_lease *l, lease_octets_fn *get)
{
	size_t len;
	const uint8_t *p = get(l->lease, &len);

	if (!len)
		return 0;
	lua_pushlstring(L, (const char *)p, len);
	return 1;
}

/* The fields of lease_fields.def that hook libraries see: how a value of a kind is pushed, and
 * whether rules may set it. */
#define PUSH_ADDRESS(l, get)   (script_push_addr(L, get((l)->lease)), 1)
#define PUSH_HARDWARE(l, get)  push_pairs(L, l, get)
#define PUSH_CLIENT_ID(l, get) push_octets(L, l, get)
#define PUSH_LIFETIME(l, get)  (lua_pushnumber(L, get((l)->lease)), 1)
#define PUSH_TEXT(l, get)      (lua_pushstring(L, get((l)->lease)), 1)
#define PUSH_STATE(l, get)     (lua_pushinteger(L, get((l)->lease)), 1)

#define SET_ADDRESS(set)   NULL
#define SET_HARDWARE(set)  NULL
#define SET_CLIENT_ID(set) NULL
#define SET_LIFETIME(set)  set
#define SET_TEXT(set)	   set
#define SET_STATE(set)	   NULL

#define LEASE_FIELD(...)
#define LEASE_HOOK_FIELD(member, kind, longest, csv, json, place, hook) \
	static int of_lease_##hook(lua_State *L, void *obj)             \
	{                                                               \
		struct lua_lease *l = obj;                              \
                                                                        \
		return PUSH_##kind(l, usher_lease_##hook);              \
	}
#include "lease/lease_fields.def"

static const struct script_class lease_class = {
	.name = "lease",
	.fields =
		(const struct script_field[]){
#define LEASE_FIELD(...)
#define LEASE_HOOK_FIELD(member, kind, longest, csv, json, place, hook) \
	{#hook, of_lease_##hook, SET_##kind(of_lease_set_##hook)},
#include "lease/lease_fields.def"
			{0}},
	.meta = (const struct luaL_Reg[]){{"__pairs", script_pairs_fields}, {NULL, NULL}},
};

/* --- classes ---------------------------------------------------------------------------------- */

static const struct script_class classes_class;

static const char *check_name(lua_State *L, const char *what)
{
	(void)script_check_span(L, 2, what);
	return lua_tostring(L, 2);
}

static int classes_has(lua_State *L)
{
	const struct lua_state *st = script_check(L, 1, &classes_class);

	lua_pushboolean(L, usher_class_has(st->call, check_name(L, "classes:has")));
	return 1;
}

/* Adds a class. Gives Lua false where the configuration never names the class, so that no test
 * depends on it. */
static int classes_add(lua_State *L)
{
	struct lua_state *st = script_check(L, 1, &classes_class);
	int r = usher_class_add(st->call, check_name(L, "classes:add"));

	if (r == -EINVAL)
		return luaL_error(L, "classes:add: there is no packet at %s",
				  usher_hook_point(st->call));
	lua_pushboolean(L, r == 0);
	return 1;
}

static const struct script_class classes_class = {
	.name = "classes",
	.methods = (const struct script_method[]){{"has", classes_has}, {"add", classes_add}, {0}},
};

/* --- the call --------------------------------------------------------------------------------- */

static int get_hook(lua_State *L, void *obj)
{
	lua_pushstring(L, usher_hook_point(((const struct lua_state *)obj)->call));
	return 1;
}

static int get_status(lua_State *L, void *obj)
{
	lua_pushstring(L, steps[usher_status(((const struct lua_state *)obj)->call)]);
	return 1;
}

static void set_status(lua_State *L, void *obj, int idx)
{
	struct lua_state *st = obj;
	const char *text = (const char *)script_check_span(L, idx, "call.status").p;

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		if (strcmp(steps[i], text) != 0)
			continue;
		usher_set_status(st->call, (enum usher_next_step)i);
		return;
	}
	luaL_error(L, "call.status: '%s' is neither continue, skip, drop nor park", text);
}

static int get_query(lua_State *L, void *obj)
{
	script_dhcp_push(L, &((struct lua_state *)obj)->query);
	return 1;
}

static int get_response(lua_State *L, void *obj)
{
	script_dhcp_push(L, &((struct lua_state *)obj)->response);
	return 1;
}

static int get_interface(lua_State *L, void *obj)
{
	const char *name = usher_interface(((const struct lua_state *)obj)->call);

	if (!name[0])
		return 0;
	lua_pushstring(L, name);
	return 1;
}

static int get_source(lua_State *L, void *obj)
{
	script_push_addr(L, usher_source(((const struct lua_state *)obj)->call));
	return 1;
}

static int get_destination(lua_State *L, void *obj)
{
	script_push_addr(L, usher_destination(((const struct lua_state *)obj)->call));
	return 1;
}

static int get_subnet_id(lua_State *L, void *obj)
{
	uint32_t id = usher_subnet_id(((const struct lua_state *)obj)->call);

	if (!id)
		return 0;
	lua_pushnumber(L, id);
	return 1;
}

static void set_subnet_id(lua_State *L, void *obj, int idx)
{
	struct lua_state *st = obj;
	uint32_t id = (uint32_t)script_check_uint(L, idx, UINT32_MAX, "call.subnet_id");
	int r = usher_set_subnet_id(st->call, id);

	if (r == -ENOENT)
		luaL_error(L, "call.subnet_id: there is no subnet %d", (int)id);
	check_abi_result(L, st, r, "call.subnet_id");
}

static int get_classes(lua_State *L, void *obj)
{
	struct lua_state *st = obj;

	script_push(L, &classes_class, st, &st->generation);
	return 1;
}

static int get_lease(lua_State *L, void *obj)
{
	struct lua_state *st = obj;

	script_push(L, &lease_class, st->lease.lease ? &st->lease : NULL, &st->generation);
	return 1;
}

static int get_deleted_lease(lua_State *L, void *obj)
{
	struct lua_state *st = obj;

	script_push(L, &lease_class, st->deleted.lease ? &st->deleted : NULL, &st->generation);
	return 1;
}

static int push_text(lua_State *L, const char *text)
{
	if (!text)
		return 0;
	lua_pushstring(L, text);
	return 1;
}

static int get_lease_context(lua_State *L, void *obj)
{
	struct lua_state *st = obj;
	const char *text;
	int r = st->call->lease ? usher_lease4_context(st->call, &text) : 0;

	if (r < 0)
		return luaL_error(L, "call.lease_context: longer than the packet's memory");
	return push_text(L, st->call->lease ? text : NULL);
}

static void set_lease_context(lua_State *L, void *obj, int idx)
{
	struct lua_state *st = obj;
	struct span s = script_check_span(L, idx, "call.lease_context");
	int r = usher_lease4_set_context(st->call, (const char *)s.p);

	if (r == -EINVAL)
		luaL_error(L, "call.lease_context: no JSON map, or no lease to change at %s",
			   usher_hook_point(st->call));
	check_abi_result(L, st, r, "call.lease_context");
}

static int get_fake_allocation(lua_State *L, void *obj)
{
	lua_pushboolean(L, usher_fake_allocation(((const struct lua_state *)obj)->call));
	return 1;
}

static int get_remove_lease(lua_State *L, void *obj)
{
	lua_pushboolean(L, usher_remove_lease(((const struct lua_state *)obj)->call));
	return 1;
}

static int get_raw(lua_State *L, void *obj)
{
	size_t n;
	const uint8_t *p = usher_raw(((const struct lua_state *)obj)->call, &n);

	if (!p)
		return 0;
	lua_pushlstring(L, (const char *)p, n);
	return 1;
}

static void set_raw(lua_State *L, void *obj, int idx)
{
	struct lua_state *st = obj;
	struct span s = script_check_span(L, idx, "call.raw");

	check_abi_result(L, st, usher_set_raw(st->call, s.p, s.n), "call.raw");
}

static int get_host_id(lua_State *L, void *obj)
{
	const struct usher_call *c = ((const struct lua_state *)obj)->call;

	if (!c->host_id.n)
		return 0;
	lua_pushlstring(L, (const char *)c->host_id.p, c->host_id.n);
	return 1;
}

static void set_host_id(lua_State *L, void *obj, int idx)
{
	struct lua_state *st = obj;
	struct span s = script_check_span(L, idx, "call.host_id");

	check_abi_result(L, st, usher_set_host_id(st->call, s.p, s.n), "call.host_id");
}

static int get_address_in_use(lua_State *L, void *obj)
{
	lua_pushboolean(L, ((const struct lua_state *)obj)->call->address_in_use);
	return 1;
}

static void set_address_in_use(lua_State *L, void *obj, int idx)
{
	struct lua_state *st = obj;

	if (st->call->point != HOOK_LEASE4_OFFER)
		check_abi_result(L, st, -EINVAL, "call.address_in_use");
	usher_set_address_in_use(st->call, script_check_bool(L, idx, "call.address_in_use"));
}

static int get_command(lua_State *L, void *obj)
{
	return push_text(L, usher_command_name(((const struct lua_state *)obj)->call));
}

static int get_arguments(lua_State *L, void *obj)
{
	return push_text(L, usher_command_arguments(((const struct lua_state *)obj)->call));
}

static int get_answer(lua_State *L, void *obj)
{
	return push_text(L, usher_command_answer(((const struct lua_state *)obj)->call));
}

static void set_answer(lua_State *L, void *obj, int idx)
{
	struct lua_state *st = obj;
	struct span s = script_check_span(L, idx, "call.answer");

	if (!usher_command_name(st->call))
		check_abi_result(L, st, -EINVAL, "call.answer");
	if (usher_command_set_answer(st->call, (const char *)s.p) < 0)
		luaL_error(L, "call.answer: no JSON map");
}

static int method_drop(lua_State *L)
{
	struct lua_state *st = script_check(L, 1, &lua_call_class);

	usher_set_status(st->call, USHER_DROP);
	return 0;
}

static int method_skip(lua_State *L)
{
	struct lua_state *st = script_check(L, 1, &lua_call_class);

	usher_set_status(st->call, USHER_SKIP);
	return 0;
}

/* Unpacks the octets. Gives Lua whether they could be decoded; the query is available then. */
static int method_unpack(lua_State *L)
{
	struct lua_state *st = script_check(L, 1, &lua_call_class);
	int r = usher_unpack(st->call);

	if (r == -EINVAL)
		return luaL_error(L, "call:unpack: there is nothing to unpack at %s",
				  usher_hook_point(st->call));
	lua_pushboolean(L, r == 0);
	return 1;
}

/* Stores the context of the lease. Gives Lua false if the lease was changed meanwhile. */
static int method_update_lease(lua_State *L)
{
	struct lua_state *st = script_check(L, 1, &lua_call_class);
	int r = usher_lease4_update(st->call);

	if (r < 0 && r != -ESTALE)
		return luaL_error(L, "call:update_lease: no lease with a context is stored at %s",
				  usher_hook_point(st->call));
	lua_pushboolean(L, r == 0);
	return 1;
}

const struct script_class lua_call_class = {
	.name = "call",
	.fields = (const struct script_field[]){{"hook", get_hook, NULL},
						{"status", get_status, set_status},
						{"query", get_query, NULL},
						{"response", get_response, NULL},
						{"interface", get_interface, NULL},
						{"source", get_source, NULL},
						{"destination", get_destination, NULL},
						{"subnet_id", get_subnet_id, set_subnet_id},
						{"classes", get_classes, NULL},
						{"lease", get_lease, NULL},
						{"deleted_lease", get_deleted_lease, NULL},
						{"lease_context", get_lease_context,
						 set_lease_context},
						{"fake_allocation", get_fake_allocation, NULL},
						{"remove_lease", get_remove_lease, NULL},
						{"raw", get_raw, set_raw},
						{"host_id", get_host_id, set_host_id},
						{"address_in_use", get_address_in_use,
						 set_address_in_use},
						{"command", get_command, NULL},
						{"arguments", get_arguments, NULL},
						{"answer", get_answer, set_answer},
						{0}},
	.methods = (const struct script_method[]){{"drop", method_drop},
						  {"skip", method_skip},
						  {"unpack", method_unpack},
						  {"update_lease", method_update_lease},
						  {"park", lua_call_park},
						  {0}},
	.meta = (const struct luaL_Reg[]){{"__pairs", script_pairs_fields}, {NULL, NULL}},
};

int lua_call_register(struct lua_state *st)
{
	static const struct script_class *const all[] = {&lua_call_class, &classes_class,
							 &lease_class};
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(all) && r == 0; i++)
		r = script_class_register(st->script, all[i]);
	return r;
}

void lua_call_begin(struct lua_state *st, usher_call *call)
{
	bool may_change = call->point == HOOK_LEASE4_SELECT || call->point == HOOK_LEASE4_RENEW;

	st->call = call;
	script_dhcp_begin(&st->query, usher_query(call));
	script_dhcp_begin(&st->response, usher_response(call));
	st->lease = (struct lua_lease){call->lease, st, !may_change};
	st->deleted = (struct lua_lease){(struct lease *)(uintptr_t)call->deleted, st, true};
}

void lua_call_end(struct lua_state *st)
{
	script_dhcp_end(&st->query);
	script_dhcp_end(&st->response);
	st->generation++;
	st->call = NULL;
}
