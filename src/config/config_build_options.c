/* SPDX-License-Identifier: MPL-2.0 */
/*
 * option-data of one scope: found by name or code, encoded once, sorted for look-up. The definition
 * is the class's own, the operator's, or the standard one; without any, data is hexadecimal.
 */
#include "config/config_defs.h"

#include "base/error.h"
#include "wire/option_codes.h"

#include <stdlib.h>

/* Parses "vendor-N" to N; false: another space. */
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

		if (strcmp(d->space, space) == 0 &&
		    (name ? strcmp(d->name, name) == 0 : d->code == code))
			return d;
	}
	return NULL;
}

static const struct option_def *find_by_code(const struct load *l, const char *space, uint32_t code)
{
	const struct option_def *d = own_def(l, space, code, NULL);

	return d ? d : option_defs_by_code(l->defs, space, code);
}

static const struct option_def *find_by_name(const struct load *l, const char *space,
					     const char *name)
{
	const struct option_def *d = own_def(l, space, 0, name);

	return d ? d : option_defs_by_name(l->defs, space, name);
}

/* Checks the space of an option. An unknown space is kept, as in Kea: nothing determines the option
 * in which it is sent. */
static int check_space(struct load *l, const struct json *node, struct config_option *o)
{
	const struct json *space = json_get(node, "space");

	o->space = space->s;
	if (strcmp(o->space, "docsis3-v4") == 0)
		o->space = OPTION_SPACE_DOCSIS; /* Kea's name for the definitions of that enterprise
						 */
	if (strcmp(o->space, OPTION_SPACE_DHCP4) == 0 || vendor_space(o->space, &o->vendor_id) ||
	    option_defs_has_space(l->defs, o->space))
		return 0;
	if (!option_name_valid(o->space) || strcmp(o->space, "dhcp6") == 0)
		return load_fail(l, space, "'%.64s' is not the name of an option space of DHCPv4",
				 o->space);
	if (!space->refused)
		load_warn(
			l, space,
			"no option encapsulates the option space '%.64s': its options are never sent",
			o->space);
	return 0;
}

/*
 * Warns of options that a server never sends, even if configured (RFC 2131 table 3), and of those
 * that it always computes itself. Kea loads them, so they load.
 */
static void warn_computed(struct load *l, const struct json *at, const struct config_option *o)
{
	static const uint8_t never[] = {DHCP4_OPT_REQUESTED_ADDRESS,
					DHCP4_OPT_LEASE_TIME,
					DHCP4_OPT_OVERLOAD,
					DHCP4_OPT_MESSAGE_TYPE,
					DHCP4_OPT_PARAMETER_REQUEST_LIST,
					DHCP4_OPT_MAX_MESSAGE_SIZE,
					DHCP4_OPT_CLIENT_ID,
					DHCP4_OPT_AGENT_OPTIONS};

	if (strcmp(o->space, OPTION_SPACE_DHCP4) != 0)
		return;
	if (memchr(never, (int)o->code, sizeof(never)))
		load_warn(
			l, at,
			"option %u is accepted and has no effect: the server works it out, or only clients send it",
			o->code);
	else if (o->code == DHCP4_OPT_SUBNET_MASK)
		load_warn(l, at,
			  "option 1 is accepted and has no effect: the mask of the subnet is sent");
}

static int find_def(struct load *l, const struct json *node, struct config_option *o)
{
	const struct json *code = json_get(node, "code");
	const struct json *name = json_get(node, "name");

	if (!code && !name)
		return load_fail(l, node, "an option needs 'name' or 'code'");
	if ((code && code->refused) || (name && name->refused) || json_get(node, "space")->refused)
		return -USHER_E_CONFIG;
	if (code) {
		o->code = (uint32_t)code->i;
		o->def = find_by_code(l, o->space, o->code);
		if (name && o->def && strcmp(o->def->name, name->s) != 0)
			return load_fail(l, name, "option %u is '%s', not '%.64s'", o->code,
					 o->def->name, name->s);
	} else {
		o->def = find_by_name(l, o->space, name->s);
		if (!o->def && option_defs_refused(l->defs, o->space, name->s, 0))
			return -USHER_E_CONFIG;
		if (!o->def)
			return load_fail(l, name, "unknown option '%.64s' in space '%s'", name->s,
					 o->space);
		o->code = o->def->code;
	}
	if ((o->code == 0 || o->code == 255) && strcmp(o->space, OPTION_SPACE_DHCP4) == 0)
		return load_fail(l, code ? code : name, "option code %u is reserved", o->code);
	warn_computed(l, code ? code : name, o);
	return 0;
}

static int fail_data(struct load *l, const struct json *at, const struct config_option *o,
		     const char *why)
{
	return load_fail(l, at, "option %u%s%s: %s", o->code, o->def ? " " : "",
			 o->def ? o->def->name : "", why);
}

/* Returns whether the option itself defines the form of its data, so that raw octets are taken
 * unchanged. */
static bool is_structured(const struct option_def *def)
{
	return *def->encapsulate || def->type == OPTION_INTERNAL || def->type == OPTION_RECORD ||
	       def->type == OPTION_TUPLE || def->type == OPTION_FQDN ||
	       (def->type == OPTION_BOOLEAN && def->flags & OPTION_F_ARRAY);
}

/* Cuts octets behind the only value of an option: they are not sent, as in Kea. */
static bool cut_to_value(struct load *l, const struct json *at, struct config_option *o)
{
	struct span cut = o->data;

	if (o->def->flags & OPTION_F_ARRAY)
		return false;
	while (cut.n && !option_data_valid(o->def, cut))
		cut.n--;
	if (o->def->type == OPTION_BOOLEAN)
		cut.n = 1; /* any octet */
	else if (!option_data_valid(o->def, cut))
		return false;
	load_warn(
		l, at,
		"option %u %s: of %zu octets the first %zu are sent, which are a value of its type",
		o->code, o->def->name, o->data.n, cut.n);
	o->data = cut;
	return true;
}

/* Encodes raw octets: they are sent unchanged, but for those that Kea refuses. */
static int encode_raw(struct load *l, const struct json *at, const char *text,
		      struct config_option *o)
{
	const char *why = NULL;
	int r = option_encode_raw(text, l->a, &o->data, &why);

	if (r < 0)
		return fail_data(l, at, o, why);
	if (!o->def || option_data_valid(o->def, o->data))
		return 0;
	if (!is_structured(o->def) && cut_to_value(l, at, o))
		return 0;
	if (!is_structured(o->def))
		return load_fail(l, at, "option %u %s: the data does not fit its type %s", o->code,
				 o->def->name, option_type_name(o->def->type));
	load_warn(l, at,
		  "option %u %s: the data does not have the form of its type; it is sent as it is",
		  o->code, o->def->name);
	return 0;
}

/* Encodes values in text. Lists of addresses are read as Kea reads them, in pairs or not. */
static int encode_csv(struct load *l, const struct json *at, const char *text,
		      struct config_option *o)
{
	struct option_def def = *o->def;
	const char *why = NULL;
	int r;

	if (def.type == OPTION_IPV4)
		def.code = 0;
	r = option_encode_text(&def, text, true, l->a, &o->data, &why);
	if (r < 0)
		return fail_data(l, at, o, why ? why : usher_strerror(r));
	if (why)
		load_warn(l, at, "option %u %s: %s", o->code, o->def->name, why);
	if (!option_data_valid(o->def, o->data))
		load_warn(l, at, "option %u %s: %zu octets are not the length that its RFC demands",
			  o->code, o->def->name, o->data.n);
	return 0;
}

/* Checks whether an option may have no value. */
static int encode_nothing(struct load *l, const struct json *at, bool csv, struct config_option *o)
{
	const struct option_def *def = o->def;

	/* an entry that only hides an option, or only holds sub-options, needs no value */
	if (o->never_send || !def || *def->encapsulate || def->type == OPTION_EMPTY ||
	    def->type == OPTION_BINARY)
		return 0;
	if (def->type == OPTION_UINT32 && o->code == DHCP4_OPT_VIVSO_SUBOPTIONS)
		return 0;
	if (!csv || !(def->flags & OPTION_F_ARRAY) || def->type == OPTION_FQDN ||
	    def->type == OPTION_RECORD)
		return fail_data(l, at, o, "it has no value");
	load_warn(l, at,
		  "option %u %s has no value: it is not sent, and hides the one of outer scopes",
		  o->code, def->name);
	o->no_value = true;
	return 0;
}

static bool is_blank(const char *s)
{
	return !s[strspn(s, " \t")];
}

static int encode(struct load *l, const struct json *node, const struct json *data, bool csv,
		  struct config_option *o)
{
	const struct json *at = data ? data : node;
	const char *text = data ? data->s : "";

	if (data && data->refused)
		return -USHER_E_CONFIG;
	if (is_blank(text))
		return encode_nothing(l, at, csv, o);
	return csv && o->def ? encode_csv(l, at, text, o) : encode_raw(l, at, text, o);
}

/* Puts a computed value into a map, with the map's place. */
static int put_like(struct load *l, struct json *map, const char *key, struct json *v)
{
	if (v)
		v->pos = v->key_pos = map->pos;
	return load_put(l, map, key, v);
}

/* Fills in the full names of an option for the dump, independent of the form in which it was
 * given. */
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
	if (csv_node && csv_node->refused)
		return -USHER_E_CONFIG; /* the data may be of either form */
	csv = csv_node ? csv_node->b : o->def != NULL;
	if (csv && !o->def && option_defs_refused(l->defs, o->space, NULL, o->code))
		return -USHER_E_CONFIG;
	if (csv && !o->def)
		return load_fail(
			l, csv_node,
			"option %u has no definition: its data must be hexadecimal, with 'csv-format' false",
			o->code);
	o->always_send = load_bool(node, "always-send");
	o->never_send = load_bool(node, "never-send");
	r = encode(l, node, json_get(node, "data"), csv, o);
	if (r == 0)
		r = fill_names(l, node, o, csv);
	return r < 0 ? r : load_class_list(l, node, "client-classes", &o->classes);
}

/* Compares options by space and code; options of one code stay in the order of the text. */
static int by_space_code(const void *a, const void *b)
{
	const struct config_option *x = *(const struct config_option *const *)a;
	const struct config_option *y = *(const struct config_option *const *)b;
	int r = strcmp(x->space, y->space);

	if (!r)
		r = (x->code > y->code) - (x->code < y->code);
	return r ? r : (x > y) - (x < y);
}

static int sort_options(struct load *l, struct config_option *items, size_t n,
			struct config_options *ret)
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

/* Returns the option that encapsulates a space, the operator's definition first. */
static const struct option_def *container_def(const struct load *l, const char *space)
{
	const struct option_def *d;

	for (size_t i = 0; i < l->n_own_defs; i++)
		if (strcmp(l->own_defs[i].encapsulate, space) == 0)
			return &l->own_defs[i];
	for (size_t i = 0; i < l->defs->n; i++)
		if (strcmp(l->defs->items[i].encapsulate, space) == 0)
			return &l->defs->items[i];
	for (size_t i = 0; (d = option_def_at(i)) != NULL; i++)
		if (strcmp(d->encapsulate, space) == 0)
			return d;
	return NULL;
}

/* Returns the option of the top level that holds a space, at any depth; 0: none. */
static uint8_t container_of_space(struct load *l, const char *space)
{
	const char *inner = space;
	uint32_t vendor;

	if (l->last_space && strcmp(l->last_space, space) == 0)
		return l->last_outer;
	l->last_space = space;
	l->last_outer = 0;
	for (unsigned depth = 0; depth < OPTION_DEPTH_MAX; depth++) {
		const struct option_def *d = container_def(l, inner);

		if (!d)
			break;
		if (strcmp(d->space, OPTION_SPACE_DHCP4) == 0) {
			l->last_outer = (uint8_t)d->code;
			break;
		}
		if (vendor_space(d->space, &vendor)) {
			l->last_outer = DHCP4_OPT_VIVSO_SUBOPTIONS;
			break;
		}
		inner = d->space;
	}
	return l->last_outer;
}

/* Computes the index that the packet path reads first: the codes present, and those that may hold
 * others. */
static void index_options(struct load *l, struct config_option *items, struct config_options *o)
{
	for (size_t i = 0; i < o->n; i++) {
		struct config_option *x = &items[i];

		o->always |= x->always_send;
		if (strcmp(x->space, OPTION_SPACE_DHCP4) != 0) {
			x->outer = x->vendor_id ? DHCP4_OPT_VIVSO_SUBOPTIONS
						: container_of_space(l, x->space);
			code_set_add(&l->c->containers, x->outer);
			continue;
		}
		x->outer = (uint8_t)x->code;
		if (!o->top)
			o->top = x;
		o->n_top++;
		code_set_add(&o->codes, x->outer);
		code_set_add(&l->c->option_codes, x->outer);
		if (x->outer == DHCP4_OPT_VIVSO_SUBOPTIONS ||
		    x->outer == DHCP4_OPT_VIVCO_SUBOPTIONS || (x->def && *x->def->encapsulate))
			code_set_add(&l->c->containers, x->outer);
	}
}

/* Marks each option that is followed by another of its space and code. */
static void note_repeats(struct config_option *items, size_t n)
{
	for (size_t i = 0; i + 1 < n; i++)
		items[i].more = items[i + 1].code == items[i].code &&
				strcmp(items[i + 1].space, items[i].space) == 0;
}

int load_options(struct load *l, const struct json *map, struct config_options *ret)
{
	const struct json *list = json_get(map, "option-data");
	struct config_option *items;
	size_t n = 0;
	int bad = 0;

	*ret = (struct config_options){0};
	if (!list || !list->count)
		return 0;
	items = arena_array(l->a, struct config_option, list->count);
	if (!items)
		return load_no_memory(l);
	for (struct json *node = list->first; node; node = node->next) {
		int r = build_option(l, node, &items[n]);

		if (load_fatal(r))
			return r;
		bad = load_both(bad, r);
		if (r == 0)
			n++;
		else
			items[n] = (struct config_option){0};
	}
	*ret = (struct config_options){.items = items, .n = n};
	if (n > 1) {
		int r = sort_options(l, items, n, ret);

		if (r < 0)
			return r;
	}
	note_repeats((struct config_option *)(uintptr_t)ret->items, ret->n);
	/* ours until the configuration is handed out */
	index_options(l, (struct config_option *)(uintptr_t)ret->items, ret);
	return bad;
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
