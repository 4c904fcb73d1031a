/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Kea's hook libraries that are built in: their check, start and end. Used while a
 * configuration is read.
 */
#pragma once

#include "library/common/library.h"

/* Called as the members of struct hook_builtin, for all these libraries. */
void library_check(const struct config *cfg, const struct config_hook_library *conf,
		   struct log *log, void (*problem)(void *ctx, const struct config_error *e),
		   void *ctx);
int library_load(usher_lib *lib, const struct hook_registry_opts *o,
		 const struct config_hook_library *conf, struct config_error *err) must_check;
void library_unload(usher_lib *lib);
enum hook_access library_check_request(usher_lib *lib, const struct hook_asked *asked);
bool library_hides_command(usher_lib *lib, const struct hook_asked *asked);
void library_statistics(usher_lib *lib, hook_statistic_fn *fn, void *ctx);
const struct json *library_file(const struct config_hook_library *conf, unsigned nth, int *ret_dir);
