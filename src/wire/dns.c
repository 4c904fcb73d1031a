/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Reading DNS messages. Decoding walks over everything once, so that later reads cannot fail. A
 * pointer leads to a place before the labels that it ends (RFC 1035 4.1.4), so following pointers
 * comes to an end. The number of steps in one message is limited besides: 64 kB of pointers would
 * take long otherwise.
 */
#include "wire/dns.h"

#include "base/error.h"
#include "wire/dns_internal.h"

#include <strings.h>

enum {
	POINTER = 0xc0,
	MAX_STEPS = 128 * 1024,
	N_REST = 255,
	SOA_TAIL = 20,
	TTL_LEN = 4,
	RR_FIXED = 10
};

static const struct dns_shape shapes[DNS_N_FORMS] = {
	[DNS_FORM_RAW] = {.open = true},
	[DNS_FORM_IPV4] = {.lead = 4},
	[DNS_FORM_IPV6] = {.lead = 16},
	[DNS_FORM_NAME] = {.names = 1},
	[DNS_FORM_NAMES] = {.names = 2},
	[DNS_FORM_SOA] = {.names = 2, .tail = SOA_TAIL},
	[DNS_FORM_MX] = {.lead = 2, .names = 1},
	[DNS_FORM_SRV] = {.lead = 6, .names = 1},
	[DNS_FORM_NAPTR] = {.lead = 4, .strings = 3, .names = 1},
	[DNS_FORM_TXT] = {.strings = N_REST},
	[DNS_FORM_OPT] = {.open = true},
};

const struct dns_shape *dns_shape_of(uint8_t form)
{
	return &shapes[form < DNS_N_FORMS ? form : DNS_FORM_RAW];
}

static uint8_t form_of_type(uint16_t type)
{
	switch (type) {
#define DNS_TYPE(symbol, code, form, compress) \
	case (code):                           \
		return DNS_FORM_##form;
#include "wire/dns_types.def"
#undef DNS_TYPE
	default:
		return DNS_FORM_RAW;
	}
}

bool dns_type_compresses(uint16_t type)
{
	switch (type) {
#define DNS_TYPE(symbol, code, form, compress) \
	case (code):                           \
		return compress;
#include "wire/dns_types.def"
#undef DNS_TYPE
	default:
		return false;
	}
}

static const struct {
	uint16_t code;
	const char *name;
} types[] = {
#define DNS_TYPE(symbol, code, form, compress) {code, #symbol},
#include "wire/dns_types.def"
#undef DNS_TYPE
};

const char *dns_type_name(uint16_t type)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (types[i].code == type)
			return types[i].name;
	return NULL;
}

int dns_type_find(const char *name, uint16_t *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (strcasecmp(types[i].name, name) == 0) {
			*ret = types[i].code;
			return 0;
		}
	return -USHER_E_UNKNOWN;
}

const char *dns_class_name(uint16_t cls)
{
	switch (cls) {
	case DNS_CLASS_IN:
		return "IN";
	case DNS_CLASS_CH:
		return "CH";
	case DNS_CLASS_HS:
		return "HS";
	case DNS_CLASS_NONE:
		return "NONE";
	case DNS_CLASS_ANY:
		return "ANY";
	default:
		return NULL;
	}
}

/* --- Names ------------------------------------------------------------------------------------ */

/* Moves r to the target of a pointer. `begun`: offset of the labels before it. False: the target is
 * not allowed. */
static bool follow(struct span msg, uint8_t first, struct rd *r, uint32_t *begun)
{
	uint32_t to = (uint32_t)(first & ~POINTER) << 8 | rd_u8(r);

	if (!rd_ok(r) || to >= *begun || to < DNS_HDR_LEN)
		return false;
	*begun = to;
	*r = rd_init(span_sub(msg, to, msg.n));
	return true;
}

/* Reads the name at an offset into ret, or only checks it if ret is NULL. *ret_end: the offset
 * behind it. *steps: labels and pointers that may still be read. */
static int walk_name(struct span msg, uint32_t at, struct dns_name *ret, uint32_t *ret_end,
		     uint32_t *steps)
{
	struct rd r = rd_init(span_sub(msg, at, msg.n));
	uint32_t begun = at, end = 0, len = 0;
	struct span label;
	uint8_t c;

	do {
		c = rd_u8(&r);
		if ((*steps)-- == 0)
			return -USHER_E_MALFORMED;
		if (c >= POINTER) {
			end = end ? end : (uint32_t)(msg.n - rd_left(&r) + 1);
			if (!follow(msg, c, &r, &begun))
				return rd_ok(&r) ? -USHER_E_MALFORMED : -USHER_E_TRUNCATED;
			continue;
		}
		if (c > DNS_LABEL_MAX || len + c + 1 > DNS_NAME_MAX)
			return -USHER_E_MALFORMED;
		label = rd_bytes(&r, c);
		if (!rd_ok(&r))
			return -USHER_E_TRUNCATED;
		if (ret) {
			ret->octets[len] = c;
			if (c)
				memcpy(ret->octets + len + 1, label.p, c);
		}
		len += c + 1U;
	} while (c);
	if (ret)
		ret->len = (uint8_t)len;
	if (ret_end)
		*ret_end = end ? end : (uint32_t)(msg.n - rd_left(&r));
	return 0;
}

int dns_name_read(struct span msg, uint32_t at, struct dns_name *ret, uint32_t *ret_end)
{
	uint32_t steps = MAX_STEPS;

	return walk_name(msg, at, ret, ret_end, &steps);
}

/* --- Decoding --------------------------------------------------------------------------------- */

/* Skips strings, each behind its length: n of them, or all that remain. */
static void skip_strings(struct rd *r, uint8_t n)
{
	for (unsigned i = 0; n == N_REST ? rd_left(r) > 0 : i < n; i++)
		(void)rd_bytes(r, rd_u8(r));
}

static bool options_right(struct rd r)
{
	struct span data;
	uint16_t code;

	while (dns_option_next(&r, &code, &data))
		;
	return rd_ok(&r);
}

/* Checks that the rdata has its form, and finds its names. */
static int check_rdata(struct span msg, struct dns_rr *rr, uint32_t *steps)
{
	const struct dns_shape *s = &shapes[rr->form];
	struct rd r = rd_init(span_sub(msg, rr->rdata, rr->rdata_len));
	uint32_t at;

	if (s->open)
		return rr->form != DNS_FORM_OPT || options_right(r) ? 0 : -USHER_E_MALFORMED;
	(void)rd_bytes(&r, s->lead);
	if (s->strings)
		skip_strings(&r, s->strings);
	if (!rd_ok(&r))
		return -USHER_E_MALFORMED;
	at = (uint32_t)(rr->rdata + rr->rdata_len - rd_left(&r));
	for (rr->n_names = 0; rr->n_names < s->names; rr->n_names++) {
		rr->name[rr->n_names] = (uint16_t)at;
		if (walk_name(msg, at, NULL, &at, steps) < 0)
			return -USHER_E_MALFORMED;
	}
	return at + s->tail == (uint32_t)rr->rdata + rr->rdata_len ? 0 : -USHER_E_MALFORMED;
}

/* Returns the form by which this record's rdata is read. */
static uint8_t form_of(const struct dns_rr *rr, uint8_t opcode)
{
	/* RFC 2136 2.4, 2.5: prerequisites and deletions of an update have none */
	if (rr->rdata_len == 0 && opcode == DNS_OPCODE_UPDATE)
		return DNS_FORM_RAW;
	/* addresses of the other classes are other addresses */
	if (rr->type == DNS_TYPE_A && rr->cls != DNS_CLASS_IN && rr->cls != DNS_CLASS_NONE)
		return DNS_FORM_RAW;
	return form_of_type(rr->type);
}

static int read_rr(const struct dns_msg *m, enum dns_section s, uint32_t at, struct dns_rr *ret,
		   uint32_t *steps)
{
	uint32_t fixed;
	struct rd r;
	int e = walk_name(m->octets, at, NULL, &fixed, steps);

	if (e < 0)
		return e;
	*ret = (struct dns_rr){.section = (uint8_t)s, .owner = (uint16_t)at};
	r = rd_init(span_sub(m->octets, fixed, m->octets.n));
	ret->type = rd_be16(&r);
	ret->cls = rd_be16(&r);
	if (s == DNS_QUESTION) {
		ret->rdata = (uint16_t)(fixed + 4);
		return rd_ok(&r) ? 0 : -USHER_E_TRUNCATED;
	}
	ret->ttl_at = (uint16_t)(fixed + 4);
	ret->ttl = rd_be32(&r);
	ret->rdata_len = rd_be16(&r);
	ret->rdata = (uint16_t)(fixed + RR_FIXED);
	(void)rd_bytes(&r, ret->rdata_len);
	if (!rd_ok(&r))
		return -USHER_E_TRUNCATED;
	ret->form = form_of(ret, dns_opcode(m));
	return check_rdata(m->octets, ret, steps);
}

/* Checks an OPT record (RFC 6891 6.1.1): there is one, among the additional records, owned by the
 * root. */
static bool opt_fits(struct dns_msg *m, const struct dns_rr *rr)
{
	struct rd r = rd_init(span_sub(m->octets, rr->owner, 1));

	if (rr->section != DNS_ADDITIONAL || m->opt || rd_u8(&r) != 0)
		return false;
	m->opt = rr->owner;
	return true;
}

int dns_decode(struct span octets, struct dns_msg *ret)
{
	struct rd r = rd_init(octets);
	struct dns_msg m = {.octets = octets};
	uint32_t at = DNS_HDR_LEN, steps = MAX_STEPS;
	struct dns_rr rr;

	m.id = rd_be16(&r);
	m.flags = rd_be16(&r);
	for (int s = 0; s < DNS_N_SECTIONS; s++)
		m.count[s] = rd_be16(&r);
	if (!rd_ok(&r))
		return -USHER_E_TRUNCATED;
	if (octets.n > DNS_MSG_MAX)
		return -USHER_E_MALFORMED;
	for (int s = 0; s < DNS_N_SECTIONS; s++) {
		m.at[s] = (uint16_t)at;
		for (unsigned i = 0; i < m.count[s]; i++) {
			int e = read_rr(&m, (enum dns_section)s, at, &rr, &steps);

			if (e == 0 && rr.type == DNS_TYPE_OPT && s != DNS_QUESTION &&
			    !opt_fits(&m, &rr))
				e = -USHER_E_MALFORMED;
			if (e < 0)
				return e;
			at = (uint32_t)rr.rdata + rr.rdata_len;
		}
	}
	if (at != octets.n)
		return -USHER_E_MALFORMED;
	*ret = m;
	return 0;
}

/* --- Records ---------------------------------------------------------------------------------- */

struct dns_iter dns_each(const struct dns_msg *m, enum dns_section s)
{
	return (struct dns_iter){.msg = m,
				 .at = m->at[s],
				 .left = m->count[s],
				 .section = (uint8_t)s};
}

bool dns_next(struct dns_iter *it, struct dns_rr *ret)
{
	uint32_t steps = MAX_STEPS;

	if (!it->left || read_rr(it->msg, (enum dns_section)it->section, it->at, ret, &steps) < 0)
		return false;
	it->left--;
	it->at = (uint32_t)ret->rdata + ret->rdata_len;
	return true;
}

bool dns_at(const struct dns_msg *m, enum dns_section s, uint16_t i, struct dns_rr *ret)
{
	struct dns_iter it = dns_each(m, s);

	while (dns_next(&it, ret))
		if (i-- == 0)
			return true;
	return false;
}

bool dns_owner(const struct dns_msg *m, const struct dns_rr *rr, struct dns_name *ret)
{
	return dns_name_read(m->octets, rr->owner, ret, NULL) == 0;
}

bool dns_rdata_name(const struct dns_msg *m, const struct dns_rr *rr, unsigned i,
		    struct dns_name *ret)
{
	return i < rr->n_names && dns_name_read(m->octets, rr->name[i], ret, NULL) == 0;
}

struct span dns_rdata(const struct dns_msg *m, const struct dns_rr *rr)
{
	return span_sub(m->octets, rr->rdata, rr->rdata_len);
}

/* --- Rdata ------------------------------------------------------------------------------------ */

static struct rd rdata_of(const struct dns_msg *m, const struct dns_rr *rr, enum dns_form form)
{
	return rd_init(rr->form == form ? dns_rdata(m, rr) : SPAN_NULL);
}

uint32_t dns_ipv4(const struct dns_msg *m, const struct dns_rr *rr)
{
	struct rd r = rdata_of(m, rr, DNS_FORM_IPV4);

	return rd_be32(&r);
}

struct span dns_ipv6(const struct dns_msg *m, const struct dns_rr *rr)
{
	return rr->form == DNS_FORM_IPV6 ? dns_rdata(m, rr) : SPAN_NULL;
}

uint16_t dns_mx_preference(const struct dns_msg *m, const struct dns_rr *rr)
{
	struct rd r = rdata_of(m, rr, DNS_FORM_MX);

	return rd_be16(&r);
}

struct dns_soa dns_soa(const struct dns_msg *m, const struct dns_rr *rr)
{
	struct rd r = rdata_of(m, rr, DNS_FORM_SOA);
	struct dns_soa s;

	(void)rd_bytes(&r, rd_left(&r) > SOA_TAIL ? rd_left(&r) - SOA_TAIL : 0);
	s.serial = rd_be32(&r);
	s.refresh = rd_be32(&r);
	s.retry = rd_be32(&r);
	s.expire = rd_be32(&r);
	s.minimum = rd_be32(&r);
	return s;
}

struct dns_srv dns_srv(const struct dns_msg *m, const struct dns_rr *rr)
{
	struct rd r = rdata_of(m, rr, DNS_FORM_SRV);
	struct dns_srv s;

	s.priority = rd_be16(&r);
	s.weight = rd_be16(&r);
	s.port = rd_be16(&r);
	return s;
}

bool dns_edns(const struct dns_msg *m, struct dns_edns *ret)
{
	uint32_t steps = MAX_STEPS;
	struct dns_rr rr;

	if (!m->opt || read_rr(m, DNS_ADDITIONAL, m->opt, &rr, &steps) < 0)
		return false;
	*ret = (struct dns_edns){
		.udp_size = rr.cls,
		.ext_rcode = (uint8_t)(rr.ttl >> 24),
		.version = (uint8_t)(rr.ttl >> 16),
		.flags = (uint16_t)rr.ttl,
		.options = dns_rdata(m, &rr),
	};
	return true;
}

uint16_t dns_rcode(const struct dns_msg *m)
{
	uint16_t low = m->flags & 15;
	struct dns_edns e;

	return dns_edns(m, &e) ? (uint16_t)(e.ext_rcode << 4 | low) : low;
}

bool dns_string_next(struct rd *r, struct span *ret)
{
	if (!rd_left(r))
		return false;
	*ret = rd_bytes(r, rd_u8(r));
	return rd_ok(r);
}

bool dns_option_next(struct rd *r, uint16_t *ret_code, struct span *ret_data)
{
	if (!rd_left(r))
		return false;
	*ret_code = rd_be16(r);
	*ret_data = rd_bytes(r, rd_be16(r));
	return rd_ok(r);
}
