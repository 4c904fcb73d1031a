/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Inside of the expression compiler: the cursor over the text and the first error, which is sticky:
 * every later read gives nothing. Lives on the stack of expr_compile.
 */
#pragma once

#include "config/expr_node.h"

struct expr_parser {
	const uint8_t *start, *p, *end;
	const struct expr_opts *o;
	const struct json_pos *at;
	struct arena *arena;
	struct config_error *err;
	unsigned depth, n_nodes;
	bool late;
	int result; /* 0 until the first error */
};

/* Keeps the first error, at a place in the text; returns NULL for the caller to pass on. */
struct expr_node *expr_fail(struct expr_parser *x, const uint8_t *at, int result, const char *fmt,
			    ...) printf_like(4, 5);
/* Reports "found …, expected <description>" at the cursor. */
struct expr_node *expr_expected(struct expr_parser *x, const char *what);
struct expr_node *expr_node_new(struct expr_parser *x, enum expr_op op, bool is_bool);

/* Skips blanks; takes the character if it comes next. */
bool expr_take(struct expr_parser *x, char c);
/* Skips blanks and takes the character; reports an error if another one comes next. */
bool expr_need(struct expr_parser *x, char c);
/* Returns the word at the cursor without taking it: letters, digits, '-', '_', beginning with a
 * letter. */
struct span expr_word(struct expr_parser *x);
bool expr_take_word(struct expr_parser *x, const char *word);
/* Takes -?digits within [min, max]. */
bool expr_int(struct expr_parser *x, int64_t min, int64_t max, int64_t *ret);
/* Takes 'text' and returns it without the quotes; borrowed from the text. */
bool expr_quoted(struct expr_parser *x, struct span *ret);
/* Takes a literal of any kind (string, hex, address, integer) as octets; NULL and no error: there
 * is none. */
struct expr_node *expr_literal(struct expr_parser *x);

/* Parses the path whose first word (already taken) is word; NULL: error. In expr_parse_path.c. */
struct expr_node *expr_parse_path(struct expr_parser *x, struct span word);
