/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A ring by sequence number: its length divides 2^32, so numbers that wrap stay where they are. One that was empty begins at
 * its beginning again: little is on its way most of the time, and stays in the cache.
 */
#include "gate/tcp_history.h"

#include "base/error.h"

_Static_assert((TCP_HISTORY_LEN & (TCP_HISTORY_LEN - 1)) == 0, "numbers wrap");

static uint32_t end_of(const struct tcp_history *h)
{
	return h->from + h->n;
}

static void release_ring(struct tcp_history *h, struct tcp_pool *p)
{
	if (h->n == 0)
		tcp_pool_give(p, &h->ring);
}

static uint32_t place(const struct tcp_history *h, uint32_t number)
{
	return (number - h->base) % TCP_HISTORY_LEN;
}

/* Numbers [from, from + n) of the ring, which are at most two runs. */
static void put(struct tcp_history *h, uint32_t from, const uint8_t *octets, uint32_t n)
{
	uint32_t at = place(h, from), first = n < TCP_HISTORY_LEN - at ? n : TCP_HISTORY_LEN - at;

	memcpy(h->ring + at, octets, first);
	memcpy(h->ring, octets + first, n - first);
}

int tcp_history_note(struct tcp_history *h, struct tcp_pool *p, uint32_t from, struct span octets, bool forget)
{
	uint32_t n = (uint32_t)octets.n, skip = n > TCP_HISTORY_LEN ? n - TCP_HISTORY_LEN : 0;
	bool follows = h->n && end_of(h) == from;

	if (n == 0)
		return 0;
	if (!forget && n + (follows ? h->n : 0) > TCP_HISTORY_LEN)
		return -USHER_E_LIMIT;
	if (!h->ring)
		h->ring = tcp_pool_take(p, h->owner);
	if (!h->ring)
		return forget ? 0 : -USHER_E_LIMIT;
	/* some before were not remembered */
	if (!follows) {
		h->from = h->base = from;
		h->n = 0;
	}
	put(h, from + skip, octets.p + skip, n - skip);
	h->n += n;
	if (h->n > TCP_HISTORY_LEN) {
		h->from += h->n - TCP_HISTORY_LEN;
		h->n = TCP_HISTORY_LEN;
	}
	return 0;
}

void tcp_history_acked(struct tcp_history *h, struct tcp_pool *p, uint32_t next)
{
	if (!h->ring || !tcp_before(h->from, next))
		return;
	h->n = tcp_before(next, end_of(h)) ? end_of(h) - next : 0;
	h->from = next;
	release_ring(h, p);
}

void tcp_history_cut(struct tcp_history *h, struct tcp_pool *p, uint32_t end)
{
	if (!h->ring || !tcp_before(end, end_of(h)))
		return;
	h->n = tcp_before(h->from, end) ? end - h->from : 0;
	release_ring(h, p);
}

bool tcp_history_correct(const struct tcp_history *h, uint32_t from, uint8_t *octets, uint32_t n)
{
	bool differ = false;

	if (!h->ring)
		return false;
	for (uint32_t i = 0; i < n;) {
		uint32_t number = from + i, at = place(h, number), run = n - i;

		if (tcp_before(number, h->from)) {
			i += h->from - number < run ? h->from - number : run;
			continue;
		}
		if (!tcp_before(number, end_of(h)))
			break;
		run = end_of(h) - number < run ? end_of(h) - number : run;
		run = TCP_HISTORY_LEN - at < run ? TCP_HISTORY_LEN - at : run;
		differ |= memcmp(octets + i, h->ring + at, run) != 0;
		memcpy(octets + i, h->ring + at, run);
		i += run;
	}
	return differ;
}

uint32_t tcp_history_unknown(const struct tcp_history *h, uint32_t from, uint32_t n, uint32_t acked, bool heard)
{
	uint32_t end = from + n, known_to = h->ring ? end_of(h) : from, unknown = 0;
	uint32_t known_from = h->ring ? h->from : from;

	if (heard && tcp_before(from, acked))
		from = acked;
	if (!tcp_before(from, end))
		return 0;
	if (!tcp_before(from, known_to) || !tcp_before(known_from, end))
		return end - from;
	if (tcp_before(from, known_from))
		unknown += known_from - from;
	if (tcp_before(known_to, end))
		unknown += end - known_to;
	return unknown;
}

void tcp_history_end(struct tcp_history *h, struct tcp_pool *p)
{
	h->n = 0;
	tcp_pool_give(p, &h->ring);
}
