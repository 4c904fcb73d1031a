/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Kinds of clients are rows, with the options that such clients send in practice. A template is
 * encoded by the codec with placeholders in it, and the places are found by walking over the
 * result. A client's number is its hardware address: 02 and five octets; strangers have 06.
 */
#include "tools/load_template.h"

#include "base/cursor.h"
#include "base/error.h"
#include "base/hash.h"
#include "wire/dhcp4.h"
#include "wire/dhcp4_scan.h"
#include "wire/option_codes.h"

enum {
	MAC_CLIENT = 0x02,
	MAC_STRANGER = 0x06,
	XID_OFF = 4,
	CIADDR_OFF = 12,
	GIADDR_OFF = 24,
	CHADDR_OFF = 28,
	NAME_DIGITS = 8,
	CIRCUIT_DIGITS = 4,
	ARENA_LEN = 8192,
};

struct kind {
	unsigned percent;   /* of the mixed set */
	const char *vendor; /* option 60, or NULL */
	const char *prl;    /* option 55 */
	uint16_t max_size;  /* option 57, 0: none */
	bool hostname, fqdn;
};

/* The first row is the typical client, the last the minimal one. */
static const struct kind kinds[] = {
	{25, NULL, "\x01\x1c\x02\x03\x0f\x06\x77\x0c\x2c\x2f\x1a\x79\x2a", 0, true,
	 false}, /* dhclient */
	{30, "MSFT 5.0", "\x01\x03\x06\x0f\x1f\x21\x2b\x2c\x2e\x2f\x77\x79\xf9\xfc", 0, true, true},
	{20, "android-dhcp-14", "\x01\x03\x06\x0f\x1a\x1c\x33\x3a\x3b\x2b\x72", 1500, true, false},
	{10, "udhcp 1.36.1", "\x01\x03\x06\x0c\x0f\x1c\x28\x29\x2a", 576, false, false},
	{10, "dhcpcd-9.4.1:Linux", "\x01\x79\x21\x03\x06\x0f\x1a\x1c\x33\x36\x3a\x3b\x77", 1472,
	 true, false},
	{5, "Hewlett-Packard JetDirect", "\x06\x03\x01\x0f\x42\x43\x0d\x2c\x0c\x51\xfc", 0, true,
	 false},
	{0, NULL, "\x01\x03\x06", 0, false, false},
};

enum { KIND_TYPICAL = 0, KIND_MINIMAL = ARRAY_LEN(kinds) - 1 };
_Static_assert(ARRAY_LEN(kinds) <= LOAD_KINDS_MAX, "rows of kinds");

static const uint8_t types[LOAD_N_MSGS] = {
	[LOAD_MSG_DISCOVER] = DHCP4_DISCOVER, [LOAD_MSG_REQUEST] = DHCP4_REQUEST,
	[LOAD_MSG_RENEW] = DHCP4_REQUEST,     [LOAD_MSG_REBOOT] = DHCP4_REQUEST,
	[LOAD_MSG_RELEASE] = DHCP4_RELEASE,
};

/* --- building --------------------------------------------------------------------------------- */

struct builder {
	struct dhcp4_msg m;
	int err;
};

static void add_option(struct builder *b, uint8_t code, struct span data)
{
	if (b->err == 0)
		b->err = dhcp4_opt_set(&b->m, code, data);
}

static void add_zero(struct builder *b, uint8_t code, size_t n)
{
	static const uint8_t zero[16];

	add_option(b, code, span_of(zero, n));
}

static void add_client_id(struct builder *b)
{
	static const uint8_t id[1 + LOAD_MAC_LEN] = {1};

	add_option(b, DHCP4_OPT_CLIENT_ID, span_of(id, sizeof(id)));
}

/* Adds the options that describe the client, in DISCOVER and REQUEST. */
static void add_descriptive(struct builder *b, const struct kind *k, enum load_msg m)
{
	uint8_t size[2] = {(uint8_t)(k->max_size >> 8), (uint8_t)k->max_size};

	if (k->hostname)
		add_option(b, DHCP4_OPT_HOST_NAME, span_str("host-00000000"));
	/* Windows names itself only when it asks for a lease */
	if (k->fqdn && m != LOAD_MSG_DISCOVER)
		add_option(b, DHCP4_OPT_CLIENT_FQDN, span_of("\0\0\0host-00000000", 16));
	if (k->vendor)
		add_option(b, DHCP4_OPT_VENDOR_CLASS_ID, span_str(k->vendor));
	if (k->max_size)
		add_option(b, DHCP4_OPT_MAX_MESSAGE_SIZE, span_of(size, sizeof(size)));
	add_option(b, DHCP4_OPT_PARAMETER_REQUEST_LIST, span_str(k->prl));
}

/* Adds the options of RFC 2131 table 5. */
static void add_state(struct builder *b, enum load_msg m)
{
	if (m == LOAD_MSG_REQUEST || m == LOAD_MSG_REBOOT)
		add_zero(b, DHCP4_OPT_REQUESTED_ADDRESS, 4);
	if (m == LOAD_MSG_REQUEST || m == LOAD_MSG_RELEASE)
		add_zero(b, DHCP4_OPT_SERVER_ID, 4);
}

/* Adds circuit and remote id as an access switch writes them. */
static void add_agent(struct builder *b)
{
	static const uint8_t agent[] = "\x01\x0f"
				       "ge-0/0/1.0:0000"
				       "\x02\x08\0\x06\0\0\0\0\0";

	add_option(b, DHCP4_OPT_AGENT_OPTIONS, span_of(agent, sizeof(agent)));
}

static uint16_t offset_in(const uint8_t *base, struct span s, size_t at)
{
	return (uint16_t)((size_t)(s.p - base) + at);
}

static void find_agent(struct load_template *t, struct span data)
{
	struct span sub;

	t->agent = offset_in(t->bytes, data, 0);
	t->agent_len = (uint16_t)data.n;
	if (dhcp4_subopt(data, RAI_CIRCUIT_ID, &sub))
		t->circuit = offset_in(t->bytes, sub, 11);
	if (dhcp4_subopt(data, RAI_REMOTE_ID, &sub))
		t->remote = offset_in(t->bytes, sub, 2);
}

static void find_places(struct load_template *t, size_t len)
{
	struct rd r = rd_init(span_sub(span_of(t->bytes, len), DHCP4_MIN_LEN, len));
	struct dhcp4_option o;

	while (dhcp4_scan_next(&r, &o)) {
		switch (o.code) {
		case DHCP4_OPT_CLIENT_ID:
			t->client_id = offset_in(t->bytes, o.data, 1);
			break;
		case DHCP4_OPT_REQUESTED_ADDRESS:
			t->requested = offset_in(t->bytes, o.data, 0);
			break;
		case DHCP4_OPT_SERVER_ID:
			t->server_id = offset_in(t->bytes, o.data, 0);
			break;
		case DHCP4_OPT_HOST_NAME:
			t->hostname = offset_in(t->bytes, o.data, 5);
			break;
		case DHCP4_OPT_CLIENT_FQDN:
			t->fqdn = offset_in(t->bytes, o.data, 8);
			break;
		case DHCP4_OPT_AGENT_OPTIONS:
			find_agent(t, o.data);
			break;
		default:
			break;
		}
	}
}

static int build(struct load_template *t, const struct kind *k, enum load_msg m, bool client_id,
		 bool agent, size_t *len)
{
	static const struct dhcp4_encode_opts eo = {.max_len = LOAD_TEMPLATE_MAX,
						    .no_overload = true,
						    .min_len = DHCP4_BOOTP_MIN_LEN};
	uint8_t mem[ARENA_LEN];
	struct dhcp4_encoded done = {0};
	struct builder b = {.err = 0};
	struct arena arena;

	arena_init_fixed(&arena, mem, sizeof(mem));
	dhcp4_init(&b.m, &arena);
	b.m.op = DHCP4_BOOTREQUEST;
	b.m.htype = 1;
	b.m.hlen = LOAD_MAC_LEN;
	b.m.hops = agent ? 1 : 0;
	add_option(&b, DHCP4_OPT_MESSAGE_TYPE, span_of(&types[m], 1));
	if (client_id)
		add_client_id(&b);
	add_state(&b, m);
	if (m != LOAD_MSG_RELEASE)
		add_descriptive(&b, k, m);
	if (agent && k != &kinds[KIND_MINIMAL])
		add_agent(&b);
	if (b.err == 0)
		b.err = dhcp4_encode(&b.m, &eo, t->bytes, sizeof(t->bytes), &done);
	if (b.err == 0 && done.n_omitted)
		b.err = -USHER_E_NOSPACE;
	find_places(t, done.len);
	if (done.len > *len)
		*len = done.len;
	return b.err;
}

/* Chooses the kinds of clients and their shares. */
static void choose_kinds(struct load_templates *ts, enum load_options set)
{
	size_t n = 0;

	memset(ts->kind_of, set == LOAD_OPTIONS_MINIMAL ? KIND_MINIMAL : KIND_TYPICAL,
	       sizeof(ts->kind_of));
	ts->n_kinds = ARRAY_LEN(kinds);
	for (size_t k = 0; k < ARRAY_LEN(kinds) && set == LOAD_OPTIONS_MIXED; k++)
		for (unsigned i = 0; i < kinds[k].percent; i++)
			ts->kind_of[n++] = (uint8_t)k;
}

int load_templates_init(struct load_templates *ts, enum load_options set, enum load_who client_id,
			bool agent)
{
	int r = 0;

	memset(ts, 0, sizeof(*ts));
	ts->client_id = client_id;
	choose_kinds(ts, set);
	for (size_t k = 0; k < ts->n_kinds && r == 0; k++) {
		/* all messages are as long as the longest; only those that are sent count */
		if (!memchr(ts->kind_of, (int)k, sizeof(ts->kind_of)))
			continue;
		for (int id = 0; id < 2 && r == 0; id++)
			for (int m = 0; m < LOAD_N_MSGS && r == 0; m++)
				r = build(&ts->t[k][id][m], &kinds[k], (enum load_msg)m, id != 0,
					  agent, &ts->len);
	}
	return r;
}

/* --- clients ---------------------------------------------------------------------------------- */

void load_ident_init(const struct load_templates *ts, uint64_t n, bool stranger,
		     struct load_ident *ret)
{
	uint32_t h = hash_u32((uint32_t)n ^ (uint32_t)(n >> 32) * 0x9e3779b1U);

	ret->mac[0] = stranger ? MAC_STRANGER : MAC_CLIENT;
	for (int i = 1; i < LOAD_MAC_LEN; i++)
		ret->mac[i] = (uint8_t)(n >> (8 * (LOAD_MAC_LEN - 1 - i)));
	ret->kind = ts->kind_of[h % 100];
	ret->client_id = ts->client_id == LOAD_WHO_YES ||
			 (ts->client_id == LOAD_WHO_MIXED && (h >> 8) % 4 != 0);
	ret->tag = (uint32_t)n;
}

bool load_ident_number(struct span hw, uint64_t *ret)
{
	struct rd r = rd_init(hw);
	uint64_t n;

	if (hw.n != LOAD_MAC_LEN || rd_u8(&r) != MAC_CLIENT)
		return false;
	n = (uint64_t)rd_u8(&r) << 32;
	*ret = n | rd_be32(&r);
	return true;
}

/* --- patching --------------------------------------------------------------------------------- */

static void put_be32(uint8_t *out, size_t off, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(out + off, &v, sizeof(v));
}

static void put_hex(uint8_t *out, size_t off, uint32_t v, unsigned digits)
{
	static const char hex[] = "0123456789abcdef";

	for (unsigned i = 0; i < digits; i++)
		out[off + i] = (uint8_t)hex[v >> (4 * (digits - 1 - i)) & 15];
}

void load_message(const struct load_templates *ts, const struct load_ident *id, enum load_msg m,
		  const struct load_fields *f, uint8_t *out)
{
	const struct load_template *t = &ts->t[id->kind][id->client_id][m];

	memcpy(out, t->bytes, ts->len);
	put_be32(out, XID_OFF, f->xid);
	put_be32(out, CIADDR_OFF, f->ciaddr);
	put_be32(out, GIADDR_OFF, f->giaddr);
	memcpy(out + CHADDR_OFF, id->mac, LOAD_MAC_LEN);
	if (t->client_id)
		memcpy(out + t->client_id, id->mac, LOAD_MAC_LEN);
	if (t->requested)
		put_be32(out, t->requested, f->requested);
	if (t->server_id)
		put_be32(out, t->server_id, f->server_id);
	if (t->hostname)
		put_hex(out, t->hostname, id->tag, NAME_DIGITS);
	if (t->fqdn)
		put_hex(out, t->fqdn, id->tag, NAME_DIGITS);
	if (t->circuit)
		put_hex(out, t->circuit, id->tag, CIRCUIT_DIGITS);
	if (t->remote)
		put_be32(out, t->remote, id->tag >> 8);
}

struct span load_sent_client_id(const struct load_templates *ts, const struct load_ident *id,
				uint8_t buf[LOAD_SENT_MAX])
{
	if (!ts->t[id->kind][id->client_id][LOAD_MSG_DISCOVER].client_id)
		return SPAN_NULL;
	buf[0] = 1;
	memcpy(buf + 1, id->mac, LOAD_MAC_LEN);
	return span_of(buf, 1 + LOAD_MAC_LEN);
}

struct span load_sent_agent(const struct load_templates *ts, const struct load_ident *id,
			    uint8_t buf[LOAD_SENT_MAX])
{
	const struct load_template *t = &ts->t[id->kind][id->client_id][LOAD_MSG_DISCOVER];

	if (!t->agent)
		return SPAN_NULL;
	memcpy(buf, t->bytes + t->agent, t->agent_len);
	put_hex(buf, (size_t)t->circuit - t->agent, id->tag, CIRCUIT_DIGITS);
	put_be32(buf, (size_t)t->remote - t->agent, id->tag >> 8);
	return span_of(buf, t->agent_len);
}
