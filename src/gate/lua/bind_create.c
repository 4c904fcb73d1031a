/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Packets that rules make, and their fate: haka.dissectors.<x>.create(), pkt:send(), pkt:inject(),
 * pkt:drop(), pkt:parent(). A packet that was sent or dropped is gone: using it is an error.
 */
#include "gate/lua/bind_class.h"
#include "gate/lua/bind_impl.h"
#include "gate/net/created.h"
#include "script/rules/event.h"

#include <errno.h>
#include <lauxlib.h>

static struct gate_packet *check_packet(lua_State *L)
{
	return script_check(L, 1, bind_packet_class(DISSECT_RAW));
}

int bind_get_state(lua_State *L, void *obj)
{
	const struct gate_packet *p = obj;

	lua_pushstring(L, p->created ? "forged" : p->sending ? "sent" : "normal");
	return 1;
}

/* Sets the interface by which a created packet leaves. */
void bind_set_iface(lua_State *L, void *obj, int idx)
{
	static const char what[] = "packet.iface";
	struct gate_packet *p = obj;
	const char *name;

	if (!p->created)
		(void)luaL_error(L, "%s: read-only: this packet came by it", what);
	if (lua_type(L, idx) != LUA_TSTRING)
		script_expected(L, idx, what, "name of an interface");
	name = lua_tostring(L, idx);
	for (unsigned port = 0; port < FRAMES_MAX_PORTS && *frames_port_name(p->g->frames, port);
	     port++)
		if (strcmp(frames_port_name(p->g->frames, port), name) == 0) {
			created_set_port(p, port);
			return;
		}
	(void)luaL_error(L, "%s: there is no interface '%s'", what, name);
}

/* --- Verbs ------------------------------------------------------------------------------------ */

static int packet_drop(lua_State *L)
{
	struct gate_packet *p = check_packet(L);

	if (p->created)
		created_drop(p);
	else
		gate_drop(p, GATE_DROP_RULE);
	return 0;
}

static int packet_send(lua_State *L)
{
	struct gate_packet *p = check_packet(L);
	int r = p->created ? created_send(p->g, p) : gate_send_now(bind_of(L)->walk);

	if (r == -EPERM && !p->created)
		return luaL_error(
			L,
			"send: the packet is on its way already, or one of a connection, which goes by itself");
	bind_check_write(L, r < 0 ? r : 0, "send");
	return 0;
}

static int packet_inject(lua_State *L)
{
	struct gate_packet *p = check_packet(L);

	if (!p->created)
		return luaL_error(L, "inject: only a packet that was made (create) can come in");
	bind_check_write(L, p->g->pass_through ? -EROFS : 0, "inject");
	created_inject(bind_of(L)->walk, p);
	return 0;
}

/* Returns the place of a handle's class in the stack of its packet: the last dissector of that
 * class. */
static unsigned depth_of(const struct gate_packet *p, const struct script_class *cls)
{
	for (; cls; cls = cls->parent)
		for (unsigned i = p->depth; i > 0; i--)
			if (bind_packet_class((enum gate_dissector)p->stack[i - 1]) == cls)
				return i - 1;
	return 0;
}

/* Called for parent([n]) and parent(name): returns the packet below this one; 0 is the packet
 * itself. nil: there is none. */
int bind_parent(lua_State *L)
{
	struct gate_packet *p = check_packet(L);
	unsigned at = depth_of(p, script_class_of(L, 1));
	const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : NULL;
	uint64_t up = name		      ? 0
		      : lua_isnoneornil(L, 2) ? 1
					      : script_check_uint(L, 2, GATE_MAX_DEPTH, "parent");

	if (name && strcmp(name, "packet") == 0)
		name = gate_dissector_name(DISSECT_RAW);
	while (name && up <= at &&
	       strcmp(gate_dissector_name((enum gate_dissector)p->stack[at - up]), name) != 0)
		up++;
	if (up > at) {
		lua_pushnil(L);
		return 1;
	}
	script_push(L, bind_packet_class((enum gate_dissector)p->stack[at - up]), p,
		    &p->generation);
	return 1;
}

const struct script_method bind_verbs[] = {{"drop", packet_drop},
					   {"send", packet_send},
					   {"inject", packet_inject},
					   {"parent", bind_parent},
					   {0}};

/* --- Creating --------------------------------------------------------------------------------- */

/* Sets the fields of the object at the top from the table at idx. */
static void fill_fields(lua_State *L, int idx, const char *what)
{
	int obj = lua_gettop(L);

	if (lua_isnoneornil(L, idx))
		return;
	if (!lua_istable(L, idx))
		script_expected(L, idx, what, "table of fields");
	for (lua_pushnil(L); lua_next(L, idx) != 0;) {
		lua_pushvalue(L, -2);
		lua_insert(L, -2);
		if (lua_istable(L, -1)) { /* flags = {syn = true} */
			lua_insert(L, -2);
			lua_gettable(L, obj);
			fill_fields(L, lua_gettop(L) - 1, what);
			lua_pop(L, 2);
		} else {
			lua_settable(L, obj);
		}
	}
}

/* Called for create([size]) and create({size =, iface =}) of raw. */
static int create_raw(lua_State *L)
{
	static const char what[] = "packet.create";
	struct gate_packet *p;
	uint32_t size = 0;

	lua_settop(L, 1);
	if (lua_istable(L, 1)) {
		lua_getfield(L, 1, "size");
		size = lua_isnil(L, -1) ? 0
					: (uint32_t)script_check_uint(L, -1, FRAME_MAX_LEN,
								      "packet.create: size");
	} else if (!lua_isnoneornil(L, 1)) {
		size = (uint32_t)script_check_uint(L, 1, FRAME_MAX_LEN, "packet.create: size");
	}
	p = created_new_packet(bind_of(L)->walk, size);
	if (!p)
		return luaL_error(L, "%s: there are %d already", what, (int)CREATED_MAX);
	script_push(L, bind_packet_class(DISSECT_RAW), p, &p->generation);
	if (lua_istable(L, 1)) {
		lua_getfield(L, 1, "iface");
		if (!lua_isnil(L, -1))
			bind_set_iface(L, p, lua_gettop(L));
		lua_pop(L, 1);
	}
	return 1;
}

/* Called for create(parent, [init]). Upvalue 1: the dissector. */
static int create_on(lua_State *L)
{
	enum gate_dissector d = (enum gate_dissector)lua_tointeger(L, lua_upvalueindex(1));
	const char *name = gate_dissector_name(d);
	struct gate_packet *p = check_packet(L);
	char what[64];
	int r;

	(void)snprintf(what, sizeof(what), "%s.create", name);
	lua_settop(L, 2);
	if (!p->created)
		return luaL_error(L, "%s: the parent is no packet that was made (create)", what);
	r = created_add_header(bind_of(L)->walk, p, d);
	if (r == -ENOENT)
		return luaL_error(
			L, "%s: there is no packet with a link header to copy: create it first",
			what);
	if (r == -EINVAL)
		return luaL_error(L, "%s: cannot stand on %s", what,
				  gate_dissector_name((enum gate_dissector)p->stack[p->depth - 1]));
	bind_check_write(L, r, what);
	script_push(L, bind_packet_class(d), p, &p->generation);
	fill_fields(L, 2, what);
	return 1;
}

static int capture_mode(lua_State *L)
{
	lua_pushstring(L, bind_gate_of(L)->pass_through ? "passthrough" : "normal");
	return 1;
}

int bind_open_create(lua_State *L)
{
	static const enum gate_dissector made[] = {DISSECT_ETHERNET, DISSECT_VLAN, DISSECT_ARP,
						   DISSECT_IPV4,     DISSECT_ICMP, DISSECT_UDP,
						   DISSECT_TCP};

	script_push_dissector(L, gate_dissector_name(DISSECT_RAW));
	lua_pushcfunction(L, create_raw);
	lua_setfield(L, -2, "create");
	for (size_t i = 0; i < ARRAY_LEN(made); i++) {
		script_push_dissector(L, gate_dissector_name(made[i]));
		lua_pushinteger(L, (lua_Integer)made[i]);
		lua_pushcclosure(L, create_on, 1);
		lua_setfield(L, -2, "create");
	}
	lua_getglobal(L, "haka");
	lua_pushcfunction(L, capture_mode);
	lua_setfield(L, -2, "capture_mode");
	return 0;
}
