/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Edits of a configuration: single subnets and reservations are added, replaced and removed in
 * milliseconds, next to any number of others. The result is a new configuration. It shares the
 * unchanged parts with the one before, which stays as it is.
 */
#pragma once

#include "config/config.h"

enum config_change_kind {
	CHANGE_PUT_SUBNET,    /* node, of the list subnet4: adds it, or replaces that of its id */
	CHANGE_DELETE_SUBNET, /* id; its reservations are removed with it */
	CHANGE_PUT_HOST,      /* node, of the list reservations of subnet id; replaces that of its
				 identifier */
	CHANGE_DELETE_HOST,   /* index */
};

struct config_change {
	enum config_change_kind kind;
	uint32_t id;	/* of the subnet; 0: a global reservation */
	uint32_t index; /* in hosts of the configuration before */
	bool stored;	/* the reservation is one of the file of reservations */
	const struct json *node;
};

/*
 * Makes an edited configuration. The changes take effect in their order, all or none. 0; negative
 * with *err, the first problem; -ESTALE: the edit needs a whole load of the configuration,
 * because it names a class that the configuration never mentions, or because there have been
 * CONFIG_EDITS_MAX edits since the last load.
 */
int config_edit(const struct config *from, const struct config_change *changes, size_t n,
		const struct config_load_opts *o, struct config **ret, struct config_error *err)
	must_check;
