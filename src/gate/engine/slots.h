/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Objects of one size, in memory that is taken once; the kernel gives pages as they are used first.
 * One thread.
 */
#pragma once

#include "base/attr.h"

#include <stddef.h>
#include <stdint.h>

struct slots {
	uint8_t *memory;
	void *free; /* list, linked through the first octets */
	size_t size;
	uint32_t n, fresh; /* fresh: from here on none was ever taken */
};

/* Makes a pool of n slots of `size` octets. 0, -ENOMEM. */
int slots_init(struct slots *s, uint32_t n, size_t size) must_check;
void slots_fini(struct slots *s);
/* Takes a slot, which is not cleared; NULL: there is none left. */
void *slots_take(struct slots *s) must_check;
void slots_give(struct slots *s, void *p);
