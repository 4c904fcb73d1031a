/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Results are ints: 0 or more is good, negative is bad: either -errno or -USHER_E_x.
 * Our codes start above every errno, so one int holds both. Verdicts (the fate of a
 * packet) are never carried in such an int.
 */
#pragma once

enum usher_error {
	USHER_E_BASE_ = 10000,
#define ERROR(sym, text) USHER_E_##sym,
#include "base/error.def"
#undef ERROR
	USHER_E_END_
};

/* Returns the text of a negative result (ours or errno's). Never NULL; static storage or
 * thread-local. */
const char *usher_strerror(int result);
