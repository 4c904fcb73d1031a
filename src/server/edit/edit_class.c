/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The commands of class_cmds. Classes depend on each other and on options, so that a change of one
 * loads the configuration whole.
 */
#include "server/edit/edit.h"

#include "config/json/json.h"
#include "config/schema/config_schema.h"
#include "server/edit/edit_commands.h"

#include <string.h>

static const struct config_class *find_class(const struct config *cfg, const char *name)
{
	for (size_t i = 0; i < cfg->n_classes; i++)
		if (strcmp(cfg->classes[i].name, name) == 0)
			return &cfg->classes[i];
	return NULL;
}

/* Returns the class in the arguments; NULL: refused. */
static const struct json *read_class(struct edit *e, const char *no_name)
{
	const struct json *v = edit_some_arguments(e)
				       ? edit_one_element(e, "client-classes", "class", true)
				       : NULL;

	for (const struct json *m = v ? v->first : NULL; m; m = m->next)
		if (!schema_find(SCHEMA_CLASS, m->key) && !schema_find_old(SCHEMA_CLASS, m->key))
			edit_refuse(e, "unsupported client class parameter '%s'", m->key);
	e->test = json_get(v, "test") ? json_get(v, "test") : json_get(v, "template-test");
	if (e->test && e->test->type != JSON_STRING)
		e->test = NULL;
	if (v && !json_get(v, "name"))
		edit_refuse(e, "%s", no_name);
	else if (v && json_get(v, "name")->type != JSON_STRING)
		edit_refuse(e, "'name' parameter is not a string");
	else if (v && !json_get(v, "name")->n)
		edit_refuse(e, "Client Class name cannot be blank");
	return e->ended ? NULL : v;
}

/* Returns the name in the arguments; NULL: refused. */
static const char *read_class_name(struct edit *e)
{
	const struct json *args = edit_some_arguments(e);
	const struct json *name = json_get(args, "name");

	if (!args)
		return NULL;
	if (args->count != 1)
		edit_refuse(e,
			    "invalid number of arguments %zu for the '%s' command. Expecting "
			    "'name' string",
			    args->count, e->c->name);
	else if (!name)
		edit_refuse(e, "missing 'name' argument for the '%s' command", e->c->name);
	else if (name->type != JSON_STRING)
		edit_refuse(e, "'name' argument specified for the '%s' command is not a string",
			    e->c->name);
	return e->ended ? NULL : name->s;
}

/* --- Changes ---------------------------------------------------------------------------------- */

void edit_class_add(struct edit *e)
{
	const struct json *v = read_class(e, "missing 'name' argument for the 'class-add' command");
	const char *name = json_get_str(v, "name");
	struct json *list;

	if (!v)
		return;
	if (find_class(e->cfg, name)) {
		edit_refuse(e, "Client Class: %s has already been defined", name);
		return;
	}
	list = edit_tree_list(e, edit_tree(e), "client-classes");
	(void)json_add(e->c->arena, list, NULL, json_copy(e->c->arena, v));
	edit_answer(e, NULL, "Class '%s' added", name);
}

/* Replaces an element of a list by a copy of another one. */
static struct json *replace_element(struct edit *e, struct json *list, struct json *old,
				    const struct json *by)
{
	struct json *v = json_copy(e->c->arena, by);
	struct json *next = old->next;
	struct json *prev = list->first;

	if (!v)
		return NULL;
	while (prev != old && prev->next != old)
		prev = prev->next;
	if (prev == old)
		list->first = v;
	else
		prev->next = v;
	v->next = next;
	v->key = NULL;
	if (list->last == old)
		list->last = v;
	return v;
}

/* Refuses an update that changes whether the class depends on KNOWN or UNKNOWN: other classes may
 * depend on them by this one. */
static void check_dependency(struct edit *e, const struct config *made)
{
	const char *name = json_get_str(json_get(e->c->args, "client-classes")->first, "name");
	const struct config_class *before = find_class(e->cfg, name);
	const struct config_class *after = find_class(made, name);

	if (before && after && before->late != after->late)
		edit_refuse(e,
			    "modification of the class '%s' would affect its dependency on the "
			    "KNOWN and/or UNKNOWN built-in classes. Such modification is not "
			    "allowed because there may be other classes depending on those "
			    "built-ins via the updated class",
			    name);
}

void edit_class_update(struct edit *e)
{
	const struct json *v =
		read_class(e, "the first class definition is missing a mandatory 'name' parameter");
	const char *name = json_get_str(v, "name");
	struct json *list;
	struct json *old;
	struct json *by;

	if (v && !find_class(e->cfg, name))
		edit_empty(e, NULL, "Class '%s' is not found", name);
	if (e->ended)
		return;
	list = edit_tree_list(e, edit_tree(e), "client-classes");
	old = edit_find_text(list, "name", name);
	by = old ? replace_element(e, list, old, v) : NULL;
	if (!by) {
		edit_refuse(e, "out of memory");
		return;
	}
	/* a template stays one */
	if (json_get(old, "template-test") && !json_get(by, "template-test") &&
	    !json_get(by, "test"))
		(void)json_add(e->c->arena, by, "template-test",
			       json_copy(e->c->arena, json_get(old, "template-test")));
	e->check = check_dependency;
	edit_answer(e, NULL, "Class '%s' updated", name);
}

/* Returns the name of a class whose test names this one, or NULL. */
static const char *find_user(const struct config *cfg, const struct config_class *cls)
{
	for (size_t i = 0; i < cfg->n_classes; i++) {
		const struct config_class *k = &cfg->classes[i];

		if (k != cls &&
		    ((k->test && expr_names_class(k->test, cls->name)) ||
		     (k->template_test && expr_names_class(k->template_test, cls->name))))
			return k->name;
	}
	return NULL;
}

void edit_class_del(struct edit *e)
{
	const char *name = read_class_name(e);
	const struct config_class *cls = name ? find_class(e->cfg, name) : NULL;
	const char *user = cls ? find_user(e->cfg, cls) : NULL;
	struct json *list;

	if (e->ended)
		return;
	if (!cls) {
		edit_empty(e, NULL, "Class '%s' not found", name);
		return;
	}
	if (user) {
		edit_refuse(e, "Class '%s' is used by class '%s'", name, user);
		return;
	}
	list = edit_tree_list(e, edit_tree(e), "client-classes");
	if (list)
		json_unlink(list, edit_find_text(list, "name", name));
	edit_answer(e, NULL, "Class '%s' deleted", name);
}

/* --- Look-ups --------------------------------------------------------------------------------- */

void edit_class_get(struct edit *e)
{
	const char *name = read_class_name(e);
	const struct config_class *cls = name ? find_class(e->cfg, name) : NULL;
	struct json *node;

	if (e->ended)
		return;
	if (!cls) {
		edit_empty(e, NULL, "Class '%s' not found", name);
		return;
	}
	node = json_copy(e->c->arena, cls->node);
	if (!cls->only_additional) /* as Kea */
		json_remove(node, "only-in-additional-list");
	edit_answer(e, edit_list_of(e, "client-classes", node), "Class '%s' definition returned",
		    name);
}

void edit_class_list(struct edit *e)
{
	const struct config *cfg = e->cfg;
	struct arena *a = e->c->arena;
	struct json *list = json_list(a);
	struct json *m = json_map(a);

	for (size_t i = 0; i < cfg->n_classes; i++) {
		struct json *v = json_map(a);

		(void)json_add(a, v, "name", json_str(a, cfg->classes[i].name));
		(void)json_add(a, list, NULL, v);
	}
	(void)json_add(a, m, "client-classes", list);
	if (cfg->n_classes)
		edit_answer(e, m, "%zu class%s found", cfg->n_classes,
			    cfg->n_classes == 1 ? "" : "es");
	else
		edit_empty(e, m, "0 classes found");
}
