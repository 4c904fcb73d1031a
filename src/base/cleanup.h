/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Scope-bound clean-up: auto_free, auto_close, auto_unref(type), TAKE(p).
 * A variable marked so is released when its scope ends, unless TAKE() moved it out.
 */
#pragma once

#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_close(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

#define auto_free	 __attribute__((cleanup(cleanup_free)))
#define auto_close	 __attribute__((cleanup(cleanup_close)))
#define auto_unref(type) __attribute__((cleanup(type##_unrefp)))
#define DEFINE_UNREFP(type)                               \
	static inline void type##_unrefp(struct type **p) \
	{                                                 \
		type##_unref(*p);                         \
	}
#define TAKE(p)                             \
	({                                  \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;                 \
		taken_;                     \
	})
