/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A lease as a record and a record as a lease, generated from lease_fields.def: these run for every
 * packet, so they are code and no walk over a table.
 */
#include "lease/lease_table.h"

struct span rec_hw(const struct rec *r)
{
	return span_of(r->id, r->hw_len);
}

struct span rec_cid(const struct rec *r)
{
	if (r->flags & REC_CID_EXT)
		return span_of(r->ext->data, r->cid_len);
	return span_of(r->id + r->hw_len, r->cid_len);
}

bool rec_is_of(const struct rec *r, const struct lease_client *c)
{
	if (r->cid_len && c->client_id.n)
		return span_eq(rec_cid(r), c->client_id);
	return r->hw_len && span_eq(rec_hw(r), c->hw);
}

/* A field that is not of the picked kinds. */
#define SKIP(member)

/* The places of a record's texts; an absent context is NULL. */
struct ext_texts {
#define LEASE_FIELD(member, kind, ...) \
	LEASE_PICK_##kind(, , , , const char *member;, const char *member;)
#include "lease/lease_fields.def"
};

static inline struct ext_texts find_texts(const struct rec_ext *e)
{
	const char *p = e->data + e->cid_len;
	struct ext_texts texts;

#define FIND_TEXT(member) \
	texts.member = p; \
	p += e->member##_len + 1U;
#define FIND_CONTEXT(member)                       \
	texts.member = e->has_##member ? p : NULL; \
	p += e->has_##member ? e->member##_len + 1U : 0;
#define LEASE_FIELD(member, kind, ...) \
	LEASE_PICK_##kind(SKIP, SKIP, SKIP, SKIP, FIND_TEXT, FIND_CONTEXT)(member)
#include "lease/lease_fields.def"
#undef FIND_TEXT
#undef FIND_CONTEXT
	return texts;
}

const char *rec_host(const struct rec *r)
{
	return r->ext ? find_texts(r->ext).hostname : "";
}

const char *rec_context(const struct rec *r)
{
	return r->ext ? find_texts(r->ext).user_context : NULL;
}

static inline void clear_texts(struct lease *ret)
{
#define CLEAR_TEXT(member)    ret->member[0] = '\0';
#define CLEAR_CONTEXT(member) ret->member = NULL;
#define LEASE_FIELD(member, kind, ...) \
	LEASE_PICK_##kind(SKIP, SKIP, SKIP, SKIP, CLEAR_TEXT, CLEAR_CONTEXT)(member)
#include "lease/lease_fields.def"
#undef CLEAR_TEXT
#undef CLEAR_CONTEXT
}

/* Copies the texts of a record; its contexts are borrowed. */
static inline void view_texts(const struct rec_ext *e, struct lease *ret)
{
	struct ext_texts texts = find_texts(e);

#define VIEW_TEXT(member)    memcpy(ret->member, texts.member, e->member##_len + 1U);
#define VIEW_CONTEXT(member) ret->member = texts.member;
#define LEASE_FIELD(member, kind, ...) \
	LEASE_PICK_##kind(SKIP, SKIP, SKIP, SKIP, VIEW_TEXT, VIEW_CONTEXT)(member)
#include "lease/lease_fields.def"
#undef VIEW_TEXT
#undef VIEW_CONTEXT
}

void rec_view(const struct rec *r, struct lease *ret)
{
	struct span cid = rec_cid(r);

#define COPY(member)		       ret->member = r->member;
#define LEASE_FIELD(member, kind, ...) LEASE_PICK_##kind(COPY, COPY, COPY, SKIP, SKIP, SKIP)(member)
#include "lease/lease_fields.def"
#undef COPY
	ret->row = r->seq;
	ret->hw_len = r->hw_len;
	memcpy(ret->hw, r->id, r->hw_len);
	ret->client_id_len = r->cid_len;
	if (cid.n)
		memcpy(ret->client_id, cid.p, cid.n);
	clear_texts(ret);
	if (r->ext)
		view_texts(r->ext, ret);
}

void rec_copy(const struct rec *r, struct arena *arena, struct lease *ret)
{
	rec_view(r, ret);
#define KEEP(member)     \
	if (ret->member) \
		ret->member = arena ? arena_strdup(arena, ret->member) : NULL;
#define LEASE_FIELD(member, kind, ...) LEASE_PICK_##kind(SKIP, SKIP, SKIP, SKIP, SKIP, KEEP)(member)
#include "lease/lease_fields.def"
#undef KEEP
}

void rec_set(struct rec *r, const struct lease *l, enum lease_state state)
{
#define COPY(member)		       r->member = l->member;
#define LEASE_FIELD(member, kind, ...) LEASE_PICK_##kind(COPY, SKIP, COPY, SKIP, SKIP, SKIP)(member)
#include "lease/lease_fields.def"
#undef COPY
	r->state = (uint8_t)state;
	r->flags = 0;
	r->hw_len = (uint8_t)l->hw_len;
	r->cid_len = (uint8_t)l->client_id_len;
	memcpy(r->id, l->hw, l->hw_len);
	if (l->hw_len + l->client_id_len > REC_INLINE)
		r->flags |= REC_CID_EXT;
	else
		memcpy(r->id + l->hw_len, l->client_id, l->client_id_len);
}
