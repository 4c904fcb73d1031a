/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One picture of a live view: lines of text, written without knowledge of the terminal and cut off
 * to its size when they are printed.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"

#include <stdio.h>

struct ctl_frame {
	struct buf text;
};

void ctl_frame_init(struct ctl_frame *f);
void ctl_frame_fini(struct ctl_frame *f);
/* Removes all lines. */
void ctl_frame_reset(struct ctl_frame *f);
/* Appends a line. Control characters and octets above 127 become '?': a name that a program reports
 * must not reach the terminal as an escape sequence. */
void ctl_frame_line(struct ctl_frame *f, const char *fmt, ...) printf_like(2, 3);
/* Appends a heading. */
void ctl_frame_heading(struct ctl_frame *f, const char *fmt, ...) printf_like(2, 3);
/* Prints the lines as they are, without escape sequences. */
void ctl_frame_print(const struct ctl_frame *f, FILE *out);
/* Prints the frame over the last one on a terminal of this size. */
void ctl_frame_draw(const struct ctl_frame *f, unsigned lines, unsigned columns, FILE *out);
