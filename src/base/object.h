/* SPDX-License-Identifier: MPL-2.0 */
/* Examines a shared object without loading it: loading runs its constructors. */
#pragma once

#include "base/attr.h"

#include <stddef.h>

/*
 * Checks that a file is a regular file and a shared object of this machine that exports all of the
 * n symbols. 0, or -USHER_E_HOOK with the reason in why. Opens no FIFO or device; runs nothing of
 * the file.
 */
int object_check(const char *path, const char *const *symbols, size_t n, char *why, size_t why_cap)
	must_check;
