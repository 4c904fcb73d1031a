/* SPDX-License-Identifier: MPL-2.0 */
/* In place of the store on PostgreSQL, in a build without libpq: no configuration uses it. */
#include "lease/postgresql/pg_store.h"

#include "base/error.h"

int pg_store_open(const struct pg_store_opts *o, struct lease_db *db, struct lease_store **ret)
{
	(void)o, (void)db, (void)ret;
	return -USHER_E_UNSUPPORTED;
}

int pg_store_opened(struct lease_store *s, int64_t timeout_ns, struct pg_load_stats *ret)
{
	(void)s, (void)timeout_ns, (void)ret;
	return -USHER_E_UNSUPPORTED;
}
