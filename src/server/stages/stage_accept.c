/* SPDX-License-Identifier: MPL-2.0 */
/* ACCEPT: whether a message is one that a server answers, and is meant for this server. RFC 2131
 * 4.3, table 5; RFC 5107 (server identifier override); RFC 4390 (hlen 0 needs an identifier). */
#include "base/cursor.h"
#include "config/config.h"
#include "hook/hook.h"
#include "runtime/iface.h"
#include "server/core/snapshot.h"
#include "server/stages/stages.h"
#include "wire/option_codes.h"

static bool type_for_servers(enum dhcp4_type t)
{
	return t == DHCP4_DISCOVER || t == DHCP4_REQUEST || t == DHCP4_RELEASE ||
	       t == DHCP4_DECLINE || t == DHCP4_INFORM;
}

/* Returns whether the message has a type that this server does not know; numbers without a
 * meaning count. */
static bool unknown_type(const struct exchange *x)
{
	uint8_t t;

	return dhcp4_opt_u8(&x->query, DHCP4_OPT_MESSAGE_TYPE, &t) && t != 0;
}

/* Returns whether the relay overrides the server identifier by the value that the client sent
 * (RFC 5107 4). */
static bool relay_overrides(const struct exchange *x, uint32_t id)
{
	struct span sub;
	uint32_t override;

	return dhcp4_subopt(x->rai, RAI_SERVER_ID_OVERRIDE, &sub) && rd_span_be32(sub, &override) &&
	       override == id;
}

static enum drop check_server_id(struct exchange *x)
{
	uint32_t id;

	if (!dhcp4_opt(&x->query, DHCP4_OPT_SERVER_ID))
		return DROP_NONE;
	x->server_id_seen = true;
	if (!dhcp4_opt_u32(&x->query, DHCP4_OPT_SERVER_ID, &id))
		return DROP_BAD_SERVER_ID;
	return exchange_is_server_id(x, id) || relay_overrides(x, id) ? DROP_NONE : DROP_NOT_FOR_US;
}

static enum drop check_message(struct exchange *x)
{
	if (x->query.op != DHCP4_BOOTREQUEST)
		return DROP_NOT_REQUEST;
	if (x->type == DHCP4_NOTYPE)
		return unknown_type(x) ? DROP_BAD_TYPE : DROP_NO_TYPE;
	if (!type_for_servers(x->type))
		return DROP_BAD_TYPE;
	if (x->type == DHCP4_INFORM && !x->query.ciaddr && !x->pkt.src)
		return DROP_INFORM_NO_ADDRESS;
	if (x->type == DHCP4_DISCOVER && dhcp4_opt(&x->query, DHCP4_OPT_SERVER_ID))
		return DROP_DISCOVER_SERVER_ID;
	if (!x->client_id.n && !x->hw.n)
		return DROP_NO_IDENTITY;
	return check_server_id(x);
}

/* Repeats the checks and the derived members: a callout may have changed options 53, 61, 82 and the
 * fields. */
enum verdict accept_again(struct exchange *x)
{
	enum drop d;

	unpack_identity(x);
	x->server_id_seen = false;
	d = check_message(x);
	return d == DROP_NONE ? VERDICT_CONTINUE : exchange_drop(x, d);
}

enum verdict stage_accept(struct exchange *x)
{
	enum drop d = check_message(x);

	if (d == DROP_NOT_FOR_US && x->type == DHCP4_REQUEST)
		same_client_chose_another(x);
	return d == DROP_NONE ? VERDICT_CONTINUE : exchange_drop(x, d);
}
