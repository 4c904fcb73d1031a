/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Containers: an option that encapsulates a space holds the sub-options configured there, each code
 * once, innermost scope first (RFC 2132 8.4); a sub-option may encapsulate a space as well. 125
 * holds one block an enterprise (RFC 3925 4), for the enterprises that the client or the
 * configuration names; 82 is echoed octet for octet (RFC 3046 2.2).
 */
#include "server/stages/fill_vendor.h"

#include "base/cursor.h"
#include "config/config.h"
#include "server/stages/fill_sources.h"
#include "server/stages/response.h"
#include "wire/option_codes.h"

#include <stdio.h>

enum { CONTAINER_MAX = 1200, DOCSIS = 4491, ENTERPRISES_MAX = 32 };

/* Returns whether a sub-option is requested. wanted: the client's list (empty: all). */
static bool wanted_has(struct span wanted, uint32_t code)
{
	return !wanted.n || memchr(wanted.p, (int)code, wanted.n) != NULL;
}

/* Writes code, length and data; data of more than 255 octets in several pieces (RFC 3396 8). */
static void put_subopt(struct wr *w, uint32_t code, struct span data)
{
	do {
		struct span part = span_sub(data, 0, 255);

		wr_u8(w, (uint8_t)code);
		wr_u8(w, (uint8_t)part.n);
		wr_span(w, part);
		data = span_sub(data, part.n, data.n);
	} while (data.n);
}

static unsigned put_space(struct exchange *x, const struct fill_sources *s, const char *space,
			  struct span wanted, struct wr *w, unsigned depth);

/* Writes a sub-option: its own data, then the sub-options of the space that it encapsulates. */
static void put_nested(struct exchange *x, const struct fill_sources *s,
		       const struct config_option *o, struct wr *w, unsigned depth)
{
	uint8_t out[CONTAINER_MAX] uninit;
	struct wr inner = wr_init(out, sizeof(out));

	if (!o->def || !*o->def->encapsulate || depth == OPTION_DEPTH_MAX) {
		put_subopt(w, o->code, o->data);
		return;
	}
	wr_span(&inner, o->data);
	(void)put_space(x, s, o->def->encapsulate, SPAN_NULL, &inner, depth + 1);
	if (wr_ok(&inner))
		put_subopt(w, o->code, span_of(out, inner.len));
}

/* Writes all sub-options of a space to w. Returns their number. */
static unsigned put_space(struct exchange *x, const struct fill_sources *s, const char *space,
			  struct span wanted, struct wr *w, unsigned depth)
{
	struct code_set done = {0};
	unsigned n = 0;

	for (size_t i = 0; i < s->n; i++) {
		const struct config_options *scope = s->scope[i];

		for (size_t j = 0; j < scope->n; j++) {
			const struct config_option *o = &scope->items[j];

			if (strcmp(o->space, space) != 0 || o->code > 255 ||
			    code_set_has(&done, (uint8_t)o->code) || !wanted_has(wanted, o->code))
				continue;
			code_set_add(&done, (uint8_t)o->code);
			o = fill_source_option(x, s, space, o->code);
			if (!o || o->no_value)
				continue;
			put_nested(x, s, o, w, depth);
			n++;
		}
	}
	return n;
}

static bool keep_value(struct exchange *x, const struct wr *w, struct span *ret)
{
	uint8_t *p = wr_ok(w) ? arena_memdup(&x->pkt.arena, w->base, w->len) : NULL;

	if (!p)
		return false;
	*ret = span_of(p, w->len);
	return true;
}

/* --- enterprises: options 124 and 125 --------------------------------------------------------- */

struct enterprises {
	uint32_t ids[ENTERPRISES_MAX];
	size_t n;
};

static void note_enterprise(struct enterprises *e, uint32_t id)
{
	for (size_t i = 0; i < e->n; i++)
		if (e->ids[i] == id)
			return;
	if (e->n < ENTERPRISES_MAX)
		e->ids[e->n++] = id;
}

/* Notes the enterprises of a list of blocks: number, length, data. */
static void note_blocks(struct enterprises *e, struct span data)
{
	struct rd r = rd_init(data);

	while (rd_left(&r) >= 5) {
		uint32_t id = rd_be32(&r);

		(void)rd_bytes(&r, rd_u8(&r));
		if (rd_ok(&r))
			note_enterprise(e, id);
	}
}

/* Notes the enterprises of configured options (always: only of options always sent), in the
 * order of the scopes. */
static void note_configured(const struct exchange *x, const struct fill_sources *s, uint8_t code,
			    bool always, struct enterprises *e)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct config_option *o = config_option_top(s->scope[i], code);

		for (; o; o = config_option_next(o)) {
			struct rd r = rd_init(o->data);
			uint32_t id = rd_be32(&r);

			if (rd_ok(&r) && exchange_class_ok(x, &o->classes) &&
			    (o->always_send || !always)) {
				note_enterprise(e, id);
				note_blocks(e, o->data);
			}
		}
	}
}

/* Writes the data of an enterprise's blocks in one configured option, without numbers and
 * lengths. Returns whether there is a block. */
static bool put_own_blocks(const struct config_option *o, uint32_t id, struct wr *w)
{
	struct rd r = rd_init(o->data);
	bool found = false;

	while (rd_left(&r) >= 5) {
		bool mine = rd_be32(&r) == id;
		struct span data = rd_bytes(&r, rd_u8(&r));

		if (mine && rd_ok(&r)) {
			wr_span(w, data);
			found = true;
		}
	}
	return found;
}

/* Puts the data configured as a whole for an enterprise, of the innermost scope that has it. */
static bool put_configured(const struct exchange *x, const struct fill_sources *s, uint8_t code,
			   uint32_t id, struct wr *w)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct config_option *o = config_option_top(s->scope[i], code);

		for (; o; o = config_option_next(o))
			if (exchange_class_ok(x, &o->classes) && put_own_blocks(o, id, w))
				return true;
	}
	return false;
}

/* Returns the length of a list of sub-options that fits into one block; 255 octets of other
 * data. */
static size_t block_size(struct span data)
{
	size_t n = 0;

	while (n + 2 <= data.n && n + 2 + data.p[n + 1] <= 255 && n + 2 + data.p[n + 1] <= data.n)
		n += 2 + (size_t)data.p[n + 1];
	if (n == data.n || (n && n + 2 <= data.n))
		return n;
	return data.n < 255 ? data.n : 255;
}

/* Writes number, length and data; data above the range of a length octet in further blocks (RFC
 * 3925 4). */
static void put_block(struct wr *w, uint32_t id, struct span data)
{
	do {
		size_t n = block_size(data);

		wr_be32(w, id);
		wr_u8(w, (uint8_t)n);
		wr_span(w, span_sub(data, 0, n));
		data = span_sub(data, n, data.n);
	} while (data.n);
}

struct span fill_docsis_oro(const struct exchange *x)
{
	struct rd r = rd_init(dhcp4_opt_data(&x->query, DHCP4_OPT_VIVSO_SUBOPTIONS));
	struct span oro = SPAN_NULL;

	while (rd_left(&r) >= 5) {
		uint32_t id = rd_be32(&r);
		struct span block = rd_bytes(&r, rd_u8(&r));

		if (id == DOCSIS && dhcp4_subopt(block, 1, &oro))
			return oro;
	}
	return oro;
}

static bool client_named(const struct exchange *x)
{
	return dhcp4_opt(&x->query, DHCP4_OPT_VIVCO_SUBOPTIONS) ||
	       dhcp4_opt(&x->query, DHCP4_OPT_VIVSO_SUBOPTIONS);
}

/* Fills option 125 (RFC 3925 4) with the blocks of the enterprises that the client named; if it
 * named none, of all configured ones. Those always sent are added. */
static bool fill_vivso(struct exchange *x, const struct fill_sources *s, struct span *ret)
{
	uint8_t out[CONTAINER_MAX] uninit;
	struct wr w = wr_init(out, sizeof(out));
	struct enterprises e = {.n = 0};

	note_blocks(&e, dhcp4_opt_data(&x->query, DHCP4_OPT_VIVCO_SUBOPTIONS));
	note_blocks(&e, dhcp4_opt_data(&x->query, DHCP4_OPT_VIVSO_SUBOPTIONS));
	note_configured(x, s, DHCP4_OPT_VIVSO_SUBOPTIONS, client_named(x), &e);
	for (size_t i = 0; i < e.n; i++) {
		uint8_t block[CONTAINER_MAX] uninit;
		struct wr b = wr_init(block, sizeof(block));
		char space[24];

		(void)snprintf(space, sizeof(space), "vendor-%u", e.ids[i]);
		(void)put_configured(x, s, DHCP4_OPT_VIVSO_SUBOPTIONS, e.ids[i], &b);
		(void)put_space(x, s, space, e.ids[i] == DOCSIS ? fill_docsis_oro(x) : SPAN_NULL,
				&b, 0);
		if (wr_ok(&b) && b.len)
			put_block(&w, e.ids[i], span_of(block, b.len));
	}
	return w.len && keep_value(x, &w, ret);
}

/* Fills option 124 with every configured vendor class, each enterprise once. */
static bool fill_vivco(struct exchange *x, const struct fill_sources *s, struct span *ret)
{
	uint8_t out[CONTAINER_MAX] uninit;
	struct wr w = wr_init(out, sizeof(out));
	struct enterprises e = {.n = 0};

	note_configured(x, s, DHCP4_OPT_VIVCO_SUBOPTIONS, false, &e);
	for (size_t i = 0; i < e.n; i++) {
		uint8_t block[CONTAINER_MAX] uninit;
		struct wr b = wr_init(block, sizeof(block));

		if (put_configured(x, s, DHCP4_OPT_VIVCO_SUBOPTIONS, e.ids[i], &b) && wr_ok(&b))
			put_block(&w, e.ids[i], span_of(block, b.len));
	}
	return w.len && keep_value(x, &w, ret);
}

static bool fill_container(struct exchange *x, const struct fill_sources *s,
			   const struct option_def *def, const struct config_option *own,
			   struct span *ret)
{
	uint8_t out[CONTAINER_MAX] uninit;
	struct wr w = wr_init(out, sizeof(out));

	if (own)
		wr_span(&w, own->data);
	return put_space(x, s, def->encapsulate, SPAN_NULL, &w, 0) && keep_value(x, &w, ret);
}

bool fill_vendor_option(struct exchange *x, const struct fill_sources *s, uint8_t code,
			const struct config_option *own, struct span *ret)
{
	const struct option_def *def;

	if (code == DHCP4_OPT_VIVSO_SUBOPTIONS)
		return fill_vivso(x, s, ret);
	if (code == DHCP4_OPT_VIVCO_SUBOPTIONS)
		return fill_vivco(x, s, ret);
	/* a class may define 43 and 224 to 254 for itself */
	def = own && own->def ? own->def
			      : option_defs_by_code(x->cfg->defs, OPTION_SPACE_DHCP4, code);
	return def && def->encapsulate && def->encapsulate[0] &&
	       fill_container(x, s, def, own, ret);
}

struct span fill_rai_echo(struct exchange *x)
{
	struct span sub;
	struct rd r;
	struct wr w;
	uint8_t *out;

	if (!dhcp4_subopt(x->rai, RAI_VIRTUAL_SUBNET_SELECT_CTRL, &sub) ||
	    !dhcp4_subopts_valid(x->rai))
		return x->rai;
	out = arena_alloc(&x->pkt.arena, x->rai.n);
	if (!out)
		return x->rai;
	r = rd_init(x->rai);
	w = wr_init(out, x->rai.n);
	while (rd_left(&r)) {
		uint8_t code = rd_u8(&r);
		struct span data = rd_bytes(&r, rd_u8(&r));

		if (code != RAI_VIRTUAL_SUBNET_SELECT_CTRL)
			put_subopt(&w, code, data);
	}
	return wr_ok(&w) ? span_of(out, w.len) : x->rai;
}
