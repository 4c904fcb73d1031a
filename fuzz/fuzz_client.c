/* SPDX-License-Identifier: MPL-2.0 */
/* Frames, ARP, commands, link events and time through the client's whole machine. */
#include "fuzz.h"

#include "fuzz_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz_client f;
	struct rd r = rd_init(span_of(data, size));

	fuzz_client_init(&f, &r);
	for (unsigned i = 0; i < FUZZ_CLIENT_STEPS && rd_left(&r); i++)
		fuzz_client_step(&f, &r);
	fuzz_client_end(&f);
	return 0;
}
