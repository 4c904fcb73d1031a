/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Compiler of paths into the message: option[…], relay4[…], vendor…, vendor-class….
 * A name in brackets is looked up in the dhcp4 space once, here.
 */
#include "config/expr_lex.h"

#include "base/error.h"
#include "config/config.h"
#include "config/config_defs.h"

/* Parses a code or the name of an option, up to and with ']'. */
static bool parse_code(struct expr_parser *x, bool names, uint8_t *ret)
{
	const struct option_def *def;
	struct span w = names ? expr_word(x) : SPAN_NULL;
	const char *name;
	int64_t code;

	if (!w.n) {
		if (!expr_int(x, 0, 255, &code))
			return false;
		*ret = (uint8_t)code;
		return expr_need(x, ']');
	}
	name = arena_strndup(x->arena, (const char *)w.p, w.n);
	if (!name) {
		(void)expr_fail(x, w.p, -USHER_E_NOMEM, "out of memory");
		return false;
	}
	def = x->o->defs ? option_defs_by_name(x->o->defs, OPTION_SPACE_DHCP4, name)
			 : option_def_by_name(OPTION_SPACE_DHCP4, name);
	if (!def && !(x->o->defs && option_defs_refused(x->o->defs, OPTION_SPACE_DHCP4, name, 0))) {
		(void)expr_fail(x, w.p, -USHER_E_UNKNOWN, "unknown option '%.64s' in space dhcp4",
				name);
		return false;
	}
	x->p += w.n;
	*ret = def ? (uint8_t)def->code : 0;
	return expr_need(x, ']');
}

static bool add_code(struct expr_parser *x, struct expr_path *p, bool names)
{
	if (p->n_codes == EXPR_MAX_PATH) {
		(void)expr_fail(x, x->p, -USHER_E_DEPTH, "options are nested more than %d deep",
				EXPR_MAX_PATH);
		return false;
	}
	return parse_code(x, names, &p->codes[p->n_codes++]);
}

/* Parses INT or '*', up to and with ']'. */
static bool parse_enterprise(struct expr_parser *x, struct expr_path *p)
{
	int64_t v = 0;

	p->any_enterprise = expr_take(x, '*');
	if (!p->any_enterprise && !expr_int(x, 0, UINT32_MAX, &v))
		return false;
	p->enterprise = (uint32_t)v;
	return expr_need(x, ']');
}

static struct expr_node *path_node(struct expr_parser *x, const struct expr_path *p)
{
	struct expr_node *e = expr_node_new(x, OP_PATH, p->access == ACCESS_EXISTS);
	struct expr_path *copy;

	if (!e)
		return NULL;
	copy = arena_memdup(x->arena, p, sizeof(*p));
	if (copy && p->access == ACCESS_TEXT)
		copy->def = expr_path_def(p, x->o->defs);
	e->path = copy;
	return copy ? e : expr_fail(x, x->p, -USHER_E_NOMEM, "out of memory");
}

/* Parses .text, .hex, .exists, or more .option[…]; a '.' comes first. */
static struct expr_node *parse_access(struct expr_parser *x, struct expr_path *p)
{
	while (expr_need(x, '.')) {
		if (expr_take_word(x, "option")) {
			if (!expr_need(x, '[') ||
			    !add_code(x, p, p->n_codes == 0 && p->base == BASE_OPTION))
				return NULL;
			continue;
		}
		if (p->n_codes && expr_take_word(x, "text"))
			p->access = ACCESS_TEXT;
		else if (p->n_codes && expr_take_word(x, "hex"))
			p->access = ACCESS_HEX;
		else if (expr_take_word(x, "exists"))
			p->access = ACCESS_EXISTS;
		else
			return expr_expected(x, p->n_codes ? "text, hex, exists or option"
							   : "exists or option");
		return path_node(x, p);
	}
	return NULL;
}

/* Parses vendor-class[…].exists, .data, .data[i]. */
static struct expr_node *parse_class_access(struct expr_parser *x, struct expr_path *p)
{
	int64_t index;

	if (!expr_need(x, '.'))
		return NULL;
	if (expr_take_word(x, "exists")) {
		p->access = ACCESS_EXISTS;
		return path_node(x, p);
	}
	if (!expr_take_word(x, "data"))
		return expr_expected(x, "exists or data");
	p->access = ACCESS_DATA;
	if (expr_take(x, '[')) {
		if (!expr_int(x, 0, 255, &index) || !expr_need(x, ']'))
			return NULL;
		p->index = (uint32_t)index;
	}
	return path_node(x, p);
}

static struct expr_node *parse_vendor(struct expr_parser *x, struct expr_path *p)
{
	if (expr_take(x, '.')) {
		if (!expr_take_word(x, "enterprise"))
			return expr_expected(x, "enterprise");
		p->access = ACCESS_ENTERPRISE;
		return path_node(x, p);
	}
	if (!expr_need(x, '[') || !parse_enterprise(x, p))
		return NULL;
	return p->base == BASE_VENDOR ? parse_access(x, p) : parse_class_access(x, p);
}

struct expr_node *expr_parse_path(struct expr_parser *x, struct span word)
{
	static const struct {
		const char *word;
		enum expr_base base;
	} bases[] = {
		{"option", BASE_OPTION},
		{"relay4", BASE_RELAY4},
		{"vendor", BASE_VENDOR},
		{"vendor-class", BASE_VENDOR_CLASS},
	};
	struct expr_path p = {0};
	size_t i = 0;

	while (i < ARRAY_LEN(bases) && !span_eq(word, span_str(bases[i].word)))
		i++;
	if (i == ARRAY_LEN(bases))
		return expr_fail(x, word.p, -USHER_E_UNKNOWN, "unknown word '%.*s'",
				 (int)(word.n < 64 ? word.n : 64), (const char *)word.p);
	p.base = bases[i].base;
	if (p.base == BASE_VENDOR || p.base == BASE_VENDOR_CLASS)
		return parse_vendor(x, &p);
	if (!expr_need(x, '[') || !add_code(x, &p, p.base == BASE_OPTION))
		return NULL;
	return parse_access(x, &p);
}
