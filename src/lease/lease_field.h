/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The rows of lease_fields.def as data, for code that is not on the packet path: the reader of
 * unusual rows of lease files, JSON, tables for people, tests.
 */
#pragma once

#include "lease/lease.h"

enum lease_kind {
	LEASE_KIND_ADDRESS,
	LEASE_KIND_HARDWARE,
	LEASE_KIND_CLIENT_ID,
	LEASE_KIND_LIFETIME,
	LEASE_KIND_TIME,
	LEASE_KIND_NUMBER,
	LEASE_KIND_OPTIONAL,
	LEASE_KIND_FLAG,
	LEASE_KIND_TEXT,
	LEASE_KIND_STATE,
	LEASE_KIND_CONTEXT,
};

enum {
	LEASE_FIELDS = 0
#define LEASE_FIELD(...) +1
#include "lease/lease_fields.def"
};

struct lease_field {
	enum lease_kind kind;
	uint16_t offset, size; /* of the member in struct lease */
	uint8_t place;	       /* of the column in tables for people; 0: none */
	const char *csv;       /* the column of the lease file */
	const char *json;      /* the name in Kea's lease4-* commands */
};

extern const struct lease_field lease_fields[LEASE_FIELDS];

/* Returns the value of a field that is a number or a flag. */
int64_t lease_field_number(const struct lease_field *f, const struct lease *l);
/* Sets a field that is a number or a flag; the value is in the range of its type. */
void lease_field_set_number(const struct lease_field *f, struct lease *l, int64_t value);
/* Returns the text of a TEXT or CONTEXT field; NULL: the lease has no such context. */
const char *lease_field_text(const struct lease_field *f, const struct lease *l);
/* Sets a TEXT field to n octets, at most the row's longest. */
void lease_field_set_text(const struct lease_field *f, struct lease *l, const char *s, size_t n);
/* Sets a CONTEXT field to a text that the caller keeps. */
void lease_field_set_context(const struct lease_field *f, struct lease *l, const char *s);
