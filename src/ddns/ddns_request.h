/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A change of the DNS that a lease asks for: a name change request (NCR) in Kea's words. A value,
 * from the thread that changes the lease to the one that sends it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* DDNS_NAME_MAX: characters of a name with its dot at the end (RFC 1035 2.3.4). */
enum { DDNS_DHCID_LEN = 35, DDNS_NAME_MAX = 255 };

enum ddns_op { DDNS_ADD, DDNS_REMOVE };

/* ddns-conflict-resolution-mode. */
enum ddns_mode {
	DDNS_CHECK_WITH_DHCID,
	DDNS_NO_CHECK_WITH_DHCID,
	DDNS_CHECK_EXISTS_WITH_DHCID,
	DDNS_NO_CHECK_WITHOUT_DHCID,
};

struct ddns_request {
	enum ddns_op op;
	enum ddns_mode mode;
	bool forward, reverse; /* at least one of them */
	uint32_t addr;	       /* host order */
	uint32_t ttl;	       /* of the records, seconds */
	int64_t expires_s; /* wall clock: last message of the client plus ttl, as Kea computes it */
	uint8_t dhcid[DDNS_DHCID_LEN]; /* RFC 4701 3.1: the RDATA */
	char name[DDNS_NAME_MAX + 1];  /* lower case, with a dot at the end */
};
