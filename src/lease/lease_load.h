/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For stores: putting the rows read at start into the table, without writing them again. Rows go in
 * batches: one thread may fill a batch while another one loads the last.
 *
 * From the first batch to lease_db_load_end a table that was empty only has records by address: a
 * client's records are not found, nothing lapses, and changes are refused (-EBUSY; a wipe finds
 * nothing).
 */
#pragma once

#include "lease/lease_db.h"

struct lease_rows;

int lease_rows_new(struct lease_rows **ret) must_check;
void lease_rows_free(struct lease_rows *b);
/* Copies a row. 1: it was the last one that fits; 0: more fit; -ENOMEM. */
int lease_rows_add(struct lease_rows *b, const struct lease *l) must_check;
bool lease_rows_empty(const struct lease_rows *b);

/*
 * Takes over the rows in their order and empties the batch. A lifetime of 0 deletes the address's
 * record, except in state RELEASED: that is a lease kept for its client. 0, -ENOMEM.
 */
int lease_db_load(struct lease_db *db, struct lease_rows *b) must_check;
/*
 * Returns memory that the next rows will need, once each, or NULL. Any thread may have the kernel
 * prepare it by lease_load_touch(), in pieces, until lease_db_load_end().
 */
void *lease_db_load_ahead(struct lease_db *db, size_t *ret_len);
void lease_load_touch(void *p, size_t len);
/* Makes the indexes after everything is loaded, or loading failed. threads: two threads may work.
 * 0, -ENOMEM. */
int lease_db_load_end(struct lease_db *db, bool threads) must_check;
