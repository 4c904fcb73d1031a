/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The files of legal_log: their names, and the periods of time that each is for. A file's tag is
 * the local date on which it begins (20261202), or T and the seconds since 1970 in twenty digits.
 * Pure, but for the time zone.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum legal_unit { LEGAL_SECOND, LEGAL_DAY, LEGAL_MONTH, LEGAL_YEAR };

struct legal_period {
	enum legal_unit unit;
	uint32_t count;
};

enum { LEGAL_TAG_LEN = 24, LEGAL_STAMP_LEN = 128 };

/* Returns whether a period that began at `began` is over. Days, months and years are those of the
 * calendar; a month from the end of a month ends with the next one. */
bool legal_period_over(const struct legal_period *p, time_t began, time_t now);
/* Writes the tag of a file that begins at this time. */
void legal_tag(enum legal_unit unit, time_t began, char out[LEGAL_TAG_LEN]);
/* Reads the tag of a file's name base.TAG.txt. Returns false if it is not such a name. */
bool legal_tag_read(enum legal_unit unit, const char *base, const char *name, time_t *ret_began);
/* Writes a time in local time. format: as in strftime(3), and %Q: seconds' milliseconds, a point
 * and microseconds. Returns the octets, 0: they are more than LEGAL_STAMP_LEN - 1, or none. */
size_t legal_stamp(const char *format, int64_t wall_ns, char out[LEGAL_STAMP_LEN]) must_check;
