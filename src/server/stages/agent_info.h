/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The relay's information in the user-context of a lease (store-extended-info), and its use for a
 * renewal that comes past the relay (stash-agent-options). Both as in Kea.
 */
#pragma once

#include "server/core/exchange.h"

/* Returns the context {"ISC":{"relay-agent-info":...}} of the packet's option 82, in the packet's
 * arena; NULL when memory is out. */
const char *agent_info_context(struct exchange *x);
/*
 * Completes the context of a lease that is renewed: the other members of the stored one stay. l:
 * the new lease; its context becomes NULL (keep the stored one) if the information is the same.
 * Returns whether it changes.
 */
bool agent_info_merge(struct exchange *x, struct lease *l);
/*
 * Gives a REQUEST from a client's own address, which no relay touched, the option 82 that is stored
 * with its lease, and the class STASH_AGENT_OPTIONS. Without such a lease or information the packet
 * stays as it is.
 */
void agent_info_recover(struct exchange *x);
