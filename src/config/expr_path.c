/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Finds the targets of option[…], relay4[…], vendor[…] and vendor-class[…] in a message. Vendor
 * options are RFC 3925: 125 is (enterprise, length, sub-options) repeated, 124 (enterprise, length,
 * data).
 */
#include "config/expr_node.h"

#include "base/buf.h"
#include "base/cursor.h"
#include "config/config.h"
#include "wire/dhcp4.h"

#include <stdio.h>

enum { OPTION_RAI = 82, OPTION_VIVCO = 124, OPTION_VIVSO = 125 };

static bool wanted(const struct expr_path *p, uint32_t enterprise)
{
	return p->any_enterprise || p->enterprise == enterprise;
}

/* Finds the index-th block of a wanted enterprise. */
static bool vendor_block(const struct expr_path *p, struct span data, uint32_t index,
			 uint32_t *ret_enterprise, struct span *ret)
{
	struct rd r = rd_init(data);

	while (rd_left(&r)) {
		uint32_t enterprise = rd_be32(&r);
		struct span block = rd_bytes(&r, rd_u8(&r));

		if (!rd_ok(&r))
			return false;
		if (!wanted(p, enterprise) || index--)
			continue;
		*ret_enterprise = enterprise;
		*ret = block;
		return true;
	}
	return false;
}

static bool descend(const struct expr_path *p, unsigned from, struct span *data)
{
	for (unsigned i = from; i < p->n_codes; i++)
		if (!dhcp4_subopt(*data, p->codes[i], data))
			return false;
	return true;
}

static bool option_data(const struct dhcp4_msg *msg, uint8_t code, struct span *ret)
{
	const struct dhcp4_option *o = dhcp4_opt(msg, code);

	if (o)
		*ret = o->data;
	return o != NULL;
}

static bool vendor_data(const struct expr_path *p, const struct dhcp4_msg *msg, struct span *ret)
{
	bool is_class = p->base == BASE_VENDOR_CLASS;
	uint32_t enterprise;
	struct span all;

	if (!option_data(msg, is_class ? OPTION_VIVCO : OPTION_VIVSO, &all))
		return false;
	if (p->access == ACCESS_ENTERPRISE) {
		*ret = span_sub(all, 0, 4);
		return ret->n == 4;
	}
	if (!vendor_block(p, all, p->index, &enterprise, ret))
		return false;
	return is_class || descend(p, 0, ret);
}

bool expr_path_data(const struct expr_path *p, const struct dhcp4_msg *msg, struct span *ret)
{
	if (p->base == BASE_VENDOR || p->base == BASE_VENDOR_CLASS)
		return vendor_data(p, msg, ret);
	if (p->base == BASE_RELAY4)
		return option_data(msg, OPTION_RAI, ret) && descend(p, 0, ret);
	return option_data(msg, p->codes[0], ret) && descend(p, 1, ret);
}

/* --- .text ------------------------------------------------------------------------------------ */

static const struct option_def *def_find(const struct option_defs *defs, const char *space,
					 uint32_t code)
{
	return defs ? option_defs_by_code(defs, space, code) : option_def_by_code(space, code);
}

const struct option_def *expr_path_def(const struct expr_path *p, const struct option_defs *defs)
{
	const char *space = p->base == BASE_RELAY4 ? OPTION_SPACE_RAI : OPTION_SPACE_DHCP4;
	const struct option_def *def = NULL;
	char vendor[24];

	if (p->base == BASE_VENDOR) {
		(void)snprintf(vendor, sizeof(vendor), "vendor-%u", p->enterprise);
		space = vendor;
	}
	for (unsigned i = 0; i < p->n_codes; i++) {
		def = space && *space ? def_find(defs, space, p->codes[i]) : NULL;
		space = def ? def->encapsulate : NULL;
	}
	return def;
}

bool expr_path_text(const struct expr_path *p, struct span data, struct arena *scratch,
		    struct span *ret)
{
	char text[512] uninit;
	char *copy = NULL;
	struct buf b;

	/* most data is text already */
	if (p->def && p->def->type == OPTION_STRING && !(p->def->flags & OPTION_F_ARRAY)) {
		*ret = data;
		return true;
	}
	buf_init_over(&b, text, sizeof(text));
	if (p->def)
		option_text(p->def, data, &b);
	else
		buf_hex(&b, data, 0);
	if (!b.failed)
		copy = arena_strndup(scratch, b.p, b.len);
	*ret = span_of(copy, b.len);
	buf_fini(&b);
	return copy != NULL;
}
