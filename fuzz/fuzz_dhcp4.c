/* SPDX-License-Identifier: MPL-2.0 */
/* A message that decodes must encode, and decode again to an equal message. */
#include "fuzz.h"
#include "wire/dhcp4.h"

static uint8_t arena_mem[1 << 20], out[1 << 17];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dhcp4_encode_opts o = {.max_len = sizeof(out), .no_overload = true, .min_len = 300};
	struct dhcp4_encoded e;
	struct dhcp4_msg a, b;
	struct arena arena;

	arena_init_fixed(&arena, arena_mem, sizeof(arena_mem));
	if (dhcp4_decode(span_of(data, size), (enum dhcp4_leniency)(size % 3), &arena, &a) < 0)
		return 0;
	fuzz_check(dhcp4_encode(&a, &o, out, sizeof(out), &e) == 0 && e.n_omitted == 0);
	fuzz_check(dhcp4_decode(span_of(out, e.len), false, &arena, &b) == 0);
	fuzz_check(a.n_opts == b.n_opts && a.xid == b.xid && memcmp(a.file, b.file, 128) == 0);
	for (size_t i = 0; i < a.n_opts; i++)
		fuzz_check(span_eq(a.opts[i].data, dhcp4_opt_data(&b, a.opts[i].code)));
	/* a tight limit with overload: all options that are not counted as left out are there */
	o = (struct dhcp4_encode_opts){.max_len = 548};
	if (dhcp4_encode(&a, &o, out, sizeof(out), &e) == 0) {
		fuzz_check(e.len <= 548 &&
			   dhcp4_decode(span_of(out, e.len), false, &arena, &b) == 0);
		fuzz_check(b.n_opts + e.n_omitted == a.n_opts);
	}
	return 0;
}
