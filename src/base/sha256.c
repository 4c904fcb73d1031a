/* SPDX-License-Identifier: MPL-2.0 */
/*
 * SHA-256 (FIPS 180-4 section 6.2). Invariant: block holds n % 64 octets not yet folded into h.
 *
 * It names contents (the hash of a configuration, the check of a kept lease, keys of the guard's
 * tables) and keeps no secret. A library was rejected: usher-client is static with musl, in 250 KB,
 * and a static libcrypto would be larger than all of it, for a function of a hundred lines. The
 * vectors of FIPS 180-4 are in test_json.c.
 */
#include "base/sha256.h"

#include <stdio.h>

static const uint32_t k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

static uint32_t rotate_right(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

void sha256_init(struct sha256 *s)
{
	*s = (struct sha256){.h = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
				   0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

static void schedule(const uint8_t *p, uint32_t w[64])
{
	for (int i = 0; i < 16; i++, p += 4)
		w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	for (int i = 16; i < 64; i++) {
		uint32_t s0 = rotate_right(w[i - 15], 7) ^ rotate_right(w[i - 15], 18) ^
			      w[i - 15] >> 3;
		uint32_t s1 = rotate_right(w[i - 2], 17) ^ rotate_right(w[i - 2], 19) ^
			      w[i - 2] >> 10;

		w[i] = w[i - 16] + s0 + w[i - 7] + s1;
	}
}

static void fold_block(uint32_t h[8], const uint8_t *p)
{
	uint32_t w[64];
	uint32_t v[8];

	schedule(p, w);
	memcpy(v, h, sizeof(v));
	for (int i = 0; i < 64; i++) {
		uint32_t s1 = rotate_right(v[4], 6) ^ rotate_right(v[4], 11) ^
			      rotate_right(v[4], 25);
		uint32_t ch = (v[4] & v[5]) ^ (~v[4] & v[6]);
		uint32_t t1 = v[7] + s1 + ch + k[i] + w[i];
		uint32_t s0 = rotate_right(v[0], 2) ^ rotate_right(v[0], 13) ^
			      rotate_right(v[0], 22);
		uint32_t t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));

		memmove(v + 1, v, 7 * sizeof(v[0]));
		v[4] += t1;
		v[0] = t1 + t2;
	}
	for (int i = 0; i < 8; i++)
		h[i] += v[i];
}

void sha256_add(struct sha256 *s, struct span data)
{
	while (data.n) {
		size_t have = s->n % sizeof(s->block);
		size_t take = sizeof(s->block) - have;

		if (take > data.n)
			take = data.n;
		memcpy(s->block + have, data.p, take);
		s->n += take;
		data = span_sub(data, take, data.n);
		if (have + take == sizeof(s->block))
			fold_block(s->h, s->block);
	}
}

void sha256_end(struct sha256 *s, uint8_t ret_digest[SHA256_LEN])
{
	static const uint8_t pad[64] = {0x80};
	uint64_t bits = s->n * 8;
	uint8_t len[8];

	for (int i = 0; i < 8; i++)
		len[i] = (uint8_t)(bits >> (56 - 8 * i));
	sha256_add(s, span_of(pad, 1 + (119 - s->n % 64) % 64));
	sha256_add(s, span_of(len, sizeof(len)));
	for (int i = 0; i < SHA256_LEN; i++)
		ret_digest[i] = (uint8_t)(s->h[i / 4] >> (24 - 8 * (i % 4)));
}

void sha256_hex(struct span data, char ret_hex[2 * SHA256_LEN + 1])
{
	uint8_t digest[SHA256_LEN];
	struct sha256 s;

	sha256_init(&s);
	sha256_add(&s, data);
	sha256_end(&s, digest);
	for (int i = 0; i < SHA256_LEN; i++)
		(void)snprintf(ret_hex + 2 * i, 3, "%02x", digest[i]);
}
