/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A list of all problems of a configuration, in the order of the text. Its functions have the form
 * of the callbacks of json_opts and config_load_opts. Owned by the caller; one thread.
 */
#pragma once

#include "config/json/json.h"

struct arena;

struct config_problems {
	struct config_error *items;
	size_t n, cap;
	size_t lost; /* beyond CONFIG_PROBLEMS_MAX, or for want of memory */
};

enum { CONFIG_PROBLEMS_MAX = 1000 };

/* Appends e, unless it is there already. ctx is a struct config_problems. */
void config_problems_add(void *ctx, const struct config_error *e);
/* Sorts by file, line and column; entries without a position come last. */
void config_problems_sort(struct config_problems *p);
void config_problems_fini(struct config_problems *p);
/* Returns {"errors": [{"file", "line", "column", "text"}, …]} for programs. */
struct json *config_problems_list(const struct config_problems *p, struct arena *arena);
