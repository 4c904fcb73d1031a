/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Access lists: a name, or a map of one member whose name is the kind, beside a comment. The depth
 * of the configuration bounds that of a list.
 */
#include "library/common/library.h"
#include "library/rbac/rbac.h"

#include "config/json/json.h"

#include <string.h>

static const struct rbac_list predefined[] = {{.kind = RBAC_ALL},
					      {.kind = RBAC_NONE},
					      {.kind = RBAC_ACCESS, .access = CONTROL_READ},
					      {.kind = RBAC_ACCESS, .access = CONTROL_WRITE}};
static const char *const predefined_names[] = {"ALL", "NONE", "READ", "WRITE"};

static const struct rbac_list *find_named(const struct rbac_reading *r, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(predefined_names); i++)
		if (strcmp(predefined_names[i], name) == 0)
			return &predefined[i];
	for (const struct rbac_named *n = r->named; n; n = n->next)
		if (strcmp(n->name, name) == 0)
			return n->list;
	return NULL;
}

/* --- Kinds ------------------------------------------------------------------------------------ */

/* Reads the name of an access right. */
static bool read_access(struct rbac_reading *r, const struct json *v, struct rbac_list *l)
{
	bool writes = v->type == JSON_STRING && strcmp(v->s, "write") == 0;

	l->access = writes ? CONTROL_WRITE : CONTROL_READ;
	if (writes || (v->type == JSON_STRING && strcmp(v->s, "read") == 0))
		return true;
	library_problem(r->p, &v->pos, "'access' must be \"read\" or \"write\"");
	return false;
}

static bool read_hook(struct rbac_reading *r, const struct json *v, struct rbac_list *l)
{
	if (v->type != JSON_STRING) {
		library_problem(r->p, &v->pos,
				"'hook' must be the name of a hook library, or \"\"");
		return false;
	}
	if (!rbac_knows_hook(r->catalogue, v->s)) {
		library_problem(r->p, &v->pos,
				"no known command is of the hook '%.64s'; 'commands' can describe "
				"one",
				v->s);
		return false;
	}
	l->hook = v->s;
	return true;
}

static bool read_command_names(struct rbac_reading *r, const struct json *v, struct rbac_list *l)
{
	size_t before = r->p->n;

	l->names = v;
	if (v->type != JSON_LIST)
		library_problem(r->p, &v->pos, "'%s' must be a list of names", v->key);
	for (const struct json *n = v->type == JSON_LIST ? v->first : NULL; n; n = n->next) {
		if (n->type != JSON_STRING)
			library_problem(r->p, &n->pos, "the name of a command must be a string");
		else if (!rbac_find_command(r->catalogue, n->s))
			library_problem(r->p, &n->pos,
					"unknown command '%.64s'; 'commands' can describe it",
					n->s);
	}
	return r->p->n == before;
}

/* Reads the parts of a list, in their order. */
static bool read_parts(struct rbac_reading *r, const struct json *v, struct rbac_list *l)
{
	const struct rbac_list **end = &l->first;

	if (v->type != JSON_LIST) {
		library_problem(r->p, &v->pos, "'%s' must be a list of access lists", v->key);
		return false;
	}
	for (const struct json *part = v->first; part; part = part->next) {
		const struct rbac_list *read = rbac_read_list(r, part);
		struct rbac_list *own = read ? arena_memdup(r->arena, read, sizeof(*read)) : NULL;

		if (!own)
			return false;
		own->next = NULL;
		*end = own;
		end = &own->next;
	}
	return true;
}

static bool read_opposite(struct rbac_reading *r, const struct json *v, struct rbac_list *l)
{
	l->first = rbac_read_list(r, v);
	return l->first != NULL;
}

static const struct {
	const char *name;
	enum rbac_kind kind;
	bool (*read)(struct rbac_reading *r, const struct json *v, struct rbac_list *l);
} kinds[] = {{"not", RBAC_NOT, read_opposite},
	     {"and", RBAC_AND, read_parts},
	     {"or", RBAC_OR, read_parts},
	     {"command", RBAC_NAMES, read_command_names},
	     {"commands", RBAC_NAMES, read_command_names},
	     {"access", RBAC_ACCESS, read_access},
	     {"hook", RBAC_HOOK, read_hook}};

static const struct json *skip_comment(const struct json *v)
{
	while (v && strcmp(v->key, "comment") == 0)
		v = v->next;
	return v;
}

static const struct rbac_list *read_map(struct rbac_reading *r, const struct json *m)
{
	struct rbac_list *l = arena_new(r->arena, struct rbac_list);
	const struct json *v = skip_comment(m->first);
	size_t i = 0;

	if (!v || skip_comment(v->next) || !l) {
		library_problem(r->p, &m->pos, "an access list is a name, or a map of one member");
		return NULL;
	}
	while (i < ARRAY_LEN(kinds) && strcmp(kinds[i].name, v->key) != 0)
		i++;
	if (i == ARRAY_LEN(kinds)) {
		library_problem(r->p, &v->key_pos,
				"unknown kind of access list '%.64s', the kinds are not, and, or, "
				"commands, access and hook",
				v->key);
		return NULL;
	}
	l->kind = kinds[i].kind;
	return kinds[i].read(r, v, l) ? l : NULL;
}

const struct rbac_list *rbac_read_list(struct rbac_reading *r, const struct json *v)
{
	const struct rbac_list *l;

	if (!v)
		return NULL;
	if (v->type == JSON_MAP)
		return read_map(r, v);
	l = v->type == JSON_STRING ? find_named(r, v->s) : NULL;
	if (!l)
		library_problem(r->p, &v->pos,
				"'%.64s' is no access list: ALL, NONE, READ, WRITE, a name of "
				"'access-control-lists' before it, or a map",
				v->type == JSON_STRING ? v->s : "");
	return l;
}

void rbac_read_named(struct rbac_reading *r, const struct json *definitions)
{
	for (const struct json *m =
		     definitions && definitions->type == JSON_LIST ? definitions->first : NULL;
	     m; m = m->next) {
		struct rbac_named *n = arena_new(r->arena, struct rbac_named);
		const struct json *v = m->type == JSON_MAP ? m->first : NULL;

		if (!n || !v || v->next || !v->key[0]) {
			library_problem(
				r->p, &m->pos,
				"a definition is a map of one member: the name and its access list");
			continue;
		}
		if (find_named(r, v->key))
			library_problem(r->p, &v->key_pos, "access list '%.64s' is defined already",
					v->key);
		*n = (struct rbac_named){v->key, rbac_read_list(r, v), r->named};
		if (n->list)
			r->named = n;
	}
}

/* --- Matching --------------------------------------------------------------------------------- */

static bool has_command_name(const struct json *names, const char *name)
{
	for (const struct json *v = names->first; v; v = v->next)
		if (strcmp(v->s, name) == 0)
			return true;
	return false;
}

/* Returns whether all parts match, or, with any, whether one does. */
static bool match_parts(const struct rbac_list *l, const struct rbac_asked *c, bool any)
{
	for (const struct rbac_list *part = l->first; part; part = part->next)
		if (rbac_matches(part, c) == any)
			return any;
	return !any;
}

bool rbac_matches(const struct rbac_list *l, const struct rbac_asked *c)
{
	switch (l->kind) {
	case RBAC_ALL:
		return true;
	case RBAC_NONE:
		return false;
	case RBAC_ACCESS:
		return c->access == (int)l->access;
	case RBAC_NAMES:
		return has_command_name(l->names, c->name);
	case RBAC_HOOK:
		return c->hook && strcmp(c->hook, l->hook) == 0;
	case RBAC_NOT:
		return !rbac_matches(l->first, c);
	case RBAC_AND:
		return match_parts(l, c, false);
	case RBAC_OR:
		return match_parts(l, c, true);
	}
	return false;
}
