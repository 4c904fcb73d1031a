/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The place of the JSON reader, and its errors: an error ends the parse, or is reported and stepped
 * over.
 */
#include "config/json/json_lex.h"

#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

enum { PROBLEMS_MAX = 1000 };

struct json_pos json_lex_pos(const struct json_lex *x)
{
	const struct json_source *s = &x->stack[x->n - 1];

	return (struct json_pos){s->file, s->line, (uint32_t)(s->p - s->line_start) + 1};
}

int json_lex_peek(const struct json_lex *x)
{
	const struct json_source *s = &x->stack[x->n - 1];

	return s->p < s->end ? (unsigned char)*s->p : -1;
}

int json_lex_problem(struct json_lex *x, const struct json_pos *pos, int result, const char *fmt,
		     ...)
{
	struct config_error e;
	char text[480];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!x->o->problem || x->n_problems == PROBLEMS_MAX)
		return config_error_set(x->err, pos, result, "%s", text);
	(void)config_error_set(&e, pos, result, "%s", text);
	x->n_problems++;
	x->o->problem(x->o->ctx, &e);
	return 0;
}

void json_lex_warn(struct json_lex *x, const struct json_pos *pos, const char *text)
{
	struct config_error w;

	if (!x->o->warn)
		return;
	(void)config_error_set(&w, pos, 0, "%s", text);
	x->o->warn(x->o->ctx, &w);
}

/* Reports an error at the cursor that can be stepped over. */
int json_lex_fail(struct json_lex *x, const char *text)
{
	struct json_pos pos = json_lex_pos(x);

	return json_lex_problem(x, &pos, -USHER_E_SYNTAX, "%s", text);
}

/* Copies a word or a character for the message "found …". */
static void name_found(const struct json_source *s, char *out, size_t cap)
{
	size_t n = 0;

	if (s->p == s->end) {
		(void)snprintf(out, cap, "the end of the text");
		return;
	}
	while (s->p + n < s->end && n < 24 &&
	       ((s->p[n] >= 'a' && s->p[n] <= 'z') || (s->p[n] >= 'A' && s->p[n] <= 'Z') ||
		(s->p[n] >= '0' && s->p[n] <= '9') || s->p[n] == '_' || s->p[n] == '-'))
		n++;
	if (!n && *s->p >= ' ' && *s->p <= '~')
		n = 1;
	if (n)
		(void)snprintf(out, cap, "'%.*s'", (int)n, s->p);
	else
		(void)snprintf(out, cap, "octet 0x%02x", (unsigned char)*s->p);
}

int json_lex_expected(struct json_lex *x, const char *what)
{
	struct json_pos pos = json_lex_pos(x);
	char found[48];

	name_found(json_lex_top(x), found, sizeof(found));
	return config_error_set(x->err, &pos, -USHER_E_SYNTAX, "found %s, expected %s", found,
				what);
}

int json_lex_unexpected(struct json_lex *x, const char *wanted)
{
	struct json_pos pos = json_lex_pos(x);
	char found[48];

	name_found(json_lex_top(x), found, sizeof(found));
	return json_lex_problem(x, &pos, -USHER_E_SYNTAX, "found %s, expected %s", found, wanted);
}
