/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Large tables whose pages are taken from the system when they are first written to: room for a
 * million entries costs nothing as long as there are ten.
 */
#pragma once

#include "base/attr.h"

#include <stddef.h>

/* count * size octets, all zero. NULL: the system has no such address space, or count or size are
 * 0. */
void *pages_new(size_t count, size_t size) must_check;
/* The same, in huge pages where the system has some: for tables that are looked at all over. */
void *pages_new_huge(size_t count, size_t size) must_check;
/* Accepts NULL. count and size as they were. */
void pages_free(void *p, size_t count, size_t size);
