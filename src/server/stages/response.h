/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Shared by the message types while they are processed: the response's start, the name of the
 * client, the NAK.
 */
#pragma once

#include "server/core/exchange.h"

/* Starts a response of this type with the fields of the query that RFC 2131 table 3 copies. */
int response_start(struct exchange *x, enum dhcp4_type type) must_check;
/* Makes a NAK with a reason for operator and client (option 56). */
enum verdict response_nak(struct exchange *x, enum log_id id, const char *reason);
/*
 * Sets hostname and answer_fqdn of the exchange from the reservation or the query, by the rules of
 * the pool or subnet that is chosen. addr: the address of the lease, which generated names are made
 * of; 0: not known yet.
 */
void client_name(struct exchange *x, uint32_t addr);
/* Returns whether the client's parameter request list contains the option. */
bool query_requests(const struct exchange *x, uint8_t code);
