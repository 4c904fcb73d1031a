/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Buffers in memory of the state: haka.vbuffer_from, haka.vbuffer_allocate, and the methods of
 * whole buffers only: append, clone. The buffer itself is a userdata; it and its octets are kept in
 * a table which is the environment of each of its handles, so they live as long as the last of
 * those.
 */
#include "script/buffer/buffer_impl.h"

enum { SELF = 1, OCTETS = 2, MEMORY_MAX = 1 << 30 };

struct memory {
	struct script_buffer b;
	uint8_t *octets;
	size_t n, cap;
};

static const char key_meta;

static const char *get_memory(struct script_buffer *b, struct span *ret)
{
	const struct memory *m = container_of(b, struct memory, b);

	*ret = span_of(m->octets, m->n);
	return NULL;
}

/* Makes room for `need` octets. The table of the buffer is at the top. */
static void grow_memory(lua_State *L, struct memory *m, size_t need)
{
	size_t cap = m->cap + m->cap / 2 > need ? m->cap + m->cap / 2 : need;
	uint8_t *p;

	if (need > MEMORY_MAX)
		(void)buffer_error(L, "buffer: more than %d octets", MEMORY_MAX);
	p = lua_newuserdata(L, cap);
	if (m->n)
		memcpy(p, m->octets, m->n);
	lua_rawseti(L, -2, OCTETS);
	m->octets = p;
	m->cap = cap;
}

static int replace_memory(lua_State *L, int idx, struct script_buffer *b, size_t off, size_t n,
			  struct span with)
{
	struct memory *m = container_of(b, struct memory, b);
	size_t end = m->n - n + with.n;

	if (end > m->cap) {
		lua_getfenv(L, idx);
		grow_memory(L, m, end);
		lua_pop(L, 1);
	}
	script_charge(L, (m->n - off - n) / 64);
	if (m->n > off + n)
		memmove(m->octets + off + with.n, m->octets + off + n, m->n - off - n);
	if (with.n)
		memcpy(m->octets + off, with.p, with.n);
	m->n = end;
	return 0;
}

void buffer_memory_take(struct script_buffer *b, size_t n)
{
	struct memory *m = container_of(b, struct memory, b);

	m->n -= n;
	memmove(m->octets, m->octets + n, m->n);
	b->base += n;
}

static const struct script_buffer_ops memory_ops = {get_memory, replace_memory};

static int free_memory(lua_State *L)
{
	script_push_key(L, &key_meta);
	if (lua_isuserdata(L, 1) && lua_getmetatable(L, 1) && lua_rawequal(L, -1, -2))
		script_buffer_fini(&((struct memory *)lua_touserdata(L, 1))->b);
	return 0;
}

bool script_buffer_is_memory(const struct script_buffer *b)
{
	return b->ops == &memory_ops;
}

void script_push_memory(lua_State *L, struct span with)
{
	struct memory *m;

	lua_createtable(L, 2, 0);
	m = lua_newuserdata(L, sizeof(*m));
	*m = (struct memory){.cap = 0};
	script_buffer_init(&m->b, script_of(L), &memory_ops, NULL, NULL);
	script_push_key(L, &key_meta);
	(void)lua_setmetatable(L, -2);
	lua_rawseti(L, -2, SELF);
	grow_memory(L, m, with.n);
	if (with.n && with.p)
		memcpy(m->octets, with.p, with.n);
	else if (with.n)
		memset(m->octets, 0, with.n);
	m->n = with.n;
	script_push_vbuffer(L, 0, &m->b, 0, SCRIPT_BUFFER_END);
	lua_insert(L, -2);
	(void)lua_setfenv(L, -2);
}

static int haka_vbuffer_from(lua_State *L)
{
	script_push_memory(L, script_check_span(L, 1, "haka.vbuffer_from"));
	return 1;
}

/* Called for haka.vbuffer_allocate(n, [zero]): the memory is always zeroed, so that it shows no old
 * contents. */
static int haka_vbuffer_allocate(lua_State *L)
{
	script_push_memory(L, span_of(NULL, script_check_uint(L, 1, MEMORY_MAX,
							      "haka.vbuffer_allocate")));
	return 1;
}

static int vbuffer_append(lua_State *L)
{
	struct script_sub *s = script_check(L, 1, &script_class_vbuffer);
	size_t n = script_sub_octets(L, s, "vbuffer:append").n;
	struct buffer_source with = buffer_take(L, 2, s->buffer, "vbuffer:append");

	script_sub_replace(L, 1, s, n, 0, with.octets, "vbuffer:append");
	buffer_take_done(L, &with, "vbuffer:append");
	return 0;
}

/* Called for clone([mode]): "rw" and "copy", or a mode that makes the original or the clone read-
 * only. */
static int vbuffer_clone(lua_State *L)
{
	static const char *const modes[] = {"rw", "copy", "ro orig", "ro clone", NULL};
	struct script_sub *s = script_check(L, 1, &script_class_vbuffer);
	int mode = luaL_checkoption(L, 2, "rw", modes);
	struct span octets = script_sub_octets(L, s, "vbuffer:clone");
	struct script_sub *clone;

	script_push_memory(L, octets);
	clone = script_check(L, -1, &script_class_vbuffer);
	clone->buffer->read_only = mode == 3;
	s->buffer->read_only = s->buffer->read_only || mode == 2;
	return 1;
}

static int get_modified(lua_State *L, void *obj)
{
	lua_pushboolean(L, ((const struct script_sub *)obj)->buffer->modified);
	return 1;
}

static void *use_as_sub(void *obj)
{
	return obj;
}

static int push_vbuffer_text(lua_State *L, void *obj)
{
	lua_pushfstring(L, "vbuffer: %d", (int)script_sub_octets(L, obj, "vbuffer").n);
	return 1;
}

static const struct script_method methods[] = {{"append", vbuffer_append},
					       {"clone", vbuffer_clone},
					       {0}};
static const struct script_field fields[] = {{"modified", get_modified, NULL}, {0}};

static int vbuffer_length(lua_State *L)
{
	lua_pushnumber(L,
		       (lua_Number)script_sub_octets(L, script_check(L, 1, &script_class_sub), "#")
			       .n);
	return 1;
}

static const luaL_Reg meta[] = {{"__len", vbuffer_length},
				{"__pairs", script_pairs_fields},
				{NULL, NULL}};

const struct script_class script_class_vbuffer = {
	.name = "vbuffer",
	.fields = fields,
	.methods = methods,
	.parent = &script_class_sub,
	.to_parent = use_as_sub,
	.index = buffer_sub_index,
	.newindex = buffer_sub_newindex,
	.tostring = push_vbuffer_text,
	.meta = meta,
};

void buffer_open_memory(lua_State *L)
{
	static const luaL_Reg functions[] = {{"vbuffer_from", haka_vbuffer_from},
					     {"vbuffer_allocate", haka_vbuffer_allocate},
					     {NULL, NULL}};

	lua_pushlightuserdata(L, (void *)(uintptr_t)&key_meta);
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, free_memory);
	lua_setfield(L, -2, "__gc");
	lua_rawset(L, LUA_REGISTRYINDEX);
	script_push_haka(L);
	luaL_setfuncs(L, functions, 0);
	lua_pop(L, 1);
}
