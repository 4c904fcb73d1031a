/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Option definitions of the operator (option-def), global and of classes, and the look-up, which
 * prefers them to the standard ones. A definition may not contradict a standard one, nor itself.
 */
#include "config/config_defs.h"

#include "base/error.h"

#include <ctype.h>

enum { SPACE_MAX = 128, KEY_MAX = 2 * SPACE_MAX + 8 };

/* Makes the key of a definition: space NUL code, or space NUL name. A key that is too long is never
 * found. */
static struct span make_key(const char *space, const void *rest, size_t n, uint8_t out[KEY_MAX])
{
	size_t len = strlen(space) + 1;

	if (len + n > KEY_MAX)
		return SPAN_NULL;
	memcpy(out, space, len);
	memcpy(out + len, rest, n);
	return span_of(out, len + n);
}

static struct span code_key(const char *space, uint32_t code, uint8_t out[KEY_MAX])
{
	return make_key(space, &code, sizeof(code), out);
}

const struct option_def *option_defs_by_code(const struct option_defs *d, const char *space,
					     uint32_t code)
{
	uint8_t key[KEY_MAX];
	uint32_t i;

	if (d && d->n && config_map_get(&d->by_code, code_key(space, code, key), &i))
		return &d->items[i];
	return option_def_by_code(space, code);
}

const struct option_def *option_defs_by_name(const struct option_defs *d, const char *space,
					     const char *name)
{
	uint8_t key[KEY_MAX];
	uint32_t i;

	if (d && d->n && config_map_get(&d->by_name, make_key(space, name, strlen(name), key), &i))
		return &d->items[i];
	return option_def_by_name(space, name);
}

bool option_defs_has_space(const struct option_defs *d, const char *space)
{
	const struct option_def *def;
	uint32_t i;

	if (d && config_map_get(&d->spaces, span_str(space), &i))
		return true;
	for (size_t n = 0; (def = option_def_at(n)) != NULL; n++)
		if (strcmp(def->space, space) == 0 || strcmp(def->encapsulate, space) == 0)
			return true;
	return strcmp(space, OPTION_SPACE_RAI) == 0 || strcmp(space, OPTION_SPACE_VENDOR) == 0;
}

/* --- one definition --------------------------------------------------------------------------- */

bool option_name_valid(const char *s)
{
	size_t n = strlen(s);

	if (!n || n > SPACE_MAX || !isalnum((unsigned char)s[0]) ||
	    !isalnum((unsigned char)s[n - 1]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && s[i] != '-' && s[i] != '_')
			return false;
	return true;
}

static int check_names(struct load *l, const struct json *node)
{
	static const char *const keys[] = {"name", "space", "encapsulate"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct json *v = json_get(node, keys[i]);

		if (v->n == 0 && i == 2)
			continue;
		if (!option_name_valid(v->s))
			return load_fail(l, v,
					 "'%s' is '%.64s', expected letters, digits, '-' and '_'",
					 keys[i], v->s);
	}
	return 0;
}

static bool repeats(enum option_type t)
{
	return t != OPTION_EMPTY && t != OPTION_BINARY && t != OPTION_STRING;
}

static int parse_type(struct load *l, const struct json *at, const char *name,
		      enum option_type *ret)
{
	if (option_type_parse(name, ret) < 0 || *ret == OPTION_INTERNAL)
		return load_fail(l, at, "unknown option type '%.32s'", name);
	return 0;
}

/* Parses the fields of a record: "uint8, string". */
static int parse_record(struct load *l, const struct json *at, struct option_def *d)
{
	const char *s = at->s;

	while (*s) {
		size_t n = strcspn(s, ",");
		char name[32] = "";
		enum option_type t;
		size_t len = 0;

		for (size_t i = 0; i < n && len < sizeof(name) - 1; i++)
			if (s[i] != ' ' && s[i] != '\t')
				name[len++] = s[i];
		if (parse_type(l, at, name, &t) < 0)
			return -USHER_E_CONFIG;
		if (t == OPTION_RECORD || t == OPTION_EMPTY)
			return load_fail(l, at, "a record cannot hold a field of type '%s'", name);
		if (d->n_record && !repeats((enum option_type)d->record[d->n_record - 1]))
			return load_fail(
				l, at, "only the last field of a record may be a string or binary");
		if (d->n_record == OPTION_RECORD_MAX)
			return load_fail(l, at, "a record has at most %d fields",
					 OPTION_RECORD_MAX);
		d->record[d->n_record++] = (uint8_t)t;
		s += n + (s[n] == ',');
	}
	if (d->n_record < 2)
		return load_fail(l, at, "a record needs at least two fields in 'record-types'");
	return 0;
}

static int check_array(struct load *l, const struct json *node, const struct option_def *d)
{
	enum option_type last = d->n_record ? (enum option_type)d->record[d->n_record - 1]
					    : d->type;

	if (!(d->flags & OPTION_F_ARRAY))
		return 0;
	if (!repeats(last))
		return load_fail(l, json_get(node, "array"),
				 "values of type %s cannot form an array", option_type_name(last));
	if (*d->encapsulate)
		return load_fail(l, json_get(node, "array"),
				 "an array cannot encapsulate an option space");
	return 0;
}

static int check_encapsulate(struct load *l, const struct json *node, const struct option_def *d)
{
	if (*d->encapsulate && strcmp(d->encapsulate, d->space) == 0)
		return load_fail(l, json_get(node, "encapsulate"),
				 "an option cannot encapsulate its own space");
	return 0;
}

static int build_def(struct load *l, const struct json *node, struct option_def *d)
{
	const struct json *type = json_get(node, "type");
	const struct json *record = json_get(node, "record-types");
	const struct json *code = json_get(node, "code");
	int r = check_names(l, node);

	if (r < 0)
		return r;
	*d = (struct option_def){
		.code = (uint32_t)code->i,
		.name = load_str(node, "name", ""),
		.space = load_str(node, "space", ""),
		.flags = load_bool(node, "array") ? OPTION_F_ARRAY : 0,
		.encapsulate = load_str(node, "encapsulate", ""),
		.rfc = "",
	};
	if ((d->code == 0 || d->code == 255) && strcmp(d->space, OPTION_SPACE_DHCP4) == 0)
		return load_fail(l, code, "option code %u is reserved", d->code);
	r = parse_type(l, type, type->s, &d->type);
	if (r == 0 && d->type == OPTION_RECORD)
		r = parse_record(l, record, d);
	else if (r == 0 && record->n)
		return load_fail(l, record, "'record-types' is for options of type record");
	if (r == 0)
		r = check_array(l, node, d);
	d->codec = option_codec_of(d->space, d->code, d->type);
	return r < 0 ? r : check_encapsulate(l, node, d);
}

/* --- global ----------------------------------------------------------------------------------- */

/* Returns whether Kea 2.2 or 2.4 has no definition of a standard option, so that configurations
 * have their own. */
static bool is_recent(uint32_t code)
{
	static const uint8_t recent[] = {121, 122, 143, 151, 152, 153, 154, 155, 156, 157, 162};

	return code < 256 && memchr(recent, (int)code, sizeof(recent)) != NULL;
}

/* Returns whether the operator may define a standard option: 43 and the site's own 224 to 254. */
static bool may_define(uint32_t code)
{
	return code == 43 || (code >= 224 && code <= 254);
}

static int check_standard(struct load *l, const struct json *node, const struct option_def *d)
{
	const struct option_def *std = option_def_by_code(d->space, d->code);

	if (strcmp(d->space, OPTION_SPACE_DHCP4) != 0)
		return 0;
	if (std && !may_define(d->code) && !is_recent(d->code))
		return load_fail(l, json_get(node, "code"),
				 "option %u is defined by the standard as '%s'", d->code,
				 std->name);
	std = option_def_by_name(d->space, d->name);
	if (std && std->code != d->code && !is_recent(std->code))
		return load_fail(l, json_get(node, "name"),
				 "'%s' is the standard name of option %u", d->name, std->code);
	return 0;
}

static int index_def(struct load *l, const struct json *node, struct option_defs *defs, uint32_t i)
{
	const struct option_def *d = &defs->items[i];
	uint8_t key[KEY_MAX];
	uint32_t old;
	int r = config_map_put(&defs->by_code, l->a, code_key(d->space, d->code, key), i, &old);

	if (r == 0)
		return load_fail(l, json_get(node, "code"),
				 "option %u in space '%s' is already defined at %s", d->code,
				 d->space, load_place(l, defs->nodes[old]));
	if (r > 0)
		r = config_map_put(&defs->by_name, l->a,
				   make_key(d->space, d->name, strlen(d->name), key), i, &old);
	if (r == 0)
		return load_fail(l, json_get(node, "name"),
				 "option '%s' in space '%s' is already defined at %s", d->name,
				 d->space, load_place(l, defs->nodes[old]));
	if (r > 0)
		r = config_map_put(&defs->spaces, l->a, span_str(d->space), 0, &old);
	if (r >= 0 && *d->encapsulate)
		r = config_map_put(&defs->spaces, l->a, span_str(d->encapsulate), 0, &old);
	return r < 0 ? load_no_memory(l) : 0;
}

/* Keeps a definition that was refused, so that options that need it cause no further problems. */
static int note_refused(struct load *l, const struct json *node, struct option_defs *defs)
{
	const char *space = load_str(node, "space", "");
	const char *name = load_str(node, "name", "");
	uint8_t key[KEY_MAX];
	uint32_t old;

	defs->unsure |= node->refused || json_get(node, "space")->refused;
	if (config_map_put(&defs->refused, l->a, make_key(space, name, strlen(name), key), 0,
			   &old) < 0 ||
	    config_map_put(&defs->refused, l->a, code_key(space, load_u32(node, "code", 0), key), 0,
			   &old) < 0 ||
	    config_map_put(&defs->spaces, l->a, span_str(space), 0, &old) < 0 ||
	    config_map_put(&defs->spaces, l->a, span_str(load_str(node, "encapsulate", "")), 0,
			   &old) < 0)
		return load_no_memory(l);
	return 0;
}

bool option_defs_refused(const struct option_defs *d, const char *space, const char *name,
			 uint32_t code)
{
	uint8_t key[KEY_MAX];
	uint32_t i;

	if (d->unsure || config_map_get(&d->refused,
					name ? make_key(space, name, strlen(name), key)
					     : code_key(space, code, key),
					&i))
		return true;
	/* a definition whose name or code was refused stands for all names or codes of its space */
	return config_map_get(&d->refused,
			      name ? make_key(space, "", 0, key) : code_key(space, 0, key), &i);
}

int load_defs(struct load *l)
{
	const struct json *list = json_get(l->dhcp4, "option-def");
	struct option_defs *defs = arena_new(l->a, struct option_defs);
	int bad = 0;

	if (!defs)
		return load_no_memory(l);
	l->defs = defs;
	l->c->defs = defs;
	defs->unsure = l->defs_unsure;
	defs->items = arena_array(l->a, struct option_def, list->count);
	defs->nodes = arena_array(l->a, const struct json *, list->count);
	if (!defs->items || !defs->nodes)
		return load_no_memory(l);
	for (const struct json *n = list->first; n; n = n->next) {
		uint32_t i = (uint32_t)defs->n++;
		int r;

		defs->nodes[i] = n;
		r = build_def(l, n, &defs->items[i]);
		if (r == 0)
			r = check_standard(l, n, &defs->items[i]);
		if (r == 0)
			r = index_def(l, n, defs, i);
		if (r == -USHER_E_CONFIG || n->refused)
			r = load_both(r, note_refused(l, n, defs));
		if (load_fatal(r))
			return r;
		bad = load_both(bad, r);
		if (r < 0)
			defs->n--;
	}
	return bad;
}

/* --- of a class ------------------------------------------------------------------------------- */

/* Builds one definition, which is the next of its class if it is accepted. */
static int build_class_def(struct load *l, const struct json *node, struct option_def *defs,
			   struct config_class *cls)
{
	struct option_def *d = &defs[cls->n_defs];
	uint32_t old;
	int r = build_def(l, node, d);

	if (r < 0)
		return r;
	if (strcmp(d->space, OPTION_SPACE_DHCP4) != 0 || !may_define(d->code))
		return load_fail(
			l, json_get(node, "code"),
			"a class may define options 43 and 224 to 254 of space dhcp4 only");
	for (size_t i = 0; i < cls->n_defs; i++)
		if (defs[i].code == d->code || strcmp(defs[i].name, d->name) == 0)
			return load_fail(l, json_get(node, "code"),
					 "option %u is already defined in this class", d->code);
	if (*d->encapsulate &&
	    config_map_put(&l->defs->spaces, l->a, span_str(d->encapsulate), 0, &old) < 0)
		return load_no_memory(l);
	cls->n_defs++;
	return 0;
}

int load_class_defs(struct load *l, const struct json *node, struct config_class *cls)
{
	const struct json *list = json_get(node, "option-def");
	struct option_def *defs = arena_array(l->a, struct option_def, list->count);
	int bad = 0;

	if (!defs)
		return load_no_memory(l);
	for (const struct json *n = list->first; n && !load_fatal(bad); n = n->next)
		bad = load_both(bad, build_class_def(l, n, defs, cls));
	cls->defs = defs;
	return bad;
}
