/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Inside of expressions: the tree that expr_parse.c builds and expr_eval.c walks. Every node has a
 * known kind (condition or string), so evaluation meets no type errors. Chains of one operator are
 * one node with many operands: the tree is as deep as the text is nested, not as it is long.
 */
#pragma once

#include "config/expr.h"

struct expr_regex;

enum { EXPR_MAX_DEPTH = 64, EXPR_MAX_NODES = 20000, EXPR_MAX_PATH = 16 };

enum expr_op {
	OP_LITERAL, /* lit */
	OP_PATH,    /* path, condition if access is exists */
	OP_EQUAL,
	OP_NOT,
	OP_AND,
	OP_OR,
	OP_SAND,
	OP_SOR,
	OP_PLUS,
#define FUNCTION(sym, name, args, is_bool) OP_##sym,
#define PATH(sym, name)			   OP_##sym,
#include "config/expr.def"
#undef FUNCTION
#undef PATH
};

enum expr_base { BASE_OPTION, BASE_RELAY4, BASE_VENDOR, BASE_VENDOR_CLASS };
enum expr_access { ACCESS_EXISTS, ACCESS_TEXT, ACCESS_HEX, ACCESS_ENTERPRISE, ACCESS_DATA };

/* option[a].option[b]…, relay4[a]…, vendor[e].option[a]…, vendor-class[e].data[i] */
struct expr_path {
	enum expr_base base;
	enum expr_access access;
	bool any_enterprise;
	uint32_t enterprise;
	uint32_t index; /* of vendor-class data */
	uint8_t codes[EXPR_MAX_PATH];
	uint8_t n_codes;
	const struct option_def *def; /* of the last name, for its text; NULL: unknown */
};

struct expr_node {
	enum expr_op op;
	bool is_bool;
	struct expr_node *first, *next; /* operands */
	union {
		struct span lit; /* also the name of member() */
		struct {
			int64_t a, b; /* integer arguments in order */
			bool all;
		};
		const struct expr_path *path;
		const struct expr_regex *regex;
	};
};

struct expr {
	const struct expr_node *root;
	bool late;
};

/* Evaluates a node to its own value; that of a condition is "1" or "0". 0, -USHER_E_EVAL. */
int expr_subject(const struct expr_node *e, const struct expr_ctx *c, struct span *ret) must_check;

/* Compiles a pattern, which matches whole strings. *ret_at: the offending octet; *ret_why: static.
 * In expr_regex.c. */
int expr_regex_compile(struct span pattern, struct arena *arena, const struct expr_regex **ret,
		       size_t *ret_at, const char **ret_why) must_check;
/* Returns whether the pattern is one for a single octet, such as "[^a-z]". */
bool expr_regex_is_octet(const struct expr_regex *re);
/* Returns the scratch memory that a match takes. */
size_t expr_regex_memory(const struct expr_regex *re);
/* Matches a string: 1, 0, or -USHER_E_NOMEM. */
int expr_regex_match(const struct expr_regex *re, struct span s, struct arena *scratch) must_check;

/* Finds the target of a path in the message, from which data may be borrowed; false if it is
 * absent. In expr_path.c. */
bool expr_path_data(const struct expr_path *p, const struct dhcp4_msg *msg, struct span *ret);
const struct option_def *expr_path_def(const struct expr_path *p, const struct option_defs *defs);
/* Returns the text (.text) of a path's data, in scratch or borrowed. false: out of memory. */
bool expr_path_text(const struct expr_path *p, struct span data, struct arena *scratch,
		    struct span *ret);

/* Calls a function of strings. 0 or -USHER_E_EVAL with *why. Results borrow s or lie in scratch. In
 * expr_func.c. */
int expr_func_string(const struct expr_node *e, struct span *args, struct arena *scratch,
		     struct span *ret, const char **why) must_check;
