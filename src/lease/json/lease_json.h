/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A lease as the arguments of Kea's lease4-* commands. Both directions walk the rows of
 * lease_fields.def.
 */
#pragma once

#include "base/attr.h"
#include "config/json/json.h"
#include "lease/lease.h"

/* The first invalid argument, as a sentence for the answer. */
struct lease_json_problem {
	char text[256];
};

/* Returns a map of the lease's fields, sorted by name as Kea's are; fields without a value are
 * absent. */
struct json *lease_to_json(struct arena *a, const struct lease *l);
/*
 * Sets the fields that args has; the others stay as they are, so the caller sets the defaults
 * before. The end of the lease is read from "expire", as Kea reads it; "cltt" is not. ip-address
 * and hw-address must be there. 0, or -USHER_E_SYNTAX and *ret_problem. Contexts go into the arena.
 */
int lease_from_json(const struct json *args, struct arena *a, struct lease *io,
		    struct lease_json_problem *ret_problem) must_check;
/* Reads a lease as lease_to_json() writes it, and as answers of lease4-get-page have it: the time
 * is "cltt", which must be there. 0 or as above. */
int lease_from_stored_json(const struct json *map, struct arena *a, struct lease *ret,
			   struct lease_json_problem *ret_problem) must_check;
/* Reads an argument that is an integer from lo to hi; an absent one leaves *io. 0 or as above. */
int lease_json_int(const struct json *args, const char *name, const int64_t range[2], int64_t *io,
		   struct lease_json_problem *ret_problem) must_check;
/* Reads an argument that is a boolean; an absent one leaves *io. 0 or as above. */
int lease_json_bool(const struct json *args, const char *name, bool *io,
		    struct lease_json_problem *ret_problem) must_check;
/* Sets the address and the hardware address, which must be there. 0 or as above. */
int lease_identity_from_json(const struct json *args, struct lease *io,
			     struct lease_json_problem *ret_problem) must_check;
