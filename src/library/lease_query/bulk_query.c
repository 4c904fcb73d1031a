/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Reading of a bulk query. A message of another kind ends the connection (RFC 6926 7.2); a query
 * with mistakes is answered by a status.
 */
#include "library/lease_query/bulk.h"

#include "base/cursor.h"
#include "base/error.h"
#include "wire/dhcp4.h"
#include "wire/option_codes.h"

/* OPT_VSS: virtual subnet selection (RFC 6607), which no option definition of ours has. */
enum { CLIENT_ID_LEAST = 2, OPT_VSS = 221 };

static const int64_t time_end = INT64_C(1) << 31;

size_t bulk_frame_next(struct span stream, struct span *ret_message)
{
	struct rd r = rd_init(stream);
	size_t n = rd_be16(&r);
	struct span message = rd_bytes(&r, n);

	if (!rd_ok(&r))
		return 0;
	*ret_message = message;
	return n + 2;
}

static void set_status(struct bulk_query *q, enum bulk_status status, const char *reason)
{
	if (q->status != BULK_SUCCESS)
		return;
	q->status = status;
	q->reason = reason;
}

/* Notes one of the criteria. Returns 1, to be counted. */
static unsigned note_key(struct bulk_query *q, enum bulk_key by, struct span key, size_t least)
{
	q->by = by;
	if (key.n < least || key.n > sizeof(q->key)) {
		set_status(q, BULK_MALFORMED, "the length of an identifier is out of range");
		return 1;
	}
	q->key_len = (uint8_t)key.n;
	memcpy(q->key, key.p, key.n);
	return 1;
}

/* Reads the identifiers in option 82. */
static unsigned read_relay(struct bulk_query *q, struct span option)
{
	struct span id;
	unsigned n = 0;

	if (!dhcp4_subopts_valid(option))
		set_status(q, BULK_MALFORMED, "the relay agent information is malformed");
	if (dhcp4_subopt(option, RAI_RELAY_ID, &id))
		n += note_key(q, BULK_RELAY_ID, id, 1);
	if (dhcp4_subopt(option, RAI_REMOTE_ID, &id))
		n += note_key(q, BULK_REMOTE_ID, id, 1);
	return n;
}

static void read_criteria(struct bulk_query *q, const struct dhcp4_msg *m)
{
	const struct dhcp4_option *id = dhcp4_opt(m, DHCP4_OPT_CLIENT_ID);
	const struct dhcp4_option *relay = dhcp4_opt(m, DHCP4_OPT_AGENT_OPTIONS);
	unsigned n = 0;

	if (id)
		n += note_key(q, BULK_CLIENT_ID, id->data, CLIENT_ID_LEAST);
	if (m->hlen || m->htype)
		n += note_key(q, BULK_HARDWARE, span_of(m->chaddr, m->hlen), 1);
	if (relay)
		n += read_relay(q, relay->data);
	if (n > 1)
		set_status(q, BULK_MALFORMED, "a query has one criterion");
	if (n == 0)
		set_status(q, BULK_NOT_ALLOWED, "queries of all leases are not allowed");
}

static void read_time(struct bulk_query *q, const struct dhcp4_msg *m, uint8_t code, int64_t *ret)
{
	uint32_t v;

	if (!dhcp4_opt(m, code))
		return;
	if (dhcp4_opt_u32(m, code, &v) && v < time_end)
		*ret = v;
	else
		set_status(q, BULK_MALFORMED, "a time is out of range");
}

int bulk_query_read(struct span message, struct arena *arena, struct bulk_query *ret)
{
	struct bulk_query q = {.last = time_end};
	struct dhcp4_msg m;

	if (dhcp4_decode(message, DHCP4_STRICT, arena, &m) < 0 || m.op != DHCP4_BOOTREQUEST ||
	    dhcp4_msg_type(&m) != DHCP4_BULKLEASEQUERY)
		return -USHER_E_MALFORMED;
	q.xid = m.xid;
	if (m.ciaddr || m.yiaddr || m.siaddr)
		set_status(&q, BULK_MALFORMED, "ciaddr, yiaddr and siaddr must be 0");
	read_time(&q, &m, DHCP4_OPT_QUERY_START_TIME, &q.first);
	read_time(&q, &m, DHCP4_OPT_QUERY_END_TIME, &q.last);
	if (q.first > q.last)
		set_status(&q, BULK_MALFORMED, "the start time is after the end time");
	if (dhcp4_opt(&m, OPT_VSS))
		set_status(&q, BULK_NOT_ALLOWED, "virtual subnets are not supported");
	read_criteria(&q, &m);
	*ret = q;
	return 0;
}
