/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Checks of every reply, besides the expectations of a scenario: a sound frame with right
 * checksums, a message in which nothing is stray, fields copied as RFC 2131 table 3 has it. The
 * decoder is the test's own and strict: it shares nothing with the server's but the frame walk.
 */
#include "scn.h"

#include "base/cursor.h"
#include "wire/checksum.h"

#include <string.h>

static uint32_t be32(const uint8_t *p)
{
	struct rd r = rd_init(span_of(p, 4));

	return rd_be32(&r);
}

/* One field of options. -1: malformed. */
static int options(struct scn *s, struct scn_reply *r, const uint8_t *p, size_t n, bool main_field)
{
	bool in_this[256] = {0};
	size_t i = 0;
	int last = -1;

	while (i < n && p[i] != 255) {
		uint8_t code = p[i];
		uint8_t len;

		if (code == 0)
			return scn_fail(s, "reply has a PAD between its options");
		if (i + 2 > n || i + 2U + p[i + 1] > n)
			return scn_fail(s, "option %u of the reply runs over its field", code);
		len = p[i + 1];
		if (in_this[code] && last != code)
			return scn_fail(s, "option %u is in the reply twice, and not side by side",
					code);
		if (!in_this[code] && r->has[code])
			return scn_fail(s, "option %u is in two fields of the reply", code);
		if (r->opt_len[code] + len > sizeof(r->opt[code]))
			return scn_fail(s, "option %u of the reply is too long", code);
		if (!main_field && (code == 53 || code == 82 || code == 52))
			return scn_fail(s, "option %u is in an overloaded field", code);
		memcpy(r->opt[code] + r->opt_len[code], p + i + 2, len);
		r->opt_len[code] += len;
		r->opt_pieces[code]++;
		if (!r->has[code])
			r->opt_order[r->n_order++] = code;
		r->has[code] = true;
		in_this[code] = true;
		last = code;
		i += 2U + len;
	}
	if (i == n)
		return scn_fail(s, "a field of the reply's options has no END");
	for (i++; i < n; i++)
		if (p[i])
			return scn_fail(s, "the reply has octets behind END");
	return 0;
}

int scn_reply_decode(struct scn *s, struct scn_reply *r)
{
	uint8_t mem[64];
	struct packet p = {0};
	enum drop d;

	packet_init(&p, r->frame, r->len, mem, sizeof(mem));
	p.len = (uint32_t)r->len;
	d = packet_decode(&p);
	if (d != DROP_NONE)
		return scn_fail(s, "the reply's frame is bad: %s", drop_info(d)->sentence);
	r->pkt = p;
	r->msg = r->frame + p.app;
	r->msg_len = p.app_len;
	if (r->msg_len < DHCP4_MIN_LEN || be32(r->msg + DHCP4_HDR_LEN) != DHCP4_MAGIC)
		return scn_fail(s, "the reply is no DHCP message");
	if (options(s, r, r->msg + DHCP4_MIN_LEN, r->msg_len - DHCP4_MIN_LEN, true) < 0)
		return -1;
	r->overload = r->has[52] ? r->opt[52][0] : 0;
	if (r->overload & 1 && options(s, r, r->msg + 108, 128, false) < 0)
		return -1;
	if (r->overload & 2 && options(s, r, r->msg + 44, 64, false) < 0)
		return -1;
	return 0;
}

static const struct scn_query *query_of(const struct scn *s, const struct scn_reply *r)
{
	size_t n = s->n_queries < SCN_QUERIES ? s->n_queries : SCN_QUERIES;

	for (size_t i = 0; i < n; i++)
		if (memcmp(s->query[(s->n_queries - 1 - i) % SCN_QUERIES].head + 4, r->msg + 4,
			   4) == 0)
			return &s->query[(s->n_queries - 1 - i) % SCN_QUERIES];
	return NULL;
}

static int check_header(struct scn *s, const struct scn_reply *r, const struct scn_query *q)
{
	bool nak = r->has[53] && r->opt[53][0] == DHCP4_NAK;
	bool inform = r->has[53] && r->opt[53][0] == DHCP4_ACK && !r->has[51];
	/* RFC 4388 6.4.2: the hardware address is that of the lease */
	bool active = r->has[53] && r->opt[53][0] == DHCP4_LEASEACTIVE;
	uint8_t flags = q->head[10];

	if (r->msg[0] != DHCP4_BOOTREPLY)
		return scn_fail(s, "the reply's op is not 2");
	if (memcmp(r->msg + 1, q->head + 1, 2) != 0 && !active)
		return scn_fail(s, "htype or hlen is not the query's");
	if (memcmp(r->msg + 28, q->head + 28, 16) != 0 && !active)
		return scn_fail(s, "chaddr is not the query's");
	if (memcmp(r->msg + 24, q->head + 24, 4) != 0 && !inform)
		return scn_fail(s, "giaddr is not the query's");
	if (nak && be32(q->head + 24))
		flags |= 0x80;
	if (r->msg[10] != flags || r->msg[11] != q->head[11])
		return scn_fail(s, "flags are not the query's");
	if (r->msg[3] || r->msg[8] || r->msg[9])
		return scn_fail(s, "hops or secs are not 0");
	if (nak && (be32(r->msg + 12) || be32(r->msg + 16) || be32(r->msg + 20)))
		return scn_fail(s, "a NAK has ciaddr, yiaddr or siaddr");
	if (r->has[53] && r->opt[53][0] == DHCP4_OFFER && be32(r->msg + 12))
		return scn_fail(s, "an OFFER has ciaddr");
	return 0;
}

static int check_options(struct scn *s, const struct scn_reply *r)
{
	static const uint8_t never[] = {50, 55, 57};
	uint8_t type = r->opt[53][0];
	bool leased = type == DHCP4_LEASEACTIVE || (type != DHCP4_NAK && be32(r->msg + 16));

	if (!r->has[53] || r->opt_len[53] != 1 || !r->has[54] || r->opt_len[54] != 4)
		return scn_fail(s, "53 and 54 must be in every reply");
	for (size_t i = 0; i < sizeof(never); i++)
		if (r->has[never[i]])
			return scn_fail(s, "option %u must not be in a reply", never[i]);
	if (leased && (!r->has[51] || r->opt_len[51] != 4))
		return scn_fail(s, "an address without a lease time");
	if (!leased && (r->has[51] || r->has[58] || r->has[59]))
		return scn_fail(s, "a lease time without an address");
	if (r->has[82] && r->opt_order[r->n_order - 1] != 82 && !r->overload)
		return scn_fail(s, "82 is not the last option");
	if (r->has[58] && r->has[59] && be32(r->opt[58]) >= be32(r->opt[59]))
		return scn_fail(s, "T1 is not before T2");
	if (r->has[59] && be32(r->opt[59]) >= be32(r->opt[51]))
		return scn_fail(s, "T2 is not before the lease's end");
	return 0;
}

/* Checks the answer to a query without option 53 (RFC 951): it has no option of DHCP. */
static int check_bootp(struct scn *s, const struct scn_reply *r)
{
	for (unsigned i = 50; i <= 61; i++)
		if (r->has[i] && i != 60)
			return scn_fail(s, "option %u must not be in a reply to a BOOTP client", i);
	if (!be32(r->msg + 16))
		return scn_fail(s, "a reply to a BOOTP client without an address");
	return 0;
}

int scn_reply_strict(struct scn *s, const struct scn_reply *r)
{
	const struct scn_query *q = query_of(s, r);

	if (!q)
		return scn_fail(s, "the reply's xid belongs to no query");
	if (r->pkt.sport != DHCP4_SERVER_PORT)
		return scn_fail(s, "the reply comes from port %u", r->pkt.sport);
	if (r->frame[14 + 8] < 16)
		return scn_fail(s, "the reply's TTL is %u", r->frame[14 + 8]);
	if (r->msg_len + 28 > q->max_size)
		return scn_fail(s, "the reply is %zu octets, the client takes %u", r->msg_len + 28,
				q->max_size);
	if (r->msg_len < DHCP4_BOOTP_MIN_LEN)
		return scn_fail(s, "the reply is shorter than 300 octets");
	if (check_header(s, r, q) < 0)
		return -1;
	return q->bootp ? check_bootp(s, r) : check_options(s, r);
}
