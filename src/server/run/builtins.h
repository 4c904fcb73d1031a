/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The hook libraries that are in usher-server itself. The floors below are given the table and know
 * none of them.
 */
#pragma once

#include "hook/hook.h"

/* Ends with an empty name. */
extern const struct hook_builtin server_builtins[];
