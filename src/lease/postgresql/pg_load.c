/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Loading at start, page by page in the order of the addresses. The next page is asked for before
 * the rows of the last one are put into the table. A connection that is lost meanwhile continues
 * behind the last page.
 */
#include "lease/postgresql/pg_impl.h"

#include "base/error.h"
#include "base/log.h"
#include "database/database_value.h"
#include "lease/lease_load.h"

#include <errno.h>

static int push_rows(struct pg_store *p, const struct database_result *r)
{
	int result = 0;

	for (int i = 0; result == 0 && i < database_rows(r); i++) {
		struct lease l;
		int full;

		if (!pg_read_lease(r, i, &l)) {
			log_msg(p->o.log, LOG_USHER_DATABASE_ROW_IGNORED,
				"the row of address %lld in lease4 is no DHCPv4 lease, and is ignored",
				(long long)database_int(r, i, 0));
			continue;
		}
		full = lease_rows_add(p->loaded, &l);
		result = full > 0 ? lease_db_load(p->db, p->loaded) : full;
	}
	return result;
}

/* Makes the indexes, and takes the store into use. */
static int finish_load(struct pg_store *p)
{
	int r = lease_rows_empty(p->loaded) ? 0 : lease_db_load(p->db, p->loaded);
	int end = lease_db_load_end(p->db, true);

	return r < 0 ? r : end;
}

static void on_page(void *ctx, const struct database_result *r)
{
	struct pg_store *p = ctx;
	int n = database_rows(r);
	int result;

	if (database_fault(r) == DATABASE_LOST)
		return;
	if (database_fault(r) != DATABASE_OK) {
		pg_load_next(p);
		return;
	}
	if (n == PG_PAGE) {
		p->load_from = database_int(r, n - 1, 0);
		pg_load_next(p);
	}
	result = push_rows(p, r);
	if (result == 0 && n == PG_PAGE)
		return;
	if (result == 0)
		result = finish_load(p);
	p->loading = false;
	pg_opened(p, result, result < 0 ? usher_strerror(result) : "");
}

void pg_load_next(struct pg_store *p)
{
	struct database_params params = {.n = 2};
	int r;

	buf_reset(&p->values);
	database_put_int8(&p->values, p->load_from);
	database_put_int8(&p->values, PG_PAGE);
	params.value[0] = span_of(p->values.p, 8);
	params.value[1] = span_of(p->values.p + 8, 8);
	r = database_send(p->database, PG_PAGE_SQL, &params, on_page, p);
	if (r == 0)
		r = database_sync(p->database, NULL, NULL);
	if (r < 0)
		database_reset(p->database, usher_strerror(r));
}
