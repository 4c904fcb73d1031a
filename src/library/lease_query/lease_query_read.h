/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The parameters of the library lease_query.
 */
#pragma once

#include "library/lease_query/bulk.h"

struct json;
struct library_problems;

struct lease_query_params {
	struct lease_query_requesters requesters;
	struct bulk_params bulk;
};

/* Reads the parameters (NULL: none), with memory of the arena, and reports mistakes. */
void lease_query_read(struct library_problems *p, const struct json *parameters,
		      struct arena *arena, struct lease_query_params *ret);
