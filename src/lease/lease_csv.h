/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One row of Kea's lease file <-> struct lease. Pure: no file, no allocation when parsing.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "lease/lease.h"

#define LEASE_CSV_HEADER                                                                       \
	"address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname," \
	"state,user_context,pool_id"

enum { LEASE_CSV_COLUMNS = 12, LEASE_CSV_MIN_COLUMNS = 9 };

/* Appends the row with its newline. deleted: as Kea deletes, with a lifetime of 0. */
void lease_csv_format(const struct lease *l, bool deleted, struct buf *out);
/* The number of columns a header line names, more than LEASE_CSV_COLUMNS in a file of a newer Kea;
 * -USHER_E_SYNTAX: it is none of Kea's. */
int lease_csv_header(const char *line, size_t n) must_check;
/*
 * Parses line[n], which must be followed by one writable octet and is written to: user_context
 * stays inside it. columns: as lease_csv_header said. 0, or -USHER_E_SYNTAX and *ret_why.
 */
int lease_csv_parse(char *line, size_t n, int columns, struct lease *ret, const char **ret_why)
	must_check;
/* The usual row at p, with a newline at end. False: it is none, and *ret is anything. */
bool lease_csv_scan(const uint8_t *p, const uint8_t *end, struct lease *ret) must_check;
/* lease_csv_parse without that short cut: a test compares. */
int lease_csv_parse_any(char *line, size_t n, int columns, struct lease *ret, const char **ret_why)
	must_check;
