/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A server that was built without Lua: says so, instead of looking for a file called "lua".
 */
#include "server/core/builtins.h"

#include "base/error.h"
#include "config/config.h"

static int no_lua(struct usher_lib *lib, const struct hook_registry_opts *o,
		  const struct config_hook_library *conf, struct config_error *err)
{
	(void)lib;
	(void)o;
	return config_error_set(err, &conf->pos, -USHER_E_HOOK,
				"hook library lua: this server was built without it");
}

static void unload(struct usher_lib *lib)
{
	(void)lib;
}

const struct hook_builtin server_builtins[] = {{.name = "lua", .load = no_lua, .unload = unload},
					       {0}};
