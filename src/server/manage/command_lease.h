/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Functions that the commands on leases share.
 */
#pragma once

#include "server/manage/command.h"

struct config;
struct lease;
struct lease_expect;

/* Finds the lease named by ip-address, or by identifier-type, identifier and subnet-id, and the
 * record that it has. Returns NULL, or the refusal. */
struct json *lease_which(struct control_call *c, uint32_t *ret_addr,
			 struct lease_expect *ret_expect);
/* Reads a lease from arguments of the form of lease4-add; the subnet has the defaults. Contexts go
 * into the arena of the call. Returns NULL, or the refusal. */
struct json *lease_edit_parse(struct control_call *c, const struct config *cfg,
			      const struct json *args, struct lease *ret) must_check;
