/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The entry points of loading, and the order of its steps. A configuration is built in an arena of
 * its own and returned only when every step succeeded.
 */
#include "config/config_load.h"

#include "base/error.h"
#include "config/config_memory.h"

#include <stdlib.h>

/* --- the steps -------------------------------------------------------------------------------- */

static int (*const steps[])(struct load *l) = {
	load_fill,     load_defs,    load_classes, load_globals,
	load_services, load_subnets, load_hosts,   load_change_names,
};

int load_begin(struct load *l)
{
	l->default_of = arena_array(l->scratch, const struct json *, schema_n_keys);
	l->warned = arena_array(l->scratch, uint64_t, schema_n_keys / 64 + 1);
	return l->default_of && l->warned ? 0 : load_no_memory(l);
}

static int load_all(struct load *l, const struct json *root)
{
	int r;

	r = load_begin(l);
	if (r == 0)
		r = load_normalise(l, root);
	if (!l->dhcp4)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(steps) && !load_fatal(r); i++)
		r = load_both(r, steps[i](l));
	if (load_fatal(r))
		return r;
	if (r < 0 || l->n_problems)
		return -USHER_E_CONFIG;
	l->c->dhcp4 = l->dhcp4;
	r = load_index(l);
	/* made here, so that no command waits for it */
	return r == 0 && !config_hash(l->c)[0] ? load_no_memory(l) : r;
}

/* Loads a parsed tree. n_before: problems of the text, reported before there was a tree. */
static int load_root(const struct json *root, const char *file, const struct config_load_opts *o,
		     size_t n_before, struct config **ret, struct config_error *err)
{
	struct config *c = calloc(1, sizeof(*c));
	struct load l = {.c = c, .o = o, .err = err, .n_problems = n_before};
	int r;

	if (c)
		c->refs = 1;
	if (!c || config_memory_new(c) < 0) {
		config_free(c);
		return config_error_set(err, NULL, -USHER_E_NOMEM, "out of memory");
	}
	l.a = l.scratch = config_memory_arena(c);
	c->file = arena_strdup(l.a, file);
	r = c->file ? load_all(&l, root) : load_no_memory(&l);
	if (r == -USHER_E_CONFIG && l.dhcp4 && o && o->refused)
		o->refused(o->ctx, c);
	if (r < 0)
		config_free(c);
	else
		*ret = c;
	return r;
}

int config_load_json(const struct json *root, const struct config_load_opts *o, struct config **ret,
		     struct config_error *err)
{
	return load_root(root, "", o, o ? o->n_before : 0, ret, err);
}

/* The state that passes problems of the parser to the caller. */
struct text_problems {
	const struct config_load_opts *o;
	struct config_error *first;
	struct json_pos last; /* of the latest: an error that follows from it has this position */
	size_t n;
};

static void on_text_warning(void *ctx, const struct config_error *w)
{
	const struct text_problems *t = ctx;

	if (t->o && t->o->warn)
		t->o->warn(t->o->ctx, w);
}

static void on_text_problem(void *ctx, const struct config_error *e)
{
	struct text_problems *t = ctx;

	if (t->n && t->last.line == e->pos.line && t->last.col == e->pos.col)
		return;
	t->last = e->pos;
	if (t->n++ == 0 && t->first)
		*t->first = *e;
	if (t->o && t->o->problem)
		t->o->problem(t->o->ctx, e);
}

static bool has_ended(void *ctx)
{
	const struct text_problems *t = ctx;

	return t->o && t->o->ended && t->o->ended(t->o->ctx);
}

static int load_text(const char *path, const struct config_load_opts *o, struct arena *arena,
		     struct config **ret, struct config_error *err)
{
	struct text_problems t = {.o = o, .first = err};
	struct json_opts jo = {.file = path,
			       .dialect = true,
			       .warn = on_text_warning,
			       .problem = on_text_problem,
			       .ended = o && o->ended ? has_ended : NULL,
			       .ctx = &t,
			       .pipe_wait_ms = o ? o->pipe_wait_ms : 0};
	struct config_error last = {0};
	struct json *root;
	int r = json_parse_file(path, &jo, arena, &root, &last);

	if (r < 0) {
		on_text_problem(&t, &last);
		return r;
	}
	return load_root(root, path, o, t.n, ret, err);
}

int config_load_file(const char *path, const struct config_load_opts *o, struct config **ret,
		     struct config_error *err)
{
	struct arena arena;
	int r;

	arena_init(&arena);
	r = load_text(path, o, &arena, ret, err);
	arena_fini(&arena);
	return r;
}
