/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Client classes and the numbers of their names. Names get numbers in order of mention, the
 * built-in ones first. An expression may name a class only if it is built in or defined before.
 */
#include "config/config_load.h"

#include "base/error.h"
#include "config/config_defs.h"

static const char *const builtin[] = {
	[CLASS_ALL] = "ALL",
	[CLASS_KNOWN] = "KNOWN",
	[CLASS_UNKNOWN] = "UNKNOWN",
	[CLASS_DROP] = "DROP",
	[CLASS_REJECT] = "REJECT",
	[CLASS_BOOTP] = "BOOTP",
	[CLASS_SKIP_DDNS] = "SKIP_DDNS",
	[CLASS_STASH_AGENT_OPTIONS] = "STASH_AGENT_OPTIONS",
};

/* Names that begin so belong to classes that the server or its hooks make. */
static const char *const made[] = {"VENDOR_CLASS_", "HA_", "AFTER_", "EXTERNAL_", "SPAWN_"};

/* --- expressions ------------------------------------------------------------------------------ */

static bool class_known(void *ctx, const char *name)
{
	struct load *l = ctx;
	int id;

	if (l->classes_unsure)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(made); i++)
		if (strncmp(name, made[i], strlen(made[i])) == 0)
			return load_class_id(l, name) >= 0;
	id = load_class_id(l, name);
	return id >= 0 && (id < CLASS_N_BUILTIN || l->class_defined[id]);
}

static bool class_late(void *ctx, const char *name)
{
	struct load *l = ctx;
	int id = load_class_id(l, name);

	return id == CLASS_KNOWN || id == CLASS_UNKNOWN || (id >= 0 && l->class_late[id]);
}

static int compile(struct load *l, const struct json *text, bool want_bool, const struct expr **ret)
{
	struct expr_opts o = {l->defs, class_known, class_late, l};
	struct config_error err = {0};
	struct json_pos at;
	struct expr *e;
	int r;

	if (!text)
		return 0;
	at = text->pos;
	at.col++; /* behind the quote */
	if (text->refused)
		return -USHER_E_CONFIG;
	r = expr_compile(span_of(text->s, text->n), want_bool, &o, &at, l->a, &e, &err);
	if (r == -USHER_E_NOMEM)
		return load_no_memory(l);
	if (r < 0)
		return load_report(l, &err);
	*ret = e;
	return 0;
}

/* --- one class -------------------------------------------------------------------------------- */

static int class_tests(struct load *l, const struct json *node, struct config_class *cls)
{
	const struct json *test = json_get(node, "test");
	const struct json *spawn = json_get(node, "template-test");
	int r;

	if (test && !test->n)
		test = NULL;
	if (test && spawn)
		return load_fail(l, spawn, "'test' and 'template-test' exclude one another");
	if (test && cls->id <= CLASS_UNKNOWN)
		return load_fail(l, test, "class '%s' is built in and cannot have a test",
				 cls->name);
	r = compile(l, test, true, &cls->test);
	r = load_both(r, compile(l, spawn, false, &cls->template_test));
	cls->late = (cls->test && expr_is_late(cls->test)) ||
		    (cls->template_test && expr_is_late(cls->template_test));
	return r;
}

static int class_name(struct load *l, const struct json *node, struct config_class *cls)
{
	const struct json *name = json_get(node, "name");
	int id = load_class_id(l, name->s);

	if (id < 0)
		return id;
	l->classes_unsure |= name->refused;
	if (l->class_defined[id])
		return load_fail(l, name, "class '%s' is already defined at %s", name->s,
				 load_place(l, l->c->classes[l->class_defined[id] - 1].node));
	cls->name = name->s;
	cls->id = (uint32_t)id;
	cls->node = node;
	return 0;
}

static int class_values(struct load *l, const struct json *node, struct config_class *cls)
{
	int64_t offer;
	bool unsure = l->defs->unsure;
	int r = load_class_defs(l, node, cls);

	if (load_fatal(r))
		return r;
	l->defs->unsure |= r < 0; /* the options below may need a refused definition */
	l->own_defs = cls->defs;
	l->n_own_defs = cls->n_defs;
	r = load_both(r, load_options(l, node, &cls->options));
	l->n_own_defs = 0;
	l->defs->unsure = unsure;
	r = load_both(r, load_boot_fields(l, node, &cls->has_next_server, &cls->next_server,
					  &cls->server_hostname, &cls->boot_file_name));
	r = load_both(r, load_triplet(l, node, &cls->valid_lifetime));
	cls->only_additional = load_bool(node, "only-in-additional-list");
	cls->has_offer_lifetime = json_get_int(node, "offer-lifetime", &offer);
	cls->offer_lifetime = cls->has_offer_lifetime ? (uint32_t)offer : 0;
	return r;
}

static int build_class(struct load *l, const struct json *node, struct config_class *cls)
{
	int r = class_name(l, node, cls);
	int bad;

	if (load_fatal(r))
		return r;
	bad = load_both(class_tests(l, node, cls), class_values(l, node, cls));
	if (r < 0 || load_fatal(bad)) {
		*cls = (struct config_class){0};
		return load_both(r, bad);
	}
	/* defined even if it is bad: expressions may name it */
	l->class_late[cls->id] = cls->late;
	l->class_defined[cls->id] = (uint32_t)++l->c->n_classes;
	return bad;
}

int load_classes(struct load *l)
{
	const struct json *list = json_get(l->dhcp4, "client-classes");
	struct config_class *classes = arena_array(l->a, struct config_class, list->count);
	int bad = 0;

	if (!classes)
		return load_no_memory(l);
	l->c->classes = classes;
	for (size_t i = 0; i < ARRAY_LEN(builtin); i++)
		if (load_class_id(l, builtin[i]) < 0)
			return -USHER_E_NOMEM;
	for (const struct json *n = list->first; n; n = n->next) {
		int r = build_class(l, n, &classes[l->c->n_classes]);

		if (load_fatal(r))
			return r;
		bad = load_both(bad, r);
	}
	return bad;
}
