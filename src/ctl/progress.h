/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The progress of a long answer, on a terminal: octets so far and the rate, from the second second
 * on. The line is removed at the end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ctl_progress {
	bool on;	  /* standard error is a terminal */
	bool printed;	  /* there is a line to remove */
	int64_t began_ns; /* monotonic */
	int64_t next_ns;  /* of the next line */
	uint64_t octets;
};

enum { CTL_PROGRESS_TEXT = 64 };

/* Writes the octets and their rate: "12.3 MB, 4.1 MB/s". */
void ctl_progress_text(uint64_t octets, int64_t elapsed_ns, char out[CTL_PROGRESS_TEXT]);
/* Starts. quiet: print nothing. */
void ctl_progress_begin(struct ctl_progress *p, bool quiet);
/* Counts n octets more. */
void ctl_progress_add(struct ctl_progress *p, size_t n);
void ctl_progress_end(struct ctl_progress *p);
