/* SPDX-License-Identifier: MPL-2.0 */
/* In place of the connection, in a build without libpq. */
#include "database/database_load.h"

#include <stdio.h>

const struct pq *database_load(char *why, size_t cap)
{
	(void)snprintf(why, cap, "this program was built without libpq");
	return NULL;
}
