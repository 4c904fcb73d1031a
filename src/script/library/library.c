/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The life of the library's part of a state.
 */
#include "script/library/library_impl.h"
#include "script/state/script_opts.h"

#include "base/rng.h"

#include <errno.h>
#include <stdlib.h>

/* Makes shared tables for this state alone. */
static int make_own_store(struct library_state *l)
{
	struct hash_key key;
	struct rng rng;

	rng_seed_system(&rng);
	key = (struct hash_key){rng_u64(&rng), rng_u64(&rng)};
	if (shared_store_new(0, &key, &l->own_shared) < 0)
		return -ENOMEM;
	l->shared = l->own_shared;
	return 0;
}

int library_new(struct script *s, const struct script_opts *o)
{
	struct library_state *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	s->library = l;
	l->print = o->print;
	l->exit = o->exit;
	l->log_level = o->log_level;
	l->prompt = o->prompt;
	l->refuse_command = o->refuse_command;
	l->ctx = o->ctx;
	l->color = o->color;
	l->shared = o->shared;
	buf_init(&l->line);
	buf_init(&l->shared_text);
	return l->shared ? 0 : make_own_store(l);
}

void library_free(struct script *s)
{
	struct library_state *l = s->library;

	if (!l)
		return;
	shared_store_free(l->own_shared);
	buf_fini(&l->shared_text);
	buf_fini(&l->line);
	free(l);
	s->library = NULL;
}
