/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The Internet checksum (RFC 1071) over several runs of octets. Sums are in host order.
 */
#pragma once

#include "base/span.h"

/* Adds s to a running sum; s starts at an even offset of the summed octets. */
uint32_t checksum_add(uint32_t sum, struct span s);
/* Folds and complements: the field's value. Over data that holds its own checksum: 0 if right. */
uint16_t checksum_fold(uint32_t sum);
/* The sum over the pseudo header of UDP and TCP (RFC 768, RFC 9293 3.1); addresses in host order,
 * len of header and data. */
uint32_t checksum_pseudo(uint32_t src, uint32_t dst, uint8_t proto, size_t len);
uint32_t checksum_pseudo_udp(uint32_t src, uint32_t dst, size_t len);
