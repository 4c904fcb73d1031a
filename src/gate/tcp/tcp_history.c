/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A ring by sequence number: its length divides 2^32, so numbers that wrap stay where they are. One
 * that was empty begins at its beginning again: little is on its way most of the time, and stays in
 * the cache. One that is never empty is moved to the beginning whenever it has moved on by its own
 * length, and by MOVE_FROM at least: it needs no more memory than twice the octets that are
 * remembered. The memory of a large one goes back to the system with the buffer.
 */
#include "gate/tcp/tcp_history.h"

#include "base/error.h"

#include <sys/mman.h>

_Static_assert((TCP_HISTORY_LEN & (TCP_HISTORY_LEN - 1)) == 0, "numbers wrap");

static uint32_t end_of_history(const struct tcp_history *h)
{
	return h->from + h->n;
}

enum { MOVE_FROM = 64 * 1024, KEPT = 256 * 1024 };

static void give_ring(struct tcp_history *h, struct tcp_pool *p)
{
	if (h->ring && h->len == TCP_HISTORY_LEN && h->touched > KEPT)
		(void)madvise(h->ring + KEPT, TCP_HISTORY_LEN - KEPT, MADV_DONTNEED);
	h->touched = 0;
	tcp_pool_give(p, &h->ring);
}

/* Reduces the history to n octets. */
static void shrink(struct tcp_history *h, struct tcp_pool *p, uint32_t n)
{
	tcp_pool_less(p, h->owner, h->n - n);
	h->n = n;
	if (n == 0)
		give_ring(h, p);
}

static uint32_t find_place(const struct tcp_history *h, uint32_t number)
{
	return (number - h->base) & (h->len - 1);
}

/* Writes octets [from, from + n) to the ring, in which they are at most two runs. */
static void put_octets(struct tcp_history *h, uint32_t from, const uint8_t *octets, uint32_t n)
{
	uint32_t at = find_place(h, from), end = at + n, first = n;

	if (unlikely(end > h->len)) {
		first = h->len - at;
		memcpy(h->ring, octets + first, n - first);
		end = h->len;
	}
	memcpy(h->ring + at, octets, first);
	h->touched = h->touched < end ? end : h->touched;
}

static void move_to_beginning(struct tcp_history *h)
{
	uint32_t at = find_place(h, h->from);

	if (at < MOVE_FROM || at < h->n || at + h->n > h->len)
		return;
	memcpy(h->ring, h->ring + at, h->n);
	h->base = h->from;
}

/* Moves the octets to where there is room for TCP_HISTORY_LEN. */
static void grow_history(struct tcp_history *h, struct tcp_pool *p)
{
	uint8_t *large = tcp_pool_large(p, h->ring);
	uint32_t at = find_place(h, h->from), first = h->n < h->len - at ? h->n : h->len - at;

	memcpy(large, h->ring + at, first);
	memcpy(large + first, h->ring, h->n - first);
	h->ring = large;
	h->len = TCP_HISTORY_LEN;
	h->base = h->from;
	h->touched = h->n;
}

/* Called when there is no room among all connections: if `forget` is set, the oldest octets are
 * forgotten with the others. */
static int give_up(struct tcp_history *h, struct tcp_pool *p, bool forget)
{
	if (!forget)
		return -USHER_E_LIMIT;
	shrink(h, p, 0);
	return 0;
}

int tcp_history_note(struct tcp_history *h, struct tcp_pool *p, uint32_t from, struct span octets,
		     bool forget)
{
	uint32_t n = (uint32_t)octets.n, skip = n > TCP_HISTORY_LEN ? n - TCP_HISTORY_LEN : 0;
	bool follows = h->n && end_of_history(h) == from;
	uint32_t sum = n + (follows ? h->n : 0),
		 kept = sum < TCP_HISTORY_LEN ? sum : TCP_HISTORY_LEN;

	if (n == 0)
		return 0;
	if (!forget && sum > TCP_HISTORY_LEN)
		return -USHER_E_LIMIT;
	if (!h->ring) {
		h->ring = tcp_pool_take(p, h->owner);
		h->len = TCP_POOL_FIRST;
	}
	if (!h->ring)
		return forget ? 0 : -USHER_E_LIMIT;
	if (kept > h->n && !tcp_pool_more(p, h->owner, kept - h->n)) {
		if (h->n == 0)
			give_ring(h, p);
		return give_up(h, p, forget);
	}
	/* some before were not remembered */
	if (kept < h->n)
		tcp_pool_less(p, h->owner, h->n - kept);
	if (!follows)
		h->from = h->base = from;
	else
		move_to_beginning(h);
	if (sum > h->len && h->len < TCP_HISTORY_LEN)
		grow_history(h, p);
	put_octets(h, from + skip, octets.p + skip, n - skip);
	h->n = kept;
	h->from += sum - kept;
	return 0;
}

void tcp_history_acked(struct tcp_history *h, struct tcp_pool *p, uint32_t next)
{
	if (!h->ring || !tcp_before(h->from, next))
		return;
	shrink(h, p, tcp_before(next, end_of_history(h)) ? end_of_history(h) - next : 0);
	h->from = next;
}

void tcp_history_cut(struct tcp_history *h, struct tcp_pool *p, uint32_t end)
{
	if (!h->ring || !tcp_before(end, end_of_history(h)))
		return;
	shrink(h, p, tcp_before(h->from, end) ? end - h->from : 0);
}

bool tcp_history_correct(const struct tcp_history *h, uint32_t from, uint8_t *octets, uint32_t n)
{
	bool differ = false;

	if (!h->ring)
		return false;
	for (uint32_t i = 0; i < n;) {
		uint32_t number = from + i, at = find_place(h, number), run = n - i;

		if (tcp_before(number, h->from)) {
			i += h->from - number < run ? h->from - number : run;
			continue;
		}
		if (!tcp_before(number, end_of_history(h)))
			break;
		run = end_of_history(h) - number < run ? end_of_history(h) - number : run;
		run = h->len - at < run ? h->len - at : run;
		differ |= memcmp(octets + i, h->ring + at, run) != 0;
		memcpy(octets + i, h->ring + at, run);
		i += run;
	}
	return differ;
}

uint32_t tcp_history_unknown(const struct tcp_history *h, uint32_t from, uint32_t n, uint32_t acked,
			     bool heard)
{
	uint32_t end = from + n, known_to = h->ring ? end_of_history(h) : from, unknown = 0;
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
	shrink(h, p, 0);
}
