/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The texts of records: long client identifiers, host names, user contexts. Most leases that have
 * any have a host name and nothing else, so texts of up to 96 octets come from the table's own
 * memory, rounded up to 16, and no packet waits for malloc; a freed one is the next of its class.
 * Memory does not go from one class to another: it is bounded by the largest need of each class.
 * Longer texts are malloc's.
 */
#include "lease/lease_table.h"

#include <stdlib.h>

enum { BLOCK = 64 << 10, BLOCK_BITS = 5 };

static size_t class_of(size_t len)
{
	return (len - 1) / TEXT_STEP;
}

void texts_init(struct texts *t)
{
	slab_init(&t->blocks, BLOCK, BLOCK_BITS);
}

/* Frees the texts that slabs do not free. */
static void free_long(struct lease_db *db)
{
	unsigned budget = UINT32_MAX;

	for (uint64_t a = 0; db->texts.n_long; a++) {
		const struct rec *r;

		a = addr_seek(&db->addrs, a, &budget);
		if (a == UINT64_MAX)
			break;
		r = rec_at(db, addr_get(&db->addrs, (uint32_t)a));
		if (r->hold)
			ext_free(db, rec_at(db, r->hold)->ext);
		ext_free(db, r->ext);
		budget = UINT32_MAX;
	}
}

void texts_fini(struct lease_db *db)
{
	free_long(db);
	slab_fini(&db->texts.blocks);
}

/* A field that is not of the picked kinds. */
#define SKIP(member)

size_t ext_need(const struct lease *l, bool bare)
{
	size_t cid = l->hw_len + l->client_id_len > REC_INLINE ? l->client_id_len : 0;
	size_t ends = 0;   /* the NULs behind texts, which an empty one has too */
	size_t octets = 0; /* of the texts, and all of the contexts */

#define NEED_TEXT(member) \
	ends++;           \
	octets += bare || !l->member[0] ? 0 : strnlen(l->member, sizeof(l->member) - 1);
#define NEED_CONTEXT(member) octets += bare || !l->member ? 0 : strlen(l->member) + 1;
#define LEASE_FIELD(member, kind, ...) \
	LEASE_PICK_##kind(SKIP, SKIP, SKIP, SKIP, NEED_TEXT, NEED_CONTEXT)(member)
#include "lease/lease_fields.def"
#undef NEED_TEXT
#undef NEED_CONTEXT
	return cid || octets ? offsetof(struct rec_ext, data) + cid + octets + ends : 0;
}

void ext_fill(struct rec_ext *e, const struct lease *l, bool bare)
{
	char *p = e->data;

	e->cid_len = l->hw_len + l->client_id_len > REC_INLINE ? (uint8_t)l->client_id_len : 0;
	memcpy(p, l->client_id, e->cid_len);
	p += e->cid_len;
#define FILL_TEXT(member)                                                                \
	e->member##_len = bare ? 0 : (uint8_t)strnlen(l->member, sizeof(l->member) - 1); \
	memcpy(p, l->member, e->member##_len);                                           \
	p += e->member##_len;                                                            \
	*p++ = '\0';
#define FILL_CONTEXT(member)                                                 \
	e->has_##member = !bare && l->member;                                \
	e->member##_len = e->has_##member ? (uint32_t)strlen(l->member) : 0; \
	if (e->has_##member)                                                 \
		p = mempcpy(p, l->member, (size_t)e->member##_len + 1);
#define LEASE_FIELD(member, kind, ...) \
	LEASE_PICK_##kind(SKIP, SKIP, SKIP, SKIP, FILL_TEXT, FILL_CONTEXT)(member)
#include "lease/lease_fields.def"
#undef FILL_TEXT
#undef FILL_CONTEXT
	(void)p; /* behind the last text */
}

size_t ext_len(const struct rec_ext *e)
{
	size_t len = offsetof(struct rec_ext, data) + e->cid_len;

#define LEN_TEXT(member)    len += e->member##_len + 1U;
#define LEN_CONTEXT(member) len += e->has_##member ? e->member##_len + 1U : 0;
#define LEASE_FIELD(member, kind, ...) \
	LEASE_PICK_##kind(SKIP, SKIP, SKIP, SKIP, LEN_TEXT, LEN_CONTEXT)(member)
#include "lease/lease_fields.def"
#undef LEN_TEXT
#undef LEN_CONTEXT
	return len;
}

static void *carve(struct texts *t, size_t len)
{
	void *p;

	if (t->left < len) {
		uint32_t block = slab_new(&t->blocks);

		if (!block)
			return NULL;
		t->at = slab_at(&t->blocks, block);
		t->left = BLOCK;
	}
	p = t->at;
	t->at += len;
	t->left -= len;
	return p;
}

struct rec_ext *ext_new(struct lease_db *db, size_t len)
{
	struct texts *t = &db->texts;
	size_t class = class_of(len);
	void *p;

	if (len > UINT32_MAX / 2)
		return NULL;
	if (class >= TEXT_CLASSES) {
		p = malloc(len);
		t->n_long += p != NULL;
		return p;
	}
	p = t->free[class];
	if (!p)
		return carve(t, (class + 1) * TEXT_STEP);
	memcpy(&t->free[class], p, sizeof(t->free[class]));
	return p;
}

void ext_free(struct lease_db *db, struct rec_ext *e)
{
	struct texts *t = &db->texts;
	size_t class;

	if (!e)
		return;
	class = class_of(ext_len(e));
	if (class >= TEXT_CLASSES) {
		free(e);
		t->n_long--;
		return;
	}
	memcpy(e, &t->free[class], sizeof(t->free[class]));
	t->free[class] = e;
}
