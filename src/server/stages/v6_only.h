/* SPDX-License-Identifier: MPL-2.0 */
/* Answers with option 108 in the place of an address (RFC 8925). */
#pragma once

#include "config/config.h"
#include "server/core/exchange.h"
#include "wire/option_codes.h"

/* Decides v6_only_answer() where some scope of the configuration has the option. */
bool v6_only_ask(struct exchange *x);

/*
 * Returns whether the client needs no address: it lists 108, and a subnet it may be in, or its
 * network, configures the option. x->v6_only is set and x->subnet is that subnet then. In other
 * scopes (pool, class, reservation, global) 108 is an option like others, and the client decides,
 * as in Kea. x has a candidate.
 */
static inline bool v6_only_answer(struct exchange *x)
{
	return unlikely(code_set_has(&x->cfg->option_codes, DHCP4_OPT_V6_ONLY_PREFERRED)) &&
	       v6_only_ask(x);
}
