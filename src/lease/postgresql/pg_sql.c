/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The statements. doc/postgresql.md lists them, and the meaning of the conditions.
 *
 * Claim: inserts rows. A row of the address that is there already is replaced if it is this
 * client's, reclaimed, released, or over by the clocks of both the database and this server. The
 * row of a lease that this server reclaims replaces only the one that it knew: another may have
 * extended it. Delete: removes rows of this client, unless another server has extended the lease
 * since. Both return the addresses that they changed.
 */
#include "lease/postgresql/pg_impl.h"

#include <errno.h>

/* clang-format off */
/* The client of two rows is one: by client identifier where both have one, else by hardware address. */
#define SAME_CLIENT(l, r)                                                                      \
	"(CASE WHEN " l ".client_id <> '' AND " r ".client_id <> ''"                           \
	" THEN " l ".client_id = " r ".client_id"                                              \
	" ELSE " l ".hwaddr = " r ".hwaddr"                                                    \
	" AND (" l ".hwaddr <> '' OR " l ".client_id = '' AND " r ".client_id = '') END)"

static const char claim_head[] =
	"INSERT INTO lease4 AS l (address, hwaddr, client_id, valid_lifetime, expire, subnet_id,"
	" fqdn_fwd, fqdn_rev, hostname, state, user_context%s) "
	"SELECT r.* FROM unnest($1::int8[], $2::bytea[], $3::bytea[], $4::int8[],"
	" $5::timestamptz[], $6::int8[], $7::bool[], $8::bool[], $9::text[], $10::int8[],"
	" $11::text[]%s) AS r "
	"ON CONFLICT (address) DO UPDATE SET hwaddr = EXCLUDED.hwaddr,"
	" client_id = EXCLUDED.client_id, valid_lifetime = EXCLUDED.valid_lifetime,"
	" expire = EXCLUDED.expire, subnet_id = EXCLUDED.subnet_id,"
	" fqdn_fwd = EXCLUDED.fqdn_fwd, fqdn_rev = EXCLUDED.fqdn_rev,"
	" hostname = EXCLUDED.hostname, state = EXCLUDED.state,"
	" user_context = EXCLUDED.user_context%s%s "
	"WHERE CASE WHEN EXCLUDED.state = 2"
	" THEN l.expire <= EXCLUDED.expire AND " SAME_CLIENT("l", "EXCLUDED")
	" ELSE l.state IN (2, 3) OR " SAME_CLIENT("l", "EXCLUDED")
	" OR (l.valid_lifetime <> 4294967295 AND l.expire < least(now(), %s)) END "
	"RETURNING l.address";

static const char same_relay[] =
	", relay_id = CASE WHEN " SAME_CLIENT("l", "EXCLUDED") " THEN l.relay_id END"
	", remote_id = CASE WHEN " SAME_CLIENT("l", "EXCLUDED") " THEN l.remote_id END";

static const char delete_sql[] =
	"DELETE FROM lease4 AS l USING unnest($1::int8[], $2::bytea[], $3::bytea[],"
	" $4::timestamptz[]) AS r(address, hwaddr, client_id, expire) "
	"WHERE l.address = r.address AND l.hwaddr = r.hwaddr AND l.client_id = r.client_id"
	" AND l.expire <= r.expire RETURNING l.address";
/* clang-format on */

#define COLUMNS                                                                                     \
	"SELECT address, hwaddr, client_id, valid_lifetime, expire, subnet_id, fqdn_fwd, fqdn_rev," \
	" hostname, state, user_context, %s FROM lease4 WHERE "

static int prepare_text(struct pg_store *p, const char *name, const char *sql,
			const uint32_t *types, unsigned n)
{
	return database_prepare(p->database, name, sql, types, n);
}

static int prepare_claim(struct pg_store *p)
{
	static const uint32_t types[] = {DATABASE_INT8S, DATABASE_BYTEAS, DATABASE_BYTEAS,
					 DATABASE_INT8S, DATABASE_TIMES,  DATABASE_INT8S,
					 DATABASE_BOOLS, DATABASE_BOOLS,  DATABASE_TEXTS,
					 DATABASE_INT8S, DATABASE_TEXTS};
	const struct database_schema *s = database_schema(p->database);
	uint32_t all[ARRAY_LEN(types) + 2];
	unsigned n = ARRAY_LEN(types);
	struct buf b;
	int r;

	memcpy(all, types, sizeof(types));
	if (s->has_pool_id)
		all[n++] = DATABASE_INT8S;
	all[n++] = DATABASE_TIME;
	buf_init(&b);
	buf_printf(&b, claim_head, s->has_pool_id ? ", pool_id" : "",
		   s->has_pool_id ? ", $12::int8[]" : "",
		   s->has_pool_id ? ", pool_id = EXCLUDED.pool_id" : "",
		   s->has_relay_ids ? same_relay : "", s->has_pool_id ? "$13" : "$12");
	r = b.failed ? -ENOMEM : prepare_text(p, PG_CLAIM, b.p, all, n);
	buf_fini(&b);
	return r;
}

static int prepare_select(struct pg_store *p, const char *name, const char *where,
			  const uint32_t *types, unsigned n)
{
	bool pool = database_schema(p->database)->has_pool_id;
	struct buf b;
	int r;

	buf_init(&b);
	buf_printf(&b, COLUMNS, pool ? "pool_id" : "0::int8");
	buf_str(&b, where);
	r = b.failed ? -ENOMEM : prepare_text(p, name, b.p, types, n);
	buf_fini(&b);
	return r;
}

int pg_prepare(struct pg_store *p)
{
	static const uint32_t deleted[] = {DATABASE_INT8S, DATABASE_BYTEAS, DATABASE_BYTEAS,
					   DATABASE_TIMES};
	static const uint32_t read[] = {DATABASE_INT8S};
	static const uint32_t page[] = {DATABASE_INT8, DATABASE_INT8};
	int r = prepare_claim(p);

	if (r == 0)
		r = prepare_text(p, PG_DELETE, delete_sql, deleted, ARRAY_LEN(deleted));
	if (r == 0)
		r = prepare_select(p, PG_READ, "address = ANY($1)", read, ARRAY_LEN(read));
	if (r == 0)
		r = prepare_select(p, PG_PAGE_SQL, "address > $1 ORDER BY address LIMIT $2", page,
				   ARRAY_LEN(page));
	return r;
}
