/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Identifiers in the arguments of commands, as octets in hex, with Kea's rules and refusals.
 */
#pragma once

#include "base/attr.h"

#include <stddef.h>
#include <stdint.h>

struct lease_json_problem;

/*
 * Reads a hardware address: one or two digits an octet, with ':' between octets; or, beyond Kea,
 * the twelve digits of an Ethernet address. Returns the number of octets, at most cap;
 * -USHER_E_SYNTAX and *ret_problem. Source: Kea.
 */
int lease_hex_hardware(const char *text, uint8_t *out, size_t cap,
		       struct lease_json_problem *ret_problem) must_check;
/*
 * Reads a client identifier of 2 to cap octets: separated by ':' or ' ', or digits only, with or
 * without "0x". Returns as above.
 */
int lease_hex_client_id(const char *text, uint8_t *out, size_t cap,
			struct lease_json_problem *ret_problem) must_check;
