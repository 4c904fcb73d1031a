/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Frames that wait for others: fragments of a datagram, segments out of order. Copies, in memory
 * that is taken once; when it is used up nothing more can wait. One thread.
 */
#pragma once

#include "base/attr.h"
#include "capture/frames.h"

struct held_pool;

struct held {
	struct held *next;    /* the holder's */
	struct frame frame;   /* frame.data is the copy */
	uint32_t from, to;    /* the holder's: the octets it covers */
	uint16_t l3, l4, app; /* the holder's: offsets in the copy */
	uint16_t fragment;    /* it came in pieces of so many octets of payload; 0: whole */
	bool begun;	      /* a part of it was sent */
	bool owed;	      /* its verdict was not given yet */
	bool small;
	uint8_t data[];
};

/* Makes room for n_small frames of common size (2 KiB) and n_large of any size. owed: the frames
 * are held back; else they are forwarded already, and only inspected. 0, -ENOMEM. */
int held_pool_new(uint32_t n_small, uint32_t n_large, bool owed, struct held_pool **ret) must_check;
void held_pool_free(struct held_pool *p);
/* Copies a frame; NULL: no room. */
struct held *held_take(struct held_pool *p, const struct frame *f) must_check;
void held_give(struct held_pool *p, struct held *h);
/* Returns whether there is no room for a frame of len octets. */
bool held_full(const struct held_pool *p, uint32_t len);
/* Returns how many frames are held now. */
uint32_t held_count(const struct held_pool *p);
