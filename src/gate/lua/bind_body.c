/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Bodies of HTTP that rules follow as coroutines: one buffer for each body, from its first octets
 * to its end, in any chunks. No octet of it is held back in the stream, where chunk
 * sizes stand between the pieces: octets that coroutines wait for are kept here, to be read; octets
 * of the current packet can be written.
 */
#include "gate/lua/bind_class.h"
#include "gate/lua/bind_impl.h"
#include "gate/app/dissect_http.h"

#include "base/error.h"

#include <errno.h>
#include <lauxlib.h>
#include <sys/param.h>

/* Makes room for n kept octets, with those of the current packet behind them. */
bool bind_body_reserve(struct bind_stream *st, size_t n)
{
	size_t cap = MAX(n, 2 * (size_t)st->kept_cap);
	uint8_t *p;

	if (n <= st->kept_cap)
		return true;
	p = script_memory(st->bind->script, st->kept, st->kept_cap, cap);
	if (!p)
		return false;
	st->kept = p;
	st->kept_cap = (uint32_t)cap;
	return true;
}

void bind_body_fini(struct bind_stream *st)
{
	if (st->kept)
		(void)script_memory(st->bind->script, st->kept, st->kept_cap, 0);
	st->kept = NULL;
	st->kept_cap = 0;
}

static const char *body_octets(struct script_buffer *b, struct span *ret)
{
	struct bind_stream *st = container_of(b, struct bind_stream, b);

	*ret = SPAN_NULL;
	if (!st->f)
		return "of a body that is over";
	if (st->kept_n)
		*ret = span_of(st->kept, st->kept_n + (st->body ? st->body->n : 0));
	else if (st->body)
		*ret = span_of(st->body->octets, st->body->n);
	return NULL;
}

static int body_replace(lua_State *L, int idx, struct script_buffer *b, size_t off, size_t n,
			struct span with)
{
	struct bind_stream *st = container_of(b, struct bind_stream, b);
	int r;

	(void)idx;
	if (!st->body || off < st->kept_n)
		return luaL_error(L, "read only buffer: these octets of the body were forwarded");
	if (st->kept_n && !bind_body_reserve(st, st->kept_n + st->body->n - n + with.n))
		return -USHER_E_LIMIT;
	r = gate_stream_edit(st->body, (uint32_t)(off - st->kept_n), (uint32_t)n, with);
	if (r == 0 && st->kept_n)
		memcpy(st->kept + st->kept_n, st->body->octets, st->body->n);
	return r;
}

static const struct script_buffer_ops body_ops = {body_octets, body_replace};

struct bind_stream *bind_body_begin(struct gate_bind *b, struct gate_view *v, enum gate_event event,
				    struct script_error *err)
{
	void **at = gate_http_script(v->flow, v->direction);
	struct bind_stream *st = *at;

	if (!st)
		st = *at = bind_stream_new(b, &body_ops, v, event, err);
	if (!st)
		return NULL;
	if (st->kept_n && !bind_body_reserve(st, (size_t)st->kept_n + v->n)) {
		/* the waiting coroutine's position is released, so that it fails when it resumes */
		st->b.base += st->kept_n + v->n;
		st->kept_n = 0;
		*err = (struct script_error){.fault = SCRIPT_E_MEMORY,
					     .text = "no memory to remember a body in"};
		return NULL;
	}
	st->body = v;
	if (st->kept_n)
		memcpy(st->kept + st->kept_n, v->octets, v->n);
	return st;
}

/* Keeps the held octets from `from` on, and releases the rest. */
static bool remember_body(struct bind_stream *st, uint32_t from)
{
	uint32_t n = st->kept_n + st->body->n - from;
	bool ok = true;

	if (st->kept_n)
		memmove(st->kept, st->kept + from, n);
	else if (n && (ok = bind_body_reserve(st, n)))
		memcpy(st->kept, st->body->octets + from, n);
	st->b.base += ok ? from : from + n;
	st->kept_n = ok ? n : 0;
	st->body = NULL;
	return ok;
}

/* Returns the offset of the first held octet, behind base. */
static uint32_t held_from(const struct bind_stream *st)
{
	uint64_t held = script_buffer_held(&st->b);
	uint32_t all = st->kept_n + st->body->n;

	if (held <= st->b.base)
		return 0;
	return held - st->b.base < all ? (uint32_t)(held - st->b.base) : all;
}

bool bind_body_deliver(struct bind_stream *st, struct gate_walk *w)
{
	struct flow *f = st->f;
	bool ok = true;

	if (st->kept_n + st->body->n - held_from(st) > TCP_PENDING_MAX)
		ok = bind_stream_full(st, w);
	if (!remember_body(st, held_from(st)))
		ok = bind_fault(st->bind, w, f, "no memory to remember a body in") && ok;
	return ok;
}
