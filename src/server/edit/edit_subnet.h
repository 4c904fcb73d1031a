/* SPDX-License-Identifier: MPL-2.0 */
/* The common parts of the commands subnet4-*. */
#pragma once

#include "server/edit/edit.h"

/*
 * Reads the single subnet in the arguments of a command that changes one, with its id. Checks the
 * types of all its members. *ret_subnet: the subnet in effect. NULL: refused.
 */
const struct json *edit_read_subnet(struct edit *e, const struct config_subnet **ret_subnet);
/* Plans the replacement of a subnet by a node, and the answer. */
void edit_put_subnet(struct edit *e, const struct config_subnet *old, const struct json *node);
/* Merges the members of a subnet into another one, or removes them from it (subnet4-delta-*). */
void edit_delta_add(struct edit *e, struct json *to, const struct json *from);
void edit_delta_del(struct edit *e, struct json *to, const struct json *from);
