/* SPDX-License-Identifier: MPL-2.0 */
/*
 * ICMP echo (RFC 792): requests, replies, and messages that a request could not be delivered. Pure.
 */
#pragma once

#include "base/cursor.h"

enum { ICMP4_ECHO_LEN = 8, ICMP4_ECHO_REPLY = 0, ICMP4_UNREACHABLE = 3, ICMP4_ECHO_REQUEST = 8 };

/* An echo reply, or a message that a destination is unreachable which holds an echo request. */
struct icmp_echo {
	uint8_t type, code;
	uint32_t addr; /* that replied, or that the request was for; host order */
	uint16_t id, seq;
};

/* Writes an echo request without data, checksum filled in. */
void icmp_write_request(struct wr *w, uint16_t id, uint16_t seq);
/* Reads an IPv4 datagram, header included. False: it is neither of the above, malformed, or its
 * checksum is wrong. */
bool icmp_read_answer(struct span datagram, struct icmp_echo *ret) must_check;
