/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Containers: an option that encapsulates a space holds the sub-options configured there, each code
 * once, innermost scope first (RFC 2132 8.4). 125 holds one block an enterprise (RFC 3925 4), for the
 * enterprises the client named; 82 is echoed octet for octet (RFC 3046 2.2).
 */
#include "server/fill_vendor.h"

#include "base/cursor.h"
#include "config/config.h"
#include "server/fill_sources.h"
#include "server/response.h"
#include "wire/option_codes.h"

#include <stdio.h>

enum { CONTAINER_MAX = 1200, DOCSIS = 4491 };

/* Is the sub-option asked for? wanted: the client's list (empty: everything). */
static bool wanted_has(struct span wanted, uint32_t code)
{
	return !wanted.n || memchr(wanted.p, (int)code, wanted.n) != NULL;
}

/* Code, length, data; longer than 255 octets goes in pieces (RFC 3396 8). */
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

/* All sub-options of a space into w. Count. */
static unsigned put_space(struct exchange *x, const struct fill_sources *s, const char *space,
			  struct span wanted, struct wr *w)
{
	uint64_t done[4] = {0};
	unsigned n = 0;

	for (size_t i = 0; i < s->n; i++) {
		const struct config_options *scope = s->scope[i];

		for (size_t j = 0; j < scope->n; j++) {
			const struct config_option *o = &scope->items[j];

			if (strcmp(o->space, space) != 0 || o->code > 255 ||
			    (done[o->code / 64] >> (o->code % 64) & 1) || !wanted_has(wanted, o->code))
				continue;
			done[o->code / 64] |= 1ULL << (o->code % 64);
			o = fill_source_option(x, s, space, o->code);
			if (!o)
				continue;
			put_subopt(w, o->code, o->data);
			n++;
		}
	}
	return n;
}

static bool finish(struct exchange *x, const struct wr *w, struct span *ret)
{
	uint8_t *p = wr_ok(w) ? arena_memdup(&x->pkt.arena, w->base, w->len) : NULL;

	if (!p)
		return false;
	*ret = span_of(p, w->len);
	return true;
}

/* Enterprise numbers in the client's 124 and 125; what of 125 it asks for (DOCSIS ORO). */
static size_t client_enterprises(const struct exchange *x, uint32_t *ids, size_t cap)
{
	static const uint8_t codes[] = {DHCP4_OPT_VIVCO_SUBOPTIONS, DHCP4_OPT_VIVSO_SUBOPTIONS};
	size_t n = 0;

	for (size_t i = 0; i < sizeof(codes); i++) {
		struct rd r = rd_init(dhcp4_opt_data(&x->query, codes[i]));

		while (rd_left(&r) >= 5 && n < cap) {
			uint32_t id = rd_be32(&r);
			bool seen = false;

			(void)rd_bytes(&r, rd_u8(&r));
			for (size_t j = 0; j < n; j++)
				seen |= ids[j] == id;
			if (rd_ok(&r) && !seen)
				ids[n++] = id;
		}
	}
	return n;
}

/* DOCSIS: sub-option 1 of the client's 125 lists what it wants. */
static struct span docsis_oro(const struct exchange *x)
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

/* Configured as a whole, for this enterprise: number, length, data. */
static bool is_block_of(const struct config_option *own, uint32_t id)
{
	struct rd r = rd_init(own ? own->data : SPAN_NULL);

	return rd_be32(&r) == id && rd_left(&r) > 1;
}

static bool vivso(struct exchange *x, const struct fill_sources *s, const struct config_option *own,
		  struct span *ret)
{
	uint8_t out[CONTAINER_MAX];
	struct wr w = wr_init(out, sizeof(out));
	uint32_t ids[16];
	size_t n = client_enterprises(x, ids, sizeof(ids) / sizeof(ids[0]));

	for (size_t i = 0; i < n; i++) {
		uint8_t block[255];
		struct wr b = wr_init(block, sizeof(block));
		char space[24];

		(void)snprintf(space, sizeof(space), "vendor-%u", ids[i]);
		if (is_block_of(own, ids[i])) {
			wr_span(&w, own->data);
			continue;
		}
		if (!put_space(x, s, space, ids[i] == DOCSIS ? docsis_oro(x) : SPAN_NULL, &b) || !wr_ok(&b))
			continue;
		wr_be32(&w, ids[i]);
		wr_u8(&w, (uint8_t)b.len);
		wr_bytes(&w, block, b.len);
	}
	return w.len && finish(x, &w, ret);
}

static bool container(struct exchange *x, const struct fill_sources *s, const struct option_def *def,
		      const struct config_option *own, struct span *ret)
{
	uint8_t out[CONTAINER_MAX];
	struct wr w = wr_init(out, sizeof(out));

	if (own)
		wr_span(&w, own->data);
	return put_space(x, s, def->encapsulate, SPAN_NULL, &w) && finish(x, &w, ret);
}

bool fill_vendor_option(struct exchange *x, const struct fill_sources *s, uint8_t code,
			const struct config_option *own, struct span *ret)
{
	const struct option_def *def;

	if (code == DHCP4_OPT_VIVSO_SUBOPTIONS)
		return vivso(x, s, own, ret);
	/* a class may define 43 and 224 to 254 for itself */
	def = own && own->def ? own->def : option_defs_by_code(x->cfg->defs, OPTION_SPACE_DHCP4, code);
	return def && def->encapsulate && def->encapsulate[0] && container(x, s, def, own, ret);
}

struct span fill_rai_echo(struct exchange *x)
{
	struct span sub;
	struct rd r;
	struct wr w;
	uint8_t *out;

	if (!dhcp4_subopt(x->rai, RAI_VIRTUAL_SUBNET_SELECT_CTRL, &sub) || !dhcp4_subopts_valid(x->rai))
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
