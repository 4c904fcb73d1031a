/* SPDX-License-Identifier: MPL-2.0 */
/* A row that parses is written, and what was written parses to the same text again. */
#include "lease/lease_csv.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf in = {0}, once = {0}, twice = {0};
	struct lease l;
	const char *why;

	buf_add(&in, data, size);
	buf_char(&in, '\n');
	if (!memchr(in.p, '\n', size) && lease_csv_parse(in.p, size, 12, &l, &why) == 0) {
		lease_csv_format(&l, false, &once);
		buf_reset(&in);
		buf_add(&in, once.p, once.len);
		if (lease_csv_parse(in.p, in.len - 1, 12, &l, &why) < 0)
			abort();
		lease_csv_format(&l, false, &twice);
		if (once.len != twice.len || memcmp(once.p, twice.p, once.len) != 0)
			abort();
	}
	buf_fini(&in);
	buf_fini(&once);
	buf_fini(&twice);
	return 0;
}
