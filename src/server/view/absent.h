/* SPDX-License-Identifier: MPL-2.0 */
/* Interfaces that a configuration names and the machine does not have. Their clients are not
 * served, which is most often caused by a typing error. Pure look-ups; any thread. */
#pragma once

#include "config/json/json.h"

struct config;
struct iface_table;

/* Calls fn once for each name (and address) that is missing; at: where it stands. Returns how many
 * there are. */
size_t absent_each(const struct config *cfg, const struct iface_table *t,
		   void (*fn)(void *ctx, const struct json_pos *at, const char *text), void *ctx);
