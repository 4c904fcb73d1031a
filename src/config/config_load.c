/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The entry points of loading, the order of its steps, and small readers of the effective tree. A
 * configuration is built in an arena of its own and given away only when every step succeeded.
 */
#include "config/config_load.h"

#include "base/error.h"
#include "base/ip.h"

#include <stdlib.h>

/* --- readers ---------------------------------------------------------------------------------- */

const char *load_str(const struct json *map, const char *key, const char *dflt)
{
	const char *s = json_get_str(map, key);

	return s ? s : dflt;
}

uint32_t load_u32(const struct json *map, const char *key, uint32_t dflt)
{
	int64_t v;

	return json_get_int(map, key, &v) ? (uint32_t)v : dflt;
}

bool load_bool(const struct json *map, const char *key)
{
	bool b;

	return json_get_bool(map, key, &b) && b;
}

double load_real(const struct json *map, const char *key)
{
	const struct json *v = json_get(map, key);

	return v && v->type == JSON_REAL ? v->r : 0.0;
}

uint32_t load_addr(const struct json *map, const char *key)
{
	const struct json *v = json_get(map, key);
	uint32_t addr;

	return v && v->type == JSON_STRING && ip_parse(v->s, v->n, &addr) == 0 ? addr : 0;
}

size_t load_count(const struct json *map, const char *key)
{
	const struct json *v = json_get(map, key);

	return v && (v->type == JSON_LIST || v->type == JSON_MAP) ? v->count : 0;
}

/* --- keys of the indexes ---------------------------------------------------------------------- */

static void put_be32(uint8_t *out, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		out[i] = (uint8_t)(v >> (24 - 8 * i));
}

struct span load_addr_key(uint32_t a, uint32_t b, uint8_t out[8])
{
	put_be32(out, a);
	put_be32(out + 4, b);
	return span_of(out, 8);
}

struct span load_host_key(uint32_t subnet_id, enum config_host_id type, struct span id,
			  uint8_t out[HOST_KEY_MAX])
{
	size_t n = id.n < HOST_ID_MAX ? id.n : HOST_ID_MAX;

	put_be32(out, subnet_id);
	out[4] = (uint8_t)type;
	if (n)
		memcpy(out + 5, id.p, n);
	return span_of(out, n + 5);
}

/* --- the steps -------------------------------------------------------------------------------- */

static int (*const steps[])(struct load *l) = {
	load_fill, load_defs, load_classes, load_globals, load_services, load_subnets, load_hosts,
};

static int load_all(struct load *l, const struct json *root)
{
	int r;

	l->default_of = arena_array(l->a, const struct json *, schema_n_keys);
	l->warned = arena_array(l->a, uint64_t, schema_n_keys / 64 + 1);
	if (!l->default_of || !l->warned)
		return load_no_memory(l);
	r = load_normalise(l, root);
	if (!l->dhcp4)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(steps) && !load_fatal(r); i++)
		r = load_both(r, steps[i](l));
	if (load_fatal(r))
		return r;
	if (r < 0 || l->n_problems)
		return -USHER_E_CONFIG;
	r = load_index(l);
	return r < 0 ? r : load_hash(l);
}

/* n_before: problems of the text, reported before there was a tree. */
static int load_root(const struct json *root, const char *file, const struct config_load_opts *o,
		     size_t n_before, struct config **ret, struct config_error *err)
{
	struct config *c = calloc(1, sizeof(*c));
	struct load l = {.c = c, .o = o, .err = err, .n_problems = n_before};
	int r;

	if (!c)
		return config_error_set(err, NULL, -USHER_E_NOMEM, "out of memory");
	arena_init(&c->arena);
	l.a = &c->arena;
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

/* Passes a problem of the parser to the caller. */
struct text_problems {
	const struct config_load_opts *o;
	struct config_error *first;
	struct json_pos last; /* of the latest: an error that follows from it has the same */
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

static int load_text(const char *path, const struct config_load_opts *o, struct arena *arena,
		     struct config **ret, struct config_error *err)
{
	struct text_problems t = {.o = o, .first = err};
	struct json_opts jo = {.file = path,
			       .dialect = true,
			       .warn = on_text_warning,
			       .problem = on_text_problem,
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

void config_free(struct config *c)
{
	if (!c)
		return;
	arena_fini(&c->arena);
	free(c);
}
