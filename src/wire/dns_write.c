/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Writing DNS messages. Compression is the simple kind: a pointer replaces the longest end of a
 * name that the message already has, octet by octet. The first few hundred names are kept by hash,
 * so the cost of a name depends on its length, not on the names before.
 */
#include "base/error.h"
#include "base/hash.h"
#include "wire/dns.h"
#include "wire/dns_internal.h"

#include <assert.h>

enum { POINTER_MAX = 0x3fff, POINTER = 0xc000, COUNTS_OFF = 4 };

void dns_write_begin(struct dns_writer *d, void *buf, size_t cap, uint16_t id, uint16_t flags)
{
	*d = (struct dns_writer){.w = wr_init(buf, cap < DNS_MSG_MAX ? cap : DNS_MSG_MAX)};
	wr_be16(&d->w, id);
	wr_be16(&d->w, flags);
	wr_zero(&d->w, DNS_HDR_LEN - COUNTS_OFF);
}

/* Returns whether the message has this end of a name at an offset. */
static bool stands_at(const struct dns_writer *d, uint16_t at, struct span end)
{
	struct dns_name there;

	return dns_name_read(span_of(d->w.base, d->w.len), at, &there, NULL) == 0 &&
	       span_eq(span_of(there.octets, there.len), end);
}

/* Returns the slot of a hash's entry, or the free slot for it. Entries are never removed, and there
 * is always a free slot. */
static uint32_t slot_of(const struct dns_writer *d, uint32_t hash, struct span end)
{
	uint32_t i = hash % ARRAY_LEN(d->slot);

	while (d->slot[i] &&
	       (d->hash[d->slot[i] - 1] != hash || !stands_at(d, d->known[d->slot[i] - 1], end)))
		i = (i + 1) % ARRAY_LEN(d->slot);
	return i;
}

enum { LABELS_MAX = 128 };

/* Computes the offsets of a name's labels in it, and the hash of each with everything behind it.
 * Returns their number. */
static unsigned hash_labels(const struct dns_name *n, uint8_t at[LABELS_MAX],
			    uint32_t hash[LABELS_MAX])
{
	unsigned labels = 0;
	uint32_t h = 0;

	for (unsigned off = 0; off < n->len && n->octets[off] && labels < LABELS_MAX;
	     off += 1U + n->octets[off])
		at[labels++] = (uint8_t)off;
	for (unsigned i = labels; i > 0; i--) {
		for (unsigned k = 0; k <= n->octets[at[i - 1]]; k++)
			h = hash_u32(h ^ n->octets[at[i - 1] + k]);
		hash[i - 1] = h;
	}
	return labels;
}

static void put_name(struct dns_writer *d, const struct dns_name *n, bool compress)
{
	uint8_t at[LABELS_MAX];
	uint32_t hash[LABELS_MAX];
	unsigned labels = hash_labels(n, at, hash);

	for (unsigned i = 0; i < labels; i++) {
		struct span end = span_of(n->octets + at[i], (size_t)n->len - at[i]);
		uint32_t slot = d->compress ? slot_of(d, hash[i], end) : 0;
		bool known = d->compress && d->slot[slot];

		if (known && compress) {
			wr_be16(&d->w, (uint16_t)(POINTER | d->known[d->slot[slot] - 1]));
			return;
		}
		if (d->compress && !known && d->n_known < DNS_MAX_KNOWN &&
		    d->w.len <= POINTER_MAX) {
			d->hash[d->n_known] = hash[i];
			d->known[d->n_known++] = (uint16_t)d->w.len;
			d->slot[slot] = d->n_known;
		}
		wr_span(&d->w, span_sub(end, 0, 1U + end.p[0]));
	}
	wr_u8(&d->w, 0);
}

static void count(struct dns_writer *d, enum dns_section s)
{
	assert(s >= d->section);
	d->section = (uint8_t)s;
	if (d->count[s] == UINT16_MAX)
		d->w.bad = true;
	d->count[s]++;
}

void dns_write_question(struct dns_writer *d, const struct dns_name *name, uint16_t type,
			uint16_t cls)
{
	count(d, DNS_QUESTION);
	put_name(d, name, true);
	wr_be16(&d->w, type);
	wr_be16(&d->w, cls);
}

/* Writes everything before the rdata. Returns the offset of the rdata's length, to be filled in. */
static size_t put_fixed(struct dns_writer *d, const struct dns_new_rr *rr)
{
	put_name(d, rr->owner, true);
	wr_be16(&d->w, rr->type);
	wr_be16(&d->w, rr->cls);
	wr_be32(&d->w, rr->ttl);
	wr_be16(&d->w, 0);
	return d->w.len - 2;
}

static void end_rdata(struct dns_writer *d, size_t len_at)
{
	if (wr_ok(&d->w))
		wr_patch_be16(&d->w, len_at, (uint16_t)(d->w.len - len_at - 2));
}

void dns_write_rr(struct dns_writer *d, enum dns_section s, const struct dns_new_rr *rr)
{
	size_t at;

	assert(s != DNS_QUESTION);
	count(d, s);
	at = put_fixed(d, rr);
	wr_span(&d->w, rr->rdata);
	end_rdata(d, at);
}

/* Writes rdata with the pointers of its names resolved, or other names in their place. */
static void copy_rdata(struct dns_writer *d, const struct dns_msg *m, const struct dns_rr *rr,
		       const struct dns_change *c)
{
	const struct dns_shape *s = dns_shape_of(rr->form);
	struct span all = dns_rdata(m, rr);
	size_t before = rr->n_names ? (size_t)(rr->name[0] - rr->rdata) : all.n;
	struct dns_name name;

	wr_span(&d->w, span_sub(all, 0, before));
	for (unsigned i = 0; i < rr->n_names; i++) {
		const struct dns_name *other = c ? c->rdata[i] : NULL;

		if (!other && !dns_rdata_name(m, rr, i, &name)) {
			d->w.bad = true;
			return;
		}
		put_name(d, other ? other : &name, dns_type_compresses(rr->type));
	}
	if (rr->n_names)
		wr_span(&d->w, span_sub(all, all.n - s->tail, s->tail));
}

void dns_write_copy(struct dns_writer *d, const struct dns_msg *m, const struct dns_rr *rr,
		    const struct dns_change *c)
{
	struct dns_new_rr head = {
		.owner = c ? c->owner : NULL,
		.type = rr->type,
		.cls = rr->cls,
		.ttl = c && c->ttl ? *c->ttl : rr->ttl,
	};
	struct dns_name owner;
	size_t at;

	if (!head.owner) {
		if (!dns_owner(m, rr, &owner)) {
			d->w.bad = true;
			return;
		}
		head.owner = &owner;
	}
	if (rr->section == DNS_QUESTION) {
		dns_write_question(d, head.owner, rr->type, rr->cls);
		return;
	}
	count(d, (enum dns_section)rr->section);
	at = put_fixed(d, &head);
	copy_rdata(d, m, rr, c);
	end_rdata(d, at);
}

int dns_write_end(struct dns_writer *d, size_t *ret_len)
{
	for (int s = 0; s < DNS_N_SECTIONS; s++)
		wr_patch_be16(&d->w, (size_t)COUNTS_OFF + 2U * (unsigned)s, d->count[s]);
	if (!wr_ok(&d->w))
		return -USHER_E_NOSPACE;
	*ret_len = d->w.len;
	return 0;
}
