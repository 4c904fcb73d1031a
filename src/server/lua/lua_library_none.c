/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The hook library "lua" of a server that was built without it: refuses a configuration that names
 * it, instead of looking for a file called "lua".
 */
#include "server/lua/lua_library.h"

#include "base/error.h"
#include "config/config.h"

int lua_hook_load(struct usher_lib *lib, const struct hook_registry_opts *o,
		  const struct config_hook_library *conf, struct config_error *err)
{
	(void)lib;
	(void)o;
	return config_error_set(err, &conf->pos, -USHER_E_HOOK,
				"hook library lua: this server was built without it");
}

void lua_hook_retire(struct usher_lib *lib)
{
	(void)lib;
}

void lua_hook_unload(struct usher_lib *lib)
{
	(void)lib;
}

void lua_hook_memory(struct usher_lib *lib, struct hook_memory *m, hook_memory_fn *fn, void *ctx)
{
	(void)lib;
	(void)m;
	(void)fn;
	(void)ctx;
}

const struct json *lua_hook_file(const struct config_hook_library *conf, unsigned nth, int *ret_dir)
{
	(void)conf;
	(void)nth;
	(void)ret_dir;
	return NULL;
}
