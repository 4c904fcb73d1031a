/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Large tables whose pages are taken from the system when they are first written to: room for a
 * million entries costs nothing as long as there are ten.
 */
#pragma once

#include "base/attr.h"

#include <stddef.h>

/* Returns count * size octets, all zero. NULL: the system has no such address space, or count or
 * size are 0. */
void *pages_new(size_t count, size_t size) must_check;
/* Returns count * size octets, all zero, in huge pages where the system has some. It serves tables
 * that are read everywhere. NULL as from pages_new(). */
void *pages_new_huge(size_t count, size_t size) must_check;
/* Frees pages with the count and size they were made with. Accepts NULL. */
void pages_free(void *p, size_t count, size_t size);
