/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Descriptions of arguments are short, so each check reads the text again: there is no second form
 * of it in memory.
 */
#include "control/args.h"

#include "base/error.h"
#include "config/json/json.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *name, *refusal;
} types[] = {
	[CONTROL_TEXT] = {"text", "a string"},	[CONTROL_INT] = {"int", "a number"},
	[CONTROL_BOOL] = {"bool", "a boolean"}, [CONTROL_MAP] = {"map", "a map"},
	[CONTROL_LIST] = {"list", "a list"},	[CONTROL_ANY] = {"any", ""},
};

const char *control_type_name(enum control_type t)
{
	return types[t].name;
}

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	       c == '-' || c == '_';
}

/* Reads a run of letters; empty: there is none. */
static struct span read_name(const char *s, size_t *at)
{
	size_t begin = *at;

	while (is_name(s[*at]))
		(*at)++;
	return span_of((const uint8_t *)s + begin, *at - begin);
}

static bool find_type(struct span name, enum control_type *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (strlen(types[i].name) != name.n || memcmp(types[i].name, name.p, name.n) != 0)
			continue;
		*ret = (enum control_type)i;
		return true;
	}
	return false;
}

int control_args_next(const char *description, size_t *at, unsigned *alternative,
		      struct control_arg *ret)
{
	const char *s = description;
	char close = '\0';

	while (s[*at] == ' ' || s[*at] == '|' || (s[*at] == '*' && !*at))
		*alternative += s[(*at)++] == '|';
	if (!s[*at])
		return 0;
	*ret = (struct control_arg){.presence = CONTROL_REQUIRED, .alternative = *alternative};
	if (s[*at] == '[' || s[*at] == '(') {
		ret->presence = s[*at] == '[' ? CONTROL_OPTIONAL : CONTROL_OWN_CHECK;
		close = s[(*at)++] == '[' ? ']' : ')';
	}
	ret->name = read_name(s, at);
	if (!ret->name.n || s[*at] != ':')
		return -USHER_E_SYNTAX;
	(*at)++;
	if (!find_type(read_name(s, at), &ret->type))
		return -USHER_E_SYNTAX;
	if (close && s[(*at)++] != close)
		return -USHER_E_SYNTAX;
	return s[*at] == ' ' || !s[*at] ? 1 : -USHER_E_SYNTAX;
}

bool control_args_are_valid(const char *description)
{
	struct control_arg arg;
	unsigned alternative = 0;
	size_t at = 0;
	int r;

	do
		r = control_args_next(description, &at, &alternative, &arg);
	while (r == 1);
	return r == 0;
}

static const struct json *find_arg(const struct json *args, struct span name)
{
	for (const struct json *m = args ? args->first : NULL; m; m = m->next)
		if (strlen(m->key) == name.n && memcmp(m->key, name.p, name.n) == 0)
			return m;
	return NULL;
}

static bool has_type(const struct json *v, enum control_type t)
{
	switch (t) {
	case CONTROL_TEXT:
		return v->type == JSON_STRING;
	case CONTROL_INT:
		return v->type == JSON_INT;
	case CONTROL_BOOL:
		return v->type == JSON_BOOL;
	case CONTROL_MAP:
		return v->type == JSON_MAP;
	case CONTROL_LIST:
		return v->type == JSON_LIST;
	case CONTROL_ANY:
	default:
		return true;
	}
}

/* Appends "'name'" to the names of an alternative, or begins the next alternative. */
static void list_missing(char *text, size_t n, const struct control_arg *a, bool first,
			 bool new_alternative)
{
	size_t len = strlen(text);

	(void)snprintf(text + len, n - len, "%s'%.*s'",
		       first		 ? ""
		       : new_alternative ? " or "
					 : " and ",
		       (int)a->name.n, (const char *)a->name.p);
}

/* Writes the refusal of arguments of which no alternative is complete: the missing names, or all
 * names of several alternatives. */
static int refuse_missing(const char *description, const struct json *args, char *text, size_t n)
{
	unsigned alternative = 0, last = 0, names = 0;
	bool several = strchr(description, '|') != NULL;
	struct control_arg a;
	size_t at = 0;

	text[0] = '\0';
	while (control_args_next(description, &at, &alternative, &a) == 1) {
		if (a.presence != CONTROL_REQUIRED || (!several && find_arg(args, a.name)))
			continue;
		list_missing(text, n, &a, names == 0, a.alternative != last);
		last = a.alternative;
		names++;
	}
	at = strlen(text);
	(void)snprintf(text + at, n - at, "%s",
		       names == 1 ? " parameter not specified" : " must be specified");
	return -USHER_E_TYPE;
}

int control_args_check(const char *description, const struct json *args, char *text, size_t n)
{
	unsigned alternative = 0, now = 0;
	bool whole = true, any_whole = false, any = false;
	struct control_arg a;
	size_t at = 0;

	while (control_args_next(description, &at, &alternative, &a) == 1) {
		const struct json *v = find_arg(args, a.name);

		if (a.alternative != now) {
			any_whole = any_whole || whole;
			whole = true;
			now = a.alternative;
		}
		any = true;
		if (v && a.presence != CONTROL_OWN_CHECK && !has_type(v, a.type)) {
			(void)snprintf(text, n, "'%.*s' parameter must be %s", (int)a.name.n,
				       (const char *)a.name.p, types[a.type].refusal);
			return -USHER_E_TYPE;
		}
		whole = whole && (v || a.presence != CONTROL_REQUIRED);
	}
	if (!any || any_whole || whole)
		return 0;
	return refuse_missing(description, args, text, n);
}
