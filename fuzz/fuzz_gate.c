/* SPDX-License-Identifier: MPL-2.0 */
/* Every frame gets one verdict, the counters add up, and nothing is held at the end. */
#include "fuzz_gate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_gate_run(span_of(data, size));
	return 0;
}
