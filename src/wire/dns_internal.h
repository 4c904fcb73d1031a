/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Shared by the reader and the writer of DNS messages: the parts of the rdata of each form.
 */
#pragma once

#include "wire/dns.h"

/* Fixed octets, strings, names, fixed octets; or anything. */
struct dns_shape {
	uint8_t lead, strings, names, tail;
	bool open;
};

const struct dns_shape *dns_shape_of(uint8_t form);
/* Returns whether senders may compress the names in the rdata of a type. */
bool dns_type_compresses(uint16_t type);
