/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Rows: as appended, in one piece of memory; as parameters of statements, column by column; as
 * read. Kea's encodings: no hardware address or client identifier is an empty bytea, no context an
 * empty text; a lease without end has the time of its last transmission in `expire`.
 */
#include "lease/postgresql/pg_impl.h"

#include "database/database_value.h"

#include <stdio.h>
#include <string.h>

/* --- appended rows ----------------------------------------------------------------------------- */

void pg_row_put(struct buf *b, const struct lease *l, bool deleted, uint64_t seq,
		const struct pg_row *was, const uint8_t *was_data)
{
	static const size_t sizeof_head = __builtin_offsetof(struct pg_row, data);
	size_t name_len = strlen(l->hostname);
	size_t context_len = l->user_context ? strlen(l->user_context) : 0;
	struct pg_row r = {
		.seq = seq,
		.cltt = l->cltt,
		.addr = l->addr,
		.valid_lft = l->valid_lft,
		.subnet_id = l->subnet_id,
		.pool_id = l->pool_id,
		.context_len = (uint32_t)context_len,
		.state = l->state,
		.hw_len = (uint8_t)l->hw_len,
		.cid_len = (uint8_t)l->client_id_len,
		.name_len = (uint8_t)name_len,
		.was_hw_len = was ? was->was_hw_len : 0,
		.was_cid_len = was ? was->was_cid_len : 0,
		.deleted = deleted,
		.fqdn_fwd = l->fqdn_fwd,
		.fqdn_rev = l->fqdn_rev,
		.replaces = was != NULL,
	};
	size_t len = sizeof_head + r.hw_len + r.cid_len + name_len + r.was_hw_len + r.was_cid_len +
		     context_len;
	static const char zeros[8] = {0};

	r.len = (uint32_t)((len + 7) & ~(size_t)7);
	if (!buf_reserve(b, r.len))
		return;
	buf_add(b, &r, sizeof_head);
	buf_add(b, l->hw, r.hw_len);
	buf_add(b, l->client_id, r.cid_len);
	buf_add(b, l->hostname, name_len);
	if (was)
		buf_add(b, was_data, (size_t)r.was_hw_len + r.was_cid_len);
	if (context_len)
		buf_add(b, l->user_context, context_len);
	buf_add(b, zeros, r.len - len);
}

struct pg_row *pg_row_at(const struct buf *b, size_t at)
{
	return (struct pg_row *)(void *)(b->p + at);
}

static struct span row_hw(const struct pg_row *r)
{
	return span_of(r->data, r->hw_len);
}

static struct span row_cid(const struct pg_row *r)
{
	return span_of(r->data + r->hw_len, r->cid_len);
}

static struct span row_name(const struct pg_row *r)
{
	return span_of(r->data + r->hw_len + r->cid_len, r->name_len);
}

static struct span row_was_hw(const struct pg_row *r)
{
	return span_of(r->data + r->hw_len + r->cid_len + r->name_len, r->was_hw_len);
}

static struct span row_was_cid(const struct pg_row *r)
{
	return span_of(row_was_hw(r).p + r->was_hw_len, r->was_cid_len);
}

static struct span row_context(const struct pg_row *r)
{
	return span_of(row_was_cid(r).p + r->was_cid_len, r->context_len);
}

void pg_row_lease(const struct pg_row *r, struct lease *ret)
{
	*ret = (struct lease){.addr = r->addr,
			      .valid_lft = r->valid_lft,
			      .cltt = r->cltt,
			      .subnet_id = r->subnet_id,
			      .pool_id = r->pool_id,
			      .state = r->state,
			      .hw_len = r->hw_len,
			      .client_id_len = r->cid_len,
			      .row = r->seq};
	memcpy(ret->hw, row_hw(r).p, r->hw_len);
	memcpy(ret->client_id, row_cid(r).p, r->cid_len);
	memcpy(ret->hostname, row_name(r).p, r->name_len);
}

bool pg_row_is_deletion(const struct pg_store *p, const struct pg_row *r)
{
	return r->deleted ||
	       (r->state == LEASE_RELEASED && !database_schema(p->database)->has_released_state);
}

/* --- parameters -------------------------------------------------------------------------------- */

static int64_t expire_of(const struct pg_row *r)
{
	return r->valid_lft == LEASE_INFINITE ? r->cltt : r->cltt + r->valid_lft;
}

enum column {
	COL_ADDRESS,
	COL_HWADDR,
	COL_CLIENT_ID,
	COL_LIFETIME,
	COL_EXPIRE,
	COL_SUBNET,
	COL_FWD,
	COL_REV,
	COL_HOSTNAME,
	COL_STATE,
	COL_CONTEXT,
	COL_POOL,
};

static const uint32_t element_type[] = {
	[COL_ADDRESS] = DATABASE_INT8,	  [COL_HWADDR] = DATABASE_BYTEA,
	[COL_CLIENT_ID] = DATABASE_BYTEA, [COL_LIFETIME] = DATABASE_INT8,
	[COL_EXPIRE] = DATABASE_TIME,	  [COL_SUBNET] = DATABASE_INT8,
	[COL_FWD] = DATABASE_BOOL,	  [COL_REV] = DATABASE_BOOL,
	[COL_HOSTNAME] = DATABASE_TEXT,	  [COL_STATE] = DATABASE_INT8,
	[COL_CONTEXT] = DATABASE_TEXT,	  [COL_POOL] = DATABASE_INT8,
};

static void put_column(struct buf *b, enum column c, const struct pg_row *r)
{
	switch (c) {
	case COL_ADDRESS:
		database_array_int8(b, r->addr);
		break;
	case COL_HWADDR:
		database_array_bytes(b, row_hw(r));
		break;
	case COL_CLIENT_ID:
		database_array_bytes(b, row_cid(r));
		break;
	case COL_LIFETIME:
		database_array_int8(b, r->valid_lft);
		break;
	case COL_EXPIRE:
		database_array_time(b, expire_of(r));
		break;
	case COL_SUBNET:
		database_array_int8(b, r->subnet_id);
		break;
	case COL_FWD:
		database_array_bool(b, r->fqdn_fwd);
		break;
	case COL_REV:
		database_array_bool(b, r->fqdn_rev);
		break;
	case COL_HOSTNAME:
		database_array_text(b, row_name(r));
		break;
	case COL_STATE:
		database_array_int8(b, r->state);
		break;
	case COL_CONTEXT:
		database_array_text(b, row_context(r));
		break;
	case COL_POOL:
		database_array_int8(b, r->pool_id);
		break;
	}
}

/* The values are in one buffer, which moves while it grows: they are remembered as offsets. */
struct values {
	struct pg_store *p;
	size_t from[DATABASE_PARAMS_MAX + 1];
	unsigned n;
};

static void values_begin(struct values *v, struct pg_store *p)
{
	buf_reset(&p->values);
	*v = (struct values){.p = p};
}

/* Called behind each value. */
static void value_end(struct values *v)
{
	v->from[++v->n] = v->p->values.len;
}

static void values_end(const struct values *v, struct database_params *ret)
{
	ret->n = v->n;
	for (unsigned i = 0; i < v->n; i++)
		ret->value[i] = span_of(v->p->values.p + v->from[i], v->from[i + 1] - v->from[i]);
}

void pg_claim_params(struct pg_store *p, struct pg_row *const *rows, size_t n,
		     struct database_params *ret)
{
	enum column last = database_schema(p->database)->has_pool_id ? COL_POOL : COL_CONTEXT;
	struct values v;

	values_begin(&v, p);
	for (enum column c = COL_ADDRESS; c <= last; c++) {
		database_array_begin(&p->values, element_type[c], n);
		for (size_t i = 0; i < n; i++)
			put_column(&p->values, c, rows[i]);
		value_end(&v);
	}
	database_put_time(&p->values, clock_wall_s(p->o.clock));
	value_end(&v);
	values_end(&v, ret);
}

static struct span deleted_hw(const struct pg_row *r)
{
	return r->replaces ? row_was_hw(r) : row_hw(r);
}

static struct span deleted_cid(const struct pg_row *r)
{
	return r->replaces ? row_was_cid(r) : row_cid(r);
}

/* Returns the latest end of a lease that is deleted. One that is replaced, or released, is this
 * client's whatever its end is. */
static int64_t deleted_expire(const struct pg_row *r)
{
	return r->replaces || !r->deleted ? 1LL << 40 : expire_of(r);
}

void pg_delete_params(struct pg_store *p, struct pg_row *const *rows, size_t n,
		      struct database_params *ret)
{
	struct values v;

	values_begin(&v, p);
	database_array_begin(&p->values, DATABASE_INT8, n);
	for (size_t i = 0; i < n; i++)
		database_array_int8(&p->values, rows[i]->addr);
	value_end(&v);
	database_array_begin(&p->values, DATABASE_BYTEA, n);
	for (size_t i = 0; i < n; i++)
		database_array_bytes(&p->values, deleted_hw(rows[i]));
	value_end(&v);
	database_array_begin(&p->values, DATABASE_BYTEA, n);
	for (size_t i = 0; i < n; i++)
		database_array_bytes(&p->values, deleted_cid(rows[i]));
	value_end(&v);
	database_array_begin(&p->values, DATABASE_TIME, n);
	for (size_t i = 0; i < n; i++)
		database_array_time(&p->values, deleted_expire(rows[i]));
	value_end(&v);
	values_end(&v, ret);
}

void pg_read_params(struct pg_store *p, const uint32_t *addrs, size_t n,
		    struct database_params *ret)
{
	struct values v;

	values_begin(&v, p);
	database_array_begin(&p->values, DATABASE_INT8, n);
	for (size_t i = 0; i < n; i++)
		database_array_int8(&p->values, addrs[i]);
	value_end(&v);
	values_end(&v, ret);
}

/* --- rows that were read ----------------------------------------------------------------------- */

static bool copy_bytes(uint8_t *out, size_t cap, struct span s)
{
	if (s.n > cap)
		return false;
	if (s.n)
		memcpy(out, s.p, s.n);
	return true;
}

static int64_t seconds_of(int64_t us)
{
	return us >= 0 ? us / 1000000 : -((-us + 999999) / 1000000);
}

bool pg_read_lease(const struct database_result *r, int row, struct lease *ret)
{
	struct span hw = database_value(r, row, COL_HWADDR);
	struct span cid = database_value(r, row, COL_CLIENT_ID);
	struct span name = database_value(r, row, COL_HOSTNAME);
	struct span context = database_value(r, row, COL_CONTEXT);
	int64_t address = database_int(r, row, COL_ADDRESS);
	int64_t state = database_int(r, row, COL_STATE);

	*ret = (struct lease){
		.addr = (uint32_t)address,
		.valid_lft = (uint32_t)database_int(r, row, COL_LIFETIME),
		.subnet_id = (uint32_t)database_int(r, row, COL_SUBNET),
		.pool_id = (uint32_t)database_int(r, row, COL_POOL),
		.fqdn_fwd = database_int(r, row, COL_FWD) != 0,
		.fqdn_rev = database_int(r, row, COL_REV) != 0,
		.state = (uint8_t)state,
		.hw_len = (uint8_t)hw.n,
		.client_id_len = (uint8_t)cid.n,
	};
	ret->cltt = seconds_of(database_time_us(r, row, COL_EXPIRE));
	if (ret->valid_lft != LEASE_INFINITE)
		ret->cltt -= ret->valid_lft;
	/* libpq ends each value with a NUL */
	ret->user_context = context.n ? (const char *)context.p : NULL;
	if (address < 0 || address > UINT32_MAX || state < 0 || state > LEASE_RELEASED ||
	    !copy_bytes(ret->hw, sizeof(ret->hw), hw) ||
	    !copy_bytes(ret->client_id, sizeof(ret->client_id), cid) || name.n > LEASE_HOSTNAME_MAX)
		return false;
	memcpy(ret->hostname, name.p, name.n);
	ret->hostname[name.n] = '\0';
	return ret->hw_len || ret->client_id_len || ret->state == LEASE_DECLINED;
}
