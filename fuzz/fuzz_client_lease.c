/* SPDX-License-Identifier: MPL-2.0 */
/* A kept lease: refused, or a lease that may be configured and that is written and read the
 * same. */
#include "fuzz.h"

#include "base/sha256.h"
#include "client/core/lease_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct client_lease_context ctx = {.iface = "eth0",
					   .mac = {2, 0, 0, 0, 0, 1},
					   .boot_id = {'a'},
					   .boot_ns = INT64_MAX / 4,
					   .wall_ns = INT64_MAX / 2};
	static uint8_t file[CLIENT_LEASE_FILE_MAX], again[CLIENT_LEASE_FILE_MAX];
	enum client_kept kept;
	static struct client_lease a, b;
	struct sha256 h;
	int n;

	if (size < 8 || size + SHA256_LEN > sizeof(file))
		return 0;
	memcpy(file, data, size);
	file[6] = (uint8_t)(size >>
			    8); /* length and digest are made right, or nothing else is reached */
	file[7] = (uint8_t)size;
	sha256_init(&h);
	sha256_add(&h, span_of(file, size));
	sha256_end(&h, file + size);
	if (client_lease_decode(span_of(file, size + SHA256_LEN), &ctx, &a, &kept) < 0)
		return 0;
	fuzz_check(client_lease_check(&a) == CLIENT_DROP_NONE && a.n_routes <= CLIENT_LEASE_ROUTES);
	n = client_lease_encode(&a, &ctx, again, sizeof(again));
	fuzz_check(n > 0 && client_lease_decode(span_of(again, (size_t)n), &ctx, &b, &kept) == 0);
	fuzz_check(memcmp(&a, &b, sizeof(a)) == 0 || kept == CLIENT_KEPT_HINT);
	return 0;
}
