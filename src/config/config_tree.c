/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Nodes of the normal form, which outlives the input: copies with the places of the input, and the
 * defaults of the schema.
 */
#include "config/config_load.h"

/* Copies the name of a file: the input's names may not outlive it. */
static const char *keep_file(struct load *l, const char *file)
{
	if (!file || !*file)
		return "";
	if (file != l->last_file) {
		l->last_copy = arena_strdup(l->a, file);
		l->last_file = l->last_copy ? file : NULL;
	}
	return l->last_copy ? l->last_copy : "";
}

struct json *load_keep_place(struct load *l, struct json *v, const struct json *from)
{
	if (!v)
		return NULL;
	v->pos = from->pos;
	v->key_pos = from->key ? from->key_pos : from->pos;
	v->pos.file = keep_file(l, from->pos.file);
	v->key_pos.file = keep_file(l, v->key_pos.file);
	return v;
}

static void keep_places(struct load *l, struct json *v)
{
	v->pos.file = keep_file(l, v->pos.file);
	v->key_pos.file = keep_file(l, v->key_pos.file);
	if (v->type != JSON_LIST && v->type != JSON_MAP)
		return;
	for (struct json *m = v->first; m; m = m->next)
		keep_places(l, m);
}

struct json *load_keep(struct load *l, const struct json *in)
{
	struct json *v = json_copy(l->a, in);

	if (v)
		keep_places(l, v);
	return v;
}

int load_put(struct load *l, struct json *to, const char *key, struct json *v)
{
	if (!to || !v)
		return load_no_memory(l);
	v->key = key;
	json_append(to, v);
	return 0;
}

const struct json *load_default(struct load *l, const struct schema_key *k)
{
	const struct json **slot = &l->default_of[k - schema_keys];
	struct json_opts o = {.file = ""};
	struct json *v;

	if (*slot || !k->dflt)
		return *slot;
	if (json_parse(span_str(k->dflt), &o, l->scratch, &v, l->err) == 0)
		*slot = v;
	return *slot;
}
