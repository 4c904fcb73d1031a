/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Functions of the reader of heads for the parser of messages, besides http.h.
 */
#pragma once

#include "wire/http.h"

/* Checks whether an incomplete head can be one. True: its start line was read; false: the start
 * line is not complete. Overwrites h. */
bool http_head_begins(struct span in, bool response, uint8_t flags, struct http_head *h,
		      enum http_fault *ret_fault);
