/* SPDX-License-Identifier: MPL-2.0 */
/* Loading libpq, for those that do not know its header. */
#pragma once

#include "base/attr.h"

#include <stddef.h>

struct pq;

/* Returns the functions of libpq, which stays loaded. NULL: it cannot be loaded, or this is a build
 * without it; the reason is in why. Any thread. */
const struct pq *database_load(char *why, size_t cap) must_check;
