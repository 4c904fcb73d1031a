/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The texts of records: long client identifiers, host names, user contexts. Most leases that have
 * any have a host name and nothing else, so texts of up to 96 octets come from memory of the
 * table's own, rounded up to 16, and no packet waits for malloc; a freed one is the next of its
 * class. Memory does not go from one class to another: it is bounded by the largest need of each
 * class. Longer texts are malloc's.
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

size_t ext_need(const struct lease *l, bool bare)
{
	size_t cid = l->hw_len + l->client_id_len > REC_INLINE ? l->client_id_len : 0;
	size_t host = bare || !l->hostname[0] ? 0 : strnlen(l->hostname, LEASE_HOSTNAME_MAX);
	size_t ctx = bare || !l->user_context ? 0 : strlen(l->user_context) + 1;

	return cid || host || ctx ? offsetof(struct rec_ext, data) + cid + host + 1 + ctx : 0;
}

void ext_fill(struct rec_ext *e, const struct lease *l, bool bare)
{
	const char *context = bare ? NULL : l->user_context;
	char *p = e->data;

	e->cid_len = l->hw_len + l->client_id_len > REC_INLINE ? (uint8_t)l->client_id_len : 0;
	e->host_len = bare ? 0 : (uint8_t)strnlen(l->hostname, LEASE_HOSTNAME_MAX);
	e->ctx_len = context ? (uint32_t)strlen(context) : 0;
	e->has_ctx = context != NULL;
	memcpy(p, l->client_id, e->cid_len);
	p += e->cid_len;
	memcpy(p, l->hostname, e->host_len);
	p += e->host_len;
	*p++ = '\0';
	if (context)
		memcpy(p, context, (size_t)e->ctx_len + 1);
}

size_t ext_len(const struct rec_ext *e)
{
	return offsetof(struct rec_ext, data) + e->cid_len + e->host_len + 1 +
	       (e->has_ctx ? (size_t)e->ctx_len + 1 : 0);
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
