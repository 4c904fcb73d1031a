/* SPDX-License-Identifier: MPL-2.0 */
/*
 * struct usher_lib from the inside; shared by the loader (hook.c) and the ABI (hook_abi.c) only.
 */
#pragma once

#include "base/arena.h"
#include "usher/hook.h"

struct hook_builtin;
struct hook_registry;
struct json;
struct log;

struct usher_lib {
	struct hook_registry *registry;
	unsigned index; /* slot in a packet's data */
	char *path;
	void *handle;			    /* of dlopen; NULL: built in */
	const struct hook_builtin *builtin; /* NULL: dlopened, or callouts alone */
	bool loading, loaded;
	char *parameters; /* JSON text */
	struct json *params;
	struct arena arena;
	void *data;
	struct log *log;
};
