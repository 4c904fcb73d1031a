/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Words to an Ethernet frame.
 */
#include "scn_build.h"

#include "base/ip.h"
#include "wire/checksum.h"
#include "wire/option_codes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int scn_type_number(const char *t)
{
	static const char *const names[] = {"",	       "DISCOVER",   "OFFER",	  "REQUEST",
					    "DECLINE", "ACK",	     "NAK",	  "RELEASE",
					    "INFORM",  "FORCERENEW", "LEASEQUERY"};

	for (size_t i = 1; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i], t) == 0)
			return (int)i;
	return t[0] >= '0' && t[0] <= '9' ? atoi(t) : -1;
}

void scn_put_be(uint8_t *p, unsigned len, uint32_t v)
{
	for (unsigned i = 0; i < len; i++)
		p[i] = (uint8_t)(v >> (8 * (len - 1 - i)));
}

void scn_build_option(struct scn_build *b, int code, const uint8_t *p, size_t n)
{
	do {
		size_t part = n < 255 ? n : 255;

		wr_u8(&b->opts, (uint8_t)code);
		wr_u8(&b->opts, (uint8_t)part);
		wr_bytes(&b->opts, p, part);
		p += part;
		n -= part;
	} while (n);
}

/* flag words */
static bool flag_word(struct scn_build *b, const char *w)
{
	const struct {
		const char *name;
		bool *set;
	} flags[] = {
		{"bad-ip-checksum", &b->bad_ip_csum},
		{"bad-udp-checksum", &b->bad_udp_csum},
		{"no-udp-checksum", &b->no_udp_csum},
		{"fragment", &b->fragment},
		{"vlan", &b->vlan},
		{"qinq", &b->qinq},
		{"ip-options", &b->ip_options},
		{"no-type", &b->no_type},
	};

	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		if (strcmp(w, flags[i].name) == 0) {
			*flags[i].set = true;
			return true;
		}
	}
	if (strcmp(w, "bcast") == 0)
		b->head[10] |= 0x80;
	else if (strcmp(w, "no-end") == 0)
		b->end = false;
	else if (strcmp(w, "csum-not-ready") == 0)
		b->flags |= PACKET_CSUM_NOT_READY;
	else if (strcmp(w, "otherhost") == 0)
		b->flags |= PACKET_OTHERHOST;
	else
		return false;
	return true;
}

/* unicast: to the usual receiver's address, from ciaddr */
static void unicast(struct scn_build *b)
{
	struct rd r = rd_init(span_of(b->head + 12, 4));

	b->dst = b->to_addr;
	memcpy(b->dmac, b->to_mac, 6);
	if (!b->src)
		b->src = rd_be32(&r);
}

static int relay(struct scn_build *b, const char *v)
{
	uint32_t a;

	if (ip_parse(v, strlen(v), &a) < 0)
		return -1;
	scn_put_be(b->head + 24, 4, a);
	if (!b->head[3])
		b->head[3] = 1;
	b->src = a;
	b->sport = DHCP4_SERVER_PORT;
	b->dst = b->to_addr;
	memcpy(b->dmac, b->to_mac, 6);
	memcpy(b->smac, (const uint8_t[]){2, 0, 0, 0xff, 0, 1}, 6);
	return 0;
}

static int address_word(struct scn_build *b, const char *w)
{
	const char *v;

	if ((v = scn_arg(w, "src")) != NULL)
		return ip_parse(v, strlen(v), &b->src);
	if ((v = scn_arg(w, "dst")) != NULL)
		return ip_parse(v, strlen(v), &b->dst);
	if ((v = scn_arg(w, "smac")) != NULL)
		return scn_mac(v, b->smac);
	if ((v = scn_arg(w, "dmac")) != NULL)
		return scn_mac(v, b->dmac);
	if ((v = scn_arg(w, "relay")) != NULL)
		return relay(b, v);
	if (strcmp(w, "unicast") != 0)
		return 1;
	unicast(b);
	return 0;
}

static bool number_word(struct scn_build *b, const char *w)
{
	const struct {
		const char *name;
		unsigned *set;
	} numbers[] = {
		{"vlan-id", &b->vlan_id},
		{"proto", &b->proto},
		{"ethertype", &b->ethertype},
		{"udp-len", &b->udp_len},
		{"ip-len", &b->ip_len},
		{"ihl", &b->ihl},
		{"pad", &b->pad},
		{"cut", &b->cut},
		{"cut-frame", &b->cut_frame},
		{"times", &b->count},
		{"strangers", &b->strangers},
	};
	const char *v;

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		v = scn_arg(w, numbers[i].name);
		if (v) {
			*numbers[i].set = (unsigned)strtoul(v, NULL, 0);
			return true;
		}
	}
	if ((v = scn_arg(w, "sport")) != NULL)
		b->sport = (uint16_t)atoi(v);
	else if ((v = scn_arg(w, "dport")) != NULL)
		b->dport = (uint16_t)atoi(v);
	return v != NULL;
}

static int bytes_word(struct scn_build *b, const char *w)
{
	uint8_t tmp[1500];
	const char *v;
	int n;

	if ((v = scn_arg(w, "raw")) != NULL) {
		n = scn_value(v, 1, b->raw, sizeof(b->raw));
		b->has_raw = true;
		b->raw_len = n > 0 ? (size_t)n : 0;
	} else if ((v = scn_arg(w, "tail")) != NULL) {
		n = scn_value(v, 1, b->tail, sizeof(b->tail));
		b->tail_len = n > 0 ? (size_t)n : 0;
	} else if ((v = scn_arg(w, "trailer")) != NULL) {
		n = scn_value(v, 1, b->trailer, sizeof(b->trailer));
		b->trailer_len = n > 0 ? (size_t)n : 0;
	} else if ((v = scn_arg(w, "opts")) != NULL) {
		n = scn_value(v, 1, tmp, sizeof(tmp));
		wr_bytes(&b->opts, tmp, n > 0 ? (size_t)n : 0);
	} else {
		return 1;
	}
	return n < 0 ? -1 : 0;
}

static int field_or_option(struct scn_build *b, const char *w)
{
	uint8_t value[1500];
	const char *v;
	const struct scn_field *f = scn_field(w, &v);
	int code;
	int n;

	if (f) {
		n = scn_value(v, f->len > 4 ? 1 : f->len, value, sizeof(value));
		if (n < 0 || n > f->len)
			return -1;
		memset(b->head + f->off, 0, f->len);
		memcpy(b->head + f->off, value, (size_t)n);
		return 0;
	}
	code = scn_option_word(w, &v);
	n = code < 0 ? -1 : scn_value(v, scn_option_width(code), value, sizeof(value));
	if (n < 0)
		return -1;
	scn_build_option(b, code, value, (size_t)n);
	return wr_ok(&b->opts) ? 0 : -1;
}

int scn_build_from(struct scn_build *b, const char *who)
{
	if (strcmp(who, "none") == 0) {
		b->head[2] = 0;
		memcpy(b->smac, (const uint8_t[]){2, 0, 0, 0xee, 0, 1}, 6);
		return 0;
	}
	if (scn_mac(who, b->smac) < 0)
		return scn_fail(b->s, "%s is no client", who);
	memcpy(b->head + 28, b->smac, 6);
	return 0;
}

int scn_build_words(struct scn_build *b, size_t at)
{
	struct scn *s = b->s;

	for (; at < s->n_words; at++) {
		const char *w = s->word[at];
		int r;

		if (scn_arg(w, "iface"))
			continue;
		if (strcmp(w, "from") == 0 && at + 1 < s->n_words) {
			if (scn_build_from(b, s->word[++at]) < 0)
				return -1;
			continue;
		}
		if (flag_word(b, w) || number_word(b, w))
			continue;
		r = address_word(b, w);
		if (r == 1)
			r = bytes_word(b, w);
		if (r == 1)
			r = field_or_option(b, w);
		if (r < 0)
			return scn_fail(s, "what is %s?", w);
	}
	return 0;
}

static void message(struct scn_build *b)
{
	struct wr w = wr_init(b->msg, sizeof(b->msg));

	if (b->has_raw) {
		wr_bytes(&w, b->raw, b->raw_len);
	} else {
		wr_bytes(&w, b->head, sizeof(b->head));
		wr_bytes(&w, b->opts.base, b->opts.len);
		if (b->end)
			wr_u8(&w, 255);
		wr_bytes(&w, b->tail, b->tail_len);
	}
	b->msg_len = b->cut && b->cut - 1 < w.len ? b->cut - 1 : w.len;
}

static void udp(struct scn_build *b, struct wr *w)
{
	uint8_t mem[SCN_MSG_MAX];
	struct wr u = wr_init(mem, sizeof(mem));
	uint32_t sum = checksum_pseudo_udp(b->src, b->dst, b->msg_len + 8);
	uint16_t csum;

	wr_be16(&u, b->sport);
	wr_be16(&u, b->dport);
	wr_be16(&u, (uint16_t)(b->udp_len ? b->udp_len : b->msg_len + 8));
	wr_be16(&u, 0);
	wr_bytes(&u, b->msg, b->msg_len);
	csum = checksum_fold(checksum_add(sum, span_of(mem, u.len)));
	if (csum == 0)
		csum = 0xffff;
	if (b->bad_udp_csum)
		csum ^= 0x1234;
	if (b->flags & PACKET_CSUM_NOT_READY)
		csum = 0xbeef;
	wr_patch_be16(&u, 6, b->no_udp_csum ? 0 : csum);
	wr_bytes(w, mem, u.len);
}

static void ipv4(struct scn_build *b, struct wr *w)
{
	unsigned words = b->ihl ? b->ihl : b->ip_options ? 6 : 5;
	size_t at = w->len;
	size_t hdr = b->ip_options ? 24 : 20;
	uint16_t csum;

	wr_u8(w, (uint8_t)(0x40 | words));
	wr_u8(w, 0);
	wr_be16(w, (uint16_t)(b->ip_len ? b->ip_len : hdr + 8 + b->msg_len));
	wr_be16(w, 1);
	wr_be16(w, b->fragment ? 0x2000 : 0);
	wr_u8(w, 64);
	wr_u8(w, (uint8_t)(b->proto ? b->proto : 17));
	wr_be16(w, 0);
	wr_be32(w, b->src);
	wr_be32(w, b->dst);
	if (b->ip_options)
		wr_be32(w, 0x01010100); /* no operation, twice; end */
	csum = checksum_fold(checksum_add(0, span_of(w->base + at, hdr)));
	wr_patch_be16(w, at + 10, b->bad_ip_csum ? (uint16_t)(csum ^ 0x55) : csum);
	udp(b, w);
}

size_t scn_build_frame(struct scn_build *b, uint8_t *out, size_t cap)
{
	struct wr w = wr_init(out, cap);

	message(b);
	wr_bytes(&w, b->dmac, 6);
	wr_bytes(&w, b->smac, 6);
	if (b->qinq) {
		wr_be16(&w, 0x88a8);
		wr_be16(&w, 0);
	}
	if (b->vlan || b->qinq || b->vlan_id) {
		wr_be16(&w, 0x8100);
		wr_be16(&w, (uint16_t)(0x6000 | b->vlan_id));
	}
	wr_be16(&w, (uint16_t)(b->ethertype ? b->ethertype : 0x0800));
	ipv4(b, &w);
	wr_bytes(&w, b->trailer, b->trailer_len);
	wr_zero(&w, b->pad);
	return b->cut_frame && b->cut_frame < w.len ? b->cut_frame : w.len;
}

void scn_build_init(struct scn_build *b, struct scn *s)
{
	*b = (struct scn_build){.s = s, .end = true, .count = 1, .dst = 0xffffffffU};
	b->opts = wr_init(b->opts_mem, sizeof(b->opts_mem));
	memset(b->dmac, 0xff, 6);
	b->head[1] = 1;
	b->head[2] = 6;
	scn_put_be(b->head + DHCP4_HDR_LEN, 4, DHCP4_MAGIC);
}
