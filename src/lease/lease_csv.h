/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One row of Kea's lease file <-> struct lease. Pure: no file, no allocation when parsing.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "lease/lease_field.h"

/* The columns are the rows of lease_fields.def. Kea's first lease files had nine of them. */
enum { LEASE_CSV_COLUMNS = LEASE_FIELDS, LEASE_CSV_MIN_COLUMNS = 9 };

/* Octets of the header line, with its newline. */
enum {
	LEASE_CSV_HEAD_LEN = 0
#define LEASE_FIELD(member, kind, longest, csv, ...) +sizeof(csv)
#include "lease/lease_fields.def"
};

/* Returns the header line, with its newline and a zero behind it. */
const char *lease_csv_head(void);

/* Appends the row with its newline. deleted: as Kea deletes, with a lifetime of 0. */
void lease_csv_format(const struct lease *l, bool deleted, struct buf *out);
/* Returns the number of columns that a header line names, more than LEASE_CSV_COLUMNS in a file of
 * a newer Kea; -USHER_E_SYNTAX: it is none of Kea's. */
int lease_csv_header(const char *line, size_t n) must_check;
/*
 * Parses line[n], which must be followed by one writable octet and is written to: user_context
 * stays inside it. columns: the result of lease_csv_header(). 0, or -USHER_E_SYNTAX and *ret_why.
 */
int lease_csv_parse(char *line, size_t n, int columns, struct lease *ret, const char **ret_why)
	must_check;
/* Reads a row of the usual form at p, with a newline at end. False: the row has another form, and
 * *ret is undefined. */
bool lease_csv_scan(const uint8_t *p, const uint8_t *end, struct lease *ret) must_check;
/* Parses a row as lease_csv_parse() does, without the short cut of lease_csv_scan(): a test
 * compares them. */
int lease_csv_parse_any(char *line, size_t n, int columns, struct lease *ret, const char **ret_why)
	must_check;
