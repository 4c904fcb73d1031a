/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What the message types share while they are processed: the response's start, the name of the
 * client, the NAK.
 */
#pragma once

#include "server/exchange.h"

/* A response of this type: fields copied from the query as RFC 2131 table 3 has it. */
int response_start(struct exchange *x, enum dhcp4_type type) must_check;
/* A NAK with a reason the operator and the client can read (option 56). */
enum verdict response_nak(struct exchange *x, const char *reason);
/* The host name for the lease: reservation, FQDN (81), host name (12), cleaned. RFC 4702, 2132 3.14 */
void process_hostname(struct exchange *x);
/* Does the client's parameter request list name the option? */
bool query_requests(const struct exchange *x, uint8_t code);
