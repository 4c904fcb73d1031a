/* SPDX-License-Identifier: MPL-2.0 */
/*
 * SHA-256 (FIPS 180-4), for the hash of a configuration. Whole input or pieces. Not for secrets
 * that must be compared in constant time.
 */
#pragma once

#include "base/span.h"

enum { SHA256_LEN = 32 };

struct sha256 {
	uint32_t h[8];
	uint64_t n; /* octets so far */
	uint8_t block[64];
};

void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, struct span data);
void sha256_end(struct sha256 *s, uint8_t ret_digest[SHA256_LEN]);
/* Writes the digest of data as 64 hex digits and a NUL. */
void sha256_hex(struct span data, char ret_hex[2 * SHA256_LEN + 1]);
