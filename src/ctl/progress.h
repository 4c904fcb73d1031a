/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The progress of a long answer, on a terminal: octets so far and the rate, from the second second
 * on. The line is removed at the end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A line on standard error, of which each text replaces the one before. */
struct ctl_line {
	bool on;	  /* standard error is a terminal */
	bool printed;	  /* there is a line to remove */
	int64_t began_ns; /* monotonic */
	int64_t next_ns;  /* of the next text */
};

struct ctl_progress {
	struct ctl_line line;
	uint64_t octets;
};

enum { CTL_PROGRESS_TEXT = 64, CTL_BAR_TEXT = 128 };

/* The progress of a long task of known length, on a terminal, from its first quarter of a second
 * on: a bar, the part that is done, the rate, the time that is left. */
struct ctl_bar {
	struct ctl_line line;
	uint64_t done, total; /* total may be an estimate; 0: unknown */
};

/* Writes the octets and their rate: "12.3 MB, 4.1 MB/s". */
void ctl_progress_text(uint64_t octets, int64_t elapsed_ns, char out[CTL_PROGRESS_TEXT]);
/* Starts. quiet: print nothing. */
void ctl_progress_begin(struct ctl_progress *p, bool quiet);
/* Counts n octets more. */
void ctl_progress_add(struct ctl_progress *p, size_t n);
void ctl_progress_end(struct ctl_progress *p);

/* Writes "[####      ]  40 %, 400,000 of 1,000,000, 50,000/s, 12 s left"; without a total the
 * number and the rate. */
void ctl_bar_text(const struct ctl_bar *b, int64_t elapsed_ns, char out[CTL_BAR_TEXT]);
/* Starts. quiet: print nothing. */
void ctl_bar_begin(struct ctl_bar *b, uint64_t total, bool quiet);
/* Counts n steps more. */
void ctl_bar_add(struct ctl_bar *b, uint64_t n);
void ctl_bar_end(struct ctl_bar *b);
