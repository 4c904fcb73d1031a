/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Answers and arguments of the commands that edit the configuration.
 */
#include "server/edit/edit.h"

#include "base/arena.h"
#include "config/json/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* --- Answers ---------------------------------------------------------------------------------- */

static void set_answer(struct edit *e, int result, struct json *arguments, const char *fmt,
		       va_list ap)
{
	struct arena *a = e->c->arena;
	struct json *m = json_map(a);
	char text[1024];

	(void)vsnprintf(text, sizeof(text), fmt, ap);
	(void)json_add(a, m, "result", json_int(a, result));
	(void)json_add(a, m, "text", json_str(a, text));
	if (arguments)
		(void)json_add(a, m, "arguments", arguments);
	e->answer = m;
}

void edit_refuse(struct edit *e, const char *fmt, ...)
{
	va_list ap;

	if (e->ended)
		return;
	va_start(ap, fmt);
	set_answer(e, CONTROL_ERROR, NULL, fmt, ap);
	va_end(ap);
	e->ended = true;
}

void edit_empty(struct edit *e, struct json *arguments, const char *fmt, ...)
{
	va_list ap;

	if (e->ended)
		return;
	va_start(ap, fmt);
	set_answer(e, CONTROL_EMPTY, arguments, fmt, ap);
	va_end(ap);
	e->ended = true;
}

void edit_answer(struct edit *e, struct json *arguments, const char *fmt, ...)
{
	va_list ap;

	if (e->ended)
		return;
	va_start(ap, fmt);
	set_answer(e, CONTROL_OK, arguments, fmt, ap);
	va_end(ap);
}

struct json *edit_list_of(struct edit *e, const char *name, struct json *element)
{
	struct arena *a = e->c->arena;
	struct json *list = json_list(a);
	struct json *m = json_map(a);

	(void)json_add(a, list, NULL, element);
	(void)json_add(a, m, name, list);
	return m;
}

/* --- Arguments -------------------------------------------------------------------------------- */

const struct json *edit_arguments(struct edit *e)
{
	if (!e->c->args)
		edit_refuse(e, "no arguments specified for the '%s' command", e->c->name);
	return e->ended ? NULL : e->c->args;
}

const struct json *edit_some_arguments(struct edit *e)
{
	if (!e->c->args)
		edit_refuse(e, "invalid command '%s': no arguments specified", e->c->name);
	else if (!e->c->args->count)
		edit_refuse(e, "invalid command '%s': 'arguments' is empty", e->c->name);
	return e->ended ? NULL : e->c->args;
}

const struct json *edit_one_element(struct edit *e, const char *name, const char *what, bool alone)
{
	const struct json *args = e->c->args;
	const struct json *list = json_get(args, name);
	const char *command = e->c->name;

	if (alone && args->count != 1)
		edit_refuse(e,
			    "invalid number of arguments %zu for the '%s' command. Expecting '%s' "
			    "list",
			    args->count, command, name);
	else if (!list)
		edit_refuse(e, "missing '%s' argument for the '%s' command", name, command);
	else if (list->type != JSON_LIST)
		edit_refuse(e, "'%s' argument specified for the '%s' command is not a list", name,
			    command);
	else if (list->count != 1)
		edit_refuse(
			e, "invalid number of %s%s specified for the '%s' command. Expected one %s",
			what, strcmp(what, "class") == 0 ? "es" : "s", command, what);
	else if (list->first->type != JSON_MAP)
		edit_refuse(e,
			    strcmp(what, "class") == 0
				    ? "invalid class definition specified for the '%s' command. "
				      "Expected a map"
				    : "invalid %2$s information specified for the '%1$s' command. "
				      "Expected a map",
			    command, what);
	return e->ended ? NULL : list->first;
}

/* --- Trees ------------------------------------------------------------------------------------ */

struct json *edit_tree(struct edit *e)
{
	const struct json *tree = config_effective(e->cfg);

	e->root = tree ? json_copy(e->c->arena, tree) : NULL;
	if (!e->root)
		edit_refuse(e, "out of memory");
	return json_get(e->root, "Dhcp4");
}

struct json *edit_tree_list(struct edit *e, struct json *map, const char *name)
{
	struct json *list = json_get(map, name);

	if (!list)
		list = json_add(e->c->arena, map, name, json_list(e->c->arena));
	if (!list)
		edit_refuse(e, "out of memory");
	return list;
}

struct json *edit_find_text(const struct json *list, const char *key, const char *text)
{
	for (struct json *v = list ? list->first : NULL; v; v = v->next) {
		const char *s = json_get_str(v, key);

		if (s && strcmp(s, text) == 0)
			return v;
	}
	return NULL;
}

struct json *edit_find_id(const struct json *list, int64_t id)
{
	for (struct json *v = list ? list->first : NULL; v; v = v->next) {
		int64_t its;

		if (json_get_int(v, "id", &its) && its == id)
			return v;
	}
	return NULL;
}
