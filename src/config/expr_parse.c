/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Compiler of class expressions: recursive descent, with precedence sor < or < sand < and < not,
 * then ==, then + (of strings). Conditions and strings are distinguished here, so that evaluation
 * needs no checks. Depth and size are bounded.
 */
#include "config/expr_lex.h"

#include "base/error.h"

static const struct {
	const char *word;
	enum expr_op op;
} chains[] = {
	/* by precedence, the weakest first */
	{"sor", OP_SOR},
	{"or", OP_OR},
	{"sand", OP_SAND},
	{"and", OP_AND},
};

static const struct function {
	const char *name, *args;
	enum expr_op op;
	bool is_bool;
} functions[] = {
#define FUNCTION(sym, name_, args_, bool_) {name_, args_, OP_##sym, bool_},
#include "config/expr.def"
#undef FUNCTION
};

static const struct {
	const char *name;
	enum expr_op op;
} fields[] = {
#define PATH(sym, name_) {name_, OP_##sym},
#include "config/expr.def"
#undef PATH
};

static struct expr_node *parse_any(struct expr_parser *x, unsigned level);

static struct expr_node *want_kind(struct expr_parser *x, struct expr_node *e, bool is_bool,
				   const uint8_t *at)
{
	if (!e || e->is_bool == is_bool)
		return e;
	return expr_fail(x, at, -USHER_E_SYNTAX,
			 is_bool ? "found a string, expected a condition"
				 : "found a condition, expected a string");
}

static struct expr_node *parse_nested(struct expr_parser *x)
{
	struct expr_node *e;

	if (++x->depth > EXPR_MAX_DEPTH)
		return expr_fail(x, x->p, -USHER_E_DEPTH, "nested more than %d deep",
				 EXPR_MAX_DEPTH);
	e = parse_any(x, 0);
	x->depth--;
	return e;
}

/* --- functions -------------------------------------------------------------------------------- */

static bool arg_operand(struct expr_parser *x, struct expr_node *fn, bool is_bool)
{
	const uint8_t *at = x->p;
	struct expr_node *e = want_kind(x, parse_nested(x), is_bool, at);
	struct expr_node **end = &fn->first;

	while (*end)
		end = &(*end)->next;
	*end = e;
	return e != NULL;
}

static bool arg_pattern(struct expr_parser *x, struct expr_node *fn)
{
	const char *why;
	struct span s;
	size_t at;

	if (!expr_quoted(x, &s))
		return false;
	if (expr_regex_compile(s, x->arena, &fn->regex, &at, &why) == 0)
		return true;
	(void)expr_fail(x, s.p + at, -USHER_E_SYNTAX, "in the pattern: %s", why);
	return false;
}

static bool arg_class(struct expr_parser *x, struct expr_node *fn)
{
	const char *name;
	struct span s;

	if (!expr_quoted(x, &s))
		return false;
	name = arena_strndup(x->arena, (const char *)s.p, s.n);
	if (!name) {
		(void)expr_fail(x, s.p, -USHER_E_NOMEM, "out of memory");
		return false;
	}
	if (x->o->class_known && !x->o->class_known(x->o->ctx, name)) {
		(void)expr_fail(x, s.p, -USHER_E_UNKNOWN,
				"Not defined client class '%.64s' at this place of the list", name);
		return false;
	}
	if (x->o->class_late && x->o->class_late(x->o->ctx, name))
		x->late = true;
	fn->lit = span_of(name, s.n);
	return true;
}

static bool arg_int(struct expr_parser *x, struct expr_node *fn, bool second)
{
	return expr_int(x, INT32_MIN, INT32_MAX, second ? &fn->b : &fn->a);
}

static bool parse_arg(struct expr_parser *x, struct expr_node *fn, char kind)
{
	switch (kind) {
	case 'r':
		return arg_pattern(x, fn);
	case 'm':
		return arg_class(x, fn);
	case 'i':
		return arg_int(x, fn, false);
	case 'a':
		fn->all = expr_take_word(x, "all");
		return fn->all || arg_int(x, fn, true);
	default:
		return arg_operand(x, fn, kind == 'b');
	}
}

static struct expr_node *parse_function(struct expr_parser *x, const struct function *f)
{
	struct expr_node *fn = expr_node_new(x, f->op, f->is_bool);

	if (!fn || !expr_need(x, '('))
		return NULL;
	for (const char *a = f->args; *a; a++)
		if ((a != f->args && !expr_need(x, ',')) || !parse_arg(x, fn, *a))
			return NULL;
	return expr_need(x, ')') ? fn : NULL;
}

/* --- the grammar ------------------------------------------------------------------------------ */

/* Parses pkt.… and pkt4.…; the cursor is at the word. NULL without an error: another word. */
static struct expr_node *parse_field(struct expr_parser *x, struct span w)
{
	size_t left = (size_t)(x->end - x->p);
	struct span whole;
	size_t n = w.n;

	if (!span_eq(w, span_str("pkt")) && !span_eq(w, span_str("pkt4")))
		return NULL;
	while (n < left && (x->p[n] == '.' || (x->p[n] >= 'a' && x->p[n] <= 'z')))
		n++;
	whole = span_of(x->p, n);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if (!span_eq(whole, span_str(fields[i].name)))
			continue;
		x->p += n;
		return expr_node_new(x, fields[i].op, false);
	}
	return expr_fail(x, x->p, -USHER_E_UNKNOWN, "unknown field '%.*s' of the packet",
			 (int)(n < 64 ? n : 64), (const char *)x->p);
}

static struct expr_node *parse_word(struct expr_parser *x)
{
	struct span w = expr_word(x);
	struct expr_node *e = parse_field(x, w);

	if (e || x->result < 0)
		return e;
	if (!w.n)
		return expr_expected(x, "a condition or a string");
	if (span_eq(w, span_str("relay6")) || span_eq(w, span_str("pkt6")))
		return expr_fail(x, w.p, -USHER_E_UNKNOWN,
				 "'%.*s' is of DHCPv6 and means nothing in DHCPv4", (int)w.n,
				 (const char *)w.p);
	x->p += w.n;
	for (size_t i = 0; i < ARRAY_LEN(functions); i++)
		if (span_eq(w, span_str(functions[i].name)))
			return parse_function(x, &functions[i]);
	return expr_parse_path(x, w);
}

static struct expr_node *parse_primary(struct expr_parser *x)
{
	struct expr_node *e;

	if (expr_take(x, '(')) {
		e = parse_nested(x);
		return e && expr_need(x, ')') ? e : NULL;
	}
	e = expr_literal(x);
	return e || x->result < 0 ? e : parse_word(x);
}

static struct expr_node *parse_sum(struct expr_parser *x)
{
	const uint8_t *at = x->p;
	struct expr_node *first = parse_primary(x);
	struct expr_node *plus;
	struct expr_node *last = first;

	if (!first || !expr_take(x, '+'))
		return first;
	plus = expr_node_new(x, OP_PLUS, false);
	if (!plus || !want_kind(x, first, false, at))
		return NULL;
	plus->first = first;
	do {
		at = x->p;
		last->next = want_kind(x, parse_primary(x), false, at);
		last = last->next;
	} while (last && expr_take(x, '+'));
	return last ? plus : NULL;
}

static struct expr_node *parse_comparison(struct expr_parser *x)
{
	const uint8_t *at = x->p;
	struct expr_node *left = parse_sum(x);
	struct expr_node *equal;

	if (!left || !expr_take(x, '='))
		return left;
	if (x->p == x->end || *x->p != '=')
		return expr_expected(x, "'=='");
	x->p++;
	equal = expr_node_new(x, OP_EQUAL, true);
	if (!equal || !want_kind(x, left, false, at))
		return NULL;
	at = x->p;
	left->next = want_kind(x, parse_sum(x), false, at);
	equal->first = left;
	return left->next ? equal : NULL;
}

static struct expr_node *parse_not(struct expr_parser *x)
{
	const uint8_t *at;
	struct expr_node *e;
	bool negate = false;
	bool any = false;

	while (expr_take_word(x, "not")) {
		negate = !negate;
		any = true;
	}
	at = x->p;
	e = parse_comparison(x);
	if (any)
		e = want_kind(x, e, true, at);
	if (e && negate) {
		struct expr_node *n = expr_node_new(x, OP_NOT, true);

		if (n)
			n->first = e;
		return n;
	}
	return e;
}

/* Parses operands of chains[level], or of a stronger one. */
static struct expr_node *parse_any(struct expr_parser *x, unsigned level)
{
	const uint8_t *at = x->p;
	struct expr_node *first;
	struct expr_node *chain;
	struct expr_node *last;

	if (level == ARRAY_LEN(chains))
		return parse_not(x);
	first = last = parse_any(x, level + 1);
	if (!first || !expr_take_word(x, chains[level].word))
		return first;
	chain = expr_node_new(x, chains[level].op, true);
	if (!chain || !want_kind(x, first, true, at))
		return NULL;
	chain->first = first;
	do {
		at = x->p;
		last->next = want_kind(x, parse_any(x, level + 1), true, at);
		last = last->next;
	} while (last && expr_take_word(x, chains[level].word));
	return last ? chain : NULL;
}

int expr_compile(struct span text, bool want_bool, const struct expr_opts *o,
		 const struct json_pos *at, struct arena *arena, struct expr **ret,
		 struct config_error *err)
{
	static const struct expr_opts no_opts;
	const uint8_t *p = text.n ? text.p : (const uint8_t *)"";
	struct expr_parser x = {.start = p, .p = p, .end = p + text.n, .arena = arena, .err = err};
	struct expr *e = arena_new(arena, struct expr);

	x.o = o ? o : &no_opts;
	x.at = at;
	if (!e)
		return config_error_set(err, at, -USHER_E_NOMEM, "out of memory");
	e->root = want_kind(&x, parse_any(&x, 0), want_bool, p);
	(void)expr_word(&x); /* past blanks */
	if (e->root && x.p != x.end)
		(void)expr_expected(&x, "an operator or the end of the expression");
	e->late = x.late;
	if (x.result == 0)
		*ret = e;
	return x.result;
}
