/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A single reservation, outside of the tables of a configuration.
 */
#pragma once

#include "config/config.h"

/*
 * Builds a reservation from a map as in "reservations", with the options and classes of a
 * configuration. It belongs to no subnet (subnet_id is 0, the caller sets it), so that its address
 * is not checked. host.node is its normal form. A class that the configuration never mentions has
 * the number CONFIG_NO_CLASS. All memory is in a. 0; -USHER_E_CONFIG with *err; -USHER_E_NOMEM.
 */
int config_host_make(const struct config *cfg, const struct json *node, struct arena *a,
		     struct config_host *ret, struct config_error *err) must_check;
