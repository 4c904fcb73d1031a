/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The limits of a state (limits.c), as the record of a state holds them.
 */
#pragma once

#include "script/state/script.h"

#include <stdatomic.h>

enum { SCRIPT_SIZES = 16, SCRIPT_LARGE = 8 };

struct script_limits {
	struct {
		void *first;
		unsigned n;
	} kept[SCRIPT_SIZES]; /* free memory by size */
	size_t memory_max;
	size_t object_max; /* a single allocation: bounds the octets that one instruction can
			    * compare or copy
			    */
	_Atomic size_t memory;
	_Atomic size_t memory_peak;
	uint64_t budget;
	int64_t left;			/* instructions of this outermost call */
	unsigned slice;			/* instructions from hook to hook; 0: there is no hook */
	unsigned slice_max;		/* without large objects */
	unsigned n_large[SCRIPT_LARGE]; /* objects of 2^18 octets and more, by the power of two */
	unsigned call_ms;
	int64_t deadline_ns; /* when to look at the processor time; 0: not asked yet */
	int64_t cpu_ns;	     /* of the thread, when deadline_ns was set */
	bool spent;	     /* beyond instructions or time */
	bool out_of_memory;  /* an allocation was refused */
	bool reserve;	/* may be used: loading and collecting must not fail for want of a little */
	unsigned depth; /* of script_pcall */
	const char *stack;	    /* where the C stack was at the outermost call */
	size_t allocated;	    /* octets since the last forced collection */
	char text[SCRIPT_TEXT_LEN]; /* which limit was exceeded, and where */
};

/* Allocates memory of the state: a lua_Alloc function. */
void *script_alloc(void *ud, void *p, size_t old, size_t n);
/* Called when an outermost call begins. */
void script_arm(struct script *s);
/* Gives the whole budget once more to a call that waited for a person. */
void script_arm_again(struct script *s);
/* Called when the outermost call has ended: collects garbage if memory is full. */
void script_make_room(struct script *s);
