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
/* Reads an address argument. Returns 0; -USHER_E_NOTFOUND: absent; -USHER_E_SYNTAX. */
int lease_arg_addr(struct control_call *c, const char *name, uint32_t *ret) must_check;
/* Reads an argument of hex octets. Returns their count, -USHER_E_NOTFOUND or -USHER_E_SYNTAX. */
int lease_arg_hex(struct control_call *c, const char *name, uint8_t *out, size_t cap) must_check;
