/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The header of Kea's lease file (schema 3.0), by hand: tests compare the generated one with it.
 */
#pragma once

#define LEASE_FILE_HEADER                                                                      \
	"address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname," \
	"state,user_context,pool_id"
