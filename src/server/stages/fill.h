/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Where option values come from: reservation, pool, subnet, shared network, classes in the order
 * they came, global; the first that has the option (and whose class tag fits) wins.
 */
#pragma once

#include "server/core/exchange.h"

struct config_option;

/* Returns the option value for this exchange; NULL: not configured, or never-send in some scope. */
const struct config_option *fill_find_option(struct exchange *x, const char *space, uint32_t code);
