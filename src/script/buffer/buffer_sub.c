/* SPDX-License-Identifier: MPL-2.0 */
/*
 * vbuffer_sub: a run of octets as text, number or bits, read and written; a vbuffer has
 * these methods, too. Positions count from 0, single octets (b[1]) from 1, as Haka has it. Numbers
 * are unsigned; beyond 2^53 Lua rounds them.
 */
#include "script/buffer/buffer_impl.h"

enum { NUMBER_MAX = 8, BITS_MAX = 64 };

static struct script_sub *check_sub(lua_State *L)
{
	return script_check(L, 1, &script_class_sub);
}

/* Checks a number, and clips it to the octets that are there. */
static size_t clip_number(lua_State *L, int idx, size_t there, const char *what)
{
	size_t n = buffer_check_uint(L, idx, UINT32_MAX, what);

	return n < there ? n : there;
}

/* Returns a length: n, or 'all' of the octets behind off. */
static size_t check_length(lua_State *L, int idx, size_t left, const char *what)
{
	if (lua_isnoneornil(L, idx) ||
	    (lua_type(L, idx) == LUA_TSTRING && strcmp(lua_tostring(L, idx), "all") == 0))
		return left;
	if (lua_type(L, idx) != LUA_TNUMBER)
		(void)buffer_error(L, "%s: number or 'all' expected, got %s", what,
				   luaL_typename(L, idx));
	return clip_number(L, idx, left, what);
}

/* Called for sub([off], [len | 'all']): returns as much of the part as there is. */
static int sub_sub(lua_State *L)
{
	struct script_sub *s = check_sub(L);
	struct span octets = script_sub_octets(L, s, "sub");
	size_t off = lua_isnoneornil(L, 2) ? 0 : clip_number(L, 2, octets.n, "sub: offset");
	size_t n = check_length(L, 3, octets.n - off, "sub: length");

	script_push_sub(L, 1, s->buffer, s->from + off, s->from + off + n);
	return 1;
}

/* Called for pos(n | 'begin' | 'end'): returns an iterator, which ends where this sub does. */
static int sub_pos(lua_State *L)
{
	struct script_sub *s = check_sub(L);
	size_t n = script_sub_octets(L, s, "pos").n, off = 0;
	const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : NULL;

	if (name && strcmp(name, "end") == 0)
		off = n;
	else if (name && strcmp(name, "begin") != 0)
		return buffer_error(L, "pos: 'begin', 'end' or number expected, got '%s'", name);
	else if (!name && !lua_isnoneornil(L, 2))
		off = clip_number(L, 2, n, "pos");
	script_push_iter(L, 1, s->buffer, s->from + off, s->to, false);
	return 1;
}

static int sub_asstring(lua_State *L)
{
	struct span s = script_sub_octets(L, check_sub(L), "asstring");

	script_charge(L, s.n / 16);
	lua_pushlstring(L, s.n ? (const char *)s.p : "", s.n);
	return 1;
}

static int sub_setstring(lua_State *L)
{
	struct script_sub *s = check_sub(L);
	struct span with = script_check_span(L, 2, "setstring");

	script_sub_replace(L, 1, s, 0, script_sub_octets(L, s, "setstring").n, with, "setstring");
	return 0;
}

static int sub_setfixedstring(lua_State *L)
{
	struct script_sub *s = check_sub(L);
	struct span with = script_check_span(L, 2, "setfixedstring");
	size_t n = script_sub_octets(L, s, "setfixedstring").n;

	if (with.n > n)
		return buffer_error(L, "setfixedstring: %zu octets do not fit into %zu", with.n, n);
	script_sub_replace(L, 1, s, 0, with.n, with, "setfixedstring");
	return 0;
}

static int sub_erase(lua_State *L)
{
	struct script_sub *s = check_sub(L);

	script_sub_replace(L, 1, s, 0, script_sub_octets(L, s, "erase").n, SPAN_NULL, "erase");
	return 0;
}

/* Called for replace(buffer or text): a buffer is emptied. */
static int sub_replace(lua_State *L)
{
	struct script_sub *s = check_sub(L);
	size_t n = script_sub_octets(L, s, "replace").n;
	struct buffer_source with = buffer_take(L, 2, s->buffer, "replace");

	script_sub_replace(L, 1, s, 0, n, with.octets, "replace");
	buffer_take_done(L, &with, "replace");
	return 0;
}

static int sub_zero(lua_State *L)
{
	struct script_sub *s = check_sub(L);
	size_t n = script_sub_octets(L, s, "zero").n;
	void *zeros = lua_newuserdata(L, n);

	memset(zeros, 0, n);
	script_sub_replace(L, 1, s, 0, n, span_of(zeros, n), "zero");
	return 0;
}

/* --- Numbers --------------------------------------------------------------------------------- */

static bool check_endian(lua_State *L, int idx, const char *what)
{
	const char *e = lua_isnoneornil(L, idx)		  ? "big"
			: lua_type(L, idx) == LUA_TSTRING ? lua_tostring(L, idx)
							  : "";

	if (strcmp(e, "big") != 0 && strcmp(e, "little") != 0)
		(void)buffer_error(L, "%s: byte order: 'big' or 'little' expected, got '%s'", what,
				   e[0] ? e : luaL_typename(L, idx));
	return e[0] == 'l';
}

static int sub_asnumber(lua_State *L)
{
	struct span s = script_sub_octets(L, check_sub(L), "asnumber");
	bool le = check_endian(L, 2, "asnumber");
	uint64_t v = 0;

	if (s.n == 0 || s.n > NUMBER_MAX)
		return buffer_error(L, "asnumber: 1 to 8 octets expected, there are %zu", s.n);
	for (size_t i = 0; i < s.n; i++)
		v = v << 8 | s.p[le ? s.n - 1 - i : i];
	lua_pushnumber(L, (lua_Number)v);
	return 1;
}

static int sub_setnumber(lua_State *L)
{
	struct script_sub *s = check_sub(L);
	size_t n = script_sub_octets(L, s, "setnumber").n;
	bool le = check_endian(L, 3, "setnumber");
	uint8_t octets[NUMBER_MAX];
	uint64_t v;

	if (n == 0 || n > NUMBER_MAX)
		return buffer_error(L, "setnumber: 1 to 8 octets expected, there are %zu", n);
	v = buffer_check_uint(L, 2, n < NUMBER_MAX ? (UINT64_C(1) << 8 * n) - 1 : UINT64_MAX,
			      "setnumber");
	for (size_t i = 0; i < n; i++, v >>= 8)
		octets[le ? i : n - 1 - i] = (uint8_t)v;
	script_sub_replace(L, 1, s, 0, n, span_of(octets, n), "setnumber");
	return 0;
}

/* Returns the mask of bit i in its octet. Big endian: the first bit is the highest of the first
 * octet; little endian: the lowest. */
static uint8_t make_bit(size_t i, bool le)
{
	return (uint8_t)(1U << (le ? i % 8 : 7 - i % 8));
}

static size_t check_bits(lua_State *L, size_t octets, size_t *ret_off, const char *what)
{
	size_t off = buffer_check_uint(L, 2, SIZE_MAX / 16, what), n;

	if (off > octets * 8)
		(void)buffer_error(L, "%s: invalid bit offset %zu in %zu octets", what, off,
				   octets);
	n = buffer_check_uint(L, 3, SIZE_MAX / 16, what);
	if (n > octets * 8 - off || n > BITS_MAX)
		(void)buffer_error(
			L, "%s: invalid bit size %zu (%zu bits are there, at most 64 at a time)",
			what, n, octets * 8 - off);
	*ret_off = off;
	return n;
}

/* Called for asbits(off, len, [endian]). */
static int sub_asbits(lua_State *L)
{
	struct span s = script_sub_octets(L, check_sub(L), "asbits");
	bool le = check_endian(L, 4, "asbits");
	size_t off, n = check_bits(L, s.n, &off, "asbits");
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t bit = (s.p[(off + i) / 8] & make_bit(off + i, le)) != 0;

		v |= bit << (le ? i : n - 1 - i);
	}
	lua_pushnumber(L, (lua_Number)v);
	return 1;
}

/* Called for setbits(off, len, value, [endian]). */
static int sub_setbits(lua_State *L)
{
	struct script_sub *s = check_sub(L);
	struct span is = script_sub_octets(L, s, "setbits");
	bool le = check_endian(L, 5, "setbits");
	size_t off, n = check_bits(L, is.n, &off, "setbits"), first = off / 8,
		    len = (off + n + 7) / 8 - first;
	uint64_t v = buffer_check_uint(L, 4, n < BITS_MAX ? (UINT64_C(1) << n) - 1 : UINT64_MAX,
				       "setbits: value");
	uint8_t octets[BITS_MAX / 8 + 1];

	if (n == 0)
		return 0;
	memcpy(octets, is.p + first, len);
	for (size_t i = 0; i < n; i++) {
		uint8_t *at = &octets[(off + i) / 8 - first], bit = make_bit(off + i, le);
		bool set = v >> (le ? i : n - 1 - i) & 1;

		*at = (uint8_t)(set ? *at | bit : *at & ~bit);
	}
	script_sub_replace(L, 1, s, first, len, span_of(octets, len), "setbits");
	return 0;
}

/* --- Size ------------------------------------------------------------------------------------ */

static int sub_size(lua_State *L)
{
	lua_pushnumber(L, (lua_Number)script_sub_octets(L, check_sub(L), "size").n);
	return 1;
}

/* Called for check_size(n): returns whether there are so many octets, and how many there are. */
static int sub_check_size(lua_State *L)
{
	size_t n = script_sub_octets(L, check_sub(L), "check_size").n;

	lua_pushboolean(L, buffer_check_uint(L, 2, UINT32_MAX, "check_size") <= n);
	lua_pushnumber(L, (lua_Number)n);
	return 2;
}

/* Called for isflat(): octets always lie in one piece here. */
static int sub_isflat(lua_State *L)
{
	(void)script_sub_octets(L, check_sub(L), "isflat");
	lua_pushboolean(L, true);
	return 1;
}

static int sub_flatten(lua_State *L)
{
	(void)script_sub_octets(L, check_sub(L), "flatten");
	return 0;
}

/* Called for select(): returns an iterator at the place of the octets, and the octets as a buffer
 * of their own. */
static int sub_select(lua_State *L)
{
	struct script_sub *s = check_sub(L);
	struct span octets = script_sub_octets(L, s, "select");

	lua_settop(L, 1);
	script_push_iter(L, 1, s->buffer, s->from, s->to, false);
	/* the octets before these may grow, and others that were taken out there come back
	 * first */
	((struct script_iter *)script_check(L, -1, &script_class_iter))->behind = true;
	script_push_memory(L, octets);
	script_sub_replace(L, 1, s, 0, octets.n, SPAN_NULL, "select");
	return 2;
}

/* --- Octets ---------------------------------------------------------------------------------- */

int buffer_sub_index(lua_State *L, void *obj)
{
	struct span s;
	lua_Number i;

	if (lua_type(L, 2) != LUA_TNUMBER)
		return buffer_error(L, "a buffer has no field '%s'",
				    lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2)
								  : luaL_typename(L, 2));
	s = script_sub_octets(L, obj, "octet");
	i = lua_tonumber(L, 2);
	if (!(i >= 1 && i <= (lua_Number)s.n))
		return 0;
	lua_pushinteger(L, s.p[(size_t)i - 1]);
	return 1;
}

bool buffer_sub_newindex(lua_State *L, void *obj)
{
	struct span s;
	lua_Number i;
	uint8_t v;

	if (lua_type(L, 2) != LUA_TNUMBER)
		return false;
	s = script_sub_octets(L, obj, "octet");
	i = lua_tonumber(L, 2);
	if (!(i >= 1 && i <= (lua_Number)s.n))
		(void)buffer_error(L, "octet: index %.14g is not within 1 and %zu", i, s.n);
	v = (uint8_t)buffer_check_uint(L, 3, UINT8_MAX, "octet");
	script_sub_replace(L, 1, obj, (size_t)i - 1, 1, span_of(&v, 1), "octet");
	return true;
}

static int push_sub_text(lua_State *L, void *obj)
{
	lua_pushfstring(L, "vbuffer_sub: %d", (int)script_sub_octets(L, obj, "vbuffer_sub").n);
	return 1;
}

static const struct script_method methods[] = {
	{"sub", sub_sub},
	{"pos", sub_pos},
	{"asstring", sub_asstring},
	{"setstring", sub_setstring},
	{"setfixedstring", sub_setfixedstring},
	{"asnumber", sub_asnumber},
	{"setnumber", sub_setnumber},
	{"asbits", sub_asbits},
	{"setbits", sub_setbits},
	{"erase", sub_erase},
	{"replace", sub_replace},
	{"zero", sub_zero},
	{"select", sub_select},
	{"isflat", sub_isflat},
	{"flatten", sub_flatten},
	{"size", sub_size},
	{"check_size", sub_check_size},
	{0},
};

const luaL_Reg buffer_sub_meta[] = {{"__len", sub_size}, {NULL, NULL}};

const struct script_class script_class_sub = {
	.name = "vbuffer_sub",
	.methods = methods,
	.index = buffer_sub_index,
	.newindex = buffer_sub_newindex,
	.tostring = push_sub_text,
	.meta = buffer_sub_meta,
};
