/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Texts of error codes. The table is error.def; any other code is an errno.
 */
#include "base/error.h"

#include "base/attr.h"

#include <string.h>

enum { ERRNO_MAX = 4095 }; /* the kernel's MAX_ERRNO */

static const char *const texts[] = {
#define ERROR(sym, text) text,
#include "base/error.def"
#undef ERROR
};

const char *usher_strerror(int result)
{
	int e = result < 0 ? -result : result;

	if (e > USHER_E_BASE_ && e < USHER_E_END_)
		return texts[e - USHER_E_BASE_ - 1];
	return e <= ERRNO_MAX ? strerror(e) : "unknown error";
}
