/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Edits are in order and do not touch. Before the first, between two and behind the last, out minus
 * in is constant.
 */
#include "gate/tcp/tcp_edits.h"

static bool before_eq(uint32_t a, uint32_t b)
{
	return !tcp_before(b, a);
}

/* Returns out minus in, just before edit i. */
static uint32_t shift_before(const struct tcp_edits *e, uint32_t i)
{
	return i ? e->store->at[i - 1].out_to - e->store->at[i - 1].in_to : e->shift;
}

/* Finds the first edit that ends behind an in number. */
static uint32_t find_in(const struct tcp_edits *e, uint32_t in)
{
	uint32_t low = 0, high = e->n;

	while (low < high) {
		uint32_t mid = (low + high) / 2;

		if (tcp_before(in, e->store->at[mid].in_to))
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

/* Finds the first edit that ends behind an out number; octets that were removed end before it. */
static uint32_t find_out(const struct tcp_edits *e, uint32_t out)
{
	uint32_t low = 0, high = e->n;

	while (low < high) {
		uint32_t mid = (low + high) / 2;

		if (tcp_before(out, e->store->at[mid].out_to))
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

uint32_t tcp_edits_out(const struct tcp_edits *e, uint32_t in, bool up)
{
	uint32_t i = find_in(e, in);

	if (i == e->n || before_eq(in, e->store->at[i].in_from))
		return in + shift_before(e, i);
	return up ? e->store->at[i].out_to : e->store->at[i].out_from;
}

uint32_t tcp_edits_in(const struct tcp_edits *e, uint32_t out, bool up)
{
	uint32_t i = find_out(e, out);

	if (i == e->n || before_eq(out, e->store->at[i].out_from))
		return out - shift_before(e, i);
	return up ? e->store->at[i].in_to : e->store->at[i].in_from;
}

/* Moves the octets of edits that are left to the front of the store. They lie in it in the order in
 * which they were made, mostly that of the edits: each move looks for the lowest that was not moved
 * yet. */
static void compact(struct tcp_edits *e)
{
	uint32_t used = 0;

	for (uint32_t done = 0; done < e->n; done++) {
		struct tcp_edit *lowest = NULL;

		for (uint32_t i = 0; i < e->n; i++) {
			struct tcp_edit *d = &e->store->at[i];

			if (d->out_to != d->out_from && d->text >= used &&
			    (!lowest || d->text < lowest->text))
				lowest = d;
		}
		if (!lowest)
			break;
		memmove(e->store->text + used, e->store->text + lowest->text,
			lowest->out_to - lowest->out_from);
		lowest->text = used;
		used += lowest->out_to - lowest->out_from;
	}
	e->store->used = used;
}

void tcp_edits_acked(struct tcp_edits *e, uint32_t out)
{
	uint32_t gone = 0;

	while (gone < e->n && before_eq(e->store->at[gone].out_to, out)) {
		e->shift = e->store->at[gone].out_to - e->store->at[gone].in_to;
		gone++;
	}
	if (!gone)
		return;
	e->n -= gone;
	memmove(e->store->at, e->store->at + gone, e->n * sizeof(struct tcp_edit));
	if (!e->n)
		e->store->used = 0;
	else if (e->store->used > TCP_EDIT_TEXT / 2)
		compact(e);
}

static struct span text_of(const struct tcp_edits *e, const struct tcp_edit *d)
{
	return span_of(e->store->text + d->text, d->out_to - d->out_from);
}

/* Finds the edits that a new one overlaps: [*ret_first, result). */
static uint32_t overlapped(const struct tcp_edits *e, uint32_t from, uint32_t to,
			   uint32_t *ret_first)
{
	uint32_t end = find_out(e, from);

	*ret_first = end;
	while (end < e->n && tcp_before(e->store->at[end].out_from, to))
		end++;
	return end;
}

/* Returns an edit of [from, to) that includes those it overlaps: its ranges before the change. */
static struct tcp_edit cover(const struct tcp_edits *e, uint32_t from, uint32_t to, uint32_t first,
			     uint32_t end)
{
	struct tcp_edit d = {
		.in_from = from - shift_before(e, first),
		.in_to = to - shift_before(e, end),
		.out_from = from,
		.out_to = to,
	};

	if (first < end && tcp_before(e->store->at[first].out_from, from)) {
		d.in_from = e->store->at[first].in_from;
		d.out_from = e->store->at[first].out_from;
	}
	if (first < end && tcp_before(to, e->store->at[end - 1].out_to)) {
		d.in_to = e->store->at[end - 1].in_to;
		d.out_to = e->store->at[end - 1].out_to;
	}
	return d;
}

bool tcp_edits_add(struct tcp_edits *e, uint32_t from, uint32_t to, struct span with)
{
	uint32_t first, end = overlapped(e, from, to, &first);
	struct tcp_edit d = cover(e, from, to, first, end);
	uint32_t lead = from - d.out_from, tail = d.out_to - to;
	uint32_t grow = (uint32_t)(with.n - (to - from)), len = (uint32_t)(lead + with.n + tail);
	struct wr w;

	if (with.n > TCP_EDIT_TEXT || (first == end && e->n == TCP_MAX_EDITS))
		return false;
	if (e->store->used + len > TCP_EDIT_TEXT)
		compact(e);
	if (e->store->used + len > TCP_EDIT_TEXT)
		return false;
	w = wr_init(e->store->text + e->store->used, len);
	if (lead)
		wr_span(&w, span_sub(text_of(e, &e->store->at[first]), 0, lead));
	wr_span(&w, with);
	if (tail) {
		struct span old = text_of(e, &e->store->at[end - 1]);

		wr_span(&w, span_sub(old, old.n - tail, tail));
	}
	d.text = e->store->used;
	d.out_to = d.out_from + len;
	e->store->used += len;
	memmove(e->store->at + first + 1, e->store->at + end,
		(e->n - end) * sizeof(struct tcp_edit));
	e->n = e->n - (end - first) + 1;
	e->store->at[first] = d;
	for (uint32_t i = first + 1; i < e->n; i++) {
		e->store->at[i].out_from += grow;
		e->store->at[i].out_to += grow;
	}
	return true;
}

void tcp_edits_join(struct tcp_edits *e, uint32_t from, struct span octets)
{
	uint32_t first = 0, len, kept = 0;
	struct tcp_edit d;

	for (; first < e->n && tcp_before(e->store->at[first].out_from, from); first++)
		kept += e->store->at[first].out_to - e->store->at[first].out_from;
	if (e->n - first < 2)
		return;
	d = e->store->at[first];
	d.in_to = e->store->at[e->n - 1].in_to;
	d.out_to = e->store->at[e->n - 1].out_to;
	len = d.out_to - d.out_from;
	/* with the octets between them they need more room */
	if (kept + len > TCP_EDIT_TEXT || d.out_to - from > octets.n)
		return;
	e->n = first;
	compact(e);
	d.text = e->store->used;
	memcpy(e->store->text + d.text, octets.p + (d.out_from - from), len);
	e->store->used += len;
	e->store->at[e->n++] = d;
}

bool tcp_edits_apply(const struct tcp_edits *e, uint32_t in_from, struct span octets, struct wr *w,
		     uint32_t *ret_out)
{
	uint32_t at = in_from, end = (uint32_t)(in_from + octets.n);

	*ret_out = tcp_edits_out(e, in_from, false);
	for (uint32_t i = find_in(e, in_from); i < e->n; i++) {
		const struct tcp_edit *d = &e->store->at[i];

		if (before_eq(end, d->in_from))
			break;
		if (tcp_before(at, d->in_from))
			wr_span(w, span_sub(octets, at - in_from, d->in_from - at));
		wr_span(w, text_of(e, d));
		at = d->in_to;
	}
	if (tcp_before(at, end))
		wr_span(w, span_sub(octets, at - in_from, end - at));
	return wr_ok(w);
}
