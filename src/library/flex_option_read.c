/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The parameters of flex_option: a list of options, each with one action or with sub-options.
 */
#include "library/flex_option.h"

#include "config/config.h"
#include "config/config_defs.h"
#include "wire/option_codes.h"
#include "wire/option_def.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRIES_MAX = 1024 };

static const char *const actions[] =
	{[FLEX_ADD] = "add", [FLEX_SUPERSEDE] = "supersede", [FLEX_REMOVE] = "remove"};

struct reading {
	struct library_problems *p;
	const struct config *cfg;
	struct flex_option *f;
};

/* Checks the members of an option or sub-option. Returns false after a report. */
static bool is_map_of(struct reading *r, const struct json *v, const struct library_key *keys,
		      size_t n)
{
	if (v->type == JSON_MAP)
		return library_check_keys(r->p, v, keys, n);
	library_problem(r->p, &v->pos, "an option or sub-option must be a map");
	return false;
}

/* --- The option ------------------------------------------------------------------------------- */

static uint32_t enterprise_of(const char *space)
{
	unsigned id;
	char end;

	return sscanf(space, "vendor-%u%c", &id, &end) == 1 ? id : 0;
}

/* Reads code and name, of which one is enough. Returns false after a report. */
static bool read_identity(struct reading *r, const struct json *v, const char *space,
			  uint32_t *ret_code, const struct option_def **ret_def)
{
	const struct json *code = json_get(v, "code"), *name = json_get(v, "name");
	bool top = strcmp(space, OPTION_SPACE_DHCP4) == 0;
	const struct option_def *def = NULL;

	if (!code && !name) {
		library_problem(r->p, &v->pos, "an option needs a 'code' or a 'name'");
		return false;
	}
	if (code && (code->i < 0 || code->i > 255 || (top && (code->i == 0 || code->i == 255)))) {
		library_problem(r->p, &code->pos, "'code' must be %s",
				top ? "1 to 254" : "0 to 255");
		return false;
	}
	if (name)
		def = option_defs_by_name(r->cfg->defs, space, name->s);
	if (name && !def) {
		library_problem(r->p, &name->pos, "unknown option '%.64s' in space '%.64s'",
				name->s, space);
		return false;
	}
	if (name && code && def->code != (uint32_t)code->i) {
		library_problem(r->p, &code->pos, "option '%.64s' has the code %u", name->s,
				def->code);
		return false;
	}
	*ret_code = def ? def->code : (uint32_t)code->i;
	*ret_def = def ? def : option_defs_by_code(r->cfg->defs, space, *ret_code);
	return true;
}

/* Reads the one action of an option. Returns false after a report. */
static bool read_action(struct reading *r, const struct json *v, struct flex_entry *e)
{
	const struct json *found = NULL;

	for (int i = FLEX_ADD; i <= FLEX_REMOVE; i++) {
		const struct json *text = json_get(v, actions[i]);

		if (!text)
			continue;
		if (found) {
			library_problem(
				r->p, &text->key_pos,
				"one of 'add', 'supersede' and 'remove' is expected, not two");
			return false;
		}
		found = text;
		e->action = (enum flex_action)i;
	}
	if (!found) {
		library_problem(r->p, &v->pos,
				"an option needs an action: 'add', 'supersede' or 'remove'");
		return false;
	}
	if (!found->n) {
		library_problem(r->p, &found->pos, "'%s' must not be empty", found->key);
		return false;
	}
	e->expr = library_expr(r->p, r->cfg, found, e->action == FLEX_REMOVE, &r->f->arena);
	return e->expr != NULL;
}

static void read_common(struct reading *r, const struct json *v, struct flex_entry *e)
{
	const struct json *csv = json_get(v, "csv-format");
	const char *class_name = json_get_str(v, "client-class");

	e->csv = csv && csv->b;
	if (class_name)
		e->client_class = arena_strdup(&r->f->arena, class_name);
	if (e->csv && !e->def)
		library_problem(r->p, &csv->pos, "'csv-format' needs an option with a definition");
}

static void add_entry(struct reading *r, const struct json *v, const struct flex_entry *e)
{
	if (r->f->n == ENTRIES_MAX) {
		library_problem(r->p, &v->pos, "at most %d options", ENTRIES_MAX);
		return;
	}
	r->f->entries[r->f->n] = *e;
	r->f->entries[r->f->n].order = r->f->n;
	r->f->n++;
}

/* --- Sub-options ------------------------------------------------------------------------------ */

/* Returns the space of a sub-option, or NULL after a report. */
static const char *sub_space(struct reading *r, const struct json *v, const struct flex_entry *top)
{
	const struct json *space = json_get(v, "space");
	const char *name = space ? space->s : top->def ? top->def->encapsulate : "";

	if (!*name) {
		library_problem(r->p, &v->pos,
				"option %u contains no option space: the sub-option needs 'space'",
				top->code);
		return NULL;
	}
	if (enterprise_of(name) ? top->code != DHCP4_OPT_VIVSO_SUBOPTIONS
				: !option_defs_has_space(r->cfg->defs, name)) {
		library_problem(r->p, space ? &space->pos : &v->pos,
				"'%.64s' is no option space of option %u", name, top->code);
		return NULL;
	}
	return name;
}

/* Returns whether the sub-option has an entry already. */
static bool has_sub(const struct flex_option *f, const struct flex_entry *e)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->entries[i].is_sub && f->entries[i].code == e->code &&
		    f->entries[i].sub_code == e->sub_code &&
		    f->entries[i].enterprise == e->enterprise)
			return true;
	return false;
}

static void read_sub(struct reading *r, const struct json *v, const struct flex_entry *top)
{
	static const struct library_key keys[] = {{"code", JSON_INT},
						  {"name", JSON_STRING},
						  {"space", JSON_STRING},
						  {"csv-format", JSON_BOOL},
						  {"add", JSON_STRING},
						  {"supersede", JSON_STRING},
						  {"remove", JSON_STRING},
						  {"container-add", JSON_BOOL},
						  {"container-remove", JSON_BOOL},
						  {"client-class", JSON_STRING},
						  {"comment", JSON_STRING}};
	struct flex_entry e = *top;
	bool flag;
	const char *space;

	if (!is_map_of(r, v, keys, ARRAY_LEN(keys)))
		return;
	space = sub_space(r, v, top);
	if (!space || !read_identity(r, v, space, &e.sub_code, &e.def) || !read_action(r, v, &e))
		return;
	e.is_sub = true;
	e.enterprise = enterprise_of(space);
	e.container_class = top->client_class;
	e.client_class = NULL;
	e.no_container = json_get_bool(v, "container-add", &flag) && !flag;
	e.keep_container = json_get_bool(v, "container-remove", &flag) && !flag;
	read_common(r, v, &e);
	if (has_sub(r->f, &e))
		library_problem(r->p, &v->pos, "sub-option %u of option %u is there already",
				e.sub_code, e.code);
	else
		add_entry(r, v, &e);
}

/* --- The list --------------------------------------------------------------------------------- */

/* Reads the message of a "source" or "destination": whether it is the response. */
static bool is_response(struct reading *r, const struct json *v, const char *key, bool dflt)
{
	const struct json *word = json_get(v, key);

	if (!word)
		return dflt;
	if (strcmp(word->s, "query") != 0 && strcmp(word->s, "response") != 0)
		library_problem(r->p, &word->pos, "'%s' is \"query\" or \"response\"", key);
	return strcmp(word->s, "response") == 0;
}

/* Returns the sub-options of an option, NULL if it has an action instead. */
static const struct json *sub_list(struct reading *r, const struct json *v)
{
	const struct json *list = json_get(v, "sub-options");

	for (size_t i = 0; list && i < ARRAY_LEN(actions); i++)
		if (json_get(v, actions[i]))
			library_problem(r->p, &json_get(v, actions[i])->key_pos,
					"'%s' and 'sub-options' exclude one another", actions[i]);
	return list;
}

static void read_option(struct reading *r, const struct json *v)
{
	static const struct library_key keys[] = {{"code", JSON_INT},
						  {"name", JSON_STRING},
						  {"space", JSON_STRING},
						  {"csv-format", JSON_BOOL},
						  {"add", JSON_STRING},
						  {"supersede", JSON_STRING},
						  {"remove", JSON_STRING},
						  {"sub-options", JSON_LIST},
						  {"client-class", JSON_STRING},
						  {"source", JSON_STRING},
						  {"destination", JSON_STRING},
						  {"comment", JSON_STRING}};
	struct flex_entry e = {0};
	const struct json *space = json_get(v, "space"), *subs;
	uint32_t code;

	if (!is_map_of(r, v, keys, ARRAY_LEN(keys)))
		return;
	if (space && strcmp(space->s, OPTION_SPACE_DHCP4) != 0) {
		library_problem(r->p, &space->pos, "options of a message are of space 'dhcp4'");
		return;
	}
	if (!read_identity(r, v, OPTION_SPACE_DHCP4, &code, &e.def))
		return;
	e.code = (uint8_t)code;
	e.from_response = is_response(r, v, "source", false);
	e.to_query = !is_response(r, v, "destination", true);
	if (e.to_query && e.from_response)
		library_problem(r->p, &json_get(v, "source")->pos,
				"a query is changed before there is a response");
	subs = sub_list(r, v);
	read_common(r, v, &e);
	for (const struct json *s = subs ? subs->first : NULL; s; s = s->next)
		read_sub(r, s, &e);
	if (!subs && read_action(r, v, &e))
		add_entry(r, v, &e);
}

static int by_code(const void *a, const void *b)
{
	const struct flex_entry *x = a, *y = b;

	if (x->code != y->code)
		return x->code < y->code ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

void flex_option_parse(struct library_problems *p, const struct config *cfg,
		       const struct json *parameters, void *record)
{
	static const struct library_key keys[] = {{"options", JSON_LIST}};
	struct reading r = {p, cfg, record};
	const struct json *list = json_get(parameters, "options");

	if (!library_check_keys(p, parameters, keys, ARRAY_LEN(keys)))
		return;
	if (!list) {
		library_problem(p, parameters ? &parameters->pos : NULL,
				"the parameter 'options' is missing: a list");
		return;
	}
	r.f->entries = arena_array(&r.f->arena, struct flex_entry, ENTRIES_MAX);
	for (const struct json *v = list->first; v && r.f->entries; v = v->next)
		read_option(&r, v);
	if (r.f->n)
		qsort(r.f->entries, r.f->n, sizeof(r.f->entries[0]), by_code);
}
