/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The memory of a configuration, in pieces. A loaded configuration has one. An edited one shares
 * the pieces of the one before, but for those that it replaces: its tables of subnets or of
 * reservations, and a small piece with its new objects. Pieces do not change once the
 * configuration that made them is built; any thread may give back the last reference.
 */
#pragma once

#include "base/arena.h"
#include "config/config.h"

#include <pthread.h>

struct config_piece {
	_Atomic int refs;
	struct arena arena;
};

enum { CONFIG_EDITS_MAX = 1000 }; /* pieces of edits, before a configuration is loaded anew */

struct config_memory {
	struct config_piece *base;    /* of the load */
	struct config_piece *subnets; /* of subnets, pools, networks; NULL: base */
	struct config_piece *hosts;   /* of reservations; NULL: base */
	struct config_piece **edits;  /* with the objects of edits */
	size_t n_edits;
	uint32_t next_order;  /* of the next subnet that an edit adds */
	uint32_t next_host;   /* host_id of the next reservation that an edit adds */
	struct arena own;     /* not shared: the index, the tree */
	pthread_mutex_t lock; /* of the members below */
	const struct json *tree;
	char hash[65];
};

struct config_piece *config_piece_new(void);
struct config_piece *config_piece_ref(struct config_piece *p);
void config_piece_unref(struct config_piece *p);

/* Gives a configuration its memory. 0, -USHER_E_NOMEM. */
int config_memory_new(struct config *c) must_check;
struct arena *config_memory_arena(const struct config *c);
/* Gives c, a copy of the structure from, memory of its own that shares all pieces of from.
 * edit: a piece for the new objects. 0, -USHER_E_NOMEM; then c has no memory. */
int config_memory_share(struct config *c, const struct config *from, struct config_piece *edit)
	must_check;

/* Makes {"Dhcp4": …} in arena. NULL: out of memory. */
const struct json *config_assemble(const struct config *c, struct arena *a);
