/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A dictionary is read line by line: a keyword, and words between blanks. A name of the file hides
 * the standard one.
 */
#include "library/radius/radius_dictionary.h"

#include "base/error.h"
#include "config/json/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 4, LINES_MAX = 100000, FILES_DEEP = 5 };

static const struct radius_name standard[] = {
#define ATTRIBUTE(name_, type_, kind_) {.name = (name_), .type = (type_), .kind = RADIUS_##kind_},
#include "library/radius/radius_attributes.def"
#undef ATTRIBUTE
};

static const struct {
	const char *attribute;
	const char *name;
	uint32_t value;
} standard_values[] = {
#define VALUE(attribute_, name_, value_) {(attribute_), (name_), (value_)},
#include "library/radius/radius_values.def"
#undef VALUE
};

/* --- Look-ups --------------------------------------------------------------------------------- */

static bool is_match(const struct radius_name *n, uint32_t vendor, const char *name, uint8_t type)
{
	return n->vendor == vendor && (name || type) && (!name || strcmp(n->name, name) == 0) &&
	       (!type || n->type == type);
}

const struct radius_name *radius_name_find(const struct radius_dictionary *d, uint32_t vendor,
					   const char *name, uint8_t type)
{
	for (const struct radius_name *n = d->names; n; n = n->next)
		if (is_match(n, vendor, name, type))
			return n;
	for (size_t i = 0; i < ARRAY_LEN(standard); i++)
		if (is_match(&standard[i], vendor, name, type))
			return &standard[i];
	return NULL;
}

static bool find_standard_value(const struct radius_name *of, const char *name, uint32_t *ret)
{
	static const struct radius_dictionary none;

	for (size_t i = 0; i < ARRAY_LEN(standard_values); i++) {
		const char *attribute = standard_values[i].attribute;

		if (strcmp(standard_values[i].name, name) != 0 ||
		    radius_name_find(&none, 0, attribute, 0)->type != of->type)
			continue;
		*ret = standard_values[i].value;
		return true;
	}
	return false;
}

bool radius_value_find(const struct radius_dictionary *d, const struct radius_name *of,
		       const char *name, uint32_t *ret)
{
	for (const struct radius_value *v = d->values; v; v = v->next) {
		if (v->vendor != of->vendor || v->type != of->type || strcmp(v->name, name) != 0)
			continue;
		*ret = v->value;
		return true;
	}
	return !of->vendor && find_standard_value(of, name, ret);
}

static bool parse_digits(const char *text, unsigned long max, unsigned long *ret)
{
	char *end;

	errno = 0;
	*ret = strtoul(text, &end, 0);
	return text[0] && !*end && !errno && text[0] != '-' && *ret && *ret <= max;
}

uint32_t radius_vendor_find(const struct radius_dictionary *d, const char *text)
{
	unsigned long n;

	for (const struct radius_vendor *v = d->vendors; v; v = v->next)
		if (strcmp(v->name, text) == 0)
			return v->number;
	return parse_digits(text, UINT32_MAX, &n) ? (uint32_t)n : 0;
}

/* --- The file --------------------------------------------------------------------------------- */

struct reader {
	struct arena *arena;
	struct radius_dictionary *to;
	struct config_error *err;
	uint32_t vendor; /* of BEGIN-VENDOR; 0: none */
	unsigned depth;	 /* files that are open */
	const char *dir; /* of the file that is read, with its slash */
};

static enum radius_kind find_kind(const char *text)
{
	static const struct {
		const char *name;
		enum radius_kind kind;
	} kinds[] = {{"integer", RADIUS_INTEGER},
		     {"date", RADIUS_INTEGER},
		     {"ipaddr", RADIUS_IPV4},
		     {"ipv6addr", RADIUS_IPV6},
		     {"ipv6prefix", RADIUS_PREFIX6}};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kinds[i].name, text) == 0)
			return kinds[i].kind;
	return RADIUS_STRING;
}

/* Returns the reason of a refusal, or NULL. */
static const char *add_attribute(struct reader *r, char *const *w)
{
	struct radius_name *n = arena_new(r->arena, struct radius_name);
	unsigned long type;

	if (!n)
		return "out of memory";
	if (!w[3])
		return "ATTRIBUTE needs a name, a number and a type";
	if (!parse_digits(w[2], UINT32_MAX, &type))
		return "the number of an attribute is malformed";
	if (type > 255)
		return NULL; /* not for messages */
	*n = (struct radius_name){.name = arena_strdup(r->arena, w[1]),
				  .vendor = r->vendor,
				  .type = (uint8_t)type,
				  .kind = find_kind(w[3]),
				  .next = r->to->names};
	r->to->names = n;
	return n->name ? NULL : "out of memory";
}

/* Adds VALUE attribute name number. */
static const char *add_value(struct reader *r, char *const *w)
{
	const struct radius_name *of = w[1] ? radius_name_find(r->to, r->vendor, w[1], 0) : NULL;
	struct radius_value *v;
	char *end;
	long long n;

	if (!w[1] || !w[2] || !w[3])
		return "VALUE needs the name of an attribute, a name and a number";
	errno = 0;
	n = strtoll(w[3], &end, 0);
	if (*end || errno || n < INT32_MIN || n > UINT32_MAX)
		return "the number of a value is malformed";
	if (!of || of->kind != RADIUS_INTEGER)
		return NULL; /* not for messages, or of a kind that has no names */
	v = arena_new(r->arena, struct radius_value);
	if (!v)
		return "out of memory";
	*v = (struct radius_value){.name = arena_strdup(r->arena, w[2]),
				   .vendor = r->vendor,
				   .type = of->type,
				   .value = (uint32_t)n,
				   .next = r->to->values};
	r->to->values = v;
	return v->name ? NULL : "out of memory";
}

static const char *add_vendor(struct reader *r, char *const *w)
{
	struct radius_vendor *v = arena_new(r->arena, struct radius_vendor);
	unsigned long number;

	if (!v)
		return "out of memory";
	if (!w[2] || !parse_digits(w[2], UINT32_MAX, &number))
		return "VENDOR needs a name and a number";
	*v = (struct radius_vendor){arena_strdup(r->arena, w[1]), (uint32_t)number, r->to->vendors};
	r->to->vendors = v;
	return v->name ? NULL : "out of memory";
}

static int read_dictionary_file(struct reader *r, const char *path);

/* Reads the file of $INCLUDE name. */
static const char *include_file(struct reader *r, char *const *w)
{
	const char *dir = r->dir;
	char *path;
	int e;

	if (!w[1] || w[2])
		return "$INCLUDE needs the name of a file";
	if (r->depth >= FILES_DEEP)
		return "$INCLUDE is nested too deeply: five files at most";
	path = w[1][0] == '/' ? arena_strdup(r->arena, w[1])
			      : arena_printf(r->arena, "%s%s", dir, w[1]);
	if (!path)
		return "out of memory";
	e = read_dictionary_file(r, path);
	r->dir = dir;
	if (e == 0)
		return NULL;
	return e == -USHER_E_SYNTAX ? "" : "the file of $INCLUDE cannot be read";
}

static const char *read_words(struct reader *r, char *const *w)
{
	if (strcmp(w[0], "ATTRIBUTE") == 0)
		return add_attribute(r, w);
	if (strcmp(w[0], "VALUE") == 0)
		return add_value(r, w);
	if (strcmp(w[0], "$INCLUDE") == 0)
		return include_file(r, w);
	if (strcmp(w[0], "VENDOR") == 0)
		return add_vendor(r, w);
	if (strcmp(w[0], "END-VENDOR") == 0)
		r->vendor = 0;
	if (strcmp(w[0], "BEGIN-VENDOR") != 0)
		return NULL;
	r->vendor = w[1] ? radius_vendor_find(r->to, w[1]) : 0;
	return r->vendor ? NULL : "BEGIN-VENDOR names no vendor";
}

/* Reads a line, which it cuts into words. */
static const char *read_line(struct reader *r, char *line)
{
	char *words[WORDS + 1] = {0}, *save = NULL;
	size_t n = 0;

	line[strcspn(line, "#\r\n")] = '\0';
	for (char *w = strtok_r(line, " \t", &save); w && n < WORDS;
	     w = strtok_r(NULL, " \t", &save))
		words[n++] = w;
	return n ? read_words(r, words) : NULL;
}

/* Reads a file. 0, -errno, -USHER_E_SYNTAX with *r->err, the innermost place. */
static int read_dictionary_file(struct reader *r, const char *path)
{
	struct json_pos at = {.file = path, .col = 1};
	const char *slash = strrchr(path, '/'), *why = NULL;
	size_t n_dir = slash ? (size_t)(slash - path) + 1 : 0;
	char line[1024];
	FILE *f = fopen(path, "re");

	if (!f)
		return -errno;
	r->dir = arena_printf(r->arena, "%.*s", (int)n_dir, path);
	r->depth++;
	while (!why && r->dir && at.line < LINES_MAX && fgets(line, sizeof(line), f)) {
		at.line++;
		why = read_line(r, line);
	}
	r->depth--;
	if (!why && ferror(f))
		why = "cannot be read";
	(void)fclose(f);
	if (!why && r->vendor && r->depth == 0)
		why = "END-VENDOR is missing";
	if (!r->dir)
		why = "out of memory";
	if (!why)
		return 0;
	return why[0] ? config_error_set(r->err, &at, -USHER_E_SYNTAX, "%s", why) : -USHER_E_SYNTAX;
}

int radius_dictionary_read(const char *path, struct arena *arena, struct radius_dictionary *ret,
			   struct config_error *err)
{
	struct reader r = {.arena = arena, .to = ret, .err = err};

	return read_dictionary_file(&r, path);
}
