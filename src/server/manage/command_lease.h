/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Functions that the commands on leases share.
 */
#pragma once

#include "server/manage/command.h"

struct lease_expect;

/* The lease meant by ip-address, or identifier-type, identifier and subnet-id, and which record
 * that is. NULL, or the refusal. */
struct json *lease_which(struct command *c, uint32_t *ret_addr, struct lease_expect *ret_expect);
/* 0; -USHER_E_NOTFOUND: absent; -USHER_E_SYNTAX. */
int lease_arg_addr(struct command *c, const char *name, uint32_t *ret) must_check;
/* Count of octets, or as above. */
int lease_arg_hex(struct command *c, const char *name, uint8_t *out, size_t cap) must_check;
