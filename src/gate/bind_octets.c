/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Octets in Lua: Haka's sub-buffers over the packet at hand, or over what a stream shows. Positions count from
 * 0, single octets (b[1]) from 1, as Haka has it. What changes the length moves what is behind: other handles on
 * the same packet keep their positions.
 */
#include "base/error.h"
#include "gate/bind_class.h"
#include "gate/tcp_conn.h"
#include "gate/verdict.h"

#include <errno.h>
#include <lauxlib.h>

enum { NUMBER_MAX = 8, BITS_MAX = 64 };

static struct gate_octets *check(lua_State *L)
{
	struct gate_octets *o = script_check(L, 1, &bind_class_octets);

	if (o->view && o->view != o->g->view)
		(void)luaL_error(L, "octets: of a stream that is not shown any more");
	return o;
}

/* The octets as they are now; an error if the packet shrank away from under them. */
static struct span octets_of(lua_State *L, const struct gate_octets *o)
{
	uint32_t all = o->view ? o->view->n : o->p->p.len;
	const uint8_t *p = o->view ? o->view->octets : o->p->p.data;

	if (o->off > all || o->len > all - o->off)
		(void)luaL_error(L, "octets: they are not there any more");
	return span_of(p + o->off, o->len);
}

/* n octets at off (of these) become others. */
static void replace(lua_State *L, struct gate_octets *o, uint32_t off, uint32_t n, struct span with, const char *what)
{
	struct gate_packet *p = o->p;
	int r;

	if (o->view)
		r = gate_stream_edit(o->g, o->view, o->off + off, n, with);
	else if (with.n == n)
		r = verdict_write(o->g, p, o->off + off, with.p, n);
	else
		r = verdict_splice(o->g, p, o->off + off, n, with);
	bind_check_write(L, r, what);
	o->len = (uint32_t)(o->len - n + with.n);
}

static void push_octets(lua_State *L, const struct gate_octets *as)
{
	struct gate_octets *o = arena_new(&as->g->pkt.p.arena, struct gate_octets);

	if (!o)
		(void)luaL_error(L, "octets: too many handles on one packet");
	else
		*o = *as;
	script_push(L, &bind_class_octets, o, &as->p->generation);
}

void bind_push_payload(lua_State *L, struct gate_packet *p, uint32_t off, uint32_t len)
{
	push_octets(L, &(struct gate_octets){p->g, p, NULL, off, len});
}

void bind_push_octets(lua_State *L, struct gate *g, struct gate_view *view, uint32_t off, uint32_t len)
{
	push_octets(L, &(struct gate_octets){g, &g->pkt, view, off, len});
}

static uint32_t check_offset(lua_State *L, int idx, uint32_t max, const char *what)
{
	return (uint32_t)script_check_uint(L, idx, max, what);
}

/* sub([off], [len | 'all']) */
static int method_sub(lua_State *L)
{
	struct gate_octets *o = check(L);
	uint32_t off = lua_isnoneornil(L, 2) ? 0 : check_offset(L, 2, o->len, "sub: offset");
	bool all = lua_isnoneornil(L, 3) || (lua_type(L, 3) == LUA_TSTRING && strcmp(lua_tostring(L, 3), "all") == 0);

	push_octets(L, &(struct gate_octets){o->g, o->p, o->view, o->off + off,
					     all ? o->len - off : check_offset(L, 3, o->len - off, "sub: length")});
	return 1;
}

static int method_asstring(lua_State *L)
{
	struct span s = octets_of(L, check(L));

	lua_pushlstring(L, (const char *)s.p, s.n);
	return 1;
}

static int method_setstring(lua_State *L)
{
	struct gate_octets *o = check(L);

	replace(L, o, 0, o->len, script_check_span(L, 2, "setstring"), "setstring");
	return 0;
}

static int method_setfixedstring(lua_State *L)
{
	struct gate_octets *o = check(L);
	struct span with = script_check_span(L, 2, "setfixedstring");

	if (with.n > o->len)
		return luaL_error(L, "setfixedstring: %d octets do not fit into %d", (int)with.n, (int)o->len);
	replace(L, o, 0, (uint32_t)with.n, with, "setfixedstring");
	return 0;
}

static int method_erase(lua_State *L)
{
	struct gate_octets *o = check(L);

	replace(L, o, 0, o->len, SPAN_NULL, "erase");
	return 0;
}

static int method_insert(lua_State *L)
{
	struct gate_octets *o = check(L);
	uint32_t off = check_offset(L, 2, o->len, "insert: offset");

	replace(L, o, off, 0, script_check_span(L, 3, "insert"), "insert");
	return 0;
}

static bool little(lua_State *L, int idx)
{
	const char *e = luaL_optstring(L, idx, "big");

	if (strcmp(e, "big") != 0 && strcmp(e, "little") != 0)
		(void)luaL_error(L, "byte order: 'big' or 'little' expected, got '%s'", e);
	return e[0] == 'l';
}

static int method_asnumber(lua_State *L)
{
	struct gate_octets *o = check(L);
	struct span s = octets_of(L, o);
	bool le = little(L, 2);
	uint64_t v = 0;

	if (s.n == 0 || s.n > NUMBER_MAX)
		return luaL_error(L, "asnumber: 1 to 8 octets expected, got %d", (int)s.n);
	for (size_t i = 0; i < s.n; i++)
		v = v << 8 | s.p[le ? s.n - 1 - i : i];
	lua_pushnumber(L, (lua_Number)v);
	return 1;
}

static int method_setnumber(lua_State *L)
{
	struct gate_octets *o = check(L);
	bool le = little(L, 3);
	uint8_t octets[NUMBER_MAX];
	uint64_t v, max = o->len < NUMBER_MAX ? (UINT64_C(1) << 8 * o->len) - 1 : UINT64_MAX;

	if (o->len == 0 || o->len > NUMBER_MAX)
		return luaL_error(L, "setnumber: 1 to 8 octets expected, got %d", (int)o->len);
	v = script_check_uint(L, 2, max, "setnumber");
	for (size_t i = 0; i < o->len; i++) {
		octets[le ? i : o->len - 1 - i] = (uint8_t)v;
		v >>= 8;
	}
	replace(L, o, 0, o->len, span_of(octets, o->len), "setnumber");
	return 0;
}

static void check_bits(lua_State *L, const struct gate_octets *o, uint32_t *off, uint32_t *n)
{
	*off = check_offset(L, 2, o->len * 8, "bits: offset");
	*n = check_offset(L, 3, o->len * 8 - *off, "bits: length");
	if (*n > BITS_MAX)
		(void)luaL_error(L, "bits: at most 64 at a time, got %d", (int)*n);
}

static int method_asbits(lua_State *L)
{
	struct gate_octets *o = check(L);
	struct span s = octets_of(L, o);
	uint32_t off, n;
	uint64_t v = 0;

	check_bits(L, o, &off, &n);
	for (uint32_t i = off; i < off + n; i++)
		v = v << 1 | (s.p[i / 8] >> (7 - i % 8) & 1);
	lua_pushnumber(L, (lua_Number)v);
	return 1;
}

static int method_setbits(lua_State *L)
{
	struct gate_octets *o = check(L);
	struct span s = octets_of(L, o);
	uint8_t octets[BITS_MAX / 8 + 1];
	uint32_t off, n, first;
	uint64_t v;

	check_bits(L, o, &off, &n);
	v = script_check_uint(L, 4, n < BITS_MAX ? (UINT64_C(1) << n) - 1 : UINT64_MAX, "setbits");
	if (!n)
		return 0;
	first = off / 8;
	memcpy(octets, s.p + first, (off + n - 1) / 8 - first + 1);
	for (uint32_t i = off + n; i > off; i--, v >>= 1) {
		uint32_t at = (i - 1) / 8 - first;
		uint8_t bit = (uint8_t)(1U << (7 - (i - 1) % 8));

		octets[at] = (uint8_t)(v & 1 ? octets[at] | bit : octets[at] & ~bit);
	}
	n = (off + n - 1) / 8 - first + 1;
	replace(L, o, first, n, span_of(octets, n), "setbits");
	return 0;
}

static int method_size(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)check(L)->len);
	return 1;
}

/* b[i]: the octet at i, from 1. */
static int index_octet(lua_State *L, void *obj)
{
	const struct gate_octets *o = obj;
	struct span s = octets_of(L, o);
	lua_Integer i = lua_type(L, 2) == LUA_TNUMBER ? lua_tointeger(L, 2) : 0;

	if (i < 1 || (size_t)i > s.n)
		return 0;
	lua_pushinteger(L, s.p[i - 1]);
	return 1;
}

static bool set_octet(lua_State *L, void *obj)
{
	struct gate_octets *o = obj;
	lua_Integer i = lua_type(L, 2) == LUA_TNUMBER ? lua_tointeger(L, 2) : 0;
	uint8_t v;

	if (lua_type(L, 2) != LUA_TNUMBER)
		return false;
	if (i < 1 || (uint64_t)i > o->len)
		(void)luaL_error(L, "octets: index %d is not within 1 and %d", (int)i, (int)o->len);
	v = (uint8_t)script_check_uint(L, 3, UINT8_MAX, "octet");
	replace(L, o, (uint32_t)(i - 1), 1, span_of(&v, 1), "octet");
	return true;
}

static const struct script_method methods[] = {
	{"sub", method_sub},
	{"asstring", method_asstring},
	{"setstring", method_setstring},
	{"replace", method_setstring},
	{"setfixedstring", method_setfixedstring},
	{"erase", method_erase},
	{"insert", method_insert},
	{"asnumber", method_asnumber},
	{"setnumber", method_setnumber},
	{"asbits", method_asbits},
	{"setbits", method_setbits},
	{"size", method_size},
	{0},
};

static const luaL_Reg meta[] = {{"__len", method_size}, {NULL, NULL}};

static int tostring(lua_State *L, void *obj)
{
	lua_pushfstring(L, "octets: %d", (int)((const struct gate_octets *)obj)->len);
	return 1;
}

const struct script_class bind_class_octets = {
	.name = "octets",
	.methods = methods,
	.index = index_octet,
	.newindex = set_octet,
	.tostring = tostring,
	.meta = meta,
};
