/* SPDX-License-Identifier: MPL-2.0 */
/* The meaning of SQLSTATE codes, and what users see of results. */
#include "database/database_impl.h"

#include <string.h>

static bool has_prefix(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/*
 * Returns whether the counters of Kea's triggers caused a duplicate key: two transactions wrote the
 * first lease of a subnet or pool at a time. It says nothing about the lease.
 */
static bool is_counter(const struct pq *pq, const PGresult *r)
{
	const char *table = pq->resultErrorField(r, PG_DIAG_TABLE_NAME);

	return table && has_prefix(table, "lease4_") && strstr(table, "stat");
}

enum database_fault database_fault_of(const struct pq *pq, const PGresult *r)
{
	static const char *const again[] = {"40", "55P03", "57014"};
	static const char *const data[] = {"22", "23", "P0"};
	const char *code = pq->resultErrorField(r, PG_DIAG_SQLSTATE);

	if (!code)
		return DATABASE_LOST;
	for (size_t i = 0; i < ARRAY_LEN(again); i++)
		if (has_prefix(code, again[i]))
			return DATABASE_AGAIN;
	if (strcmp(code, "23505") == 0 && is_counter(pq, r))
		return DATABASE_AGAIN;
	for (size_t i = 0; i < ARRAY_LEN(data); i++)
		if (has_prefix(code, data[i]))
			return DATABASE_DATA;
	return DATABASE_LOST;
}

enum database_fault database_fault(const struct database_result *r)
{
	return r->fault;
}

const char *database_error(const struct database_result *r)
{
	return r->error;
}

int database_rows(const struct database_result *r)
{
	return r->result && r->fault == DATABASE_OK ? r->pq->ntuples(r->result) : 0;
}

struct span database_value(const struct database_result *r, int row, int column)
{
	return span_of(r->pq->getvalue(r->result, row, column),
		       (size_t)r->pq->getlength(r->result, row, column));
}

int64_t database_int(const struct database_result *r, int row, int column)
{
	struct span s = database_value(r, row, column);
	uint64_t v = s.n && s.p[0] & 0x80 && s.n > 1 ? UINT64_MAX : 0;

	for (size_t i = 0; i < s.n && i < 8; i++)
		v = v << 8 | s.p[i];
	return (int64_t)v;
}

int64_t database_time_us(const struct database_result *r, int row, int column)
{
	return database_int(r, row, column) + 946684800LL * 1000000;
}
