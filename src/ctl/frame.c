/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A line is its kind, its text and a newline.
 */
#include "ctl/frame.h"

#include <stdarg.h>
#include <string.h>

enum { LINE_MAX_LEN = 512 };
enum { KIND_LINE = ' ', KIND_HEADING = '#' };

void ctl_frame_init(struct ctl_frame *f)
{
	buf_init(&f->text);
}

void ctl_frame_fini(struct ctl_frame *f)
{
	buf_fini(&f->text);
}

void ctl_frame_reset(struct ctl_frame *f)
{
	buf_reset(&f->text);
}

static void add_line(struct ctl_frame *f, char kind, const char *fmt, va_list ap)
{
	char line[LINE_MAX_LEN];

	(void)vsnprintf(line, sizeof(line), fmt, ap);
	for (char *c = line; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	buf_char(&f->text, kind);
	buf_str(&f->text, line);
	buf_char(&f->text, '\n');
}

void ctl_frame_line(struct ctl_frame *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_line(f, KIND_LINE, fmt, ap);
	va_end(ap);
}

void ctl_frame_heading(struct ctl_frame *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_line(f, KIND_HEADING, fmt, ap);
	va_end(ap);
}

/* Returns the line behind this one; NULL: there is none. */
static const char *next_line(const char *line)
{
	const char *end = strchr(line, '\n');

	return end && end[1] ? end + 1 : NULL;
}

void ctl_frame_print(const struct ctl_frame *f, FILE *out)
{
	for (const char *s = f->text.len ? f->text.p : NULL; s; s = next_line(s))
		(void)fprintf(out, "%.*s\n", (int)strcspn(s + 1, "\n"), s + 1);
}

void ctl_frame_draw(const struct ctl_frame *f, unsigned lines, unsigned columns, FILE *out)
{
	const char *s = f->text.len ? f->text.p : NULL;

	(void)fputs("\033[H", out);
	for (unsigned i = 0; i < lines && s; i++, s = next_line(s)) {
		size_t n = strcspn(s + 1, "\n");

		(void)fprintf(out, "%s%s%.*s%s\033[K", i ? "\r\n" : "",
			      s[0] == KIND_HEADING ? "\033[1m" : "",
			      (int)(n < columns ? n : columns), s + 1,
			      s[0] == KIND_HEADING ? "\033[0m" : "");
	}
	(void)fputs("\033[J", out);
}
