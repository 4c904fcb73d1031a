/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The input checked against the schema, and copied into its normal form: present names instead of
 * older ones, lists where single values were allowed, comments moved into user-context, words in
 * their own spelling. Every key is known and every value has its type afterwards; the positions
 * are those of the input.
 */
#include "config/config_load.h"

#include "base/error.h"
#include "base/ip.h"

static int check_map(struct load *l, enum schema_ctx ctx, const struct json *in, struct json **ret);
static int default_map(struct load *l, const struct schema_key *k, const struct json *at,
		       struct json **ret);

/* Notes that a list of definitions or classes is incomplete: then unknown options and classes are
 * no problems. */
static void note_unsure(struct load *l, const char *key)
{
	l->defs_unsure |= strcmp(key, "option-def") == 0;
	l->classes_unsure |= strcmp(key, "client-classes") == 0;
}

/* --- values ----------------------------------------------------------------------------------- */

static int wrong_type(struct load *l, const struct schema_key *k, const struct json *in,
		      const char *expected)
{
	return load_fail(l, in, "'%s' is %s, expected %s", k->name, json_type_name(in->type),
			 expected);
}

static int check_int(struct load *l, const struct schema_key *k, const struct json *in,
		     struct json **ret)
{
	if (in->type != JSON_INT)
		return wrong_type(l, k, in, "an integer");
	if (in->i < k->min || in->i > k->max)
		return load_fail(l, in, "'%s' is %lld, expected %lld to %lld", k->name,
				 (long long)in->i, (long long)k->min, (long long)k->max);
	*ret = json_int(l->a, in->i);
	return 0;
}

static int check_real(struct load *l, const struct schema_key *k, const struct json *in,
		      struct json **ret)
{
	double v;

	if (in->type != JSON_INT && in->type != JSON_REAL)
		return wrong_type(l, k, in, "a number");
	v = in->type == JSON_INT ? (double)in->i : in->r;
	if (v < (double)k->min || v > (double)k->max)
		return load_fail(l, in, "'%s' is %g, expected %lld to %lld", k->name, v,
				 (long long)k->min, (long long)k->max);
	*ret = json_real(l->a, v);
	return 0;
}

/* Checks a text. No text of a configuration may hold a NUL, which would cut it off. */
static int check_text(struct load *l, const struct schema_key *k, const struct json *in,
		      struct json **ret)
{
	if (in->type != JSON_STRING)
		return wrong_type(l, k, in, "a string");
	if (strlen(in->s) != in->n)
		return load_fail(l, in, "'%s' holds \\u0000", k->name);
	if (k->flags & SCHEMA_REQ && in->n == 0)
		return load_fail(l, in, "'%s' is empty", k->name);
	*ret = json_strn(l->a, in->s, in->n);
	return 0;
}

static int check_enum(struct load *l, const struct schema_key *k, const struct json *in,
		      struct json **ret)
{
	const char *w = k->words;
	int i;

	if (in->type != JSON_STRING)
		return wrong_type(l, k, in, "a string");
	i = schema_word(k->words, in->s);
	if (i < 0)
		return load_fail(l, in, "'%s' is '%.64s', expected one of %s", k->name, in->s,
				 k->words);
	while (i--)
		w += strcspn(w, "|") + 1;
	*ret = json_strn(l->a, w, strcspn(w, "|"));
	return 0;
}

static int check_addr(struct load *l, const struct schema_key *k, const struct json *in,
		      struct json **ret)
{
	uint32_t addr;

	if (in->type != JSON_STRING)
		return wrong_type(l, k, in, "an IPv4 address");
	if (in->n == 0 && k->flags & SCHEMA_INH) {
		*ret = NULL; /* Kea treats it as absent */
		return 0;
	}
	if (ip_parse(in->s, in->n, &addr) < 0)
		return load_fail(l, in, "'%s' is '%.64s', expected an IPv4 address", k->name,
				 in->s);
	*ret = json_strn(l->a, in->s, in->n);
	return 0;
}

static int check_list(struct load *l, const struct schema_key *k, const struct json *in,
		      struct json **ret)
{
	struct json *list = load_keep_place(l, json_list(l->a), in);

	if (in->type != JSON_LIST)
		return wrong_type(l, k, in, "a list");
	if (!list)
		return load_no_memory(l);
	for (const struct json *m = in->first; m; m = m->next) {
		struct json *v = NULL;
		int r;

		if (k->type == SCHEMA_MAPS)
			r = m->type == JSON_MAP ? check_map(l, k->sub, m, &v)
						: wrong_type(l, k, m, "a map");
		else if (k->type == SCHEMA_ADDRS)
			r = check_addr(l, k, m, &v);
		else
			r = check_text(l, k, m, &v);
		if (r == 0)
			r = load_put(l, list, NULL, load_keep_place(l, v, m));
		else
			note_unsure(l, k->name);
		if (load_fatal(r))
			return r;
	}
	*ret = list;
	return 0;
}

static int check_bool(struct load *l, const struct schema_key *k, const struct json *in,
		      struct json **ret)
{
	if (in->type != JSON_BOOL)
		return wrong_type(l, k, in, "true or false");
	*ret = json_bool(l->a, in->b);
	return 0;
}

/* Checks values of any form, such as user-context. Only its member "usher" has a schema, which is
 * checked. */
static int check_any(struct load *l, const struct schema_key *k, const struct json *in,
		     struct json **ret)
{
	const struct json *usher = json_get(in, "usher");
	enum schema_ctx ctx;
	struct json *checked;

	*ret = load_keep(l, in);
	if (strcmp(k->name, "user-context") != 0)
		return 0;
	if (in->type != JSON_MAP)
		return wrong_type(l, k, in, "a map");
	if (!usher)
		return 0;
	if (usher->type != JSON_MAP)
		return load_fail(l, usher, "'usher' is %s, expected a map",
				 json_type_name(usher->type));
	ctx = l->checked == SCHEMA_HTTP_CLIENT ? SCHEMA_USHER_CLIENT
	      : l->checked == SCHEMA_SOCKET    ? SCHEMA_USHER_SOCKET
					       : SCHEMA_USHER;
	return check_map(l, ctx, usher, &checked);
}

static int check_submap(struct load *l, const struct schema_key *k, const struct json *in,
			struct json **ret)
{
	return in->type == JSON_MAP ? check_map(l, k->sub, in, ret) : wrong_type(l, k, in, "a map");
}

/* Returns whether the absence of a key without a default would be reported. Then a refused value
 * needs a stand-in. */
static bool is_missed(const struct schema_key *k)
{
	return k->flags & SCHEMA_REQ || k->type == SCHEMA_TEXT ||
	       k->maps & (1u << SCHEMA_OPTION_DATA);
}

/* Sets the replacement of a refused value: the default, or an empty value; NULL: none. */
static int stand_in(struct load *l, const struct schema_key *k, const struct json *in,
		    struct json **ret)
{
	const struct json *dflt = load_default(l, k);
	struct json *v = NULL;

	if (k->type == SCHEMA_MAP)
		return dflt ? default_map(l, k, in, ret) : 0;
	if (dflt)
		v = json_copy(l->a, dflt);
	else if (!is_missed(k))
		return 0;
	else if (k->type == SCHEMA_BOOL)
		v = json_bool(l->a, false);
	else if (k->type == SCHEMA_INT)
		v = json_int(l->a, k->min);
	else if (k->type == SCHEMA_ENUM)
		v = json_strn(l->a, k->words, strcspn(k->words, "|"));
	else
		v = json_str(l->a, "");
	if (!v)
		return load_no_memory(l);
	v->refused = true;
	*ret = v;
	return 0;
}

static int check_value(struct load *l, const struct schema_key *k, const struct json *in,
		       struct json **ret)
{
	static int (*const checks[])(struct load *, const struct schema_key *, const struct json *,
				     struct json **) = {
		[SCHEMA_BOOL] = check_bool,    [SCHEMA_INT] = check_int,
		[SCHEMA_REAL] = check_real,    [SCHEMA_TEXT] = check_text,
		[SCHEMA_ENUM] = check_enum,    [SCHEMA_ADDR] = check_addr,
		[SCHEMA_STRINGS] = check_list, [SCHEMA_ADDRS] = check_list,
		[SCHEMA_MAP] = check_submap,   [SCHEMA_MAPS] = check_list,
		[SCHEMA_ANY] = check_any,
	};
	int r = in->refused ? -USHER_E_CONFIG : checks[k->type](l, k, in, ret);

	if (r == -USHER_E_CONFIG)
		r = stand_in(l, k, in, ret);
	if (r == 0 && *ret && !load_keep_place(l, *ret, in))
		return load_no_memory(l);
	return r;
}

/* --- keys ------------------------------------------------------------------------------------- */

static bool same_scalar(const struct json *a, const struct json *b)
{
	if (!b || a->type != b->type)
		return false;
	if (a->type == JSON_INT)
		return a->i == b->i;
	if (a->type == JSON_BOOL)
		return a->b == b->b;
	return a->type == JSON_STRING && a->n == b->n && memcmp(a->s, b->s, a->n) == 0;
}

/* Warns once of a key without effect, independent of the number of its places. */
static void warn_no_effect(struct load *l, enum schema_ctx ctx, const struct schema_key *k,
			   const struct json *in)
{
	size_t row = (size_t)(k - schema_keys);

	if (same_scalar(in, load_default(l, k)) || l->warned[row / 64] >> row % 64 & 1)
		return;
	l->warned[row / 64] |= 1ULL << row % 64;
	load_warn(l, in, "'%s' in %s is accepted and has no effect", k->name, schema_ctx_name(ctx));
}

/* Notes that a key is misspelled. A misspelled required key is not reported as missing, too; an
 * option or definition without its own key is not read. */
static int note_misspelled(struct load *l, enum schema_ctx ctx, const char *near,
			   const struct json *m, struct json *out)
{
	const struct schema_key *k = schema_find(ctx, near);
	struct json *v = NULL;
	int r;

	if (!k ||
	    !(k->flags & SCHEMA_REQ ||
	      k->maps & (1u << SCHEMA_OPTION_DATA | 1u << SCHEMA_OPTION_DEF)) ||
	    json_get(out, near))
		return 0;
	r = stand_in(l, k, m, &v);
	return r < 0 || !v ? r : load_put(l, out, k->name, load_keep_place(l, v, m));
}

static int unknown_key(struct load *l, enum schema_ctx ctx, const struct json *m, struct json *out)
{
	const char *near = schema_suggest(ctx, m->key);

	if (!near)
		return load_fail_key(l, m, "unknown keyword '%.64s' in %s", m->key,
				     schema_ctx_name(ctx));
	(void)load_fail_key(l, m, "unknown keyword '%.64s' in %s, did you mean '%s'?", m->key,
			    schema_ctx_name(ctx), near);
	out->refused = true; /* a key that seems to be missing may be this one */
	note_unsure(l, near);
	return note_misspelled(l, ctx, near, m, out);
}

/* Wraps a single value of an older spelling into a list of one. */
static int wrap_old(struct load *l, const struct schema_key *k, const struct json *m,
		    struct json **ret)
{
	struct json *one = load_keep(l, m);
	struct json *list = load_keep_place(l, json_list(l->a), m);

	if (m->type == JSON_STRING && m->n == 0)
		return 0; /* "client-class": "" means that there is none */
	if (!one || !list || load_put(l, list, NULL, one) < 0)
		return load_no_memory(l);
	return check_value(l, k, list, ret);
}

static int check_member(struct load *l, enum schema_ctx ctx, const struct json *m, struct json *out)
{
	const struct schema_old *old = schema_find_old(ctx, m->key);
	const struct schema_key *k = schema_find(ctx, old ? old->name : m->key);
	struct json *v = NULL;
	int r;

	if (!k)
		return unknown_key(l, ctx, m, out);
	if (json_get(out, k->name) && !json_get(out, k->name)->refused)
		return load_fail_key(l, m, "'%s' is given twice, by an older name and by its own",
				     k->name);
	json_remove(out, k->name);
	if (m->refused || m->incomplete || (k->type == SCHEMA_MAPS && m->type != JSON_LIST))
		note_unsure(l, k->name);
	if (old && old->wrap && m->type != JSON_LIST)
		r = wrap_old(l, k, m, &v);
	else
		r = check_value(l, k, m, &v);
	if (r < 0 || !v)
		return r;
	if (k->flags & SCHEMA_NOP && !v->refused)
		warn_no_effect(l, ctx, k, m);
	if (ctx == SCHEMA_SUBNET && strcmp(k->name, "id") == 0 && v->i == 0)
		return 0; /* Kea 2.2: to be numbered */
	if (strcmp(k->name, "reservation-mode") == 0)
		return v->refused ? 0 : load_reservation_mode(l, m, out);
	if (strcmp(k->name, "ddns-use-conflict-resolution") == 0)
		return v->refused ? 0 : load_conflict_resolution(l, m, out);
	return load_put(l, out, k->name, v);
}

/* Moves "comment" into user-context. */
static int fold_comment(struct load *l, struct json *out)
{
	struct json *comment = json_get(out, "comment");
	struct json *context = json_get(out, "user-context");
	int r;

	if (!comment)
		return 0;
	json_remove(out, "comment");
	if (context && json_get(context, "comment"))
		return load_fail_key(l, comment, "'comment' is given here and in user-context");
	if (!context) {
		context = load_keep_place(l, json_map(l->a), comment);
		r = load_put(l, out, "user-context", context);
		if (r < 0)
			return r;
	}
	return load_put(l, context, "comment", comment);
}

/* Makes an absent map from the defaults of its keys. */
static int default_map(struct load *l, const struct schema_key *k, const struct json *at,
		       struct json **ret)
{
	const struct json *dflt = load_default(l, k);
	struct json like;

	if (!dflt)
		return load_no_memory(l);
	like = *dflt;
	like.pos = at->pos;
	return check_map(l, k->sub, &like, ret);
}

/* Reports missing required keys, and fills in defaults where nothing is inherited. */
static int fill_map(struct load *l, enum schema_ctx ctx, struct json *out)
{
	for (size_t i = 0; i < schema_n_keys; i++) {
		const struct schema_key *k = &schema_keys[i];
		struct json *v = NULL;
		int r = 0;

		if (!(k->maps >> ctx & 1) || (!k->dflt && !(k->flags & SCHEMA_REQ)) ||
		    json_get(out, k->name))
			continue;
		if (k->flags & SCHEMA_REQ) {
			r = load_fail(l, out, "%s needs '%s'", schema_ctx_name(ctx), k->name);
			r = load_both(r, stand_in(l, k, out, &v));
			if (!load_fatal(r))
				r = load_put(l, out, k->name, load_keep_place(l, v, out));
			if (load_fatal(r))
				return r;
			continue;
		}
		if (k->flags & SCHEMA_NOP || (k->flags & SCHEMA_INH && ctx != SCHEMA_GLOBAL))
			continue;
		if (k->type == SCHEMA_MAP)
			r = default_map(l, k, out, &v);
		else
			v = json_copy(l->a, load_default(l, k));
		if (r == 0)
			r = load_put(l, out, k->name, load_keep_place(l, v, out));
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_map(struct load *l, enum schema_ctx ctx, const struct json *in, struct json **ret)
{
	struct json *out = load_keep_place(l, json_map(l->a), in);
	int r = out ? 0 : load_no_memory(l);

	if (r == 0 && in->incomplete) {
		out->refused = true; /* the missing keys may be in the include */
		note_unsure(l, "option-def");
		note_unsure(l, "client-classes");
	}
	for (const struct json *m = in->first; m && !load_fatal(r); m = m->next) {
		l->checked = ctx;
		r = check_member(l, ctx, m, out);
	}
	if (!load_fatal(r))
		r = fold_comment(l, out);
	if (!load_fatal(r) && ctx == SCHEMA_GLOBAL)
		r = load_move_keys(l, out);
	if (!load_fatal(r))
		r = fill_map(l, ctx, out);
	if (load_fatal(r))
		return r;
	*ret = out;
	return 0;
}

int load_check_map(struct load *l, enum schema_ctx ctx, const struct json *in, struct json **ret)
{
	return check_map(l, ctx, in, ret);
}

int load_normalise(struct load *l, const struct json *root)
{
	const struct json *dhcp4 = json_get(root, "Dhcp4");

	if (root->type != JSON_MAP)
		return load_fail(l, root, "found %s, expected a map with the key 'Dhcp4'",
				 json_type_name(root->type));
	for (const struct json *m = root->first; m; m = m->next)
		if (strcmp(m->key, "Dhcp4") != 0)
			(void)load_refuse_beside(l, m);
	if (!dhcp4)
		return l->n_problems ? -USHER_E_CONFIG
				     : load_fail(l, root, "there is no key 'Dhcp4'");
	if (dhcp4->type != JSON_MAP)
		return load_fail(l, dhcp4, "'Dhcp4' is %s, expected a map",
				 json_type_name(dhcp4->type));
	return check_map(l, SCHEMA_GLOBAL, dhcp4, &l->dhcp4);
}
