/* SPDX-License-Identifier: MPL-2.0 */
/*
 * haka.vbuffer_stream(): a buffer that is filled at its end and emptied at its front, piece by
 * piece as it was filled, for dissectors that make streams of their own. Marks hold pieces back.
 * The other methods of streams are in lua/core/stream.lua.
 */
#include "script/buffer/buffer_impl.h"
#include "script/state/lua_sources.h"

struct stream {
	struct script_buffer *b; /* kept alive by the environment */
};

static const struct script_class class_stream;

static struct stream *check_stream(lua_State *L)
{
	return script_check(L, 1, &class_stream);
}

static int haka_vbuffer_stream(lua_State *L)
{
	struct stream *st;
	struct script_buffer *b;

	lua_settop(L, 0);
	script_push_memory(L, SPAN_NULL);
	b = ((struct script_sub *)script_check(L, 1, &script_class_vbuffer))->buffer;
	b->finished = false;
	st = script_push_object(L, &class_stream, sizeof(*st), NULL);
	st->b = b;
	lua_getfenv(L, 1);
	(void)lua_setfenv(L, -2);
	return 1;
}

/* Called for push(buffer): returns an iterator at its beginning; the buffer is empty afterwards. */
static int stream_push(lua_State *L)
{
	struct script_buffer *b = check_stream(L)->b;
	struct buffer_source with = buffer_take(L, 2, b, "vbuffer_stream:push");
	size_t n = buffer_octets(L, b, "vbuffer_stream:push").n;
	uint64_t at = b->base + n;

	if (b->finished)
		return buffer_error(L, "vbuffer_stream:push: the stream is finished");
	buffer_border(L, b, at); /* there is room for it, before anything is done */
	buffer_replace(L, 1, b, n, 0, with.octets, "vbuffer_stream:push");
	buffer_move_border(b, at + with.octets.n);
	buffer_take_done(L, &with, "vbuffer_stream:push");
	script_push_iter(L, 1, b, at, SCRIPT_BUFFER_END, false);
	return 1;
}

/* Called for pop(): returns the next piece, as it is now; nil if there is none, or a mark holds it.
 */
static int stream_pop(lua_State *L)
{
	struct script_buffer *b = check_stream(L)->b;
	struct span octets = buffer_octets(L, b, "vbuffer_stream:pop");
	uint64_t border;

	if (!buffer_first_border(b, &border) || script_buffer_held(b) < border)
		return 0;
	script_push_memory(L, span_of(octets.p, border - b->base));
	buffer_memory_take(b, border - b->base);
	buffer_drop_border(b);
	return 1;
}

static int stream_finish(lua_State *L)
{
	check_stream(L)->b->finished = true;
	return 0;
}

static int get_data(lua_State *L, void *obj)
{
	script_push_vbuffer(L, 1, ((struct stream *)obj)->b, 0, SCRIPT_BUFFER_END);
	return 1;
}

static int get_isfinished(lua_State *L, void *obj)
{
	lua_pushboolean(L, ((struct stream *)obj)->b->finished);
	return 1;
}

static const struct script_method methods[] = {{"push", stream_push},
					       {"pop", stream_pop},
					       {"finish", stream_finish},
					       {0}};
static const struct script_field fields[] = {{"data", get_data, NULL},
					     {"isfinished", get_isfinished, NULL},
					     {0}};

static const struct script_class class_stream = {.name = "vbuffer_stream",
						 .fields = fields,
						 .methods = methods};

int buffer_register_stream(struct script *s)
{
	return script_class_register(s, &class_stream);
}

void buffer_open_stream(lua_State *L)
{
	script_push_haka(L);
	lua_pushcfunction(L, haka_vbuffer_stream);
	lua_setfield(L, -2, "vbuffer_stream");
	lua_settop(L, 0);
	if (script_load(L, lua_source_find("core/stream")->text, "=[usher]") != 0)
		(void)lua_error(L);
	lua_call(L, 0, 0);
}
