/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Compiler attributes under short names. Uses nothing; every other header may use it.
 * must_check stands in for [[nodiscard]], which clang 14 refuses in gnu17.
 */
#pragma once

#define must_check	     __attribute__((warn_unused_result))
#define printf_like(fmt, va) __attribute__((format(printf, fmt, va)))
#define pure_fn		     __attribute__((pure))
#define cold_fn		     __attribute__((cold, noinline))
#define noinline_fn	     __attribute__((noinline))
/* A big local that is filled before it is read: spares -ftrivial-auto-var-init its clearing. */
#define uninit	     __attribute__((uninitialized))
#define likely(x)    __builtin_expect(!!(x), 1)
#define unlikely(x)  __builtin_expect(!!(x), 0)
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(p, type, member) \
	((type *)(void *)((char *)(p) - __builtin_offsetof(type, member)))
