/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The Internet checksum (RFC 1071) over several runs of octets. Sums are in host order.
 */
#pragma once

#include "base/span.h"

/* Adds s to a running sum; s starts at an even offset of the summed octets. */
uint32_t checksum_add(uint32_t sum, struct span s);
/* Folds and complements a sum into the field's value. The result over data that holds its own
 * correct checksum is 0. */
uint16_t checksum_fold(uint32_t sum);
/* Returns the sum over the pseudo header of UDP and TCP (RFC 768, RFC 9293 3.1). Addresses are in
 * host order; len is that of header and data. */
uint32_t checksum_pseudo(uint32_t src, uint32_t dst, uint8_t proto, size_t len);
uint32_t checksum_pseudo_udp(uint32_t src, uint32_t dst, size_t len);
