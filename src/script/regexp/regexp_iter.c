/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Regular expressions on buffers, matched by PCRE2 (regexp.c): subs, iterators, and iterators that
 * wait for more of a stream. Of the latter each piece is fed to a sink; the octets of a match that
 * has begun are held back if the caller wants them as a sub. If the length of held octets is
 * changed meanwhile, they are matched anew from the beginning of the match.
 */
#include "script/buffer/buffer_impl.h"
#include "script/regexp/regexp_impl.h"

/* Pushes the match [first, last) of octets that begin at `from`: as a sub, or true. */
static void push_found(lua_State *L, int idx, struct script_buffer *b, uint64_t from, uint64_t to,
		       bool sub)
{
	if (sub)
		script_push_sub(L, idx, b, from, to);
	else
		lua_pushboolean(L, true);
}

static int find_match(lua_State *L, const struct regexp *re, struct span octets,
		      struct regexp_result *ret)
{
	int r = regexp_match(re, octets, 0, script_regexp_steps(L), ret);

	script_regexp_charge(L, octets.n, r);
	return r;
}

static int match_iter(lua_State *L, const struct regexp *re, int idx, struct script_iter *it,
		      bool sub)
{
	struct span octets = script_iter_octets(L, it, "regexp:match");
	struct regexp_result where = {.first = 0, .last = octets.n};
	bool found = find_match(L, re, octets, &where) == 1;

	if (found)
		push_found(L, idx, it->buffer, it->at + where.first, it->at + where.last, sub);
	else if (sub)
		lua_pushnil(L);
	else
		lua_pushboolean(L, false);
	it->at += where.last;
	it->meter += where.last;
	return 1;
}

int regexp_match_buffer(lua_State *L, const struct regexp *re, int idx, bool createsub)
{
	struct script_sub *s = script_test(L, idx, &script_class_sub);
	struct script_iter *it = s ? NULL : script_test(L, idx, &script_class_iter);
	struct regexp_result where = {0};

	if (it)
		return match_iter(L, re, idx, it, createsub);
	if (!s)
		return -1;
	if (find_match(L, re, script_sub_octets(L, s, "regexp:match"), &where) == 1)
		script_push_sub(L, idx, s->buffer, s->from + where.first, s->from + where.last);
	else
		lua_pushnil(L);
	return 1;
}

/* Begins again at the start of the held octets, with an empty sink, because they differ from those
 * that were fed. */
static void begin_again(lua_State *L, struct regexp_sink *k, struct script_iter *it)
{
	const struct regexp *re = k->re;
	uint64_t from = buffer_mark_at(it->buffer, it->hold);

	(void)script_iter_octets(L, it, "regexp:match");
	it->at = from;
	it->meter = it->hold_meter;
	regexp_sink_fini(k);
	regexp_sink_init(k, re);
}

/* Feeds the next piece. Returns 1 and *ret: the positions of a match; or 0. */
static int feed_piece(lua_State *L, struct regexp_sink *k, struct script_iter *it, bool ended,
		      struct regexp_result *ret)
{
	struct span octets = script_iter_octets(L, it, "regexp:match");
	uint64_t origin = it->at - (k->base + k->len); /* where the fed octets began */
	int r = regexp_feed(k, octets, ended, script_regexp_steps(L), ret);

	script_regexp_charge(L, octets.n + k->len, r);
	it->at += octets.n;
	it->meter += octets.n;
	buffer_unhold(it);
	if (r == 1)
		*ret = (struct regexp_result){origin + ret->first, origin + ret->last};
	else
		*ret = (struct regexp_result){origin + k->base + k->from, it->at};
	return r;
}

bool regexp_step(lua_State *L, int idx, struct regexp_sink *k, uint64_t *seq, bool createsub)
{
	struct script_iter *it = script_check(L, idx, &script_class_blocking);
	struct script_buffer *b = it->buffer;
	struct regexp_result where;
	bool ended;
	int r;

	if (it->hold && *seq != b->seq)
		begin_again(L, k, it);
	if (b->full && buffer_marked_by(L, b)) {
		buffer_unhold(it);
		return buffer_error(
			L, "more octets of a stream would be held back than there is room for");
	}
	*seq = b->seq;
	ended = b->finished || it->at + script_iter_octets(L, it, "regexp:match").n >= it->end;
	r = feed_piece(L, k, it, ended, &where);
	if (r == 1) {
		it->meter -= it->at - where.last < it->meter ? it->at - where.last : it->meter;
		it->at = where.last > b->base ? where.last : b->base;
		push_found(L, idx, b, where.first, where.last, createsub);
		return true;
	}
	if (!ended && k->partial && createsub) {
		it->hold = buffer_mark(L, b, where.first > b->base ? where.first : b->base);
		it->hold_meter = it->meter > it->at - where.first
					 ? it->meter - (it->at - where.first)
					 : 0;
	}
	if (createsub)
		lua_pushnil(L);
	else
		lua_pushboolean(L, false);
	return ended;
}
