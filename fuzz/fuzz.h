/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The common part of fuzz targets: the entry point that libFuzzer and the replay driver call, a
 * check that stays in every build, and the property of option texts.
 */
#pragma once

#include "base/span.h"

#include <stdio.h>
#include <stdlib.h>

struct option_def;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the run, with the place of the check, if it does not hold. */
static inline void fuzz_check_at(bool ok, const char *file, int line)
{
	if (ok)
		return;
	(void)fprintf(stderr, "%s:%d: this does not hold\n", file, line);
	abort();
}
#define fuzz_check(ok) fuzz_check_at(ok, __FILE__, __LINE__)

/* Validity and text agree; with round_trip the text encodes to data of the same text. */
void fuzz_option_text(const struct option_def *d, struct span data, bool round_trip);
/* Any text encodes to valid data or is refused with a reason. */
void fuzz_option_encode(const struct option_def *d, struct span text);
