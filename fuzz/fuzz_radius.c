/* SPDX-License-Identifier: MPL-2.0 */
/* A message that is read has whole attributes; written again from them it is the same. Cut short,
 * it is refused. */
#include "fuzz.h"
#include "wire/radius.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t out[RADIUS_LEN_MAX];
	struct wr w = wr_init(out, sizeof(out));
	struct radius_msg m, again;
	struct radius_attr a;
	struct span rest, value;

	if (!radius_read(span_of(data, size), &m))
		return 0;
	fuzz_check(m.octets.n >= RADIUS_HDR_LEN && m.octets.n <= size);
	radius_begin(&w, (enum radius_code)m.code, m.id);
	rest = m.attrs;
	while (radius_next(&rest, &a)) {
		fuzz_check(radius_find(&m, a.type, &value));
		radius_add(&w, a.type, a.value);
	}
	fuzz_check(!rest.n && radius_end(&w) && w.len == m.octets.n);
	memcpy(out + RADIUS_AUTH_OFF, m.octets.p + RADIUS_AUTH_OFF, RADIUS_AUTH_LEN);
	fuzz_check(memcmp(out, m.octets.p, w.len) == 0);
	fuzz_check(!radius_read(span_of(data, m.octets.n - 1), &again));
	return 0;
}
