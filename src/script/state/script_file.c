/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Files of scripts: reading their text, and running one of them.
 */
#include "script/state/script_impl.h"

#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 16 * 1024 * 1024 };

static char *read_all(FILE *f, size_t *ret_len, const char **ret_why)
{
	size_t cap = 1 << 16;
	size_t n = 0;
	char *text = malloc(cap);

	while (text) {
		size_t got = fread(text + n, 1, cap - n, f);
		char *more;

		n += got;
		if (got == 0) {
			if (!ferror(f)) {
				*ret_len = n;
				return text;
			}
			*ret_why = strerror(errno);
			break;
		}
		if (n < cap)
			continue;
		if (cap >= FILE_MAX) {
			*ret_why = "too long (16 MiB at most)";
			break;
		}
		more = realloc(text, cap *= 2);
		if (!more)
			break;
		text = more;
	}
	free(text);
	return NULL;
}

char *script_read_file(const char *path, size_t *ret_len, const char **ret_why)
{
	FILE *f = fopen(path, "rbe");
	char *text;

	*ret_why = "memory is out";
	if (!f) {
		*ret_why = strerror(errno);
		return NULL;
	}
	text = read_all(f, ret_len, ret_why);
	(void)fclose(f);
	/* a byte order mark; a "#!" line becomes a comment, so that lines keep their numbers */
	if (text && *ret_len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		memmove(text, text + 3, *ret_len -= 3);
	if (text && *ret_len >= 2 && text[0] == '#')
		text[0] = text[1] = '-';
	return text;
}

int script_first_path(struct script *s, const char *file)
{
	const char *slash = strrchr(file, '/');
	char *dir = slash ? strndup(file, (size_t)(slash - file) + (slash == file)) : strdup(".");

	if (!dir)
		return -ENOMEM;
	free(s->paths[0]);
	s->paths[0] = dir;
	return 0;
}

int script_run_file(struct script *s, const char *path, struct script_error *err)
{
	const char *why = NULL;
	char name[256];
	size_t n;
	char *text = script_read_file(path, &n, &why);
	int r;

	if (!text || script_first_path(s, path) < 0) {
		err->fault = SCRIPT_E_RUNTIME;
		(void)snprintf(err->text, sizeof(err->text), "%s:0: %s", path,
			       why ? why : "memory is out");
		script_count(&s->faults[err->fault]);
		free(text);
		return -USHER_E_SCRIPT;
	}
	(void)snprintf(name, sizeof(name), "@%s", path);
	r = script_run_text(s, name, span_of(text, n), err);
	free(text);
	return r;
}
