/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Functions that the commands on leases share.
 */
#pragma once

#include "server/manage/command.h"

struct lease_expect;

/* Finds the lease named by ip-address, or by identifier-type, identifier and subnet-id, and the
 * record that it has. Returns NULL, or the refusal. */
struct json *lease_which(struct control_call *c, uint32_t *ret_addr,
			 struct lease_expect *ret_expect);
