/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The parameters of rbac: the method that assigns roles, and the roles.
 */
#include "library/common/library.h"
#include "library/rbac/rbac.h"

#include "config/json/json.h"

#include <string.h>

static const char *const methods[RBAC_METHODS] = {[RBAC_ADDRESS] = "remote-address",
						  [RBAC_SUBJECT] = "cert-subject",
						  [RBAC_ISSUER] = "cert-issuer",
						  [RBAC_USER] = "basic-authentication",
						  [RBAC_CUSTOM] = "custom-value"};

/* Reads a member that is one of two words; *second: it is the second one. An absent one stays. */
static void read_choice(struct library_problems *p, const struct json *m, const char *key,
			const char *const words[2], bool *second)
{
	const struct json *v = json_get(m, key);

	if (!v || v->type != JSON_STRING)
		return; /* of another type: reported */
	*second = strcmp(v->s, words[1]) == 0;
	if (!*second && strcmp(v->s, words[0]) != 0)
		library_problem(p, &v->pos, "'%s' must be \"%s\" or \"%s\"", key, words[0],
				words[1]);
}

static void read_filters(struct library_problems *p, const struct json *list,
			 struct rbac_role *role)
{
	for (const struct json *v = list && list->type == JSON_LIST ? list->first : NULL; v;
	     v = v->next) {
		bool known = v->type == JSON_STRING && strcmp(v->s, "list-commands") == 0;

		role->filters_list |= known;
		if (!known)
			library_problem(p, &v->pos,
					"unknown response filter: there is \"list-commands\"");
	}
}

/* Reads a role. named: it has a name; else it is default-role or unknown-role. */
static void read_role(struct rbac_reading *r, const struct json *m, bool named,
		      struct rbac_role *role)
{
	static const struct library_key keys[] = {{"name", JSON_STRING},
						  {"accept-commands", JSON_NULL},
						  {"reject-commands", JSON_NULL},
						  {"other-commands", JSON_STRING},
						  {"list-match-first", JSON_STRING},
						  {"response-filters", JSON_LIST},
						  {"comment", JSON_STRING}};
	static const char *const others[2] = {"reject", "accept"}, *const first[2] = {"accept",
										      "reject"};
	const char *name = json_get_str(m, "name");

	for (const struct json *v = m->first; v; v = v->next) {
		size_t i = 0;

		while (i < ARRAY_LEN(keys) && strcmp(keys[i].name, v->key) != 0)
			i++;
		if (i == ARRAY_LEN(keys) || (i == 0 && !named))
			library_problem(r->p, &v->key_pos, "unknown member '%.64s' of a role",
					v->key);
		else if (keys[i].type != JSON_NULL && keys[i].type != v->type)
			library_problem(r->p, &v->pos, "'%s' of a role has another type", v->key);
	}
	if (named && (!name || !name[0]))
		library_problem(r->p, &m->pos, "a role must have a 'name' that is not empty");
	if (named)
		role->name = name ? name : "";
	role->accept = rbac_read_list(r, json_get(m, "accept-commands"));
	role->reject = rbac_read_list(r, json_get(m, "reject-commands"));
	read_choice(r->p, m, "other-commands", others, &role->others_pass);
	read_choice(r->p, m, "list-match-first", first, &role->reject_first);
	read_filters(r->p, json_get(m, "response-filters"), role);
}

static void read_roles(struct rbac_reading *r, const struct json *list, struct rbac *ret)
{
	for (const struct json *m = list && list->type == JSON_LIST ? list->first : NULL; m;
	     m = m->next) {
		struct rbac_role *role = arena_new(r->arena, struct rbac_role);

		if (!role || m->type != JSON_MAP) {
			library_problem(r->p, &m->pos, "a role must be a map");
			continue;
		}
		read_role(r, m, true, role);
		for (const struct rbac_role *k = ret->roles; k; k = k->next)
			if (strcmp(k->name, role->name) == 0)
				library_problem(r->p, &m->pos, "role '%.64s' is defined already",
						role->name);
		role->next = ret->roles;
		ret->roles = role;
	}
}

static void read_method(struct library_problems *p, const struct json *parameters, struct rbac *ret)
{
	const struct json *v = json_get(parameters, "assign-role-method");
	int i = 0;

	if (!v || v->type != JSON_STRING) {
		library_problem(p,
				v	     ? &v->pos
				: parameters ? &parameters->pos
					     : p->at,
				"it needs 'assign-role-method', a string");
		return;
	}
	while (i < RBAC_METHODS && strcmp(methods[i], v->s) != 0)
		i++;
	if (i == RBAC_METHODS)
		library_problem(p, &v->pos,
				"'assign-role-method' must be remote-address, cert-subject, "
				"cert-issuer, basic-authentication or custom-value");
	else
		ret->method = (enum rbac_method)i;
	ret->require_tls = i == RBAC_SUBJECT || i == RBAC_ISSUER;
}

void rbac_read(struct library_problems *p, const struct json *parameters, struct rbac *ret)
{
	static const struct library_key keys[] = {{"assign-role-method", JSON_STRING},
						  {"api-files", JSON_STRING},
						  {"require-tls", JSON_BOOL},
						  {"commands", JSON_LIST},
						  {"access-control-lists", JSON_LIST},
						  {"roles", JSON_LIST},
						  {"default-role", JSON_MAP},
						  {"unknown-role", JSON_MAP},
						  {"comment", JSON_STRING}};
	struct json *own = parameters ? json_copy(&ret->arena, parameters) : NULL;
	struct rbac_reading r = {.p = p, .arena = &ret->arena, .catalogue = &ret->catalogue};
	const struct json *v;

	ret->nobody.name = "default";
	ret->unknown.name = "unknown";
	(void)library_check_keys(p, own, keys, ARRAY_LEN(keys));
	read_method(p, own, ret);
	(void)json_get_bool(own, "require-tls", &ret->require_tls);
	rbac_read_catalogue(p, json_get(own, "api-files"), json_get(own, "commands"), &ret->arena,
			    &ret->catalogue);
	rbac_read_named(&r, json_get(own, "access-control-lists"));
	read_roles(&r, json_get(own, "roles"), ret);
	v = json_get(own, "default-role");
	if (v && v->type == JSON_MAP)
		read_role(&r, v, false, &ret->nobody);
	v = json_get(own, "unknown-role");
	if (v && v->type == JSON_MAP)
		read_role(&r, v, false, &ret->unknown);
}
