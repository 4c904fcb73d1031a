/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Characters, white space, comments and includes of JSON (RFC 8259) in Kea's dialect; files are
 * read by json_file.c, strings and numbers by json_string.c and json_number.c. Invariant: p <= end
 * in every source, and line_start <= p, so that a column is a difference of pointers. Tokens never
 * cross from one source into another.
 */
#include "config/json/json_lex.h"

#include "base/error.h"

#include <errno.h>
#include <stdio.h>

static int check_loop(struct json_lex *x, const struct json_source *s)
{
	for (unsigned i = 0; i < x->n; i++)
		if (x->stack[i].ino == s->ino && x->stack[i].dev == s->dev && s->ino)
			return -ELOOP;
	return x->n > JSON_MAX_INCLUDES ? -USHER_E_DEPTH : 0;
}

/* Pushes a file. The error has no text: the caller knows the place. */
int json_lex_open(struct json_lex *x, const char *path)
{
	struct json_source s = {0};
	int r = json_source_load(path, x->o, &s);

	if (r == 0)
		r = check_loop(x, &s);
	if (r == 0) {
		s.file = arena_strdup(x->arena, path);
		r = s.file ? 0 : -USHER_E_NOMEM;
	}
	if (r < 0) {
		free(s.owned);
		return r;
	}
	x->stack[x->n++] = s;
	return 0;
}

void json_lex_fini(struct json_lex *x)
{
	while (x->n)
		free(x->stack[--x->n].owned);
}

/* Returns the path of an include: a relative path begins at the directory of the including file. */
static const char *include_path(struct json_lex *x, const char *path)
{
	const char *from = json_lex_top(x)->file;
	const char *slash = path[0] == '/' ? NULL : strrchr(from, '/');

	if (!slash)
		return path;
	return arena_printf(x->arena, "%.*s/%s", (int)(slash - from), from, path);
}

static int include_fail(struct json_lex *x, const struct json_pos *pos, const char *path, int r)
{
	x->lost = true;
	if (r == -ELOOP)
		return json_lex_problem(x, pos, -USHER_E_SYNTAX,
					"'%s' is included from within itself", path);
	if (r == -USHER_E_DEPTH)
		return json_lex_problem(x, pos, r, "includes are nested more than %d deep",
					JSON_MAX_INCLUDES);
	return json_lex_problem(x, pos, r, "cannot include '%s': %s", path, usher_strerror(r));
}

static void skip_blanks(struct json_source *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t'))
		s->p++;
}

/* Reads <?include "path"?>; the cursor is at "<?". */
static int lex_include(struct json_lex *x)
{
	struct json_pos pos = json_lex_pos(x);
	struct json_source *s = json_lex_top(x);
	const char *raw;
	const char *path;
	size_t n;
	int r;

	if (s->end - s->p < 9 || memcmp(s->p, "<?include", 9) != 0)
		return json_lex_expected(x, "<?include \"file\"?>");
	s->p += 9;
	skip_blanks(s);
	if (json_lex_peek(x) != '"')
		return json_lex_expected(x, "the file's name in quotes");
	r = json_lex_string(x, &raw, &n);
	if (r < 0)
		return r;
	skip_blanks(s);
	if (s->end - s->p < 2 || memcmp(s->p, "?>", 2) != 0)
		return json_lex_expected(x, "'?>'");
	s->p += 2;
	path = strlen(raw) == n && n ? include_path(x, raw) : NULL;
	if (!path)
		return json_lex_problem(x, &pos, -USHER_E_SYNTAX, "the include names no file");
	r = json_lex_open(x, path);
	if (r == -ENOENT && path != raw && json_lex_open(x, raw) == 0)
		return 0; /* Kea: relative to the working directory */
	return r < 0 ? include_fail(x, &pos, path, r) : 0;
}

/* --- white space ------------------------------------------------------------------------------ */

static void skip_line(struct json_source *s)
{
	while (s->p < s->end && *s->p != '\n')
		s->p++;
}

static void newline(struct json_source *s)
{
	s->p++;
	s->line++;
	s->line_start = s->p;
}

/* Skips a comment that begins with slash-star, where the cursor is. */
static int skip_block(struct json_lex *x)
{
	struct json_pos pos = json_lex_pos(x);
	struct json_source *s = json_lex_top(x);

	for (s->p += 2; s->p < s->end;) {
		if (s->end - s->p >= 2 && s->p[0] == '*' && s->p[1] == '/') {
			s->p += 2;
			return 0;
		}
		if (*s->p == '\n')
			newline(s);
		else
			s->p++;
	}
	return config_error_set(x->err, &pos, -USHER_E_SYNTAX,
				"the comment that begins here has no end");
}

/* Skips one comment or include at the cursor: 1 skipped, 0 none there. */
static int skip_extra(struct json_lex *x)
{
	struct json_source *s = json_lex_top(x);
	char next = s->end - s->p >= 2 ? s->p[1] : '\0';

	if (*s->p == '#' || (*s->p == '/' && next == '/')) {
		skip_line(s);
		return 1;
	}
	if (*s->p == '/' && next == '*')
		return skip_block(x) < 0 ? -USHER_E_SYNTAX : 1;
	if (x->o->dialect && !x->o->no_include && *s->p == '<') {
		int r = lex_include(x);

		return r < 0 ? r : 1;
	}
	return 0;
}

static bool pop_source(struct json_lex *x)
{
	if (x->n == 1)
		return false;
	free(json_lex_top(x)->owned);
	x->n--;
	return true;
}

int json_lex_skip(struct json_lex *x)
{
	for (;;) {
		struct json_source *s = json_lex_top(x);
		int r;

		if (s->p == s->end) {
			if (!pop_source(x))
				return 0;
			continue;
		}
		if (*s->p == '\n') {
			newline(s);
			continue;
		}
		if (*s->p == ' ' || *s->p == '\t' || *s->p == '\r') {
			s->p++;
			continue;
		}
		r = x->o->dialect || x->o->comments ? skip_extra(x) : 0;
		if (r <= 0)
			return r;
	}
}
