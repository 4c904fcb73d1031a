/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Handles of buffers, and arguments that are one. The classes are in buffer_memory.c, buffer_sub.c
 * and buffer_iter.c, whose methods make handles of each other's class: these four files are one
 * module.
 */
#include "script/buffer/buffer_impl.h"

/* Makes the handle at the top keep the objects of the handle at `of` alive. */
static void keep_owner(lua_State *L, int of, const struct script_buffer *b)
{
	if (of == 0 || b->generation)
		return;
	if (lua_istable(L, of))
		lua_pushvalue(L, of);
	else
		lua_getfenv(L, of);
	(void)lua_setfenv(L, -2);
}

static void push_range(lua_State *L, const struct script_class *cls, int of,
		       struct script_buffer *b, uint64_t from, uint64_t to)
{
	struct script_sub *s = script_push_object(L, cls, sizeof(*s), b->generation);

	*s = (struct script_sub){.buffer = b, .from = from, .to = to, .seq = b->seq};
	keep_owner(L, of, b);
}

void script_push_vbuffer(lua_State *L, int of, struct script_buffer *b, uint64_t from, uint64_t to)
{
	push_range(L, &script_class_vbuffer, of, b, from, to);
}

void script_push_sub(lua_State *L, int of, struct script_buffer *b, uint64_t from, uint64_t to)
{
	push_range(L, &script_class_sub, of, b, from, to);
}

void script_push_iter(lua_State *L, int of, struct script_buffer *b, uint64_t at, uint64_t end,
		      bool blocking)
{
	struct script_iter *it = script_push_object(L,
						    blocking ? &script_class_blocking
							     : &script_class_iter,
						    sizeof(*it), b->generation);

	*it = (struct script_iter){.buffer = b,
				   .at = at,
				   .end = end,
				   .seq = b->seq,
				   .waits = blocking};
	keep_owner(L, of, b);
}

struct span script_check_octets(lua_State *L, int idx, const char *what)
{
	struct script_sub *s;

	if (lua_type(L, idx) == LUA_TSTRING)
		return script_check_span(L, idx, what);
	s = script_test(L, idx, &script_class_sub);
	if (!s)
		script_expected(L, idx, what, "string or sub");
	return script_sub_octets(L, s, what);
}

struct buffer_source buffer_take(lua_State *L, int idx, const struct script_buffer *into,
				 const char *what)
{
	struct buffer_source s = {.idx = idx};

	if (lua_type(L, idx) == LUA_TSTRING) {
		s.octets = script_check_span(L, idx, what);
		return s;
	}
	s.sub = script_test(L, idx, &script_class_vbuffer);
	if (!s.sub)
		script_expected(L, idx, what, "vbuffer");
	if (s.sub->buffer == into)
		(void)buffer_error(L, "%s: circular buffer insertion", what);
	s.octets = script_sub_octets(L, s.sub, what);
	if (s.octets.n && s.sub->buffer->read_only)
		(void)buffer_error(L, "%s: read only buffer", what);
	return s;
}

void buffer_take_done(lua_State *L, const struct buffer_source *s, const char *what)
{
	if (s->sub)
		script_sub_replace(L, s->idx, s->sub, 0, script_sub_octets(L, s->sub, what).n,
				   SPAN_NULL, what);
}
