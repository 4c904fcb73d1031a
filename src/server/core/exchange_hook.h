/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Calls of hook points for an exchange. The pipeline calls the points of stages.def, stages call
 * those that concern one lease or identifier.
 */
#pragma once

#include "server/core/exchange.h"

/* Calls a hook point with the arguments of the exchange, its lease and the lease that it replaces
 * (both NULL where the point has none). Returns the next step that the callouts set. */
enum usher_next_step exchange_hook(struct exchange *x, enum hook_point p, struct lease *lease,
				   const struct lease *deleted);
/* Calls a hook point whose callouts may park. *ret_park: the exchange must stop here. */
enum usher_next_step exchange_hook_parking(struct exchange *x, enum hook_point p, bool *ret_park);
/* Returns the reason under which a packet is counted that a callout of this point drops. */
enum drop exchange_hook_drop(enum hook_point p);
/* Calls the function that a library left for an exchange which continues behind subnet4_select
 * (hook_parked.then). Returns the next step. */
enum usher_next_step exchange_hook_resumed(struct exchange *x);
