/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Errors with a place in a file.
 */
#include "config/json/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void error_file(struct config_error *e, const char *file)
{
	size_t n = file ? strlen(file) : 0;

	e->file[0] = '\0';
	if (n >= sizeof(e->file))
		file += n - sizeof(e->file) + 1;
	if (n)
		(void)snprintf(e->file, sizeof(e->file), "%s", file);
}

int config_error_set(struct config_error *e, const struct json_pos *pos, int result,
		     const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return result;
	e->pos = pos ? (struct json_pos){"", pos->line, pos->col} : (struct json_pos){"", 0, 0};
	error_file(e, pos ? pos->file : NULL);
	va_start(ap, fmt);
	(void)vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return result;
}

void config_error_text(const struct config_error *e, struct buf *out)
{
	if (e->file[0])
		buf_printf(out, "%s:", e->file);
	if (e->pos.line)
		buf_printf(out, "%u:%u:", e->pos.line, e->pos.col);
	buf_printf(out, "%s%s", e->file[0] || e->pos.line ? " " : "", e->text);
}

/* --- look-ups --------------------------------------------------------------------------------- */
