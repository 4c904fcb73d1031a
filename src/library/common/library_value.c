/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The common parts of the built-in libraries: parameters with the places of their mistakes, and
 * expressions on the packet of a call.
 */
#include "library/common/library.h"

#include "base/buf.h"
#include "base/error.h"
#include "config/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* --- Parameters ------------------------------------------------------------------------------- */

void library_problem(struct library_problems *p, const struct json_pos *at, const char *fmt, ...)
{
	struct config_error e = {0};
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)config_error_set(&e, at, -USHER_E_HOOK, "hook library %s: %s", p->library, text);
	p->n++;
	p->fn(p->ctx, &e);
}

static const char *const type_names[] =
	{[JSON_NULL] = "null",	   [JSON_BOOL] = "true or false", [JSON_INT] = "a whole number",
	 [JSON_REAL] = "a number", [JSON_STRING] = "a string",	  [JSON_LIST] = "a list",
	 [JSON_MAP] = "a map"};

/* Writes the names of all keys, for a message. */
static void list_keys(const struct library_key *keys, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_str(out, i + 1 < n ? ", " : " and ");
		buf_str(out, keys[i].name);
	}
}

static void check_member(struct library_problems *p, const struct json *v,
			 const struct library_key *keys, size_t n)
{
	struct buf names;
	size_t i = 0;

	while (i < n && strcmp(keys[i].name, v->key) != 0)
		i++;
	if (i < n) {
		if (v->type != keys[i].type)
			library_problem(p, &v->pos, "'%s' must be %s", v->key,
					type_names[keys[i].type]);
		return;
	}
	buf_init(&names);
	list_keys(keys, n, &names);
	if (n)
		library_problem(p, &v->key_pos, "unknown parameter '%.64s', the parameters are %s",
				v->key, names.failed ? "others" : names.p);
	else
		library_problem(p, &v->key_pos,
				"unknown parameter '%.64s', the library has no parameters", v->key);
	buf_fini(&names);
}

bool library_check_keys(struct library_problems *p, const struct json *map,
			const struct library_key *keys, size_t n)
{
	size_t before = p->n;

	if (map && map->type == JSON_MAP)
		for (const struct json *v = map->first; v; v = v->next)
			check_member(p, v, keys, n);
	return p->n == before;
}

const struct expr *library_expr(struct library_problems *p, const struct config *cfg,
				const struct json *text, bool condition, struct arena *arena)
{
	struct expr_opts o = {.defs = cfg->defs};
	struct config_error err = {0};
	struct expr *e = NULL;
	struct json_pos at;

	if (!text || text->type != JSON_STRING || !text->n)
		return NULL;
	at = text->pos;
	at.col++; /* behind the quote */
	if (expr_compile(span_of(text->s, text->n), condition, &o, &at, arena, &e, &err) == 0)
		return e;
	p->n++;
	p->fn(p->ctx, &err);
	return NULL;
}

/* --- Expressions ------------------------------------------------------------------------------ */

int library_text(usher_call *call, const struct expr *e, const usher_msg *msg, struct span *ret,
		 const char **ret_why)
{
	struct expr_ctx c = hook_expr_ctx(call, msg);

	return expr_string(e, &c, ret, ret_why);
}

int library_condition(usher_call *call, const struct expr *e, const usher_msg *msg, bool *ret,
		      const char **ret_why)
{
	struct expr_ctx c = hook_expr_ctx(call, msg);

	return expr_bool(e, &c, ret, ret_why);
}
