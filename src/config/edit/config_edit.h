/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Edits of a configuration: single subnets and reservations are added, replaced and removed in
 * milliseconds, next to any number of others. The result is a new configuration. It shares the
 * unchanged parts with the one before, which stays as it is.
 */
#pragma once

#include "config/config.h"

/*
 * Makes an edited configuration. The changes take effect in their order, all or none. 0; negative
 * with *err, the first problem; -ESTALE: the edit needs a whole load of the configuration,
 * because it names a class that the configuration never mentions, or because there have been
 * CONFIG_EDITS_MAX edits since the last load.
 */
int config_edit(const struct config *from, const struct config_change *changes, size_t n,
		const struct config_load_opts *o, struct config **ret, struct config_error *err)
	must_check;
