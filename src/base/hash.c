/* SPDX-License-Identifier: MPL-2.0 */
/*
 * SipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012).
 */
#include "base/hash.h"

#include <endian.h>

static inline uint64_t rotate_word(uint64_t x, int b)
{
	return x << b | x >> (64 - b);
}

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotate_word(s->v1, 13) ^ s->v0;
	s->v0 = rotate_word(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotate_word(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotate_word(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotate_word(s->v1, 17) ^ s->v2;
	s->v2 = rotate_word(s->v2, 32);
}

static inline uint64_t load_le4(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static inline uint64_t load_le8(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

/* Loads the last 1 to 7 octets. */
static inline uint64_t load_tail(const uint8_t *p, size_t n)
{
	if (n >= 4)
		return load_le4(p) | load_le4(p + n - 4) << (8 * (n - 4));
	return p[0] | (uint64_t)p[n / 2] << (8 * (n / 2)) | (uint64_t)p[n - 1] << (8 * (n - 1));
}

uint64_t hash_bytes(const struct hash_key *key, struct span in)
{
	struct sip s = {
		key->k0 ^ 0x736f6d6570736575ULL,
		key->k1 ^ 0x646f72616e646f6dULL,
		key->k0 ^ 0x6c7967656e657261ULL,
		key->k1 ^ 0x7465646279746573ULL,
	};
	size_t off = 0;
	uint64_t m;

	for (; in.n - off >= 8; off += 8) {
		m = load_le8(in.p + off);
		s.v3 ^= m;
		sip_round(&s);
		s.v0 ^= m;
	}
	m = (uint64_t)in.n << 56;
	if (in.n > off)
		m |= load_tail(in.p + off, in.n - off);
	s.v3 ^= m;
	sip_round(&s);
	s.v0 ^= m;
	s.v2 ^= 0xff;
	sip_round(&s);
	sip_round(&s);
	sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

/* Multiplies and folds, eight octets at a time; the constants are odd and have no pattern. */
uint64_t hash_open(struct span in)
{
	uint64_t h = 0x9e3779b97f4a7c15ULL ^ in.n;
	size_t off = 0;

	for (; in.n - off >= 8; off += 8) {
		h = (h ^ load_le8(in.p + off)) * 0xd6e8feb86659fd93ULL;
		h ^= h >> 32;
	}
	if (in.n > off)
		h ^= load_tail(in.p + off, in.n - off);
	h *= 0xd6e8feb86659fd93ULL;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93ULL;
	return h ^ h >> 29;
}
