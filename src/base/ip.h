/* SPDX-License-Identifier: MPL-2.0 */
/*
 * IPv4 addresses as host-order uint32_t inside Usher, and their text. Also hex text, as lease
 * files and configurations write hardware addresses and identifiers.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

enum { IP_TEXT_LEN = 16 };

/* Parses exactly "a.b.c.d" over n octets. 0, or -USHER_E_SYNTAX. */
int ip_parse(const char *s, size_t n, uint32_t *ret_addr) must_check;
/* Writes the text (NUL ended) into out[IP_TEXT_LEN] and returns out. */
char *ip_text(uint32_t addr, char out[IP_TEXT_LEN]);
/* Returns the mask of a prefix length 0..32. */
static inline uint32_t ip_mask(unsigned len)
{
	return len == 0 ? 0 : 0xffffffffU << (32 - len);
}

/*
 * Parses hex text into octets: "01:ab", "01ab", "0x01ab". Colons need whole pairs or single digits
 * between them. Writes at most cap octets. Returns the count, or -USHER_E_SYNTAX, -USHER_E_NOSPACE.
 */
int hex_parse(const char *s, size_t n, uint8_t *out, size_t cap) must_check;
