/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A source of reservations beside the configuration: at most one a registry, of a built-in library.
 * It is asked behind the reservations of the configuration, and before those that commands stored.
 * Any worker calls it at any time.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"
#include "config/config.h"

struct usher_lib;

struct host_source {
	/*
	 * Finds the reservation of an identifier in a subnet (0: global). false: the source does
	 * not know the identifier. *ret NULL: it knows that there is no reservation. Else *ret is
	 * valid until release().
	 */
	bool (*find)(void *ctx, const struct config *cfg, uint32_t subnet_id,
		     enum config_host_id type, struct span id, const struct config_host **ret);
	/* Returns whether an address is reserved for another client than that of own (may be
	 * NULL). */
	bool (*is_barred)(void *ctx, uint32_t subnet_id, uint32_t addr,
			  const struct config_host *own);
	/* Also after the end of the source. */
	void (*release)(const struct config_host *h);
	void *ctx;
};

/* Makes a source that of the registry which is loading the library. The record has to live as long
 * as the library. 0, -EBUSY (after load), -EEXIST (there is one already). */
int hook_register_hosts(struct usher_lib *lib, const struct host_source *source) must_check;
