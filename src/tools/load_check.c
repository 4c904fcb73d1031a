/* SPDX-License-Identifier: MPL-2.0 */
/*
 * An answer in one walk over its options; one that uses overload (option 52) or sends an option in
 * pieces goes through the whole decoder, which is slower and knows these. RFC 2131 table 3; RFC
 * 6842; RFC 3046 2.2.
 */
#include "tools/load_check.h"

#include "base/cursor.h"
#include "wire/dhcp4.h"
#include "wire/dhcp4_scan.h"
#include "wire/option_codes.h"

enum { HTYPE_ETHERNET = 1 };

static const struct {
	const char *name, *sentence;
} errors[LOAD_N_ERRORS] = {
	[LOAD_E_NONE] = {"none", "nothing is wrong"},
#define LOAD_ERROR(symbol, name, sentence) [LOAD_E_##symbol] = {name, sentence},
#include "tools/load_error.def"
#undef LOAD_ERROR
};

const char *load_error_name(enum load_error e)
{
	return errors[e].name;
}

const char *load_error_sentence(enum load_error e)
{
	return errors[e].sentence;
}

/* Reads an option of an answer. Sets *decode for option 52. Returns false for a wrong length. */
static bool take_option(const struct dhcp4_option *o, struct load_answer *a, bool *decode)
{
	switch (o->code) {
	case DHCP4_OPT_MESSAGE_TYPE:
		a->type = o->data.n == 1 ? o->data.p[0] : 0;
		return o->data.n == 1;
	case DHCP4_OPT_SERVER_ID:
		return rd_span_be32(o->data, &a->server_id);
	case DHCP4_OPT_LEASE_TIME:
		a->has_lease_time = true;
		return rd_span_be32(o->data, &a->lease_time);
	case DHCP4_OPT_CLIENT_ID:
		a->client_id = o->data;
		return o->data.n >= 2;
	case DHCP4_OPT_AGENT_OPTIONS:
		a->agent = o->data;
		return true;
	case DHCP4_OPT_OVERLOAD:
		*decode = true;
		return true;
	default:
		return true;
	}
}

/* Decodes the slow way: resolves overload, joins options that come in pieces (RFC 3396). */
static bool take_decoded(struct span bytes, struct arena *arena, struct load_answer *a)
{
	struct dhcp4_msg m;
	bool again = false;

	arena_reset(arena);
	if (dhcp4_decode(bytes, false, arena, &m) < 0)
		return false;
	for (size_t i = 0; i < m.n_opts; i++)
		if (!take_option(&m.opts[i], a, &again))
			return false;
	return true;
}

enum load_error load_answer_parse(struct span bytes, struct arena *arena, struct load_answer *ret)
{
	struct rd r = rd_init(bytes);
	struct load_answer a = {0};
	struct dhcp4_option o;
	uint64_t seen = 0;
	bool decode = false;
	bool good = true;
	uint32_t kind = rd_be32(&r); /* op, htype, hlen, hops */

	a.xid = rd_be32(&r);
	(void)rd_bytes(&r, 8); /* secs, flags, ciaddr */
	a.yiaddr = rd_be32(&r);
	(void)rd_bytes(&r, 4);
	a.giaddr = rd_be32(&r);
	rd_copy(&r, a.chaddr, sizeof(a.chaddr));
	(void)rd_bytes(&r, DHCP4_SNAME_LEN + DHCP4_FILE_LEN);
	*ret = a;
	if (rd_be32(&r) != DHCP4_MAGIC)
		return LOAD_E_MALFORMED;
	if (kind >> 8 != (DHCP4_BOOTREPLY << 16 | HTYPE_ETHERNET << 8 | 6))
		return LOAD_E_OP;
	while (dhcp4_scan_next(&r, &o)) {
		uint64_t bit = UINT64_C(1) << (o.code & 63); /* a collision only costs time */

		decode |= (seen & bit) != 0;
		seen |= bit;
		good &= take_option(&o, ret, &decode); /* a piece may have any length */
	}
	if (!rd_ok(&r) || !(decode ? take_decoded(bytes, arena, ret) : good))
		return LOAD_E_MALFORMED;
	return LOAD_E_NONE;
}

static enum load_error check_type(const struct load_answer *a, const struct load_expect *x)
{
	if (a->type == x->type)
		return LOAD_E_NONE;
	return a->type == DHCP4_NAK && x->type == DHCP4_ACK ? LOAD_E_NAK : LOAD_E_TYPE;
}

enum load_error load_answer_check(const struct load_answer *a, const struct load_expect *x)
{
	static const uint8_t zero[10];

	if (memcmp(a->chaddr, x->mac, 6) != 0 || memcmp(a->chaddr + 6, zero, sizeof(zero)) != 0)
		return LOAD_E_CHADDR;
	if (check_type(a, x) != LOAD_E_NONE)
		return check_type(a, x);
	if (a->giaddr != x->giaddr)
		return LOAD_E_GIADDR;
	if (!a->server_id)
		return LOAD_E_SERVER_ID;
	if (x->server_id && a->server_id != x->server_id)
		return LOAD_E_SERVER_ID_CHANGED;
	if (!a->yiaddr)
		return LOAD_E_ADDRESS;
	if (x->addr && a->yiaddr != x->addr)
		return LOAD_E_ADDRESS_CHANGED;
	if (!a->has_lease_time || !a->lease_time)
		return LOAD_E_LEASE_TIME;
	/* RFC 6842 3: sent back as it came; RFC 2131 table 3 had forbidden it, so absent is taken
	 * too */
	if (a->client_id.p && !span_eq(a->client_id, x->client_id))
		return LOAD_E_CLIENT_ID;
	if (x->agent.n && !span_eq(a->agent, x->agent))
		return LOAD_E_AGENT;
	return LOAD_E_NONE;
}
