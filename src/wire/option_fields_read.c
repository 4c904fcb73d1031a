/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Reading option data by the fields of its definition: one walk gives the text or, without a
 * buffer, its validity. The codecs here differ from that walk in lengths and ends only.
 */
#include "base/ip.h"
#include "wire/dhcp4.h"
#include "wire/fqdn.h"
#include "wire/option_internal.h"

#include <arpa/inet.h>
#include <string.h>

enum { FQDN_FLAG_E = 0x04 };

/* The option that the pointers of names lead into, and the rest of the budget for reading them. */
struct reading {
	struct span whole;
	size_t left;
	bool wide_tuples; /* their lengths have two octets */
};

static struct reading reading_of(struct span data)
{
	return (struct reading){.whole = data, .left = fqdn_budget(data)};
}

static bool ipv6_read(struct rd *r, struct buf *out)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t addr[16];

	rd_copy(r, addr, sizeof(addr));
	if (!rd_ok(r))
		return false;
	if (out)
		buf_str(out, inet_ntop(AF_INET6, addr, text, sizeof(text)));
	return true;
}

static bool ipv6_prefix_read(struct rd *r, struct buf *out)
{
	uint8_t bits = rd_u8(r);
	uint8_t addr[16] = {0};
	struct rd padded;

	if (bits > 128)
		return false;
	rd_copy(r, addr, (size_t)(bits + 7) / 8);
	if (!rd_ok(r))
		return false;
	if (bits % 8)
		addr[bits / 8] &= (uint8_t)(0xff00 >> bits % 8);
	padded = rd_init(span_of(addr, sizeof(addr)));
	if (!ipv6_read(&padded, out))
		return false;
	option_put(out, "/%u", bits);
	return true;
}

/* Reads a length in bits, then the value left-aligned in 16 bits (RFC 7618). */
static bool psid_read(struct rd *r, struct buf *out)
{
	unsigned bits = rd_u8(r);
	unsigned v = rd_be16(r);

	if (!rd_ok(r) || bits > 16)
		return false;
	option_put(out, "%u/%u", v >> (16 - bits), bits);
	return true;
}

static bool bytes_read(struct rd *r, size_t n, bool hex, struct buf *out)
{
	struct span s = rd_bytes(r, n);

	if (!rd_ok(r))
		return false;
	if (hex)
		option_put_hex(out, s);
	else if (out)
		buf_add(out, s.p, s.n);
	return true;
}

static bool boolean_read(struct rd *r, struct buf *out)
{
	uint8_t v = rd_u8(r);

	if (!rd_ok(r) || v > 1)
		return false;
	option_put(out, "%s", v ? "true" : "false");
	return true;
}

static bool int_read(struct rd *r, enum option_type t, struct buf *out)
{
	if (t == OPTION_INT8)
		option_put(out, "%d", (int8_t)rd_u8(r));
	else if (t == OPTION_INT16)
		option_put(out, "%d", (int16_t)rd_be16(r));
	else if (t == OPTION_INT32)
		option_put(out, "%d", (int32_t)rd_be32(r));
	else if (t == OPTION_UINT8)
		option_put(out, "%u", rd_u8(r));
	else if (t == OPTION_UINT16)
		option_put(out, "%u", rd_be16(r));
	else
		option_put(out, "%u", rd_be32(r));
	return rd_ok(r);
}

static bool ipv4_read(struct rd *r, struct buf *out)
{
	uint32_t addr = rd_be32(r);

	if (!rd_ok(r))
		return false;
	option_put_ipv4(out, addr);
	return true;
}

static bool name_read(struct rd *r, struct reading *names, bool partial, struct buf *out)
{
	size_t off = names->whole.n - rd_left(r);
	size_t start = off;

	if (!rd_ok(r) || !fqdn_read_within(names->whole, &off, partial, &names->left, out))
		return false;
	(void)rd_bytes(r, off - start);
	return true;
}

static bool field_read(struct rd *r, const struct option_def *def, enum option_type t,
		       struct reading *names, struct buf *out)
{
	switch (t) {
	case OPTION_EMPTY:
		return true;
	case OPTION_BINARY:
		return bytes_read(r, rd_left(r), true, out);
	case OPTION_STRING:
		/* RFC 2132 2: the minimum length of a text is 1; RFC 2610 4: not so behind other
		 * fields */
		return (rd_left(r) > 0 || def->type == OPTION_RECORD) &&
		       bytes_read(r, rd_left(r), false, out);
	case OPTION_BOOLEAN:
		return boolean_read(r, out);
	case OPTION_INT8:
	case OPTION_INT16:
	case OPTION_INT32:
	case OPTION_UINT8:
	case OPTION_UINT16:
	case OPTION_UINT32:
		return int_read(r, t, out);
	case OPTION_IPV4:
		return ipv4_read(r, out);
	case OPTION_IPV6:
		return ipv6_read(r, out);
	case OPTION_IPV6_PREFIX:
		return ipv6_prefix_read(r, out);
	case OPTION_PSID:
		return psid_read(r, out);
	case OPTION_TUPLE:
		return bytes_read(r, names->wide_tuples ? rd_be16(r) : rd_u8(r), false, out);
	case OPTION_FQDN:
		return name_read(r, names, false, out);
	case OPTION_INTERNAL:
	case OPTION_RECORD:
	case OPTION_N_TYPES:
		break;
	}
	return false;
}

/* Reads the fields in turn; the last repeats while there is data, if the definition has it so. */
static bool read_option_fields(struct rd *r, const struct option_def *def, struct reading *names,
			       struct buf *out)
{
	bool record = def->type == OPTION_RECORD;
	size_t n = record ? def->n_record : 1;

	for (size_t i = 0; i < n; i++) {
		enum option_type t = record ? (enum option_type)def->record[i] : def->type;

		if (i)
			option_put(out, ", ");
		if (!field_read(r, def, t, names, out))
			return false;
		while (i == n - 1 && def->flags & OPTION_F_ARRAY && rd_left(r)) {
			size_t left = rd_left(r);

			option_put(out, ", ");
			if (!field_read(r, def, t, names, out) || rd_left(r) == left)
				return false;
		}
	}
	return n > 0;
}

/* Reads the octets behind the fields: sub-options, of an option that encapsulates; blocks, where
 * the codec allows them; else there are none. */
static bool rest_read(struct rd *r, const struct option_def *def, bool blocks, struct buf *out)
{
	struct span rest = rd_bytes(r, rd_left(r));

	if (!rest.n)
		return true;
	if (!def->encapsulate[0] && !blocks)
		return false;
	/* RFC 2132 8.4: the vendor defines the contents of 43, often not as sub-options */
	if (def->type == OPTION_EMPTY && strcmp(def->encapsulate, OPTION_SPACE_VENDOR) != 0 &&
	    !dhcp4_subopts_valid(rest))
		return false;
	if (def->type != OPTION_EMPTY)
		option_put(out, ", ");
	option_put_hex(out, rest);
	return true;
}

bool option_fields_read(const struct option_def *def, struct span data, struct buf *out)
{
	struct reading names = reading_of(data);
	struct rd r = rd_init(data);

	return read_option_fields(&r, def, &names, out) && rest_read(&r, def, false, out);
}

bool option_pairs_read(const struct option_def *def, struct span data, struct buf *out)
{
	return data.n % 8 == 0 && option_fields_read(def, data, out);
}

bool option_identifier_read(const struct option_def *def, struct span data, struct buf *out)
{
	return data.n >= 2 && option_fields_read(def, data, out);
}

bool option_enterprise_read(const struct option_def *def, struct span data, struct buf *out)
{
	struct reading names = reading_of(data);
	struct rd r = rd_init(data);

	return read_option_fields(&r, def, &names, out) && rest_read(&r, def, true, out);
}

bool option_wide_tuples_read(const struct option_def *def, struct span data, struct buf *out)
{
	struct reading names = reading_of(data);
	struct rd r = rd_init(data);

	names.wide_tuples = true;
	return read_option_fields(&r, def, &names, out) && rest_read(&r, def, false, out);
}

/* Reads three octets, then labels (E set; may be partial) or text (RFC 4702 2). */
bool option_client_fqdn_read(const struct option_def *def, struct span data, struct buf *out)
{
	struct reading names = reading_of(data);
	struct rd r = rd_init(data);
	unsigned flags = rd_u8(&r);
	unsigned rcode1 = rd_u8(&r);
	unsigned rcode2 = rd_u8(&r);

	(void)def;
	if (!rd_ok(&r))
		return false;
	option_put(out, "%u, %u, %u, ", flags, rcode1, rcode2);
	if (!rd_left(&r))
		return true;
	if (!(flags & FQDN_FLAG_E))
		return bytes_read(&r, rd_left(&r), false, out);
	return name_read(&r, &names, true, out) && !rd_left(&r);
}
