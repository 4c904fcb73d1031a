/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Pieces of memory and their references; the tree and the hash, made when they are asked for.
 */
#include "config/config_memory.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/sha256.h"

#include <stdatomic.h>
#include <stdlib.h>

/* --- Pieces ----------------------------------------------------------------------------------- */

struct config_piece *config_piece_new(void)
{
	struct config_piece *p = calloc(1, sizeof(*p));

	if (p) {
		p->refs = 1;
		arena_init(&p->arena);
	}
	return p;
}

struct config_piece *config_piece_ref(struct config_piece *p)
{
	if (p)
		(void)atomic_fetch_add(&p->refs, 1);
	return p;
}

void config_piece_unref(struct config_piece *p)
{
	if (!p || atomic_fetch_sub(&p->refs, 1) != 1)
		return;
	arena_fini(&p->arena);
	free(p);
}

static struct config_memory *make_memory(void)
{
	struct config_memory *m = calloc(1, sizeof(*m));

	if (m && pthread_mutex_init(&m->lock, NULL) != 0) {
		free(m);
		return NULL;
	}
	if (m)
		arena_init(&m->own);
	return m;
}

static void free_memory(struct config_memory *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n_edits; i++)
		config_piece_unref(m->edits[i]);
	free(m->edits);
	config_piece_unref(m->hosts);
	config_piece_unref(m->subnets);
	config_piece_unref(m->base);
	arena_fini(&m->own);
	(void)pthread_mutex_destroy(&m->lock);
	free(m);
}

int config_memory_new(struct config *c)
{
	struct config_memory *m = make_memory();

	if (m)
		m->base = config_piece_new();
	if (!m || !m->base) {
		free_memory(m);
		return -USHER_E_NOMEM;
	}
	c->memory = m;
	return 0;
}

struct arena *config_memory_arena(const struct config *c)
{
	return &c->memory->base->arena;
}

int config_memory_share(struct config *c, const struct config *from, struct config_piece *edit)
{
	const struct config_memory *old = from->memory;
	struct config_memory *m = make_memory();

	c->memory = NULL;
	if (m)
		m->edits = calloc(old->n_edits + 1, sizeof(struct config_piece *));
	if (!m || !m->edits) {
		free_memory(m);
		return -USHER_E_NOMEM;
	}
	for (size_t i = 0; i < old->n_edits; i++)
		m->edits[m->n_edits++] = config_piece_ref(old->edits[i]);
	m->edits[m->n_edits++] = config_piece_ref(edit);
	m->base = config_piece_ref(old->base);
	m->subnets = config_piece_ref(old->subnets);
	m->hosts = config_piece_ref(old->hosts);
	m->next_order = old->next_order;
	m->next_host = old->next_host;
	c->memory = m;
	return 0;
}

/* --- References ------------------------------------------------------------------------------- */

struct config *config_ref(struct config *c)
{
	(void)atomic_fetch_add(&c->refs, 1);
	return c;
}

void config_free(struct config *c)
{
	if (!c || atomic_fetch_sub(&c->refs, 1) != 1)
		return;
	free_memory(c->memory);
	free(c);
}

/* --- The tree --------------------------------------------------------------------------------- */

/* Returns the tree; called with the lock. */
static const struct json *find_tree(const struct config *c)
{
	struct config_memory *m = c->memory;

	if (!m->tree)
		m->tree = config_assemble(c, &m->own);
	return m->tree;
}

const struct json *config_effective(const struct config *c)
{
	const struct json *tree;

	(void)pthread_mutex_lock(&c->memory->lock);
	tree = find_tree(c);
	(void)pthread_mutex_unlock(&c->memory->lock);
	return tree;
}

const char *config_hash(const struct config *c)
{
	struct config_memory *m = c->memory;
	const struct json *tree;
	struct buf text;

	(void)pthread_mutex_lock(&m->lock);
	tree = m->hash[0] ? NULL : find_tree(c);
	if (tree) {
		buf_init(&text);
		json_write(tree, false, &text);
		if (!text.failed)
			sha256_hex(span_of(text.p, text.len), m->hash);
		buf_fini(&text);
	}
	(void)pthread_mutex_unlock(&m->lock);
	return m->hash;
}
