/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Kea's class expressions: compiled once to a tree, evaluated on a packet. Every value is a string
 * of octets; conditions are booleans. Evaluation allocates from a scratch arena only. It neither
 * crashes nor runs for long: depth and size are bounded at compile time.
 */
#pragma once

#include "base/arena.h"
#include "base/span.h"
#include "config/json/json.h"

struct dhcp4_msg;
struct packet;
struct expr;
struct expr_regex;
struct option_defs;

/* Data of the packet, beside the message, that expressions can name. */
struct expr_packet {
	const char *iface;
	uint32_t src, dst; /* host order */
	uint32_t len;	   /* of the message */
};

struct expr_ctx {
	const struct dhcp4_msg *msg;
	struct expr_packet pkt;
	struct arena *scratch;
	/* member('NAME') */
	bool (*member)(void *ctx, const char *class_name);
	void *member_ctx;
};

struct expr_opts {
	const struct option_defs *defs; /* option[name] and .text */
	/* Returns whether the class is known at this point (defined before, or built in). NULL: any
	 * name is accepted. */
	bool (*class_known)(void *ctx, const char *name);
	/* Returns whether the class is KNOWN or UNKNOWN, or depends on them. Sets the expression's
	 * flag. */
	bool (*class_late)(void *ctx, const char *name);
	void *ctx;
};

/* Compiles a boolean (or string) expression. Positions inside the text are added to at's column.
 * 0, -USHER_E_SYNTAX, -USHER_E_UNKNOWN (class, option), -USHER_E_DEPTH. */
int expr_compile(struct span text, bool want_bool, const struct expr_opts *o,
		 const struct json_pos *at, struct arena *arena, struct expr **ret,
		 struct config_error *err) must_check;
/* Returns whether the expression depends on KNOWN or UNKNOWN (second pass). */
bool expr_is_late(const struct expr *e);
/* Returns whether a member('NAME') of the expression names a class. */
bool expr_names_class(const struct expr *e, const char *name);
/* Returns the scratch memory that the expression's patterns need; strings, which depend on the
 * packet, come on top. */
size_t expr_memory(const struct expr *e);
/* Evaluates a condition. 0, or -USHER_E_EVAL with a reason in ret_why (static or scratch). */
int expr_bool(const struct expr *e, const struct expr_ctx *c, bool *ret, const char **ret_why)
	must_check;
int expr_string(const struct expr *e, const struct expr_ctx *c, struct span *ret,
		const char **ret_why) must_check;

/* Returns the length of the longest match of a pattern that begins at octet `at`; 0: none, or
 * memory is out. In expr_regex_run.c. */
size_t expr_regex_longest(const struct expr_regex *re, struct span s, size_t at,
			  struct arena *scratch);
