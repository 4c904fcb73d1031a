/* SPDX-License-Identifier: MPL-2.0 */
/*
 * libpq as a table of functions. The library is loaded when a configuration uses a database: it
 * brings some twenty other libraries into the process, and a server without a database does not
 * need them.
 */
#pragma once

#include <libpq-fe.h>

struct pq {
#define LIBPQ(name) __typeof__(PQ##name) *name;
#include "database/pq.def"
};
