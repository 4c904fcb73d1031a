/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Problems and warnings of a load. A problem is reported and loading continues; a value that stands
 * in for one that was refused causes no more of them.
 */
#include "config/config_load.h"

#include <stdarg.h>
#include <stdio.h>

int load_report(struct load *l, const struct config_error *e)
{
	if (l->n_problems++ == 0 && l->err)
		*l->err = *e;
	if (l->o && l->o->problem)
		l->o->problem(l->o->ctx, e);
	return -USHER_E_CONFIG;
}

static int printf_like(3, 0)
	report_at(struct load *l, const struct json_pos *pos, const char *fmt, va_list ap)
{
	struct config_error e;
	char text[480];

	(void)vsnprintf(text, sizeof(text), fmt, ap);
	(void)config_error_set(&e, pos, 0, "%s", text);
	return load_report(l, &e);
}

int load_fail(struct load *l, const struct json *at, const char *fmt, ...)
{
	va_list ap;
	int r;

	if (at && at->refused)
		return -USHER_E_CONFIG;
	va_start(ap, fmt);
	r = report_at(l, at ? &at->pos : NULL, fmt, ap);
	va_end(ap);
	return r;
}

int load_fail_key(struct load *l, const struct json *m, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = report_at(l, m->key ? &m->key_pos : &m->pos, fmt, ap);
	va_end(ap);
	return r;
}

int load_no_memory(struct load *l)
{
	return config_error_set(l->err, NULL, -USHER_E_NOMEM, "out of memory");
}

void load_warn(struct load *l, const struct json *at, const char *fmt, ...)
{
	struct config_error w;
	char text[480];
	va_list ap;

	if (!l->o || !l->o->warn)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)config_error_set(&w, at ? &at->pos : NULL, 0, "%s", text);
	l->o->warn(l->o->ctx, &w);
}

const char *load_place(struct load *l, const struct json *at)
{
	const char *s = arena_printf(l->a, "%s%s%u:%u", at->pos.file, at->pos.file[0] ? ":" : "",
				     at->pos.line, at->pos.col);

	return s ? s : "";
}
