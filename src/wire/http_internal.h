/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Functions of the reader of heads for the parser of messages, besides http.h.
 */
#pragma once

#include "wire/http.h"

/* A head that is not all there: can it be one? True: its start line was read; false: that is not
 * there yet. h is used up. */
bool http_head_begins(struct span in, bool response, uint8_t flags, struct http_head *h,
		      enum http_fault *ret_fault);
