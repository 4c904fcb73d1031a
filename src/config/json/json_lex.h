/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Inside of the JSON reader: a stack of texts (the file and its includes) read as one stream
 * of characters with a position. Included text is spliced in: it ends like white space.
 * Owned by json_parse; nothing outlives it but the file names, which are in the tree's arena.
 */
#pragma once

#include "base/cleanup.h"
#include "config/json/json.h"

struct json_source {
	const char *file;
	const char *p, *end; /* the rest of the text */
	const char *line_start;
	uint32_t line;
	char *owned;	   /* text to free; NULL: borrowed */
	uint64_t dev, ino; /* of a file; 0, 0: none */
};

struct json_lex {
	const struct json_opts *o;
	struct arena *arena;
	struct config_error *err;
	struct json_source stack[JSON_MAX_INCLUDES + 1];
	unsigned n; /* sources on the stack, at least 1 */
	unsigned max_depth;
	unsigned n_problems; /* reported and stepped over */
	bool lost;	     /* an include before the cursor could not be read */
};

static inline struct json_source *json_lex_top(struct json_lex *x)
{
	return &x->stack[x->n - 1];
}

/* Reads a file, or a FIFO to its end within o->pipe_wait_ms (0: any time). Returns 0 or -errno;
 * -ECANCELED: o->ended. */
int json_source_load(const char *path, const struct json_opts *o, struct json_source *s) must_check;
/* Fails with a text at the cursor. */
int json_lex_fail(struct json_lex *x, const char *text) must_check;
int json_lex_open(struct json_lex *x, const char *path);
void json_lex_fini(struct json_lex *x);
/* Skips white space, comments and includes. 0, or negative. */
int json_lex_skip(struct json_lex *x) must_check;
/* Returns the character at the cursor, or -1 at the end of the current text. */
int json_lex_peek(const struct json_lex *x);
struct json_pos json_lex_pos(const struct json_lex *x);
/* Reports "found …, expected <description>" at the cursor. */
int json_lex_expected(struct json_lex *x, const char *what) must_check;
/* Reports an error that can be stepped over: 0; `result` if there is no callback or there are too
 * many. */
int json_lex_problem(struct json_lex *x, const struct json_pos *pos, int result, const char *fmt,
		     ...) must_check printf_like(4, 5);
/* Reports "found …, expected <wanted>" at the cursor, as json_lex_problem() does. */
int json_lex_unexpected(struct json_lex *x, const char *wanted) must_check;
void json_lex_warn(struct json_lex *x, const struct json_pos *pos, const char *text);
/* Reads and decodes the string whose quote is at the cursor. */
int json_lex_string(struct json_lex *x, const char **ret, size_t *ret_n) must_check;
/* Reads the number at the cursor. */
int json_lex_number(struct json_lex *x, struct json *ret) must_check;
