/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The kept lease as octets: magic, version, identity of client and boot, times, the lease, SHA-256.
 * Pure; the driver reads and writes the file. A reader trusts nothing: it checks length, checksum,
 * version and identity, and then applies every check of a lease from the network.
 */
#pragma once

#include "base/attr.h"
#include "client/core/client.h"

enum { CLIENT_LEASE_FILE_MAX = 8192, CLIENT_BOOT_ID_LEN = 16, CLIENT_LEASE_FILE_VERSION = 1 };

/* Interface, identity and times: written into a file, and compared when it is read. */
struct client_lease_context {
	char iface[CLIENT_IFACE_MAX];
	uint8_t mac[6];
	struct span client_id;		     /* as sent; empty: none */
	uint8_t boot_id[CLIENT_BOOT_ID_LEN]; /* /proc/sys/kernel/random/boot_id */
	int64_t boot_ns, wall_ns;	     /* both clocks, now */
};

/* Writes a lease. Returns the number of octets, or -USHER_E_NOSPACE. */
int client_lease_encode(const struct client_lease *l, const struct client_lease_context *ctx,
			uint8_t *buf, size_t cap) must_check;
/*
 * Decodes a lease and its validity. VALID: start_ns is in this boot's time. HINT: the lease ended,
 * or the wall clock went backwards across a reboot, which makes its age unknown. Returns 0 or
 * -USHER_E_TRUNCATED, -USHER_E_MALFORMED (magic, lengths, a lease that fails its checks),
 * -USHER_E_UNSUPPORTED (version), -USHER_E_CHECKSUM, -USHER_E_NOT_OWNER (other interface, hardware
 * address or client identifier).
 */
int client_lease_decode(struct span file, const struct client_lease_context *ctx,
			struct client_lease *ret, enum client_kept *ret_kept) must_check;
