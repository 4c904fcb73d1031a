/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The leases of a long answer as rows of a table, in constant memory. The leases are taken out of
 * the octets as they arrive, and their cells wait in a temporary file until all widths are known;
 * or a function gets each lease. The rest of the answer, with an empty list in their place, goes to
 * the next sink.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "ctl/sink.h"

#include <stdio.h>

struct json;

enum { CTL_LEASE_COLUMNS = 32 };

struct ctl_lease_rows {
	struct ctl_sink sink;
	struct ctl_sink *next;
	/* Called for each lease instead of keeping its cells; a negative result ends the transfer.
	 * NULL: the cells are kept. */
	int (*each)(void *ctx, const struct json *lease);
	void *ctx;
	struct buf rest;    /* of the present part, for the next sink */
	struct buf element; /* the lease that is being taken */
	struct arena arena; /* of that lease */
	FILE *cells;	    /* each a text with its NUL; NULL: there was no lease */
	size_t n_rows;
	size_t widths[CTL_LEASE_COLUMNS];
	/* the place in the text */
	unsigned depth, outer;	/* outer: 1 in the envelope of HTTP, else 0 */
	unsigned element_depth; /* 0: in no element */
	bool in_string, escaped, in_arguments, in_leases;
	char key[16]; /* the last string at this place, cut off */
	size_t key_len;
};

/* Prepares for one answer. The caller sets `next`, which is borrowed. */
void ctl_lease_rows_init(struct ctl_lease_rows *r);
void ctl_lease_rows_fini(struct ctl_lease_rows *r);
/* Prints the table. Returns 0 or -EIO: the temporary file cannot be read. */
int ctl_lease_rows_print(struct ctl_lease_rows *r, FILE *out) must_check;
