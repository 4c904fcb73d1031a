/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The common part of all buffers: the log of changes and how handles follow it, marks, and the one
 * way in which octets are replaced. The log keeps the newest SCRIPT_BUFFER_LOG changes of length; a
 * handle that was not used for longer than that is lost, and says so.
 */
#include "script/buffer/buffer_impl.h"

#include "base/error.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

struct script_change {
	uint64_t at, gone, came;
};

struct script_mark {
	uint64_t at;
	const lua_State *owner;
	uint32_t id; /* 0: a border of pieces, which holds nothing */
};

enum { FIRST_CAP = 8, TEXT_LEN = 256, PLACE_LEN = 128 };

int buffer_error(lua_State *L, const char *fmt, ...)
{
	char text[TEXT_LEN], place[PLACE_LEN];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (script_find_line(L, true, place, sizeof(place)))
		lua_pushfstring(L, "%s: %s", place, text);
	else
		lua_pushstring(L, text);
	return lua_error(L);
}

size_t buffer_check_uint(lua_State *L, int idx, uint64_t max, const char *what)
{
	double n = lua_tonumber(L, idx);

	if (lua_type(L, idx) != LUA_TNUMBER)
		(void)buffer_error(L, "%s: number expected, got %s", what,
				   lua_isnoneornil(L, idx) ? "nothing" : luaL_typename(L, idx));
	if (!(n >= 0 && n < 18446744073709551616.0 && (uint64_t)n <= max &&
	      (double)(uint64_t)n == n))
		(void)buffer_error(L, "%s: %.14g is no whole number from 0 to %" PRIu64, what, n,
				   max);
	return (size_t)n;
}

void script_buffer_init(struct script_buffer *b, struct script *s,
			const struct script_buffer_ops *ops, void *ctx, const uint32_t *generation)
{
	*b = (struct script_buffer){.ops = ops,
				    .script = s,
				    .ctx = ctx,
				    .generation = generation,
				    .finished = true};
}

void script_buffer_reset(struct script_buffer *b)
{
	b->base = b->seq = 0;
	b->log_n = b->marks_n = 0;
	b->modified = b->read_only = b->full = false;
}

void script_buffer_fini(struct script_buffer *b)
{
	if (b->log)
		(void)script_alloc(b->script, b->log, b->log_cap * sizeof(*b->log), 0);
	if (b->marks)
		(void)script_alloc(b->script, b->marks, b->marks_cap * sizeof(*b->marks), 0);
	b->log = NULL;
	b->marks = NULL;
	b->log_n = b->log_cap = b->marks_n = b->marks_cap = 0;
}

/* --- Following changes ----------------------------------------------------------------------- */

/* Moves a position by a change. stays: an insertion at exactly this position does not move it.
 * Returns false when the octets around it are gone. */
static bool move_position(uint64_t *pos, const struct script_change *c, bool stays)
{
	if (*pos < c->at || (*pos == c->at && (c->gone || stays)))
		return true;
	if (*pos < c->at + c->gone)
		return false;
	if (*pos != SCRIPT_BUFFER_END)
		*pos = *pos - c->gone + c->came;
	return true;
}

static bool grow_log(struct script_buffer *b)
{
	uint32_t cap = b->log_cap ? 2 * b->log_cap : FIRST_CAP;
	struct script_change *p;

	if (b->log_cap == SCRIPT_BUFFER_LOG) {
		b->log_n -= SCRIPT_BUFFER_LOG / 2;
		memmove(b->log, b->log + SCRIPT_BUFFER_LOG / 2, b->log_n * sizeof(*b->log));
		return true;
	}
	p = script_alloc(b->script, b->log, b->log_cap * sizeof(*b->log), cap * sizeof(*b->log));
	if (!p)
		return false;
	b->log = p;
	b->log_cap = cap;
	return true;
}

void script_buffer_changed(struct script_buffer *b, uint64_t at, uint64_t gone, uint64_t came)
{
	struct script_change c = {at, gone, came};

	b->modified = true;
	if (gone == came)
		return;
	for (uint32_t i = 0; i < b->marks_n; i++)
		if (!move_position(&b->marks[i].at, &c, true))
			b->marks[i].at = at;
	b->seq++;
	/* without memory for it all handles are lost */
	if (b->log_n < b->log_cap || grow_log(b))
		b->log[b->log_n++] = c;
	else
		b->log_n = 0;
}

/* Returns how many changes a handle has missed since `seq`: the last ones of the log. If they are
 * more than the log holds, the handle is lost. */
static uint64_t count_missed(lua_State *L, const struct script_buffer *b, uint64_t seq)
{
	uint64_t n = b->seq - seq;

	if (n)
		script_charge(L, 1 + n / 4);
	return n;
}

static void follow_sub(lua_State *L, struct script_sub *s, const char *what)
{
	const struct script_buffer *b = s->buffer;
	uint64_t n = count_missed(L, b, s->seq);

	if (n > b->log_n)
		s->gone = true;
	for (uint64_t i = b->log_n - (s->gone ? 0 : n); i < b->log_n && !s->gone; i++) {
		s->gone = !move_position(&s->from, &b->log[i], !s->narrow) ||
			  !move_position(&s->to, &b->log[i], s->narrow);
		if (s->from > s->to) /* narrow, and nothing in it */
			s->to = s->from;
	}
	s->seq = b->seq;
	if (s->gone)
		(void)buffer_error(L, "%s: invalid sub buffer: an end of it was erased", what);
}

static void follow_iter(lua_State *L, struct script_iter *it, const char *what)
{
	const struct script_buffer *b = it->buffer;
	uint64_t n = count_missed(L, b, it->seq);

	if (n > b->log_n)
		it->gone = true;
	for (uint64_t i = b->log_n - (it->gone ? 0 : n); i < b->log_n && !it->gone; i++) {
		it->gone = !move_position(&it->at, &b->log[i], !it->behind);
		/* it waits, and another rule has erased its place: it continues behind the erased
		 * octets
		 */
		if (it->gone && it->waits) {
			it->at = b->log[i].at + b->log[i].came;
			it->gone = false;
		}
		if (!move_position(&it->end, &b->log[i], false))
			it->end = b->log[i].at;
	}
	it->seq = b->seq;
	if (it->gone)
		(void)buffer_error(L,
				   "%s: invalid buffer iterator: the octets around it were erased",
				   what);
}

struct span buffer_octets(lua_State *L, struct script_buffer *b, const char *what)
{
	struct span s;
	const char *why = b->ops->octets(b, &s);

	if (why)
		(void)buffer_error(L, "%s: %s", what, why);
	return s;
}

struct span script_sub_octets(lua_State *L, struct script_sub *sub, const char *what)
{
	struct script_buffer *b = sub->buffer;
	struct span s = buffer_octets(L, b, what);
	uint64_t to;

	follow_sub(L, sub, what);
	to = sub->to == SCRIPT_BUFFER_END ? b->base + s.n : sub->to;
	if (sub->to == SCRIPT_BUFFER_END && sub->from < b->base)
		sub->from = b->base;
	if (sub->from < b->base || to > b->base + s.n || sub->from > to)
		(void)buffer_error(L, "%s: the octets are not there any more", what);
	return s.n ? span_of(s.p + (sub->from - b->base), to - sub->from) : SPAN_NULL;
}

struct span script_iter_octets(lua_State *L, struct script_iter *it, const char *what)
{
	struct script_buffer *b = it->buffer;
	struct span s = buffer_octets(L, b, what);
	uint64_t end;

	follow_iter(L, it, what);
	end = it->end < b->base + s.n ? it->end : b->base + s.n;
	if (it->at < b->base || it->at > b->base + s.n)
		(void)buffer_error(L, "%s: invalid buffer iterator: its octets are gone", what);
	return it->at < end && s.n ? span_of(s.p + (it->at - b->base), end - it->at) : SPAN_NULL;
}

bool script_iter_ended(lua_State *L, struct script_iter *it)
{
	return script_iter_octets(L, it, "iterator").n == 0 &&
	       (it->buffer->finished || it->at >= it->end);
}

/* --- Marks ----------------------------------------------------------------------------------- */

static int add_mark(lua_State *L, struct script_buffer *b, struct script_mark mark)
{
	uint32_t cap = b->marks_cap ? 2 * b->marks_cap : FIRST_CAP;
	struct script_mark *p;

	if (b->marks_n == SCRIPT_BUFFER_MARKS)
		return buffer_error(L, "more than %d marks on one buffer", SCRIPT_BUFFER_MARKS);
	if (b->marks_n == b->marks_cap) {
		p = script_alloc(b->script, b->marks, b->marks_cap * sizeof(*p), cap * sizeof(*p));
		if (!p)
			return buffer_error(L, "mark: not enough memory");
		b->marks = p;
		b->marks_cap = cap;
	}
	b->marks[b->marks_n++] = mark;
	return 0;
}

uint32_t buffer_mark(lua_State *L, struct script_buffer *b, uint64_t at)
{
	b->mark_id = b->mark_id == UINT32_MAX ? 1 : b->mark_id + 1;
	(void)add_mark(L, b, (struct script_mark){at, L, b->mark_id});
	return b->mark_id;
}

void buffer_border(lua_State *L, struct script_buffer *b, uint64_t at)
{
	(void)add_mark(L, b, (struct script_mark){at, NULL, 0});
}

/* Returns the index of the first border; marks_n: there is none. Borders are in the order in which
 * they were made. */
static uint32_t find_border(const struct script_buffer *b)
{
	uint32_t i = 0;

	while (i < b->marks_n && b->marks[i].id)
		i++;
	return i;
}

bool buffer_first_border(const struct script_buffer *b, uint64_t *ret)
{
	uint32_t i = find_border(b);

	if (i == b->marks_n)
		return false;
	*ret = b->marks[i].at;
	return true;
}

static void remove_mark(struct script_buffer *b, uint32_t i)
{
	b->marks_n--;
	memmove(&b->marks[i], &b->marks[i + 1], (b->marks_n - i) * sizeof(*b->marks));
}

void buffer_move_border(struct script_buffer *b, uint64_t at)
{
	uint32_t i = b->marks_n;

	while (i > 0 && b->marks[i - 1].id)
		i--;
	if (i > 0)
		b->marks[i - 1].at = at;
}

void buffer_drop_border(struct script_buffer *b)
{
	uint32_t i = find_border(b);

	if (i < b->marks_n)
		remove_mark(b, i);
}

void buffer_unmark(struct script_buffer *b, uint32_t id)
{
	for (uint32_t i = 0; i < b->marks_n; i++)
		if (b->marks[i].id == id) {
			remove_mark(b, i);
			return;
		}
}

uint64_t buffer_mark_at(const struct script_buffer *b, uint32_t id)
{
	for (uint32_t i = 0; i < b->marks_n; i++)
		if (b->marks[i].id == id)
			return b->marks[i].at;
	return 0;
}

void buffer_unhold(struct script_iter *it)
{
	if (it->hold)
		buffer_unmark(it->buffer, it->hold);
	it->hold = 0;
}

bool buffer_marked_by(lua_State *L, const struct script_buffer *b)
{
	for (uint32_t i = 0; i < b->marks_n; i++)
		if (b->marks[i].owner == L)
			return true;
	return false;
}

uint64_t script_buffer_held(const struct script_buffer *b)
{
	uint64_t at = UINT64_MAX;

	for (uint32_t i = 0; i < b->marks_n; i++)
		at = b->marks[i].id && b->marks[i].at < at ? b->marks[i].at : at;
	return at;
}

/* --- Replacing ------------------------------------------------------------------------------- */

void buffer_replace(lua_State *L, int idx, struct script_buffer *b, size_t off, size_t n,
		    struct span with, const char *what)
{
	uint64_t at = b->base + off;
	int r;

	if (n == 0 && with.n == 0)
		return;
	if (b->read_only)
		(void)buffer_error(L, "%s: read only buffer", what);
	script_charge(L, 4 + (n + with.n) / 16);
	r = b->ops->replace(L, idx, b, off, n, with);
	if (r == 0 && !b->logs)
		script_buffer_changed(b, at, n, with.n);
	if (r == -EROFS)
		(void)buffer_error(L,
				   "%s: read only buffer: the gate only looks on (--pass-through)",
				   what);
	if (r == -EPERM)
		(void)buffer_error(L, "%s: the length of these octets may not change", what);
	if (r < 0)
		(void)buffer_error(L, "%s: %s", what, usher_strerror(r));
}

void script_sub_replace(lua_State *L, int idx, struct script_sub *sub, size_t off, size_t n,
			struct span with, const char *what)
{
	const struct script_buffer *b = sub->buffer;
	uint64_t seq = b->seq;
	struct script_sub before;

	(void)script_sub_octets(L, sub, what);
	before = *sub;
	buffer_replace(L, idx, sub->buffer, sub->from - b->base + off, n, with, what);
	if (!sub->narrow || b->seq != seq + 1 || b->log_n == 0)
		return;
	/* octets that it inserts itself belong to it */
	*sub = before;
	sub->to = sub->to == SCRIPT_BUFFER_END ? sub->to : sub->to - n + with.n;
	sub->seq = b->seq;
}
