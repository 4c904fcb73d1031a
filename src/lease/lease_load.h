/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For stores: putting what was read at start into the table, without writing it again.
 */
#pragma once

#include "lease/lease_db.h"

/*
 * Takes over one row. A lifetime of 0 deletes the address's record, except in state RELEASED:
 * that is a lease kept for its client. 0, -ENOMEM.
 */
int lease_db_load(struct lease_db *db, const struct lease *l) must_check;
