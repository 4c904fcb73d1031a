/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Evaluation of a compiled expression on a message. and, or, ifelse skip operands that cannot
 * change the result; sand, sor, sifelse evaluate all, so an error in any of them counts. Depth was
 * bounded by the compiler. Memory comes from the scratch arena; a full arena is an error like
 * others.
 */
#include "config/expr_node.h"

#include "base/error.h"
#include "wire/dhcp4.h"

struct eval {
	const struct expr_ctx *c;
	const char *why;
};

static int eval_bool(struct eval *v, const struct expr_node *e, bool *ret);
static int eval_string(struct eval *v, const struct expr_node *e, struct span *ret);

static int no_memory(struct eval *v)
{
	v->why = "the memory of the evaluation is exhausted";
	return -USHER_E_EVAL;
}

/* --- conditions ------------------------------------------------------------------------------- */

static int eval_equal(struct eval *v, const struct expr_node *e, bool *ret)
{
	size_t mark = arena_mark(v->c->scratch);
	struct span a;
	struct span b;
	int r = eval_string(v, e->first, &a);

	if (r == 0)
		r = eval_string(v, e->first->next, &b);
	if (r < 0)
		return r; /* the reason may be in the scratch memory */
	*ret = span_eq(a, b);
	arena_rewind(v->c->scratch, mark);
	return 0;
}

/* Evaluates a chain. and, sand: all operands are true; or, sor: any is. */
static int eval_chain(struct eval *v, const struct expr_node *e, bool *ret)
{
	bool stop_at = e->op == OP_OR || e->op == OP_SOR;
	bool strict = e->op == OP_SAND || e->op == OP_SOR;
	bool result = !stop_at;

	for (const struct expr_node *o = e->first; o; o = o->next) {
		bool b;
		int r = eval_bool(v, o, &b);

		if (r < 0)
			return r;
		if (b == stop_at)
			result = stop_at;
		if (b == stop_at && !strict)
			break;
	}
	*ret = result;
	return 0;
}

static int eval_match(struct eval *v, const struct expr_node *e, bool *ret)
{
	size_t mark = arena_mark(v->c->scratch);
	struct span s;
	int r = eval_string(v, e->first, &s);

	if (r < 0)
		return r;
	r = expr_regex_match(e->regex, s, v->c->scratch);
	if (r < 0)
		return no_memory(v);
	arena_rewind(v->c->scratch, mark);
	*ret = r;
	return 0;
}

static int eval_bool(struct eval *v, const struct expr_node *e, bool *ret)
{
	struct span s;
	int r;

	if (e->op == OP_EQUAL)
		return eval_equal(v, e, ret);
	if (e->op == OP_MATCH)
		return eval_match(v, e, ret);
	if (e->op == OP_MEMBER) {
		*ret = v->c->member && v->c->member(v->c->member_ctx, (const char *)e->lit.p);
		return 0;
	}
	if (e->op == OP_PATH) {
		*ret = expr_path_data(e->path, v->c->msg, &s);
		return 0;
	}
	if (e->op != OP_NOT)
		return eval_chain(v, e, ret);
	r = eval_bool(v, e->first, ret);
	if (r == 0)
		*ret = !*ret;
	return r;
}

/* --- strings ---------------------------------------------------------------------------------- */

static int be32_result(struct eval *v, uint32_t x, struct span *ret)
{
	const uint8_t be[4] = {(uint8_t)(x >> 24), (uint8_t)(x >> 16), (uint8_t)(x >> 8),
			       (uint8_t)x};
	void *p = arena_memdup(v->c->scratch, be, sizeof(be));

	*ret = span_of(p, sizeof(be));
	return p ? 0 : no_memory(v);
}

static int eval_field(struct eval *v, const struct expr_node *e, struct span *ret)
{
	const struct dhcp4_msg *m = v->c->msg;
	const struct expr_packet *p = &v->c->pkt;
	const struct {
		enum expr_op op;
		uint32_t value;
	} fields[] = {
		{OP_PKT_SRC, p->src},	     {OP_PKT_DST, p->dst},
		{OP_PKT_LEN, p->len},	     {OP_PKT4_HLEN, m->hlen},
		{OP_PKT4_HTYPE, m->htype},   {OP_PKT4_CIADDR, m->ciaddr},
		{OP_PKT4_GIADDR, m->giaddr}, {OP_PKT4_YIADDR, m->yiaddr},
		{OP_PKT4_SIADDR, m->siaddr}, {OP_PKT4_MSGTYPE, (uint32_t)dhcp4_msg_type(m)},
		{OP_PKT4_TRANSID, m->xid},
	};

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (fields[i].op == e->op)
			return be32_result(v, fields[i].value, ret);
	if (e->op == OP_PKT4_MAC)
		*ret = span_of(m->chaddr, m->hlen <= DHCP4_CHADDR_LEN ? m->hlen : DHCP4_CHADDR_LEN);
	else
		*ret = span_str(p->iface ? p->iface : "");
	return 0;
}

/* Evaluates a path; an absent option is an empty string. */
static int eval_path(struct eval *v, const struct expr_node *e, struct span *ret)
{
	struct span data;

	*ret = SPAN_NULL;
	if (!expr_path_data(e->path, v->c->msg, &data))
		return 0;
	if (e->path->access == ACCESS_TEXT)
		return expr_path_text(e->path, data, v->c->scratch, ret) ? 0 : no_memory(v);
	*ret = data;
	return 0;
}

static int eval_plus(struct eval *v, const struct expr_node *e, struct span *ret)
{
	size_t n_args = 0;
	size_t n = 0;
	struct span *args;
	uint8_t *out;

	for (const struct expr_node *o = e->first; o; o = o->next)
		n_args++;
	args = arena_array(v->c->scratch, struct span, n_args);
	if (!args)
		return no_memory(v);
	n_args = 0;
	for (const struct expr_node *o = e->first; o; o = o->next) {
		int r = eval_string(v, o, &args[n_args]);

		if (r < 0)
			return r;
		n += args[n_args++].n;
	}
	out = arena_alloc(v->c->scratch, n ? n : 1);
	if (!out)
		return no_memory(v);
	*ret = span_of(out, n);
	for (size_t i = 0; i < n_args; out += args[i++].n)
		if (args[i].n)
			memcpy(out, args[i].p, args[i].n);
	return 0;
}

static int eval_ifelse(struct eval *v, const struct expr_node *e, struct span *ret)
{
	const struct expr_node *yes = e->first->next;
	struct span a;
	struct span b;
	bool cond;
	int r = eval_bool(v, e->first, &cond);

	if (r < 0)
		return r;
	if (e->op == OP_IFELSE)
		return eval_string(v, cond ? yes : yes->next, ret);
	r = eval_string(v, yes, &a);
	if (r == 0)
		r = eval_string(v, yes->next, &b);
	if (r == 0)
		*ret = cond ? a : b;
	return r;
}

static int eval_function(struct eval *v, const struct expr_node *e, struct span *ret)
{
	struct span args[2] = {SPAN_NULL, SPAN_NULL};
	size_t n = 0;

	for (const struct expr_node *o = e->first; o && n < ARRAY_LEN(args); o = o->next) {
		int r = eval_string(v, o, &args[n++]);

		if (r < 0)
			return r;
	}
	return expr_func_string(e, args, v->c->scratch, ret, &v->why);
}

static int eval_string(struct eval *v, const struct expr_node *e, struct span *ret)
{
	if (e->op == OP_LITERAL) {
		*ret = e->lit;
		return 0;
	}
	if (e->op == OP_PATH)
		return eval_path(v, e, ret);
	if (e->op == OP_PLUS)
		return eval_plus(v, e, ret);
	if (e->op == OP_IFELSE || e->op == OP_SIFELSE)
		return eval_ifelse(v, e, ret);
	if (e->op >= OP_PKT_IFACE)
		return eval_field(v, e, ret);
	return eval_function(v, e, ret);
}

/* --- entry points ----------------------------------------------------------------------------- */

bool expr_is_late(const struct expr *e)
{
	return e->late;
}

static bool node_names_class(const struct expr_node *e, const char *name)
{
	if (e->op == OP_MEMBER && strcmp((const char *)e->lit.p, name) == 0)
		return true;
	for (const struct expr_node *k = e->first; k; k = k->next)
		if (node_names_class(k, name))
			return true;
	return false;
}

bool expr_names_class(const struct expr *e, const char *name)
{
	return node_names_class(e->root, name);
}

static size_t node_memory(const struct expr_node *e)
{
	size_t most = e->op == OP_MATCH ? expr_regex_memory(e->regex) : 0;

	for (const struct expr_node *o = e->op == OP_LITERAL || e->op == OP_PATH ? NULL : e->first;
	     o; o = o->next) {
		size_t n = node_memory(o);

		most = n > most ? n : most;
	}
	return most;
}

size_t expr_memory(const struct expr *e)
{
	return node_memory(e->root);
}

int expr_bool(const struct expr *e, const struct expr_ctx *c, bool *ret, const char **ret_why)
{
	struct eval v = {c, "not a condition"};
	bool b;
	int r = e->root->is_bool ? eval_bool(&v, e->root, &b) : -USHER_E_EVAL;

	if (r == 0)
		*ret = b;
	else if (ret_why)
		*ret_why = v.why;
	return r;
}

int expr_string(const struct expr *e, const struct expr_ctx *c, struct span *ret,
		const char **ret_why)
{
	struct eval v = {c, "not a string"};
	struct span s;
	int r = e->root->is_bool ? -USHER_E_EVAL : eval_string(&v, e->root, &s);

	if (r == 0)
		*ret = s;
	else if (ret_why)
		*ret_why = v.why;
	return r;
}

int expr_subject(const struct expr_node *e, const struct expr_ctx *c, struct span *ret)
{
	struct eval v = {c, NULL};
	bool b;
	int r;

	if (!e->is_bool)
		return eval_string(&v, e, ret);
	r = eval_bool(&v, e, &b);
	if (r == 0)
		*ret = span_str(b ? "1" : "0");
	return r;
}
