/* SPDX-License-Identifier: MPL-2.0 */
/* <name>.rejected: the file of rows that the loader cannot read. One thread at a time. */
#pragma once

#include "base/attr.h"

#include <stddef.h>

struct journal;
struct reject;

int reject_new(struct journal *j, struct reject **ret) must_check;
void reject_free(struct reject *r);
/* Appends a row, with a newline, unless an earlier start did. Octets are written as they are; NULs
 * end a piece. 0 or -errno. */
int reject_row(struct reject *r, const char *p, size_t n) must_check;
/* Writes and syncs the appended rows. 0 or -errno: then the rows are in the lease file only. */
int reject_end(struct reject *r) must_check;
