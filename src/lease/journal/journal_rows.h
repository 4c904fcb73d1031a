/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Parsed rows on their way into the table at start: one thread fills, one inserts (without threads,
 * one does both). Each function belongs to one of the two.
 */
#pragma once

#include "lease/lease_db.h"

struct rows;

int rows_new(struct lease_db *db, bool threaded, struct rows **ret) must_check;
void rows_free(struct rows *r);

/* Copies a row, for the reader. An error is of this or of an earlier row: reading may end. */
int rows_push(struct rows *r, const struct lease *l) must_check;
/* Ends the rows, for the reader; always to be called. */
int rows_end(struct rows *r) must_check;

/* Inserts batches until rows_end. */
int rows_insert(struct rows *r) must_check;
