/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The functions of stages.def, one a row. Each takes an exchange and returns the next step.
 */
#pragma once

#include "server/core/exchange.h"

#define STAGE(symbol, fn, hook, when, skip, does) enum verdict fn(struct exchange *x);
#include "server/core/stages.def"
#undef STAGE

/* Parts of stages that other stages call too. */

/* Derives the members beside the message: type, identity, relay information. Counts the type. */
void unpack_derive(struct exchange *x);
/* Derives the members as unpack_derive() does, without counting the type, for a message that
 * callouts may have changed. */
void unpack_identity(struct exchange *x);
/* Repeats the checks of ACCEPT, behind the callouts of pkt4_receive. */
enum verdict accept_again(struct exchange *x);

/* Evaluates the classes whose test does not depend on KNOWN (late false), or does (late true). */
void classify_pass(struct exchange *x, bool late);
/* Removes the classes that tests gave, before they are evaluated with a reservation's classes:
 * classes that depend on those would be wrong. Classes that a callout or a reservation gave stay.
 */
void classify_again(struct exchange *x);
/* Evaluates evaluate-additional-classes of the lease's pool, subnet and network. */
void classify_additional(struct exchange *x);

/* Adds the classes of a reservation in one subnet of a shared network, once the lease decides
 * the subnet. */
void host_late_classes(struct exchange *x);
/* Calls host4_identifier where reservations by flex-id are looked up. */
void host_identify(struct exchange *x);
/* Returns the address that the candidate's reservation gives to the client; 0: none, it is outside
 * of the subnet, or in a pool although reservations are out of pools. */
uint32_t host_address(const struct candidate *c);
/* Returns whether there are reservations, in the configuration or beside it. */
bool host_any(const struct exchange *x);
/* Returns the client's global reservation, by the configured identifiers; NULL: none. */
const struct config_host *host_global(struct exchange *x);

/* Processes a message by its type, as do the functions below. */
enum verdict process_discover(struct exchange *x);
enum verdict process_request(struct exchange *x);
enum verdict process_request_confirm(struct exchange *x);
enum verdict process_release(struct exchange *x);
enum verdict process_decline(struct exchange *x);
enum verdict process_inform(struct exchange *x);
/* Selects the address of the interface in the subnet of a direct client, as the source of its
 * answer. */
void subnet_adopt_address(struct exchange *x);

/* Called when the kernel took the answer: counts and logs it. */
void send_done(struct exchange *x);

/* Ends the exclusion of other packets of this client, and wakes the waiting one. */
void same_client_release(struct exchange *x);
/* Frees our offer when a REQUEST names another server. */
void same_client_chose_another(struct exchange *x);
