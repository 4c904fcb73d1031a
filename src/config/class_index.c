/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Computes for each test a set of conditions "subject equals value" of which one must hold for the
 * test to hold. The set of an equality is the equality itself; that of `or` joins those of all
 * operands; that of `and` is that of one operand. A test without such a set is always a candidate.
 * Only expressions that cannot fail count, so leaving a test out can hide neither a class nor a
 * failure.
 */
#include "config/class_index.h"

#include "base/error.h"
#include "config/config.h"
#include "config/config_map.h"
#include "config/expr_node.h"

#include <stdlib.h>

enum { ATOMS_MAX = 64, VALUE_MAX = 512 };

/* A string that is taken from a packet. The value of a condition that an option is present: "1" or
 * "0". */
struct subject {
	const struct expr_node *node;
	bool early, late; /* classes of that pass test it */
	bool wants_empty; /* a class tests for the empty string, the value of an absent option */
	uint64_t lengths; /* of the requested values, modulo 64, and their first octets: */
	struct code_set first; /* nearly always enough to see that no class tests for a value */
};

struct atom {
	const struct expr_node *subject;
	struct span value;
};

struct atoms {
	struct atom items[ATOMS_MAX];
	size_t n;
};

struct class_index {
	size_t n_classes, n_words;
	uint64_t *always[2]; /* by pass: there is no set of conditions */
	uint64_t *pass[2];   /* all of a pass */
	struct subject *subjects;
	uint32_t n_subjects;
	struct config_map values; /* subject number and value to a set of classes */
	uint64_t **sets;
	uint32_t n_sets;
};

/* --- expressions ------------------------------------------------------------------------------ */

static bool path_eq(const struct expr_path *a, const struct expr_path *b)
{
	return a->base == b->base && a->access == b->access &&
	       a->any_enterprise == b->any_enterprise && a->enterprise == b->enterprise &&
	       a->index == b->index && a->n_codes == b->n_codes &&
	       memcmp(a->codes, b->codes, a->n_codes) == 0;
}

/* Returns whether a function fails for lack of memory only. */
static bool is_sure_function(enum expr_op op)
{
	switch ((int)op) {
	case OP_SUBSTRING:
	case OP_SPLIT:
	case OP_CONCAT2:
	case OP_PLUS:
	case OP_LCASE:
	case OP_UCASE:
	case OP_HEXSTRING:
		return true;
	default:
		return false;
	}
}

/* Returns whether a string comes from the packet, and fails for lack of memory only. */
static bool subject_ok(const struct expr_node *e)
{
	if (!is_sure_function(e->op))
		return e->op == OP_PATH || e->op >= OP_PKT_IFACE;
	for (const struct expr_node *o = e->first; o; o = o->next)
		if (o->is_bool || (o->op != OP_LITERAL && !subject_ok(o)))
			return false;
	return true;
}

/* Compares subjects that subject_ok() accepts. */
static bool node_eq(const struct expr_node *a, const struct expr_node *b)
{
	const struct expr_node *x = a->first;
	const struct expr_node *y = b->first;

	if (a->op != b->op || a->is_bool != b->is_bool)
		return false;
	if (a->op == OP_PATH)
		return path_eq(a->path, b->path);
	if (a->op == OP_LITERAL)
		return span_eq(a->lit, b->lit);
	if ((a->op == OP_SUBSTRING || a->op == OP_SPLIT) &&
	    (a->a != b->a || a->b != b->b || a->all != b->all))
		return false;
	for (; x && y && node_eq(x, y); x = x->next, y = y->next)
		;
	return !x && !y;
}

static bool is_safe(const struct expr_node *e)
{
	if (e->op == OP_LITERAL || e->op == OP_MEMBER)
		return true;
	if (e->op == OP_EQUAL || e->op == OP_NOT || (e->op >= OP_AND && e->op <= OP_SOR)) {
		for (const struct expr_node *o = e->first; o; o = o->next)
			if (!is_safe(o))
				return false;
		return true;
	}
	return subject_ok(e);
}

static bool atom_add(struct atoms *as, const struct expr_node *subject, struct span value)
{
	if (as->n == ATOMS_MAX || value.n > VALUE_MAX)
		return false;
	as->items[as->n++] = (struct atom){subject, value};
	return true;
}

static bool atoms_of(const struct expr_node *e, struct atoms *as);

static bool atoms_of_equal(const struct expr_node *e, struct atoms *as)
{
	const struct expr_node *a = e->first;
	const struct expr_node *b = e->first->next;

	if (b->op != OP_LITERAL) {
		const struct expr_node *t = a;

		a = b;
		b = t;
	}
	return b->op == OP_LITERAL && a->op != OP_LITERAL && subject_ok(a) &&
	       atom_add(as, a, b->lit);
}

/* Adds the conditions of one operand, which suffice. The operands before it are evaluated first and
 * must not fail. */
static bool atoms_of_and(const struct expr_node *e, struct atoms *as)
{
	for (const struct expr_node *o = e->first; o; o = o->next) {
		size_t before = as->n;

		if (atoms_of(o, as))
			return true;
		as->n = before;
		if (!is_safe(o))
			return false;
	}
	return false;
}

static bool atoms_of_or(const struct expr_node *e, struct atoms *as)
{
	for (const struct expr_node *o = e->first; o; o = o->next)
		if (!atoms_of(o, as))
			return false;
	return true;
}

/* Adds the conditions of which one must hold. False: there are no such conditions. */
static bool atoms_of(const struct expr_node *e, struct atoms *as)
{
	switch ((int)e->op) {
	case OP_EQUAL:
		return atoms_of_equal(e, as);
	case OP_PATH:
		return e->is_bool && atom_add(as, e, span_str("1"));
	case OP_AND:
		return atoms_of_and(e, as);
	case OP_SAND: /* evaluates all operands, with any result of the first */
		return is_safe(e) && atoms_of_and(e, as);
	case OP_OR:
	case OP_SOR:
		return atoms_of_or(e, as);
	default:
		return false;
	}
}

/* --- building --------------------------------------------------------------------------------- */

static void add_class(uint64_t *set, size_t i)
{
	set[i / 64] |= 1ULL << (i % 64);
}

static struct span value_key(uint32_t subject, struct span value, uint8_t out[VALUE_MAX + 4])
{
	memcpy(out, &subject, sizeof(subject));
	if (value.n)
		memcpy(out + sizeof(subject), value.p, value.n);
	return span_of(out, value.n + sizeof(subject));
}

static uint32_t subject_number(struct class_index *x, const struct expr_node *node)
{
	uint32_t i = 0;

	while (i < x->n_subjects && !node_eq(x->subjects[i].node, node))
		i++;
	if (i == x->n_subjects)
		x->subjects[x->n_subjects++].node = node;
	return i;
}

static void subject_wants(struct subject *s, struct span value, bool late)
{
	s->early |= !late;
	s->late |= late;
	s->wants_empty |= !value.n;
	s->lengths |= 1ULL << (value.n % 64);
	if (value.n)
		code_set_add(&s->first, value.p[0]);
}

/* Returns whether a class may test for this value. */
static bool subject_may_want(const struct subject *s, struct span value)
{
	if (!value.n)
		return s->wants_empty;
	return value.n <= VALUE_MAX && (s->lengths >> (value.n % 64) & 1) &&
	       code_set_has(&s->first, value.p[0]);
}

static int atom_put(struct class_index *x, struct arena *a, const struct atom *atom, size_t class,
		    bool late)
{
	uint32_t number = subject_number(x, atom->subject);
	uint8_t key[VALUE_MAX + 4];
	uint32_t set, old;

	subject_wants(&x->subjects[number], atom->value, late);
	if (!config_map_get(&x->values, value_key(number, atom->value, key), &set)) {
		set = x->n_sets++;
		x->sets[set] = arena_array(a, uint64_t, x->n_words);
		if (!x->sets[set] ||
		    config_map_put(&x->values, a, value_key(number, atom->value, key), set, &old) <
			    0)
			return -USHER_E_NOMEM;
	}
	add_class(x->sets[set], class);
	return 0;
}

static int class_put(struct class_index *x, struct arena *a, const struct config_class *c, size_t i,
		     const struct atoms *as)
{
	add_class(x->pass[c->late], i);
	if (!as->n)
		add_class(x->always[c->late], i);
	for (size_t k = 0; k < as->n; k++) {
		int r = atom_put(x, a, &as->items[k], i, c->late);

		if (r < 0)
			return r;
	}
	return 0;
}

static void class_atoms(const struct config_class *c, struct atoms *as)
{
	as->n = 0;
	if (!c->test || !atoms_of(c->test->root, as))
		as->n = 0;
}

static bool takes_part(const struct config_class *c)
{
	return (c->test || c->template_test) && !c->only_additional;
}

static int index_alloc(struct class_index *x, struct arena *a, size_t n_atoms)
{
	for (int i = 0; i < 2; i++) {
		x->always[i] = arena_array(a, uint64_t, x->n_words);
		x->pass[i] = arena_array(a, uint64_t, x->n_words);
		if (!x->always[i] || !x->pass[i])
			return -USHER_E_NOMEM;
	}
	x->subjects = arena_array(a, struct subject, n_atoms);
	x->sets = arena_array(a, uint64_t *, n_atoms);
	return x->subjects && x->sets ? 0 : -USHER_E_NOMEM;
}

int class_index_new(const struct config *c, struct arena *a, const struct class_index **ret)
{
	struct class_index *x = arena_new(a, struct class_index);
	struct atoms *as = malloc(sizeof(*as));
	size_t n_atoms = 0;
	int r = x && as ? 0 : -USHER_E_NOMEM;

	for (size_t i = 0; r == 0 && i < c->n_classes; i++) {
		class_atoms(&c->classes[i], as);
		n_atoms += as->n;
	}
	if (r == 0) {
		x->n_classes = c->n_classes;
		x->n_words = (c->n_classes + 63) / 64;
		r = index_alloc(x, a, n_atoms);
	}
	for (size_t i = 0; r == 0 && i < c->n_classes; i++) {
		if (!takes_part(&c->classes[i]))
			continue;
		class_atoms(&c->classes[i], as);
		r = class_put(x, a, &c->classes[i], i, as);
	}
	free(as);
	if (r == 0)
		*ret = x;
	return r;
}

/* --- look-up ---------------------------------------------------------------------------------- */

size_t class_index_words(const struct class_index *x)
{
	return x->n_words;
}

void class_index_all(const struct class_index *x, bool late, uint64_t *ret_set)
{
	for (size_t w = 0; w < x->n_words; w++)
		ret_set[w] = x->pass[late][w];
}

static void subject_look_up(const struct class_index *x, uint32_t number, const struct expr_ctx *c,
			    uint64_t *ret_set)
{
	const struct subject *s = &x->subjects[number];
	uint8_t key[VALUE_MAX + 4] uninit;
	size_t mark = arena_mark(c->scratch);
	struct span value;
	uint32_t set;

	if (expr_subject(s->node, c, &value) < 0) {
		/* out of memory: the evaluation of its tests reports it */
		for (size_t w = 0; w < x->n_words; w++)
			ret_set[w] = x->pass[0][w] | x->pass[1][w];
		return;
	}
	if (subject_may_want(s, value) &&
	    config_map_get(&x->values, value_key(number, value, key), &set))
		for (size_t w = 0; w < x->n_words; w++)
			ret_set[w] |= x->sets[set][w];
	arena_rewind(c->scratch, mark);
}

void class_index_candidates(const struct class_index *x, const struct expr_ctx *c, bool late,
			    uint64_t *ret_set)
{
	for (size_t w = 0; w < x->n_words; w++)
		ret_set[w] = x->always[late][w];
	for (uint32_t i = 0; i < x->n_subjects; i++)
		if (late ? x->subjects[i].late : x->subjects[i].early)
			subject_look_up(x, i, c, ret_set);
	for (size_t w = 0; w < x->n_words; w++)
		ret_set[w] &= x->pass[late][w];
}
