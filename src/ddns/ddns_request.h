/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One change of the DNS: a name and an address of a lease are added, or removed. Values only, so
 * requests are copied into queues and files.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "config/schema/config_names.h"
#include "lease/lease.h"

enum ddns_op { DDNS_ADD, DDNS_REMOVE };

enum { DDNS_DHCID_LEN = 35, DDNS_FQDN_MAX = LEASE_HOSTNAME_MAX + 1 };

struct ddns_request {
	enum ddns_op op;
	bool forward, reverse; /* at least one is set */
	enum config_conflict_mode mode;
	uint32_t addr;
	uint32_t ttl;	 /* of the records, seconds */
	int64_t expires; /* Kea's member lease-expires-on: wall-clock seconds */
	uint8_t dhcid[DDNS_DHCID_LEN];
	char fqdn[DDNS_FQDN_MAX + 1]; /* lower case, with a dot at its end */
};

/*
 * Makes the DHCID of a lease for a name (RFC 4701): from its client identifier, else its hardware
 * address. 0, -USHER_E_SYNTAX or -USHER_E_RANGE: the name cannot be one of the DNS, or the
 * identifier has no usable DUID.
 */
int ddns_dhcid(const struct lease *l, const char *fqdn, uint8_t ret[DDNS_DHCID_LEN]) must_check;
/* Returns the TTL of the records of a lease. */
uint32_t ddns_ttl(const struct config_updates *u, uint32_t lifetime);
/*
 * Makes the request for a lease that has a name and one of the two flags. Errors as those of
 * ddns_dhcid(), -USHER_E_NOTFOUND: the lease has no name, or neither flag.
 */
int ddns_request_make(struct ddns_request *r, enum ddns_op op, const struct lease *l,
		      const struct config_updates *u) must_check;
/* Returns whether two requests are of one name, address and client. */
bool ddns_request_same(const struct ddns_request *a, const struct ddns_request *b);

extern const char *const ddns_mode_names[CONFLICT_N_MODES];

/*
 * Appends the text of a request to kea-dhcp-ddns, without the length in front of it. It has the
 * members that any version from 2.2 to 3.3 reads.
 */
void ddns_ncr_text(const struct ddns_request *r, struct buf *out);
