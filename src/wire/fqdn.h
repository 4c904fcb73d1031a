/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Domain names as RFC 1035 labels, and their text. Text has the escapes of RFC 1035 5.1: "\." and
 * "\DDD". Pure functions.
 */
#pragma once

#include "base/buf.h"
#include "base/span.h"

enum { FQDN_WIRE_MAX = 255, FQDN_LABEL_MAX = 63 };

/*
 * Parses text to labels with the root's: "a.example", with or without a last dot; "." is the root.
 * Returns the count of octets, or -USHER_E_SYNTAX (empty label, broken escape), -USHER_E_RANGE
 * (label over 63, name over 255 octets).
 */
int fqdn_parse(const char *s, size_t n, uint8_t out[FQDN_WIRE_MAX]) must_check;

/*
 * Reads the name at *off of whole: its text goes to out (NULL: it is only checked), and *off moves
 * behind it. Compression pointers may only lead backwards, so there are no loops. partial: a name
 * that ends with the data and has no root label is accepted (RFC 4702 2.3.1), and its text has no
 * last dot.
 */
bool fqdn_read(struct span whole, size_t *off, bool partial, struct buf *out) must_check;

/*
 * Reads a name as fqdn_read() does, for one of several names in one option. A compressed name may
 * stand for 128 times its octets, so all names together spend the budget that fqdn_budget() gives
 * for whole. *left decreases by one for each octet and pointer that is read; a name that would need
 * more is malformed.
 */
bool fqdn_read_within(struct span whole, size_t *off, bool partial, size_t *left, struct buf *out)
	must_check;
static inline size_t fqdn_budget(struct span whole)
{
	return 1024 + 32 * whole.n;
}
