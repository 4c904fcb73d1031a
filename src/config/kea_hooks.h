/* SPDX-License-Identifier: MPL-2.0 */
/* The hook libraries of Kea that this server has built in. Constant; any thread. */
#pragma once

enum kea_hook {
	KEA_HOOK_NOT_KEAS, /* a library for this server, or of another origin */
	KEA_HOOK_BUILT_IN, /* its effect is there without loading anything */
	KEA_HOOK_UNSUPPORTED,
};

/* The functions that a library for this server exports (include/usher/hook.h). */
enum { HOOK_SYMBOLS = 2 };
extern const char *const hook_symbols[HOOK_SYMBOLS];

/* Returns the kind of a library of "hooks-libraries", by the name of its file; the directory does
 * not matter. */
enum kea_hook kea_hook_kind(const char *path);
