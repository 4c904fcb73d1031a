/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A list of packets and pauses through the real pipeline: every answer decodes and fits its query,
 * no address is promised to two clients at a time, every packet is answered or dropped for a
 * reason.
 */
#include "fuzz_server_util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz_server f;
	struct rd in = rd_init(span_of(data, size));

	fuzz_server_init(&f);
	for (unsigned n = 0; n < 200 && fuzz_server_next(&f, &in); n++)
		fuzz_server_run(&f);
	fuzz_server_fini(&f);
	return 0;
}
