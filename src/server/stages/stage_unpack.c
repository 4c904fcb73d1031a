/* SPDX-License-Identifier: MPL-2.0 */
/*
 * UNPACK: bytes to message, and members derived from the message alone: type, client identifier,
 * hardware address, relay agent information.
 */
#include "config/config.h"
#include "server/stages/stages.h"
#include "wire/option_codes.h"

static void count_type(struct exchange *x)
{
	static const enum metric by_type[] = {
		[DHCP4_NOTYPE] = METRIC_UNKNOWN_RECEIVED,
		[DHCP4_DISCOVER] = METRIC_DISCOVER_RECEIVED,
		[DHCP4_OFFER] = METRIC_OFFER_RECEIVED,
		[DHCP4_REQUEST] = METRIC_REQUEST_RECEIVED,
		[DHCP4_DECLINE] = METRIC_DECLINE_RECEIVED,
		[DHCP4_ACK] = METRIC_ACK_RECEIVED,
		[DHCP4_NAK] = METRIC_NAK_RECEIVED,
		[DHCP4_RELEASE] = METRIC_RELEASE_RECEIVED,
		[DHCP4_INFORM] = METRIC_INFORM_RECEIVED,
		[DHCP4_FORCERENEW] = METRIC_UNKNOWN_RECEIVED,
		[DHCP4_LEASEQUERY] = METRIC_LEASE_QUERY_RECEIVED,
	};
	unsigned t = x->type;

	stats_add(x->stats,
		  t < sizeof(by_type) / sizeof(by_type[0]) ? by_type[t] : METRIC_UNKNOWN_RECEIVED,
		  1);
}

/* Returns a usable identifier, or none: fewer than two octets identify no client (RFC 2132
 * 9.14). */
static struct span usable_identifier(struct span id)
{
	return id.n >= 2 && id.n <= LEASE_CLIENT_ID_MAX ? id : SPAN_NULL;
}

/* Derives the members that the pipeline keeps beside the message. Called also after a callout
 * unpacked or changed it. */
void unpack_identity(struct exchange *x)
{
	x->type = dhcp4_msg_type(&x->query);
	x->client_id = usable_identifier(dhcp4_opt_data(&x->query, DHCP4_OPT_CLIENT_ID));
	x->hw = span_of(x->query.chaddr, x->query.hlen);
	x->rai = dhcp4_opt_data(&x->query, DHCP4_OPT_AGENT_OPTIONS);
}

void unpack_derive(struct exchange *x)
{
	x->unpacked = true; /* also by a callout that built the message itself */
	unpack_identity(x);
	count_type(x);
}

enum verdict stage_unpack(struct exchange *x)
{
	if (exchange_unpack(x) < 0) {
		dhcp4_init(&x->query, &x->pkt.arena);
		return exchange_drop(x, DROP_PARSE_FAILED);
	}
	return VERDICT_CONTINUE;
}
