/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One array over the whole address space. Pools are dense, so the pages that are touched are few:
 * a hash would take more memory for the same addresses, and two cache misses instead of one.
 */
#include "tools/load_owner.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define ADDRESSES  (UINT64_C(1) << 32)
#define BITMAP_LEN (ADDRESSES / 8)
#define OWNERS_LEN (ADDRESSES * sizeof(uint32_t))

void *load_reserve(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void load_unreserve(void *p, size_t len)
{
	if (p)
		(void)munmap(p, len);
}

uint64_t *load_bitmap_new(void)
{
	return load_reserve(BITMAP_LEN);
}

void load_bitmap_free(uint64_t *b)
{
	load_unreserve(b, BITMAP_LEN);
}

int load_owners_init(struct load_owners *o, bool named)
{
	memset(o, 0, sizeof(*o));
	if (named)
		o->owner = load_reserve(OWNERS_LEN);
	else
		o->taken = load_bitmap_new();
	return o->owner || o->taken ? 0 : -ENOMEM;
}

void load_owners_fini(struct load_owners *o)
{
	load_unreserve(o->owner, OWNERS_LEN);
	load_bitmap_free(o->taken);
	memset(o, 0, sizeof(*o));
}

static bool claim_bit(struct load_owners *o, uint32_t addr)
{
	uint64_t bit = UINT64_C(1) << (addr & 63);

	if (o->taken[addr >> 6] & bit)
		return false;
	o->taken[addr >> 6] |= bit;
	o->n++;
	return true;
}

bool load_owners_claim(struct load_owners *o, uint32_t addr, uint32_t client)
{
	if (o->taken)
		return claim_bit(o, addr);
	if (o->owner[addr])
		return o->owner[addr] == client + 1;
	o->owner[addr] = client + 1;
	o->used[addr >> 22] |= UINT64_C(1) << (addr >> 16 & 63);
	o->n++;
	return true;
}

void load_owners_release(struct load_owners *o, uint32_t addr)
{
	uint64_t bit = UINT64_C(1) << (addr & 63);

	if (o->taken ? !(o->taken[addr >> 6] & bit) : !o->owner[addr])
		return;
	if (o->taken)
		o->taken[addr >> 6] &= ~bit;
	else
		o->owner[addr] = 0;
	o->n--;
}

uint32_t load_owners_of(const struct load_owners *o, uint32_t addr)
{
	return o->owner && o->owner[addr] ? o->owner[addr] - 1 : LOAD_NOBODY;
}

bool load_owners_next(const struct load_owners *o, uint64_t *addr)
{
	while (o->owner && *addr < ADDRESSES) {
		if (!(o->used[*addr >> 22] >> (*addr >> 16 & 63) & 1))
			*addr = (*addr | 0xffff) + 1;
		else if (o->owner[*addr])
			return true;
		else
			++*addr;
	}
	return false;
}
