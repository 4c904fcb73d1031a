/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Buffers of the current packet and of packets that rules made, and of a stream's data for a
 * listener that does not follow it (those that do: bind_stream.c). One buffer each, used again for
 * every packet and every delivery: earlier handles are void.
 */
#include "gate/lua/bind_class.h"
#include "gate/lua/bind_impl.h"
#include "gate/tcp/tcp_conn.h"
#include "gate/engine/verdict.h"

#include <lauxlib.h>

static const char *packet_octets(struct script_buffer *b, struct span *ret)
{
	const struct gate_packet *p = b->ctx;

	*ret = span_of(p->p.data, p->p.len);
	return NULL;
}

static int packet_replace(lua_State *L, int idx, struct script_buffer *b, size_t off, size_t n,
			  struct span with)
{
	struct gate_packet *p = b->ctx;

	(void)L;
	(void)idx;
	if (with.n == n)
		return verdict_write(p->g, p, (uint32_t)off, with.p, n);
	return verdict_splice(p->g, p, (uint32_t)off, n, with);
}

static const struct script_buffer_ops packet_ops = {packet_octets, packet_replace};

static const char *shown_octets(struct script_buffer *b, struct span *ret)
{
	const struct gate_bind *bind = b->ctx;

	*ret = bind->view ? span_of(bind->view->octets, bind->view->n) : SPAN_NULL;
	return bind->view ? NULL : "of a stream that is not shown any more";
}

static int shown_replace(lua_State *L, int idx, struct script_buffer *b, size_t off, size_t n,
			 struct span with)
{
	const struct gate_bind *bind = b->ctx;

	(void)L;
	(void)idx;
	return gate_stream_edit(bind->view, (uint32_t)off, (uint32_t)n, with);
}

static const struct script_buffer_ops shown_ops = {shown_octets, shown_replace};

void bind_buffers_init(struct gate_bind *b)
{
	for (unsigned i = 0; i < ARRAY_LEN(b->packets); i++) {
		struct gate_packet *p = i ? created_at(b->g, i - 1) : &b->g->slot;

		script_buffer_init(&b->packets[i].b, b->script, &packet_ops, p, &p->generation);
	}
	script_buffer_init(&b->shown, b->script, &shown_ops, b, &b->shown_generation);
}

void bind_buffers_fini(struct gate_bind *b)
{
	for (unsigned i = 0; i < ARRAY_LEN(b->packets); i++)
		script_buffer_fini(&b->packets[i].b);
	script_buffer_fini(&b->shown);
}

void bind_push_payload(lua_State *L, struct gate_packet *p, uint32_t off, uint32_t len)
{
	struct gate_bind *b = bind_of(L);
	struct bind_packet *of = &b->packets[p->created ? 1 + created_index(p) : 0];

	if (of->generation != p->generation) {
		script_buffer_reset(&of->b);
		of->generation = p->generation;
	}
	script_push_vbuffer(L, 0, &of->b, off, (uint64_t)off + len);
}

void bind_push_data(lua_State *L, const struct gate_packet *p)
{
	struct gate_bind *b = bind_of(L);
	struct bind_packet *of = &b->packets[p->created ? 1 + created_index(p) : 0];

	if (of->data_ref && of->data_generation == p->generation) {
		lua_rawgeti(L, LUA_REGISTRYINDEX, of->data_ref);
		return;
	}
	lua_newtable(L);
	lua_pushvalue(L, -1);
	if (of->data_ref)
		lua_rawseti(L, LUA_REGISTRYINDEX, of->data_ref);
	else
		of->data_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	of->data_generation = p->generation;
}

void bind_view_begin(struct gate_bind *b, struct gate_view *v)
{
	script_buffer_reset(&b->shown);
	b->view = v;
}

void bind_view_end(struct gate_bind *b)
{
	b->view = NULL;
	b->shown_generation++;
}

void bind_push_view(lua_State *L)
{
	struct gate_bind *b = bind_of(L);

	script_push_sub(L, 0, &b->shown, 0, b->view->n);
}
