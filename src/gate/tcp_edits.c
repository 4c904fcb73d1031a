/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Edits are in order and do not touch. Before the first, between two and behind the last, out minus in is
 * constant.
 */
#include "gate/tcp_edits.h"

static bool before_eq(uint32_t a, uint32_t b)
{
	return !tcp_before(b, a);
}

uint32_t tcp_edits_out(const struct tcp_edits *e, uint32_t in, bool up)
{
	uint32_t shift = e->shift;

	for (uint32_t i = 0; i < e->n; i++) {
		const struct tcp_edit *d = &e->store->at[i];

		if (before_eq(in, d->in_from))
			break;
		if (tcp_before(in, d->in_to))
			return up ? d->out_to : d->out_from;
		shift = d->out_to - d->in_to;
	}
	return in + shift;
}

uint32_t tcp_edits_in(const struct tcp_edits *e, uint32_t out, bool up)
{
	uint32_t shift = e->shift;

	for (uint32_t i = 0; i < e->n; i++) {
		const struct tcp_edit *d = &e->store->at[i];

		/* behind octets that were taken out there is nothing to wait for */
		if (tcp_before(out, d->out_from) || (out == d->out_from && d->out_from != d->out_to))
			break;
		if (tcp_before(out, d->out_to))
			return up ? d->in_to : d->in_from;
		shift = d->out_to - d->in_to;
	}
	return out - shift;
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
}

/* Moves the octets of edits that are left to the front of the store. */
static void compact(struct tcp_edits *e)
{
	uint32_t used = 0;

	/* texts were put in at the end, so in the order of the edits they may not be: find the lowest each time */
	for (uint32_t done = 0; done < e->n; done++) {
		struct tcp_edit *lowest = NULL;

		for (uint32_t i = 0; i < e->n; i++)
			if (e->store->at[i].out_to != e->store->at[i].out_from && e->store->at[i].text >= used &&
			    (!lowest || e->store->at[i].text < lowest->text))
				lowest = &e->store->at[i];
		if (!lowest)
			break;
		memmove(e->store->text + used, e->store->text + lowest->text, lowest->out_to - lowest->out_from);
		lowest->text = used;
		used += lowest->out_to - lowest->out_from;
	}
	e->store->used = used;
}

static struct span text_of(const struct tcp_edits *e, const struct tcp_edit *d)
{
	return span_of(e->store->text + d->text, d->out_to - d->out_from);
}

/* The edits that a new one overlaps: [*ret_first, result). */
static uint32_t overlapped(const struct tcp_edits *e, uint32_t from, uint32_t to, uint32_t *ret_first)
{
	uint32_t first = 0, end;

	while (first < e->n && before_eq(e->store->at[first].out_to, from))
		first++;
	end = first;
	while (end < e->n && tcp_before(e->store->at[end].out_from, to))
		end++;
	*ret_first = first;
	return end;
}

static uint32_t shift_before(const struct tcp_edits *e, uint32_t i)
{
	return i ? e->store->at[i - 1].out_to - e->store->at[i - 1].in_to : e->shift;
}

/* An edit of [from, to) that takes in those it overlaps: its ranges before the change. */
static struct tcp_edit cover(const struct tcp_edits *e, uint32_t from, uint32_t to, uint32_t first, uint32_t end)
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
	memmove(e->store->at + first + 1, e->store->at + end, (e->n - end) * sizeof(struct tcp_edit));
	e->n = e->n - (end - first) + 1;
	e->store->at[first] = d;
	for (uint32_t i = first + 1; i < e->n; i++) {
		e->store->at[i].out_from += grow;
		e->store->at[i].out_to += grow;
	}
	return true;
}

bool tcp_edits_apply(const struct tcp_edits *e, uint32_t in_from, struct span octets, struct wr *w, uint32_t *ret_out)
{
	uint32_t at = in_from, end = (uint32_t)(in_from + octets.n);

	*ret_out = tcp_edits_out(e, in_from, false);
	for (uint32_t i = 0; i < e->n; i++) {
		const struct tcp_edit *d = &e->store->at[i];

		if (before_eq(end, d->in_from))
			break;
		if (before_eq(d->in_to, at))
			continue;
		if (tcp_before(at, d->in_from))
			wr_span(w, span_sub(octets, at - in_from, d->in_from - at));
		wr_span(w, text_of(e, d));
		at = d->in_to;
	}
	if (tcp_before(at, end))
		wr_span(w, span_sub(octets, at - in_from, end - at));
	return wr_ok(w);
}
