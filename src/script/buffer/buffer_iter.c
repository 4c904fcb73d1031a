/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Iterators. A plain one reads the octets present. A blocking one, of a stream, waits for octets
 * that have not arrived yet: lua/core/buffer.lua yields until iter_ready() here reports enough of
 * them, or the end of the stream. While it waits for octets that are to be one piece, the present
 * ones are held back.
 */
#include "script/buffer/buffer_impl.h"
#include "script/state/lua_sources.h"

static struct script_iter *check_iter(lua_State *L)
{
	return script_check(L, 1, &script_class_iter);
}

/* Returns a count of octets: a number, 'all' or 'available', of those that are there. */
static size_t check_count(lua_State *L, int idx, size_t there, bool *ret_available,
			  const char *what)
{
	const char *mode = lua_type(L, idx) == LUA_TSTRING ? lua_tostring(L, idx) : NULL;
	size_t n;

	*ret_available = mode && strcmp(mode, "available") == 0;
	if (lua_isnoneornil(L, idx) || *ret_available || (mode && strcmp(mode, "all") == 0))
		return there;
	if (mode)
		(void)buffer_error(L, "%s: number, 'all' or 'available' expected, got '%s'", what,
				   mode);
	n = buffer_check_uint(L, idx, UINT32_MAX, what);
	return n < there ? n : there;
}

/* Called for advance(n | 'all' | 'available'): returns how far the iterator moved. */
static int iter_advance(lua_State *L)
{
	struct script_iter *it = check_iter(L);
	bool available;
	size_t n = check_count(L, 2, script_iter_octets(L, it, "advance").n, &available, "advance");

	it->at += n;
	it->meter += n;
	lua_pushnumber(L, (lua_Number)n);
	return 1;
}

static int iter_available(lua_State *L)
{
	lua_pushnumber(L, (lua_Number)script_iter_octets(L, check_iter(L), "available").n);
	return 1;
}

/* Called for check_available(n): returns whether so many octets are available, and how many there
 * are. */
static int iter_check_available(lua_State *L)
{
	size_t n = script_iter_octets(L, check_iter(L), "check_available").n;

	lua_pushboolean(L, buffer_check_uint(L, 2, UINT32_MAX, "check_available") <= n);
	lua_pushnumber(L, (lua_Number)n);
	return 2;
}

/* Called for sub(n | 'all' | 'available', [split]): returns the octets, and the iterator is behind
 * them. 'available': nil at the end. */
static int iter_sub(lua_State *L)
{
	struct script_iter *it = check_iter(L);
	size_t there = script_iter_octets(L, it, "sub").n, n;
	bool available;

	n = check_count(L, 2, there, &available, "sub");
	if (available && n == 0)
		return 0;
	script_push_sub(L, 1, it->buffer, it->at, it->at + n);
	it->at += n;
	it->meter += n;
	return 1;
}

static void put_octets(lua_State *L, struct script_iter *it, struct span with, const char *what)
{
	uint64_t at;

	(void)script_iter_octets(L, it, what);
	at = it->at;
	buffer_replace(L, 1, it->buffer, at - it->buffer->base, 0, with, what);
	(void)script_iter_octets(L, it, what);
	it->at = at + with.n;
}

/* Called for insert(buffer or text): returns the inserted octets; the iterator is behind them, and
 * a buffer is emptied. */
static int iter_insert(lua_State *L)
{
	struct script_iter *it = check_iter(L);
	struct buffer_source with = buffer_take(L, 2, it->buffer, "insert");
	size_t n = with.octets.n;

	put_octets(L, it, with.octets, "insert");
	buffer_take_done(L, &with, "insert");
	script_push_sub(L, 1, it->buffer, it->at - n, it->at);
	return 1;
}

/* Called for restore(buffer, [clone]): puts back the octets that select() took out. clone: the
 * buffer keeps them, too. */
static int iter_restore(lua_State *L)
{
	struct script_iter *it = check_iter(L);
	struct buffer_source with = buffer_take(L, 2, it->buffer, "restore");

	put_octets(L, it, with.octets, "restore");
	if (!lua_toboolean(L, 3))
		buffer_take_done(L, &with, "restore");
	return 0;
}

static int iter_copy(lua_State *L)
{
	struct script_iter *it = check_iter(L);
	uint64_t meter = it->meter;

	(void)script_iter_octets(L, it, "copy");
	script_push_iter(L, 1, it->buffer, it->at, it->end, false);
	((struct script_iter *)script_check(L, -1, &script_class_iter))->meter = meter;
	return 1;
}

static int iter_mark(lua_State *L)
{
	struct script_iter *it = check_iter(L);

	(void)script_iter_octets(L, it, "mark");
	if (it->mark)
		return buffer_error(L, "mark: it is marked already");
	it->mark = buffer_mark(L, it->buffer, it->at);
	return 0;
}

static int iter_unmark(lua_State *L)
{
	struct script_iter *it = check_iter(L);

	if (!it->mark)
		return buffer_error(L, "unmark: it is not marked");
	buffer_unmark(it->buffer, it->mark);
	it->mark = 0;
	return 0;
}

static int iter_split(lua_State *L)
{
	(void)script_iter_octets(L, check_iter(L), "split");
	return 0;
}

static int iter_move_to(lua_State *L)
{
	struct script_iter *it = check_iter(L);
	struct script_iter *to = script_test(L, 2, &script_class_iter);

	if (!to)
		script_expected(L, 2, "move_to", "iterator");
	if (to->buffer != it->buffer)
		return buffer_error(L, "move_to: it is an iterator of another buffer");
	(void)script_iter_octets(L, to, "move_to");
	it->at = to->at;
	it->seq = to->seq;
	it->gone = false;
	return 0;
}

/* Called for wait(): a plain iterator has nothing to wait for. Returns whether it is at the end of
 * all octets. */
static int iter_wait(lua_State *L)
{
	lua_pushboolean(L, script_iter_ended(L, check_iter(L)));
	return 1;
}

static int get_iseof(lua_State *L, void *obj)
{
	lua_pushboolean(L, script_iter_ended(L, obj));
	return 1;
}

static int get_meter(lua_State *L, void *obj)
{
	lua_pushnumber(L, (lua_Number)((const struct script_iter *)obj)->meter);
	return 1;
}

static void set_meter(lua_State *L, void *obj, int idx)
{
	((struct script_iter *)obj)->meter = buffer_check_uint(L, idx, UINT64_C(1) << 53,
							       "iterator.meter");
}

/* --- Waiting --------------------------------------------------------------------------------- */

/* Returns whether the request can be met now: n octets, 'available' (one), 'all'. If not, the
 * present octets are held back, but for 'available' or when the caller does not want it (third
 * argument). */
static int iter_ready(lua_State *L)
{
	struct script_iter *it = check_iter(L);
	size_t there = script_iter_octets(L, it, "iterator").n;
	bool ended = it->buffer->finished || it->at + there >= it->end, ok = ended,
	     available = false;

	if (lua_type(L, 2) == LUA_TNUMBER)
		ok = buffer_check_uint(L, 2, UINT32_MAX, "iterator") <= there || ended;
	else
		(void)check_count(L, 2, there, &available, "iterator");
	if (available)
		ok = there > 0 || ended;
	if (ok) {
		buffer_unhold(it);
	} else if (it->buffer->full && buffer_marked_by(L, it->buffer)) {
		buffer_unhold(it);
		return buffer_error(
			L, "more octets of a stream would be held back than there is room for");
	} else if (!it->hold && !available && !lua_toboolean(L, 3)) {
		it->hold = buffer_mark(L, it->buffer, it->at);
	}
	lua_pushboolean(L, ok);
	return 1;
}

/* Called for haka.vbuffer_iterator_blocking(iterator): returns one that waits, from the use_as_iter
 * position on. */
static int haka_vbuffer_iterator_blocking(lua_State *L)
{
	struct script_iter *it = script_test(L, 1, &script_class_iter);

	if (!it)
		script_expected(L, 1, "haka.vbuffer_iterator_blocking", "iterator");
	(void)script_iter_octets(L, it, "haka.vbuffer_iterator_blocking");
	script_push_iter(L, 1, it->buffer, it->at, it->end, true);
	return 1;
}

/* Called for haka.vbuffer_sub(begin, end): returns the octets between two iterators. */
static int haka_vbuffer_sub(lua_State *L)
{
	static const char what[] = "haka.vbuffer_sub";
	struct script_iter *from = script_test(L, 1, &script_class_iter),
			   *to = script_test(L, 2, &script_class_iter);

	if (!from || !to)
		script_expected(L, from ? 2 : 1, what, "iterator");
	if (from->buffer != to->buffer)
		return buffer_error(L, "%s: the iterators are of two buffers", what);
	(void)script_iter_octets(L, from, what);
	(void)script_iter_octets(L, to, what);
	if (from->at > to->at)
		return buffer_error(L, "%s: the end is before the beginning", what);
	script_push_sub(L, 1, from->buffer, from->at, to->at);
	return 1;
}

static const struct script_method methods[] = {
	{"advance", iter_advance},
	{"available", iter_available},
	{"check_available", iter_check_available},
	{"sub", iter_sub},
	{"insert", iter_insert},
	{"restore", iter_restore},
	{"copy", iter_copy},
	{"mark", iter_mark},
	{"unmark", iter_unmark},
	{"split", iter_split},
	{"move_to", iter_move_to},
	{"wait", iter_wait},
	{0},
};

static const struct script_field fields[] = {{"meter", get_meter, set_meter},
					     {"iseof", get_iseof, NULL},
					     {0}};

static void *use_as_iter(void *obj)
{
	return obj;
}

const struct script_class script_class_iter = {.name = "vbuffer_iterator",
					       .fields = fields,
					       .methods = methods};
const struct script_class script_class_blocking = {.name = "vbuffer_iterator_blocking",
						   .parent = &script_class_iter,
						   .to_parent = use_as_iter};

/* Called for method(blocking, name, function): adds a method in Lua to one of both classes. */
static int set_method(lua_State *L)
{
	bool blocking = lua_toboolean(L, 1);

	lua_settop(L, 3);
	script_class_method(L, blocking ? &script_class_blocking : &script_class_iter,
			    luaL_checkstring(L, 2));
	return 0;
}

void buffer_open_iters(lua_State *L)
{
	static const luaL_Reg functions[] = {{"vbuffer_sub", haka_vbuffer_sub},
					     {"vbuffer_iterator_blocking",
					      haka_vbuffer_iterator_blocking},
					     {NULL, NULL}};
	static const luaL_Reg raw[] = {{"ready", iter_ready},
				       {"advance", iter_advance},
				       {"sub", iter_sub},
				       {"check_available", iter_check_available},
				       {"available", iter_available},
				       {NULL, NULL}};

	script_push_haka(L);
	luaL_setfuncs(L, functions, 0);
	lua_settop(L, 0);
	if (script_load(L, lua_source_find("core/buffer")->text, "=[usher]") != 0)
		(void)lua_error(L);
	lua_pushcfunction(L, set_method);
	lua_newtable(L);
	luaL_setfuncs(L, raw, 0);
	lua_call(L, 2, 0);
}
