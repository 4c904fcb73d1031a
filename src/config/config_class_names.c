/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The numbers of class names. A name gets its number when it is mentioned first, whether its class
 * is defined or not.
 */
#include "config/config_load.h"

#include "base/error.h"

static int grow_names(struct load *l)
{
	uint32_t cap = l->cap_names ? 2 * l->cap_names : 64;
	const char **names = arena_array(l->a, const char *, cap);
	bool *late = arena_array(l->a, bool, cap);
	uint32_t *defined = arena_array(l->a, uint32_t, cap);

	if (!names || !late || !defined)
		return load_no_memory(l);
	for (uint32_t i = 0; i < l->n_names; i++) {
		names[i] = l->class_names[i];
		late[i] = l->class_late[i];
		defined[i] = l->class_defined[i];
	}
	l->class_names = names;
	l->class_late = late;
	l->class_defined = defined;
	l->cap_names = cap;
	return 0;
}

int load_class_id(struct load *l, const char *name)
{
	uint32_t id;
	uint32_t old;

	if (config_map_get(&l->class_ids, span_str(name), &id))
		return (int)id;
	if (l->names_fixed) {
		l->name_missing = true;
		return l->names_free ? CONFIG_NO_CLASS : -USHER_E_NOTFOUND;
	}
	if (l->n_names == l->cap_names && grow_names(l) < 0)
		return -USHER_E_NOMEM;
	id = l->n_names;
	l->class_names[id] = arena_strdup(l->a, name);
	if (!l->class_names[id] ||
	    config_map_put(&l->class_ids, l->a, span_str(name), id, &old) < 0)
		return load_no_memory(l);
	l->n_names++;
	return (int)id;
}

int load_class_list(struct load *l, const struct json *map, const char *key,
		    struct config_class_list *ret)
{
	const struct json *list = json_get(map, key);
	uint32_t *ids;
	size_t n = 0;

	*ret = (struct config_class_list){NULL, 0};
	if (!list || !list->count)
		return 0;
	ids = arena_array(l->a, uint32_t, list->count);
	if (!ids)
		return load_no_memory(l);
	for (const struct json *v = list->first; v; v = v->next) {
		int id = load_class_id(l, v->s);

		if (id < 0)
			return id;
		if (!v->n)
			load_warn(l, v, "a class name in '%s' is empty: no packet is in that class",
				  key);
		ids[n++] = (uint32_t)id;
	}
	*ret = (struct config_class_list){ids, n};
	return 0;
}

/* Returns whether the value of a key names classes, in any version of Kea. */
static bool names_classes(const char *key)
{
	return key && (strcmp(key, "client-classes") == 0 || strcmp(key, "client-class") == 0 ||
		       strcmp(key, "evaluate-additional-classes") == 0 ||
		       strcmp(key, "require-client-classes") == 0);
}

/* Gives numbers to the names of classes in a tree. It may be malformed: then the change is refused
 * later. */
static int number_names(struct load *l, const struct json *v, bool is_name)
{
	int r = 0;

	is_name |= names_classes(v->key);
	if (v->type == JSON_STRING && is_name && v->n)
		return load_class_id(l, v->s) < 0 ? -USHER_E_NOMEM : 0;
	if (v->type != JSON_LIST && v->type != JSON_MAP)
		return 0;
	for (const struct json *m = v->first; m && r == 0; m = m->next)
		r = number_names(l, m, is_name && v->type == JSON_LIST);
	return r;
}

int load_change_names(struct load *l)
{
	const struct config_load_opts *o = l->o;
	int r = 0;

	for (size_t i = 0; o && i < o->n_changes && r == 0; i++)
		if (o->changes[i].node)
			r = number_names(l, o->changes[i].node, false);
	return r;
}
