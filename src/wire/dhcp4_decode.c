/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Bytes to message. Nearly every message has each code once and no overload: one walk decodes it.
 * Other messages start over with two walks over their fields. The first checks everything and
 * counts the octets and pieces of each code; the second fills the list. So joined options get
 * exactly the memory they need, and a hostile message costs no more than its own length. Field
 * order is options, file, sname (RFC 3396 5). RFC 2131 2, 4.1; RFC 2132 2, 9.3.
 */
#include "wire/dhcp4.h"

#include "base/cursor.h"
#include "base/error.h"
#include "wire/dhcp4_internal.h"
#include "wire/dhcp4_scan.h"

enum { SNAME_OFF = 44, FILE_OFF = 108, SPARE_OPTS = 8, PLAIN_OPTS = 24 };

/* Results of the first walk. */
struct tally {
	uint32_t len[256]; /* octets of all pieces of a code */
	uint16_t pieces[256];
	uint16_t n_codes;
	uint8_t overload;
};

static int tally_field(struct tally *t, struct span field, enum dhcp4_leniency how)
{
	struct rd r = rd_init(field);
	struct dhcp4_option o;

	while (dhcp4_scan_next(&r, &o)) {
		if (t->pieces[o.code]++ == 0)
			t->n_codes++;
		t->len[o.code] += (uint32_t)o.data.n;
		if (o.code == DHCP4_CODE_OVERLOAD && o.data.n == 1 &&
		    (how != DHCP4_TOLERANT || !t->overload))
			t->overload = o.data.p[0];
	}
	return rd_ok(&r) || how ? 0 : -USHER_E_TRUNCATED;
}

/* Takes the value of the first 52, if it is valid; a 52 in an overloaded field has no meaning. */
static int tally_tolerant(struct tally *t, const struct dhcp4_msg *m)
{
	uint8_t overload = t->overload <= (DHCP4_OVERLOAD_FILE | DHCP4_OVERLOAD_SNAME) ? t->overload
										       : 0;

	if (overload & DHCP4_OVERLOAD_FILE)
		(void)tally_field(t, span_of(m->file, sizeof(m->file)), DHCP4_TOLERANT);
	if (overload & DHCP4_OVERLOAD_SNAME)
		(void)tally_field(t, span_of(m->sname, sizeof(m->sname)), DHCP4_TOLERANT);
	t->overload = overload;
	return 0;
}

/* Walks the options field, then the fields that its option 52 names. */
static int tally_all(struct tally *t, struct span opts, const struct dhcp4_msg *m,
		     enum dhcp4_leniency how)
{
	int r = tally_field(t, opts, how);
	uint16_t n52 = t->pieces[DHCP4_CODE_OVERLOAD];

	if (r < 0 || !n52)
		return r;
	if (how == DHCP4_TOLERANT)
		return tally_tolerant(t, m);
	/* RFC 2132 9.3: one octet, 1 to 3 */
	if (t->len[DHCP4_CODE_OVERLOAD] != 1 || t->overload < 1 || t->overload > 3)
		return -USHER_E_MALFORMED;
	if (t->overload & DHCP4_OVERLOAD_FILE)
		r = tally_field(t, span_of(m->file, sizeof(m->file)), how);
	if (r == 0 && t->overload & DHCP4_OVERLOAD_SNAME)
		r = tally_field(t, span_of(m->sname, sizeof(m->sname)), how);
	if (r == 0 && t->pieces[DHCP4_CODE_OVERLOAD] != n52)
		return -USHER_E_MALFORMED;
	return r;
}

/* The joined pieces of each code that comes in several. */
struct joiner {
	const struct tally *t;
	uint8_t *buf[256];
	uint32_t len[256];
};

/* Appends a piece to its option: pieces are joined in the order in which they stand (RFC 3396
 * 7). */
static int piece_add(struct dhcp4_msg *m, struct joiner *j, const struct dhcp4_option *o)
{
	uint32_t total = j->t->len[o->code];
	struct wr w;

	if (!m->pos[o->code]) {
		j->buf[o->code] = arena_alloc(m->arena, total ? total : 1);
		if (!j->buf[o->code])
			return -USHER_E_NOMEM;
	}
	w = wr_init(j->buf[o->code], total);
	w.len = j->len[o->code];
	wr_span(&w, o->data);
	j->len[o->code] = (uint32_t)w.len;
	return dhcp4_opt_set_ref(m, o->code, span_of(w.base, w.len));
}

static int fill_field(struct dhcp4_msg *m, struct joiner *j, struct span field)
{
	struct rd r = rd_init(field);
	struct dhcp4_option o;
	int e = 0;

	while (e == 0 && dhcp4_scan_next(&r, &o)) {
		if (o.code == DHCP4_CODE_OVERLOAD)
			continue; /* resolved: the encoder writes its own */
		if (j->t->pieces[o.code] > 1)
			e = piece_add(m, j, &o);
		else
			e = dhcp4_opt_set_ref(m, o.code, o.data);
	}
	return e;
}

static void header_decode(struct rd *r, struct dhcp4_msg *m)
{
	m->op = rd_u8(r);
	m->htype = rd_u8(r);
	m->hlen = rd_u8(r);
	m->hops = rd_u8(r);
	m->xid = rd_be32(r);
	m->secs = rd_be16(r);
	m->flags = rd_be16(r);
	m->ciaddr = rd_be32(r);
	m->yiaddr = rd_be32(r);
	m->siaddr = rd_be32(r);
	m->giaddr = rd_be32(r);
	rd_copy(r, m->chaddr, sizeof(m->chaddr));
	rd_copy(r, m->sname, sizeof(m->sname));
	rd_copy(r, m->file, sizeof(m->file));
}

/* Decodes a message that has each code once and no overload: 0. 1: the message needs the two walks,
 * and m is unchanged. */
static int plain_decode(struct dhcp4_msg *m, struct span opts, enum dhcp4_leniency how)
{
	struct rd r = rd_init(opts);
	struct dhcp4_option o;
	int e = dhcp4_opts_reserve(m, PLAIN_OPTS);

	while (e == 0 && dhcp4_scan_next(&r, &o)) {
		if (o.code == DHCP4_CODE_OVERLOAD || m->pos[o.code] || m->n_opts == m->cap_opts)
			e = 1;
		else
			dhcp4_opt_append(m, o.code, o.data);
	}
	if (e == 1) {
		while (m->n_opts)
			m->pos[m->opts[--m->n_opts].code] = 0;
	}
	return e ? e : rd_ok(&r) || how ? 0 : -USHER_E_TRUNCATED;
}

static int joined_decode(struct dhcp4_msg *m, struct span bytes, enum dhcp4_leniency how)
{
	struct span opts = span_sub(bytes, DHCP4_MIN_LEN, bytes.n);
	struct span sname = span_sub(bytes, SNAME_OFF, DHCP4_SNAME_LEN);
	struct span file = span_sub(bytes, FILE_OFF, DHCP4_FILE_LEN);
	struct tally t = {0};
	struct joiner j = {.t = &t};
	int r = tally_all(&t, opts, m, how);

	if (r == 0)
		r = dhcp4_opts_reserve(m, (size_t)t.n_codes + SPARE_OPTS);
	if (r == 0)
		r = fill_field(m, &j, opts);
	if (r == 0 && t.overload & DHCP4_OVERLOAD_FILE) {
		r = fill_field(m, &j, file);
		memset(m->file, 0, sizeof(m->file));
	}
	if (r == 0 && t.overload & DHCP4_OVERLOAD_SNAME) {
		r = fill_field(m, &j, sname);
		memset(m->sname, 0, sizeof(m->sname));
	}
	return r;
}

int dhcp4_decode(struct span bytes, enum dhcp4_leniency how, struct arena *arena,
		 struct dhcp4_msg *ret_msg)
{
	struct rd r = rd_init(bytes);
	struct dhcp4_msg m;
	int e;

	if (bytes.n < DHCP4_MIN_LEN)
		return -USHER_E_TRUNCATED;
	dhcp4_init(&m, arena);
	header_decode(&r, &m);
	if (rd_be32(&r) != DHCP4_MAGIC || m.hlen > DHCP4_CHADDR_LEN)
		return -USHER_E_MALFORMED;
	if (m.op != DHCP4_BOOTREQUEST && m.op != DHCP4_BOOTREPLY)
		return -USHER_E_MALFORMED;
	e = plain_decode(&m, span_sub(bytes, DHCP4_MIN_LEN, bytes.n), how);
	if (e > 0)
		e = joined_decode(&m, bytes, how);
	if (e < 0)
		return e;
	*ret_msg = m;
	return 0;
}
