/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Buffers of the packet at hand, and of what is shown of a stream to a listener that does not follow it (those that do: bind_stream.c).
 * One buffer each, used again for every packet and every showing: handles of the ones before are void.
 */
#include "gate/bind_class.h"
#include "gate/bind_impl.h"
#include "gate/tcp_conn.h"
#include "gate/verdict.h"

static const char *packet_octets(struct script_buffer *b, struct span *ret)
{
	const struct gate *g = b->ctx;

	*ret = span_of(g->pkt.p.data, g->pkt.p.len);
	return NULL;
}

static int packet_replace(lua_State *L, int idx, struct script_buffer *b, size_t off, size_t n, struct span with)
{
	struct gate *g = b->ctx;

	(void)L;
	(void)idx;
	if (with.n == n)
		return verdict_write(g, &g->pkt, (uint32_t)off, with.p, n);
	return verdict_splice(g, &g->pkt, (uint32_t)off, n, with);
}

static const struct script_buffer_ops packet_ops = {packet_octets, packet_replace};

static const char *shown_octets(struct script_buffer *b, struct span *ret)
{
	const struct gate_bind *bind = b->ctx;

	*ret = bind->shown_view ? span_of(bind->shown_view->octets, bind->shown_view->n) : SPAN_NULL;
	return bind->shown_view ? NULL : "of a stream that is not shown any more";
}

static int shown_replace(lua_State *L, int idx, struct script_buffer *b, size_t off, size_t n, struct span with)
{
	const struct gate_bind *bind = b->ctx;

	(void)L;
	(void)idx;
	return gate_stream_edit(bind->g, bind->shown_view, (uint32_t)off, (uint32_t)n, with);
}

static const struct script_buffer_ops shown_ops = {shown_octets, shown_replace};

void bind_buffers_init(struct gate_bind *b)
{
	script_buffer_init(&b->packet, b->script, &packet_ops, b->g, &b->g->pkt.generation);
	script_buffer_init(&b->shown, b->script, &shown_ops, b, &b->shown_generation);
}

void bind_buffers_fini(struct gate_bind *b)
{
	script_buffer_fini(&b->packet);
	script_buffer_fini(&b->shown);
}

void bind_push_payload(lua_State *L, struct gate *g, uint32_t off, uint32_t len)
{
	struct gate_bind *b = bind_of(L);

	if (b->packet_generation != g->pkt.generation) {
		script_buffer_reset(&b->packet);
		b->packet_generation = g->pkt.generation;
	}
	script_push_vbuffer(L, 0, &b->packet, off, (uint64_t)off + len);
}

void bind_shown_begin(struct gate_bind *b, struct gate_view *v)
{
	script_buffer_reset(&b->shown);
	b->shown_view = v;
}

void bind_shown_end(struct gate_bind *b)
{
	b->shown_view = NULL;
	b->shown_generation++;
}

void bind_push_shown(lua_State *L)
{
	struct gate_bind *b = bind_of(L);

	script_push_sub(L, 0, &b->shown, 0, b->shown_view->n);
}
