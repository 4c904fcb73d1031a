/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Shared by the message types while they are processed: the response's start, the NAK, the client's
 * host name.
 */
#include "server/stages/response.h"

#include "base/cursor.h"
#include "base/log.h"
#include "config/config.h"
#include "server/core/trace.h"
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

enum verdict response_nak(struct exchange *x, enum log_id id, const char *reason)
{
	if (response_start(x, DHCP4_NAK) < 0)
		return exchange_drop(x, DROP_PROCESSING_FAILED);
	x->nak_reason = reason;
	x->lease = NULL;
	/* RFC 2131 4.3.2: through a relay, the NAK must reach a client even without an address */
	if (x->query.giaddr)
		x->response.flags |= DHCP4_FLAG_BROADCAST;
	if (unlikely(x->trace != NULL))
		trace_note(x, id, "NAK: %s", reason);
	EXCHANGE_LOG(x, LOG_DHCP4_NAK, "NAK: %s", reason);
	return VERDICT_CONTINUE;
}

bool query_requests(const struct exchange *x, uint8_t code)
{
	struct span prl = dhcp4_opt_data(&x->query, DHCP4_OPT_PARAMETER_REQUEST_LIST);

	return prl.n && memchr(prl.p, code, prl.n) != NULL;
}
