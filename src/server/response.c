/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What the message types share while they are processed: the response's start, the NAK, the client's
 * host name.
 */
#include "server/response.h"

#include "base/cursor.h"
#include "base/log.h"
#include "config/config.h"
#include "server/trace.h"
#include "wire/option_codes.h"

int response_start(struct exchange *x, enum dhcp4_type type)
{
	const struct dhcp4_msg *q = &x->query;
	struct dhcp4_msg *r = &x->response;

	dhcp4_init(r, &x->pkt.arena);
	r->op = DHCP4_BOOTREPLY;
	r->htype = q->htype;
	r->hlen = q->hlen;
	r->xid = q->xid;
	r->flags = q->flags;
	r->giaddr = q->giaddr;
	memcpy(r->chaddr, q->chaddr, sizeof(r->chaddr));
	x->has_response = true;
	return dhcp4_opt_set_u8(r, DHCP4_OPT_MESSAGE_TYPE, (uint8_t)type);
}

enum verdict response_nak(struct exchange *x, const char *reason)
{
	if (response_start(x, DHCP4_NAK) < 0)
		return exchange_drop(x, DROP_PROCESSING_FAILED);
	x->nak_reason = reason;
	x->lease = NULL;
	/* RFC 2131 4.3.2: through a relay, the client must be told even without an address */
	if (x->query.giaddr)
		x->response.flags |= DHCP4_FLAG_BROADCAST;
	TRACE(x, "NAK: %s", reason);
	EXCHANGE_LOG(x, LOG_DHCP4_NAK, "NAK: %s", reason);
	return VERDICT_CONTINUE;
}

bool query_requests(const struct exchange *x, uint8_t code)
{
	struct span prl = dhcp4_opt_data(&x->query, DHCP4_OPT_PARAMETER_REQUEST_LIST);

	return prl.n && memchr(prl.p, code, prl.n) != NULL;
}

/*
 * hostname-char-set: what matches is replaced. Octets that no name can have (controls, DEL) go whatever
 * the operator allows: they would end up in files and logs. NULL if nothing remains.
 */
static const char *clean_name(struct exchange *x, struct span s)
{
	const struct config_params *p = x->subnet ? &x->subnet->params : &x->cfg->params;
	const char *with = p->hostname_char_replacement;
	size_t with_len = strlen(with);
	char *out = arena_alloc(&x->pkt.arena, LEASE_HOSTNAME_MAX + 1);
	size_t n = 0;

	if (!out)
		return NULL;
	for (size_t i = 0; i < s.n && n < LEASE_HOSTNAME_MAX; i++) {
		uint8_t c = s.p[i];

		if (c <= 0x20 || c == 0x7f) {
			continue;
		} else if (!(p->hostname_bad[c / 8] >> (c % 8) & 1)) {
			out[n++] = (char)c;
		} else if (n + with_len <= LEASE_HOSTNAME_MAX) {
			memcpy(out + n, with, with_len);
			n += with_len;
		}
	}
	while (n && out[n - 1] == '.')
		n--;
	out[n] = '\0';
	return n ? out : NULL;
}

/* The name in option 81: DNS wire form (E flag) or text. RFC 4702 2.3 */
static const char *fqdn_name(struct exchange *x, struct span fqdn)
{
	struct rd r = rd_init(fqdn);
	uint8_t flags = rd_u8(&r);
	char *out = arena_alloc(&x->pkt.arena, fqdn.n + 1);
	size_t n = 0;

	(void)rd_be16(&r);
	if (!rd_ok(&r) || !out)
		return NULL;
	if (!(flags & 4))
		return clean_name(x, span_of(r.p, r.n));
	while (rd_left(&r)) {
		uint8_t len = rd_u8(&r);
		struct span label = rd_bytes(&r, len);

		if (!len || len > 63 || !rd_ok(&r))
			break;
		if (n)
			out[n++] = '.';
		memcpy(out + n, label.p, label.n);
		n += label.n;
	}
	return rd_ok(&r) ? clean_name(x, span_of(out, n)) : NULL;
}

void process_hostname(struct exchange *x)
{
	struct span fqdn = dhcp4_opt_data(&x->query, DHCP4_OPT_CLIENT_FQDN);
	struct span name = dhcp4_opt_data(&x->query, DHCP4_OPT_HOST_NAME);

	if (x->host && x->host->hostname[0]) {
		x->hostname = x->host->hostname;
		return;
	}
	if (fqdn.n)
		x->hostname = fqdn_name(x, fqdn);
	if (!x->hostname && name.n)
		x->hostname = clean_name(x, name);
}
