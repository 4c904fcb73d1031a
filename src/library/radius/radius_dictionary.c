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

enum { WORDS = 4, LINES_MAX = 100000 };

static const struct radius_name standard[] = {
#define ATTRIBUTE(name_, type_, kind_) {.name = (name_), .type = (type_), .kind = RADIUS_##kind_},
#include "library/radius/radius_attributes.def"
#undef ATTRIBUTE
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
	uint32_t vendor; /* of BEGIN-VENDOR; 0: none */
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

static const char *read_words(struct reader *r, char *const *w)
{
	if (strcmp(w[0], "ATTRIBUTE") == 0)
		return add_attribute(r, w);
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

int radius_dictionary_read(const char *path, struct arena *arena, struct radius_dictionary *ret,
			   struct config_error *err)
{
	struct reader r = {.arena = arena, .to = ret};
	struct json_pos at = {.file = path, .col = 1};
	const char *why = NULL;
	char line[1024];
	FILE *f = fopen(path, "re");

	if (!f)
		return -errno;
	while (!why && at.line < LINES_MAX && fgets(line, sizeof(line), f)) {
		at.line++;
		why = read_line(&r, line);
	}
	(void)fclose(f);
	if (!why && r.vendor)
		why = "END-VENDOR is missing";
	return why ? config_error_set(err, &at, -USHER_E_SYNTAX, "%s", why) : 0;
}
