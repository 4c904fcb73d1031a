/* SPDX-License-Identifier: MPL-2.0 */
/* Values of parameters in the binary format of PostgreSQL's protocol: single ones, and arrays. */
#pragma once

#include "base/buf.h"

/* Appends a value without its length; the caller remembers where it began. */
void database_put_int8(struct buf *b, int64_t v);
/* Appends a time of seconds since 1970, as timestamptz. */
void database_put_time(struct buf *b, int64_t s);

/* Begins an array, whose n elements follow, one call each. */
void database_array_begin(struct buf *b, uint32_t element_type, size_t n);
void database_array_int8(struct buf *b, int64_t v);
void database_array_time(struct buf *b, int64_t s);
void database_array_bool(struct buf *b, bool v);
void database_array_bytes(struct buf *b, struct span s);
/* Appends text; octets that are no UTF-8 become '?'. */
void database_array_text(struct buf *b, struct span s);
