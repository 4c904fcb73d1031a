/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Bodies whose length may change (RFC 9112 6, 7). A body that had a length is forwarded in chunks,
 * one that came in chunks is cut anew, so each piece that listeners have seen is a chunk of its
 * own; the framing around the data is removed, the trailer stays. Each write is an edit of the
 * stream beside octets that are there: so the frame of a chunk is put around the data before
 * listeners see it, and takes its number from the octets that they left.
 */
#include "gate/app/http_impl.h"

#include <errno.h>
#include <stdio.h>

static const char last_chunk[] = "0\r\n\r\n";

enum { FRONT = 3, BACK = 2, LAST = sizeof(last_chunk) - 1, SIZE_DIGITS = 8 };

/* --- Heads ------------------------------------------------------------------------------------ */

/* Returns whether the receiver of a message knows chunks. HTTP/1.0 does not, and neither does a
 * client that asked by it. */
static bool knows_chunks(const struct http_flow *s, const struct http_head *h)
{
	return h->minor > 0 && !(h->response && s->n && s->asked[s->first] & HTTP_ASKED_OLD);
}

/* Returns whether the connection closes behind a message (RFC 9112 9.3). */
static bool closes_behind(const struct http_flow *s, const struct http_head *h)
{
	return h->response && (h->close || (s->n && s->asked[s->first] & HTTP_ASKED_CLOSE));
}

static int length_to_chunks(struct gate *g, struct http_flow *s)
{
	const struct gate_http *h = gate_http_of(g);
	enum gate_direction d = h->view->direction;
	bool chunks = knows_chunks(s, &h->head);
	int r;

	if (!chunks && !closes_behind(s, &h->head))
		return -EPROTONOSUPPORT;
	r = http_edit_length(g, chunks);
	if (r < 0)
		return r;
	s->body[d] = chunks ? HTTP_BODY_TO_CHUNKS : HTTP_BODY_FREE;
	return 1;
}

int gate_http_free_length(struct gate *g)
{
	const struct gate_http *h = gate_http_of(g);
	struct http_flow *s = h->view ? h->view->flow->state : NULL;
	enum gate_direction d = h->view ? h->view->direction : GATE_UP;

	if (!s)
		return -EINVAL;
	if (g->pass_through)
		return -EROFS;
	if (s->body[d] != HTTP_BODY_FIXED)
		return 1;
	if (s->parser[d].state == HTTP_AT_LENGTH)
		return length_to_chunks(g, s);
	if (s->parser[d].state == HTTP_AT_CLOSE)
		s->body[d] = HTTP_BODY_FREE;
	else if (s->parser[d].state == HTTP_AT_SIZE)
		s->body[d] = HTTP_BODY_CHUNKS;
	return s->body[d] != HTTP_BODY_FIXED;
}

/* --- Bodies ----------------------------------------------------------------------------------- */

/* Ends the flow: a half written body is of no use. */
static bool give_up(struct gate_view *v)
{
	if (v->walk->p)
		gate_drop(v->walk->p, GATE_DROP_TCP_LIMIT);
	v->flow->dropped = true;
	return false;
}

/* Completes the framing of m octets of data; ends: it is the last chunk. Returns the octets of all
 * of it, or negative. */
static int64_t close_chunk(struct gate_view *v, uint32_t at, uint32_t m, bool ends)
{
	struct span last = span_of(last_chunk, ends ? LAST : 0);
	char size[SIZE_DIGITS + 1];
	int n = snprintf(size, sizeof(size), "%x", m);
	int r;

	if (m == 0) {
		r = gate_stream_edit(v, at, FRONT + BACK, last);
		return r < 0 ? r : (int64_t)last.n;
	}
	r = ends ? gate_stream_edit(v, at + FRONT + m + BACK, 0, last) : 0;
	if (r == 0)
		r = gate_stream_edit(v, at, 1, span_of(size, (size_t)n));
	return r < 0 ? r : (int64_t)m + n + FRONT - 1 + BACK + (int64_t)last.n;
}

static bool forward_as_chunk(struct gate_view *v, uint32_t at, uint32_t n, uint32_t *ret_n)
{
	const struct http_flow *s = v->flow->state;
	bool ends = s->body[v->direction] == HTTP_BODY_TO_CHUNKS &&
		    s->parser[v->direction].state == HTTP_AT_END;
	int64_t all;
	uint32_t m;

	if (gate_stream_edit(v, at + n, 0, span_of("\r\n", BACK)) < 0 ||
	    gate_stream_edit(v, at, 0, span_of("0\r\n", FRONT)) < 0)
		return give_up(v);
	if (!http_raise_data(v, at + FRONT, n, &m))
		return false;
	all = close_chunk(v, at, m, ends);
	if (all < 0)
		return give_up(v);
	*ret_n = (uint32_t)all;
	return true;
}

bool http_body_data(struct gate_view *v, uint32_t at, uint32_t n, uint32_t *ret_n)
{
	const struct http_flow *s = v->flow->state;
	uint8_t how = s->body[v->direction];

	if (how == HTTP_BODY_TO_CHUNKS || how == HTTP_BODY_CHUNKS)
		return forward_as_chunk(v, at, n, ret_n);
	return http_raise_data(v, at, n, ret_n);
}

bool http_body_framing(struct gate_view *v, uint32_t at, uint32_t n, bool trailer, uint32_t *ret_n)
{
	const struct http_flow *s = v->flow->state;
	struct span with = SPAN_NULL;

	*ret_n = n;
	if (s->body[v->direction] != HTTP_BODY_CHUNKS || trailer)
		return true;
	/* behind the last chunk */
	if (s->parser[v->direction].state == HTTP_AT_TRAILER)
		with = span_of("0\r\n", FRONT);
	if (gate_stream_edit(v, at, n, with) < 0)
		return give_up(v);
	*ret_n = (uint32_t)with.n;
	return true;
}
