/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For stores: putting what was read at start into the table, without writing it again.
 */
#pragma once

#include "lease/lease_db.h"

/*
 * Takes over n rows in their order. A lifetime of 0 deletes the address's record, except in state
 * RELEASED: that is a lease kept for its client. 0, -ENOMEM.
 */
int lease_db_load(struct lease_db *db, const struct lease *l, size_t n) must_check;
/* For another thread, meanwhile: makes memory ready that the next rows will need. */
void lease_db_load_ahead(struct lease_db *db);
/* Everything is loaded. */
void lease_db_load_end(struct lease_db *db);
