/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The functions of stages.def, one a row. Each takes an exchange and says how it goes on.
 */
#pragma once

#include "server/exchange.h"

#define S(symbol, fn, hook, when, skip, does) enum verdict fn(struct exchange *x);
#include "server/stages.def"
#undef S

/* Parts of stages that other stages call too. */

/* Decodes exchange.raw into the query and what follows from it. 0 or negative. */
int unpack_bytes(struct exchange *x);
/* What the pipeline keeps beside the message: type, identity, relay information. Counts the type. */
void unpack_derive(struct exchange *x);

/* Classes whose test does not depend on KNOWN (late false), or does (late true). */
void classify_pass(struct exchange *x, bool late);
/* evaluate-additional-classes of the lease's pool, subnet and network. */
void classify_additional(struct exchange *x);

/* The client's global reservation, by the configured identifiers; NULL. */
const struct config_host *host_global(struct exchange *x);

/* PROCESS by type. */
enum verdict process_discover(struct exchange *x);
enum verdict process_request(struct exchange *x);
enum verdict process_release(struct exchange *x);
enum verdict process_decline(struct exchange *x);
enum verdict process_inform(struct exchange *x);

/* The kernel took the answer: counts and logs it. */
void send_done(struct exchange *x);

/* Ends the exclusion of other packets of this client; wakes the one that waits. */
void same_client_release(struct exchange *x);
/* A REQUEST that names another server frees what we offered. */
void same_client_chose_another(struct exchange *x);
