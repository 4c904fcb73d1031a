/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The decoder on a message of arbitrary octets: fixed fields, cookie or not, up to OPTS octets
 * behind it, FIELD arbitrary octets at the end of sname and of file (where option 52 sends the
 * walk).
 */
#include "base/error.h"
#include "wire/dhcp4.h"

#include "__fc_builtin.h"

enum { OPTS = 5, FIELD = 2 };

static uint8_t msg[DHCP4_MIN_LEN + OPTS];

/*
 * The contract of arena.c: memory of its own for each call, just as long as asked, or NULL. Each
 * piece ends where its pool does, so that an octet behind it is outside.
 */
enum { POOLS = 6, POOL = 8192 };

static uint8_t pools[POOLS][POOL] __attribute__((aligned(16)));
static unsigned n_pools;

void *arena_alloc(struct arena *a, size_t n)
{
	(void)a;
	//@ split n;
	if (n > POOL || n_pools == POOLS || Frama_C_nondet(0, 1))
		return NULL;
	return pools[n_pools++] + POOL - n;
}

void *arena_calloc(struct arena *a, size_t count, size_t size)
{
	return arena_alloc(a, count * size); /* the pools are zero */
}

void *arena_memdup(struct arena *a, const void *p, size_t n)
{
	void *q = arena_alloc(a, n ? n : 1);

	if (q && n)
		memcpy(q, p, n);
	return q;
}

/* Every octet of the options field is arbitrary, of every length up to OPTS; sname and file are
 * empty. */
static void decode_options(void)
{
	struct arena arena = {0};
	struct dhcp4_msg m;

	Frama_C_make_unknown((char *)msg, 44);
	Frama_C_make_unknown((char *)msg + DHCP4_HDR_LEN, 4 + OPTS);
	for (size_t len = DHCP4_MIN_LEN - 1; len <= DHCP4_MIN_LEN + OPTS; len++) {
		n_pools = 0;
		memset(pools, 0, sizeof(pools));
		(void)dhcp4_decode(span_of(msg, len), Frama_C_nondet(0, 1), &arena, &m);
	}
}

/* Option 52 of every value, and arbitrary octets at the end of sname and file. */
static void decode_overload(void)
{
	static const uint8_t head[] = {0x63, 0x82, 0x53, 0x63, 52, 1, 3, 255};
	struct arena arena = {0};
	struct dhcp4_msg m;

	msg[0] = 1;
	msg[2] = 6;
	memcpy(msg + DHCP4_HDR_LEN, head, sizeof(head));
	msg[DHCP4_HDR_LEN + 6] = (uint8_t)Frama_C_interval(0, 4);
	Frama_C_make_unknown((char *)msg + 108 - FIELD, FIELD);
	Frama_C_make_unknown((char *)msg + DHCP4_HDR_LEN - FIELD, FIELD);
	(void)dhcp4_decode(span_of(msg, DHCP4_MIN_LEN + 4), Frama_C_nondet(0, 1), &arena, &m);
}

int main(void)
{
#ifdef OVERLOAD
	decode_overload();
#else
	decode_options();
#endif
	return 0;
}
