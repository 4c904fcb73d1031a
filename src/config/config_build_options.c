/* SPDX-License-Identifier: MPL-2.0 */
/*
 * option-data of one scope: found by name or code, encoded once, sorted for look-up. The definition
 * is the class's own, the operator's, or the standard one; without any, data is hexadecimal.
 */
#include "config/config_defs.h"

#include "base/error.h"
#include "wire/option_codes.h"

#include <stdlib.h>

/* "vendor-N" to N; false: another space. */
static bool vendor_space(const char *space, uint32_t *ret_id)
{
	uint64_t v = 0;
	const char *s = space + 7;

	if (strncmp(space, "vendor-", 7) != 0 || !*s)
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '9' || v > UINT32_MAX)
			return false;
		v = v * 10 + (uint64_t)(*s - '0');
	}
	*ret_id = (uint32_t)v;
	return v <= UINT32_MAX;
}

static const struct option_def *own_def(const struct load *l, const char *space, uint32_t code,
					const char *name)
{
	for (size_t i = 0; i < l->n_own_defs; i++) {
		const struct option_def *d = &l->own_defs[i];

		if (strcmp(d->space, space) == 0 && (name ? strcmp(d->name, name) == 0 : d->code == code))
			return d;
	}
	return NULL;
}

static const struct option_def *find_by_code(const struct load *l, const char *space, uint32_t code)
{
	const struct option_def *d = own_def(l, space, code, NULL);

	return d ? d : option_defs_by_code(l->defs, space, code);
}

static const struct option_def *find_by_name(const struct load *l, const char *space, const char *name)
{
	const struct option_def *d = own_def(l, space, 0, name);

	return d ? d : option_defs_by_name(l->defs, space, name);
}

static int check_space(struct load *l, const struct json *node, struct config_option *o)
{
	const struct json *space = json_get(node, "space");

	o->space = space->s;
	if (strcmp(o->space, OPTION_SPACE_DHCP4) == 0 || vendor_space(o->space, &o->vendor_id) ||
	    option_defs_has_space(l->defs, o->space))
		return 0;
	return load_fail(l, space, "unknown option space '%.64s'", o->space);
}

/*
 * Kea computes 12 and 81 from host names, 58 and 59 from timers and 54 from the socket, yet an
 * operator may set them;
 * options that only the server or only a client can know are refused.
 */
static bool may_set(const struct option_def *d)
{
	static const uint8_t anyway[] = {12, 54, 58, 59, 81};

	if (!(d->flags & OPTION_F_SERVER_SET))
		return true;
	return strcmp(d->space, OPTION_SPACE_DHCP4) == 0 && d->code < 256 &&
	       memchr(anyway, (int)d->code, sizeof(anyway)) != NULL;
}

static int find_def(struct load *l, const struct json *node, struct config_option *o)
{
	const struct json *code = json_get(node, "code");
	const struct json *name = json_get(node, "name");

	if (!code && !name)
		return load_fail(l, node, "an option needs 'name' or 'code'");
	if (code) {
		o->code = (uint32_t)code->i;
		o->def = find_by_code(l, o->space, o->code);
		if (name && o->def && strcmp(o->def->name, name->s) != 0)
			return load_fail(l, name, "option %u is '%s', not '%.64s'", o->code, o->def->name,
					 name->s);
	} else {
		o->def = find_by_name(l, o->space, name->s);
		if (!o->def)
			return load_fail(l, name, "unknown option '%.64s' in space '%s'", name->s, o->space);
		o->code = o->def->code;
	}
	if (o->code == 0 || (o->code == 255 && strcmp(o->space, OPTION_SPACE_DHCP4) == 0))
		return load_fail(l, code, "option code %u is reserved", o->code);
	if (o->def && !may_set(o->def))
		return load_fail(l, code ? code : name, "option %u (%s) is set by the server and cannot be configured",
				 o->code, o->def->name);
	return 0;
}

static int encode(struct load *l, const struct json *node, const struct json *data, bool csv,
		  struct config_option *o)
{
	static const struct option_def binary = {
		.name = "", .space = "", .type = OPTION_BINARY, .encapsulate = "", .rfc = ""};
	const struct option_def *def = o->def ? o->def : &binary;
	const struct json *at = data ? data : node;
	const char *text = data ? data->s : "";
	const char *why = NULL;
	int r;

	/* what only hides an option, or only holds sub-options, needs no value */
	if (!*text && (o->never_send || !o->def || *def->encapsulate || def->type == OPTION_EMPTY))
		return 0;
	r = option_encode_text(def, text, csv, l->a, &o->data, &why);
	if (r < 0)
		return load_fail(l, at, "option %u%s%s: %s", o->code, o->def ? " " : "",
				 o->def ? o->def->name : "", why ? why : usher_strerror(r));
	if (!csv && o->def && !option_data_valid(o->def, o->data))
		return load_fail(l, at, "option %u %s: the data does not fit its type %s", o->code,
				 o->def->name, option_type_name(o->def->type));
	return 0;
}

/* A value that was worked out: its place is the map's. */
static int put_like(struct load *l, struct json *map, const char *key, struct json *v)
{
	if (v)
		v->pos = v->key_pos = map->pos;
	return load_put(l, map, key, v);
}

/* The dump names options fully, however they were given. */
static int fill_names(struct load *l, struct json *node, const struct config_option *o, bool csv)
{
	int r = 0;

	if (!json_get(node, "code"))
		r = put_like(l, node, "code", json_int(l->a, o->code));
	if (r == 0 && o->def && !json_get(node, "name"))
		r = put_like(l, node, "name", json_str(l->a, o->def->name));
	if (r == 0 && !json_get(node, "csv-format"))
		r = put_like(l, node, "csv-format", json_bool(l->a, csv));
	return r;
}

static int build_option(struct load *l, struct json *node, struct config_option *o)
{
	const struct json *csv_node = json_get(node, "csv-format");
	bool csv;
	int r = check_space(l, node, o);

	if (r == 0)
		r = find_def(l, node, o);
	if (r < 0)
		return r;
	csv = csv_node ? csv_node->b : o->def != NULL;
	if (csv && !o->def)
		return load_fail(l, csv_node, "option %u has no definition: its data must be hexadecimal, with 'csv-format' false",
				 o->code);
	o->always_send = load_bool(node, "always-send");
	o->never_send = load_bool(node, "never-send");
	r = encode(l, node, json_get(node, "data"), csv, o);
	if (r == 0)
		r = fill_names(l, node, o, csv);
	return r < 0 ? r : load_class_list(l, node, "client-classes", &o->classes);
}

/* Options of one code stay in the order they were written. */
static int by_space_code(const void *a, const void *b)
{
	const struct config_option *x = *(const struct config_option *const *)a;
	const struct config_option *y = *(const struct config_option *const *)b;
	int r = strcmp(x->space, y->space);

	if (!r)
		r = (x->code > y->code) - (x->code < y->code);
	return r ? r : (x > y) - (x < y);
}

static int sort_options(struct load *l, struct config_option *items, size_t n, struct config_options *ret)
{
	struct config_option *sorted = arena_array(l->a, struct config_option, n);
	struct config_option **refs = calloc(n, sizeof(*refs));

	if (!sorted || !refs) {
		free(refs);
		return load_no_memory(l);
	}
	for (size_t i = 0; i < n; i++)
		refs[i] = &items[i];
	qsort(refs, n, sizeof(*refs), by_space_code);
	for (size_t i = 0; i < n; i++)
		sorted[i] = *refs[i];
	free(refs);
	*ret = (struct config_options){.items = sorted, .n = n};
	return 0;
}

/* The option of the top level that encapsulates a space; 0: none. */
static uint8_t container_of_space(struct load *l, const char *space)
{
	if (l->last_space && strcmp(l->last_space, space) == 0)
		return l->last_outer;
	l->last_space = space;
	l->last_outer = 0;
	for (uint32_t c = 1; c < 255 && !l->last_outer; c++) {
		const struct option_def *d = option_defs_by_code(l->defs, OPTION_SPACE_DHCP4, c);

		if (d && d->encapsulate && strcmp(d->encapsulate, space) == 0)
			l->last_outer = (uint8_t)c;
	}
	return l->last_outer;
}

/* What the packet path asks first: which codes are here at all, and which may hold others. */
static void index_options(struct load *l, struct config_option *items, struct config_options *o)
{
	for (size_t i = 0; i < o->n; i++) {
		struct config_option *x = &items[i];

		o->always |= x->always_send;
		if (strcmp(x->space, OPTION_SPACE_DHCP4) != 0) {
			x->outer = x->vendor_id ? DHCP4_OPT_VIVSO_SUBOPTIONS : container_of_space(l, x->space);
			code_set_add(&l->c->containers, x->outer);
			continue;
		}
		x->outer = (uint8_t)x->code;
		if (!o->top)
			o->top = x;
		o->n_top++;
		code_set_add(&o->codes, x->outer);
		if (x->outer == DHCP4_OPT_VIVSO_SUBOPTIONS || (x->def && *x->def->encapsulate))
			code_set_add(&l->c->containers, x->outer);
	}
}

int load_options(struct load *l, const struct json *map, struct config_options *ret)
{
	const struct json *list = json_get(map, "option-data");
	struct config_option *items;
	size_t n = 0;

	*ret = (struct config_options){0};
	if (!list || !list->count)
		return 0;
	items = arena_array(l->a, struct config_option, list->count);
	if (!items)
		return load_no_memory(l);
	for (struct json *node = list->first; node; node = node->next) {
		int r = build_option(l, node, &items[n++]);

		if (r < 0)
			return r;
	}
	*ret = (struct config_options){.items = items, .n = n};
	if (n > 1) {
		int r = sort_options(l, items, n, ret);

		if (r < 0)
			return r;
	}
	/* ours until the configuration is handed out */
	index_options(l, (struct config_option *)(uintptr_t)ret->items, ret);
	return 0;
}

static bool is_top(const char *space)
{
	return strcmp(space, OPTION_SPACE_DHCP4) == 0;
}

const struct config_option *config_option_top(const struct config_options *o, uint8_t code)
{
	if (!code_set_has(&o->codes, code))
		return NULL;
	for (size_t i = 0; i < o->n_top; i++)
		if (o->top[i].code == code)
			return &o->top[i];
	return NULL;
}

const struct config_option *config_option_find(const struct config_options *o, const char *space,
					       uint32_t code)
{
	size_t lo = 0;
	size_t hi = o->n;

	if (is_top(space))
		return code > 255 ? NULL : config_option_top(o, (uint8_t)code);
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct config_option *m = &o->items[mid];
		int r = strcmp(m->space, space);

		if (r < 0 || (r == 0 && m->code < code))
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < o->n && o->items[lo].code == code && strcmp(o->items[lo].space, space) == 0)
		return &o->items[lo];
	return NULL;
}

const struct config_option *config_option_next(const struct config_options *o, const struct config_option *prev)
{
	const struct config_option *next = prev + 1;

	return next < o->items + o->n && next->code == prev->code && strcmp(next->space, prev->space) == 0
		       ? next
		       : NULL;
}
