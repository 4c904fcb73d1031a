/* SPDX-License-Identifier: MPL-2.0 */
/*
 * JSON to a tree (RFC 8259 and Kea's dialect): recursive descent over json_lex, depth bounded, so
 * that 256 KiB of stack hold the deepest text. A tree is returned whole or not at all. Also the
 * look-ups in a tree.
 */
#include "config/json/json.h"

#include "base/error.h"
#include "config/json/json_lex.h"

#include <stdarg.h>
#include <stdio.h>

enum { FEW_KEYS = 12 };

/* --- errors ----------------------------------------------------------------------------------- */

const char *json_type_name(enum json_type t)
{
	static const char *const names[] = {
		[JSON_NULL] = "null",	    [JSON_BOOL] = "a boolean",
		[JSON_INT] = "an integer",  [JSON_REAL] = "a number with a fraction",
		[JSON_STRING] = "a string", [JSON_LIST] = "a list",
		[JSON_MAP] = "a map",
	};

	return names[t];
}

struct json *json_get(const struct json *map, const char *key)
{
	if (!map || map->type != JSON_MAP)
		return NULL;
	for (struct json *m = map->first; m; m = m->next)
		if (strcmp(m->key, key) == 0)
			return m;
	return NULL;
}

const char *json_get_str(const struct json *map, const char *key)
{
	const struct json *v = json_get(map, key);

	return v && v->type == JSON_STRING ? v->s : NULL;
}

bool json_get_int(const struct json *map, const char *key, int64_t *ret)
{
	const struct json *v = json_get(map, key);

	if (!v || v->type != JSON_INT)
		return false;
	*ret = v->i;
	return true;
}

bool json_get_bool(const struct json *map, const char *key, bool *ret)
{
	const struct json *v = json_get(map, key);

	if (!v || v->type != JSON_BOOL)
		return false;
	*ret = v->b;
	return true;
}

void json_unlink(struct json *parent, const struct json *member)
{
	struct json *prev = NULL;

	for (struct json *m = parent->first; m; prev = m, m = m->next) {
		if (m != member)
			continue;
		if (prev)
			prev->next = m->next;
		else
			parent->first = m->next;
		if (parent->last == m)
			parent->last = prev;
		parent->count--;
		return;
	}
}

void json_remove(struct json *map, const char *key)
{
	const struct json *m = json_get(map, key);

	if (m)
		json_unlink(map, m);
}

struct json *json_copy_without(struct arena *a, const struct json *map, const char *key)
{
	struct json *to = json_map(a);

	for (const struct json *v = map && map->type == JSON_MAP ? map->first : NULL; v;
	     v = v->next)
		if (strcmp(v->key, key) != 0)
			(void)json_add(a, to, v->key, json_copy(a, v));
	return to;
}

struct json *json_set(struct arena *a, struct json *map, const char *key, struct json *v)
{
	json_remove(map, key);
	return json_add(a, map, key, v);
}

/* --- duplicate keys --------------------------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
	const struct json *x = *(const struct json *const *)a;
	const struct json *y = *(const struct json *const *)b;
	int r = strcmp(x->key, y->key);

	/* equal keys in order of their place */
	if (!r)
		r = (x->key_pos.line > y->key_pos.line) - (x->key_pos.line < y->key_pos.line);
	if (!r)
		r = (x->key_pos.col > y->key_pos.col) - (x->key_pos.col < y->key_pos.col);
	return r;
}

static int duplicate(struct json_lex *x, const struct json *first, const struct json *second)
{
	return json_lex_problem(x, &second->key_pos, -USHER_E_EXISTS,
				"duplicate key '%s', first given at %s%s%u:%u", second->key,
				first->key_pos.file, first->key_pos.file[0] ? ":" : "",
				first->key_pos.line, first->key_pos.col);
}

/* Removes v from its map; it is not the first member. */
static void drop_member(struct json *map, const struct json *v)
{
	struct json *prev = map->first;

	while (prev->next != v)
		prev = prev->next;
	prev->next = v->next;
	if (map->last == v)
		map->last = prev;
	map->count--;
}

/* Checks a map of many keys for duplicates. Sorting keeps a hostile request from making this
 * quadratic. */
static int check_many_keys(struct json_lex *x, struct json *map)
{
	auto_free const struct json **v = calloc(map->count, sizeof(const struct json *));
	size_t n = 0;

	if (!v)
		return config_error_set(x->err, &map->pos, -USHER_E_NOMEM, "out of memory");
	for (const struct json *m = map->first; m; m = m->next)
		v[n++] = m;
	qsort(v, n, sizeof(const struct json *), by_key);
	for (size_t i = 1, first = 0; i < n; i++) {
		if (strcmp(v[first]->key, v[i]->key) != 0) {
			first = i;
			continue;
		}
		if (duplicate(x, v[first], v[i]) < 0)
			return -USHER_E_EXISTS;
		drop_member(map, v[i]);
	}
	return 0;
}

static const struct json *same_key_before(const struct json *map, const struct json *v)
{
	for (const struct json *a = map->first; a != v; a = a->next)
		if (strcmp(a->key, v->key) == 0)
			return a;
	return NULL;
}

static int check_keys(struct json_lex *x, struct json *map)
{
	struct json *next;

	if (map->count > FEW_KEYS)
		return check_many_keys(x, map);
	for (struct json *b = map->first; b; b = next) {
		const struct json *a = same_key_before(map, b);

		next = b->next;
		if (!a)
			continue;
		if (duplicate(x, a, b) < 0)
			return -USHER_E_EXISTS;
		drop_member(map, b);
	}
	return 0;
}

/* --- values ----------------------------------------------------------------------------------- */

static int parse_value(struct json_lex *x, unsigned depth, struct json **ret);

void json_append(struct json *to, struct json *v)
{
	v->next = NULL;
	if (to->last)
		to->last->next = v;
	else
		to->first = v;
	to->last = v;
	to->count++;
}

static void warn_comma(struct json_lex *x, const struct json_pos *pos)
{
	json_lex_warn(x, pos,
		      json_lex_peek(x) == ']' ? "extra comma at the end of the list"
					      : "extra comma at the end of the map");
}

/* Returns whether a value or a key can begin at the cursor. Then only the comma before it is
 * missing. */
static bool at_element(const struct json_lex *x)
{
	int c = json_lex_peek(x);

	return c == '"' || c == '{' || c == '[' || c == '-' || (c >= '0' && c <= '9') || c == 't' ||
	       c == 'f' || c == 'n';
}

/* Notes that an include before the cursor could not be read: its missing elements are no second
 * problem. */
static bool take_lost(struct json_lex *x, struct json *into)
{
	bool lost = x->lost;

	x->lost = false;
	into->incomplete |= lost;
	return lost;
}

/* Reads the separator behind an element: 1 another element follows, 0 the end (consumed). */
static int parse_separator(struct json_lex *x, struct json *into, int close, const char *expected)
{
	struct json_pos comma;
	bool lost;
	int r = json_lex_skip(x);

	if (r < 0)
		return r;
	lost = take_lost(x, into);
	if (json_lex_peek(x) == close) {
		x->stack[x->n - 1].p++;
		return 0;
	}
	if (json_lex_peek(x) != ',') {
		if (!at_element(x))
			return json_lex_expected(x, expected);
		if (lost)
			return 1;
		r = json_lex_unexpected(x, expected);
		return r < 0 ? r : 1;
	}
	comma = json_lex_pos(x);
	x->stack[x->n - 1].p++;
	r = json_lex_skip(x);
	if (r < 0)
		return r;
	if (json_lex_peek(x) != close || !x->o->dialect)
		return 1;
	if (!take_lost(x, into))
		warn_comma(x, &comma);
	x->stack[x->n - 1].p++;
	return 0;
}

/* Reads a member: "key": value. */
static int parse_member(struct json_lex *x, unsigned depth, struct json **ret)
{
	struct json_pos key_pos = json_lex_pos(x);
	const char *key;
	size_t n;
	int r;

	if (json_lex_peek(x) != '"')
		return json_lex_expected(x, "a key in quotes");
	r = json_lex_string(x, &key, &n);
	if (r < 0)
		return r;
	r = json_lex_skip(x);
	if (r < 0)
		return r;
	if (json_lex_peek(x) == ':') {
		x->stack[x->n - 1].p++;
	} else {
		r = at_element(x) ? json_lex_unexpected(x, "':' after the key")
				  : json_lex_expected(x, "':' after the key");
		if (r < 0)
			return r;
	}
	r = parse_value(x, depth, ret);
	if (r < 0)
		return r;
	(*ret)->key = key;
	(*ret)->key_pos = key_pos;
	return 0;
}

/* Reads one member or element; reads nothing where a comma follows an include that could not be
 * read. */
static int parse_element(struct json_lex *x, unsigned depth, struct json *into)
{
	struct json *v;
	int r;

	if (take_lost(x, into) && json_lex_peek(x) == ',')
		return 0;
	r = into->type == JSON_MAP ? parse_member(x, depth, &v) : parse_value(x, depth, &v);
	if (r == 0)
		json_append(into, v);
	return r;
}

/* Reads members or elements up to the closing bracket; the opening one is at the cursor. */
static int parse_container(struct json_lex *x, unsigned depth, struct json *into)
{
	bool map = into->type == JSON_MAP;
	int close = map ? '}' : ']';
	int r;

	if (depth >= x->max_depth)
		return config_error_set(x->err, &into->pos, -USHER_E_DEPTH,
					"nested more than %u deep", x->max_depth);
	x->stack[x->n - 1].p++;
	r = json_lex_skip(x);
	if (r < 0)
		return r;
	if (json_lex_peek(x) == close) {
		(void)take_lost(x, into);
		x->stack[x->n - 1].p++;
		return 0;
	}
	do {
		r = parse_element(x, depth + 1, into);
		if (r == 0)
			r = parse_separator(x, into, close, map ? "',' or '}'" : "',' or ']'");
	} while (r > 0);
	return r < 0 || !map ? r : check_keys(x, into);
}

static const struct {
	const char *word;
	enum json_type type;
	bool value;
} words[] = {
	{"true", JSON_BOOL, true},
	{"false", JSON_BOOL, false},
	{"null", JSON_NULL, false},
};

/* Reports text that is no value and skips the word, at least if there is more text on its line. */
static int refuse_word(struct json_lex *x, struct json *v)
{
	struct json_source *s = &x->stack[x->n - 1];
	int r = 0;

	v->type = JSON_NULL;
	v->refused = true;
	if (x->lost && s->p < s->end && strchr(",]}", *s->p)) {
		x->lost = false; /* the include was reported */
		return 0;
	}
	r = s->p == s->end ? json_lex_expected(x, "a value") : json_lex_unexpected(x, "a value");
	while (s->p < s->end && !strchr(",]}:\n", *s->p))
		s->p++;
	return r;
}

static int parse_word(struct json_lex *x, struct json *v)
{
	struct json_source *s = &x->stack[x->n - 1];

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		size_t n = strlen(words[i].word);

		if ((size_t)(s->end - s->p) < n || memcmp(s->p, words[i].word, n) != 0)
			continue;
		v->type = words[i].type;
		if (v->type == JSON_BOOL)
			v->b = words[i].value;
		s->p += n;
		return 0;
	}
	return refuse_word(x, v);
}

static int parse_string(struct json_lex *x, struct json *v)
{
	v->type = JSON_STRING;
	return json_lex_string(x, &v->s, &v->n);
}

static int parse_value(struct json_lex *x, unsigned depth, struct json **ret)
{
	struct json *v;
	int c;
	int r = json_lex_skip(x);

	if (r < 0)
		return r;
	v = arena_new(x->arena, struct json);
	if (!v)
		return config_error_set(x->err, NULL, -USHER_E_NOMEM, "out of memory");
	v->pos = json_lex_pos(x);
	c = json_lex_peek(x);
	if (c == '{' || c == '[') {
		v->type = c == '{' ? JSON_MAP : JSON_LIST;
		r = parse_container(x, depth, v);
	} else if (c == '"') {
		r = parse_string(x, v);
	} else if (c == '-' || (c >= '0' && c <= '9') || (c == '.' && x->o->dialect)) {
		r = json_lex_number(x, v);
	} else {
		r = parse_word(x, v);
	}
	if (r == 0)
		*ret = v;
	return r;
}

/* --- entry points ----------------------------------------------------------------------------- */

static int parse_all(struct json_lex *x, struct json **ret)
{
	struct json *v;
	int r = parse_value(x, 0, &v);

	if (r == 0)
		r = json_lex_skip(x);
	if (r == 0 && json_lex_peek(x) != -1)
		r = json_lex_expected(x, "the end of the text");
	json_lex_fini(x);
	if (r == 0)
		*ret = v;
	return r;
}

static struct json_lex lex_init(const struct json_opts *o, struct arena *arena,
				struct config_error *err)
{
	return (struct json_lex){
		.o = o,
		.arena = arena,
		.err = err,
		.max_depth = o->max_depth ? o->max_depth : JSON_MAX_DEPTH,
	};
}

int json_parse(struct span text, const struct json_opts *o, struct arena *arena, struct json **ret,
	       struct config_error *err)
{
	struct json_lex x = lex_init(o, arena, err);
	const char *p = text.n ? (const char *)text.p : "";

	x.stack[0] = (struct json_source){.p = p, .end = p + text.n, .line_start = p, .line = 1};
	x.stack[0].file = arena_strdup(arena, o->file ? o->file : "");
	if (!x.stack[0].file)
		return config_error_set(err, NULL, -USHER_E_NOMEM, "out of memory");
	x.n = 1;
	return parse_all(&x, ret);
}

int json_parse_file(const char *path, const struct json_opts *o, struct arena *arena,
		    struct json **ret, struct config_error *err)
{
	struct json_lex x = lex_init(o, arena, err);
	struct json_pos pos = {path, 0, 0};
	int r = json_lex_open(&x, path);

	if (r < 0)
		return config_error_set(err, &pos, r, "cannot read: %s", usher_strerror(r));
	return parse_all(&x, ret);
}
