/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Requests: the DHCID (RFC 4701), the TTL, and the text that kea-dhcp-ddns reads.
 */
#include "ddns/ddns_request.h"

#include "base/error.h"
#include "base/ip.h"
#include "base/sha256.h"
#include "wire/fqdn.h"

#include <string.h>
#include <time.h>

enum {
	DHCID_HW = 0,
	DHCID_CLIENT_ID = 1,
	DHCID_DUID = 2,
	DIGEST_SHA256 = 1,
	HTYPE_ETHERNET = 1,
	CLIENT_ID_DUID = 255, /* RFC 4361 */
	IAID_END = 5,
	DUID_MAX = 130,
	TTL_MIN = 600, /* RFC 4703 */
};

const char *const ddns_mode_names[CONFLICT_N_MODES] = {
	[CONFLICT_CHECK_WITH_DHCID] = "check-with-dhcid",
	[CONFLICT_NO_CHECK_WITH_DHCID] = "no-check-with-dhcid",
	[CONFLICT_CHECK_EXISTS_WITH_DHCID] = "check-exists-with-dhcid",
	[CONFLICT_NO_CHECK_WITHOUT_DHCID] = "no-check-without-dhcid",
};

/* Adds the identifier of the client to the digest. Returns the type of the DHCID. */
static int add_identifier(const struct lease *l, struct sha256 *s)
{
	static const uint8_t htype = HTYPE_ETHERNET;
	struct span id = lease_client_id(l);

	if (!id.n) {
		if (!l->hw_len)
			return -USHER_E_RANGE;
		sha256_add(s, span_of(&htype, 1));
		sha256_add(s, lease_hw(l));
		return DHCID_HW;
	}
	if (id.p[0] != CLIENT_ID_DUID) {
		sha256_add(s, id);
		return DHCID_CLIENT_ID;
	}
	if (id.n <= IAID_END || id.n - IAID_END > DUID_MAX)
		return -USHER_E_RANGE;
	sha256_add(s, span_sub(id, IAID_END, id.n - IAID_END));
	return DHCID_DUID;
}

int ddns_dhcid(const struct lease *l, const char *fqdn, uint8_t ret[DDNS_DHCID_LEN])
{
	uint8_t wire[FQDN_WIRE_MAX];
	struct sha256 s;
	int n = fqdn_parse(fqdn, strlen(fqdn), wire);
	int type;

	if (n < 0)
		return n;
	for (int i = 0; i < n; i++) /* lengths of labels are below 'A' */
		if (wire[i] >= 'A' && wire[i] <= 'Z')
			wire[i] |= 0x20;
	sha256_init(&s);
	type = add_identifier(l, &s);
	if (type < 0)
		return type;
	sha256_add(&s, span_of(wire, (size_t)n));
	ret[0] = 0;
	ret[1] = (uint8_t)type;
	ret[2] = DIGEST_SHA256;
	sha256_end(&s, ret + 3);
	return 0;
}

uint32_t ddns_ttl(const struct config_updates *u, uint32_t lifetime)
{
	double percent = u->ttl_percent > 0 ? u->ttl_percent : 0.33333;
	uint32_t least = u->ttl_min ? u->ttl_min : TTL_MIN;
	uint32_t ttl;

	if (u->ttl)
		return u->ttl;
	ttl = percent < 1 ? (uint32_t)(percent * lifetime + 0.5) : lifetime;
	if (ttl < least)
		ttl = least;
	return u->ttl_max && ttl > u->ttl_max ? u->ttl_max : ttl;
}

int ddns_request_make(struct ddns_request *r, enum ddns_op op, const struct lease *l,
		      const struct config_updates *u)
{
	size_t n = strnlen(l->hostname, LEASE_HOSTNAME_MAX);

	if (!n || (!l->fqdn_fwd && !l->fqdn_rev))
		return -USHER_E_NOTFOUND;
	*r = (struct ddns_request){.op = op,
				   .forward = l->fqdn_fwd,
				   .reverse = l->fqdn_rev,
				   .mode = u->mode,
				   .addr = l->addr,
				   .ttl = ddns_ttl(u, l->valid_lft)};
	r->expires = l->cltt + r->ttl;
	for (size_t i = 0; i < n; i++) {
		char c = l->hostname[i];

		r->fqdn[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	if (r->fqdn[n - 1] != '.')
		r->fqdn[n] = '.';
	return ddns_dhcid(l, r->fqdn, r->dhcid);
}

bool ddns_request_same(const struct ddns_request *a, const struct ddns_request *b)
{
	return a->addr == b->addr && memcmp(a->dhcid, b->dhcid, DDNS_DHCID_LEN) == 0 &&
	       strcmp(a->fqdn, b->fqdn) == 0;
}

static void add_time(struct buf *out, int64_t s)
{
	time_t t = (time_t)s;
	struct tm tm;

	if (!gmtime_r(&t, &tm))
		memset(&tm, 0, sizeof(tm));
	buf_printf(out, "%04d%02d%02d%02d%02d%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
		   tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* Appends octets as a string of JSON: other octets than ASCII stand as they are, as in Kea. */
static void add_text(struct buf *out, const char *s)
{
	buf_char(out, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_char(out, '\\');
		if ((uint8_t)*s < 0x20)
			buf_printf(out, "\\u%04x", (unsigned)(uint8_t)*s);
		else
			buf_char(out, *s);
	}
	buf_char(out, '"');
}

static const char *bool_text(bool b)
{
	return b ? "true" : "false";
}

void ddns_ncr_text(const struct ddns_request *r, struct buf *out)
{
	/* a version that knows no modes has to protect names as well as it can */
	bool check = r->mode == CONFLICT_CHECK_WITH_DHCID ||
		     r->mode == CONFLICT_CHECK_EXISTS_WITH_DHCID;
	char ip[IP_TEXT_LEN];

	buf_printf(out, "{\"change-type\":%d,\"forward-change\":%s,\"reverse-change\":%s,\"fqdn\":",
		   r->op == DDNS_REMOVE, bool_text(r->forward), bool_text(r->reverse));
	add_text(out, r->fqdn);
	buf_printf(out, ",\"ip-address\":\"%s\",\"dhcid\":\"", ip_text(r->addr, ip));
	for (size_t i = 0; i < DDNS_DHCID_LEN; i++)
		buf_printf(out, "%02X", (unsigned)r->dhcid[i]);
	buf_str(out, "\",\"lease-expires-on\":\"");
	add_time(out, r->expires);
	buf_printf(out,
		   "\",\"lease-length\":%u,\"use-conflict-resolution\":%s,"
		   "\"conflict-resolution-mode\":\"%s\"}",
		   r->ttl, bool_text(check), ddns_mode_names[r->mode]);
}
