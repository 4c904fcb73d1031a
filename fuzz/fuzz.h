/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The common part of fuzz targets: the entry point that libFuzzer and the replay driver call, a
 * check that stays in every build, and the property of option texts.
 */
#pragma once

#include "base/span.h"

#include <stdlib.h>

struct option_def;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void fuzz_check(bool ok)
{
	if (!ok)
		abort();
}

/* Validity and text agree; with round_trip the text encodes to data of the same text. */
void fuzz_option_text(const struct option_def *d, struct span data, bool round_trip);
/* Any text encodes to valid data or is refused with a reason. */
void fuzz_option_encode(const struct option_def *d, struct span text);
