/* SPDX-License-Identifier: MPL-2.0 */
/* Loads libpq, once in a process. */
#include "base/attr.h"
#include "database/database_load.h"
#include "database/pq.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static struct pq table;
static char failure[256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load_library(void)
{
	static const char *const names[] = {
#define LIBPQ(name) "PQ" #name,
#include "database/pq.def"
	};
	void *library = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
	void **place = (void **)(void *)&table;

	if (!library) {
		(void)snprintf(failure, sizeof(failure), "%s", dlerror());
		return;
	}
	_Static_assert(sizeof(table) == ARRAY_LEN(names) * sizeof(*place), "a pointer a name");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		place[i] = dlsym(library, names[i]);
		if (!place[i]) {
			(void)snprintf(failure, sizeof(failure),
				       "libpq lacks %s; it must be version 14 or later", names[i]);
			return;
		}
	}
}

const struct pq *database_load(char *why, size_t cap)
{
	(void)pthread_once(&once, load_library);
	(void)snprintf(why, cap, "%s", failure);
	return failure[0] ? NULL : &table;
}
