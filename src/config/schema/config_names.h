/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Clients' names and the DNS: the rules of a scope (pool < subnet < shared network < global), and
 * the map dhcp-ddns. Names are Kea's keys.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct expr_regex;

enum config_replace_name { /* ddns-replace-client-name */
			   REPLACE_NAME_NEVER,
			   REPLACE_NAME_ALWAYS,
			   REPLACE_NAME_WHEN_PRESENT,
			   REPLACE_NAME_WHEN_NOT_PRESENT
};

enum config_conflict_mode { /* ddns-conflict-resolution-mode */
			    CONFLICT_CHECK_WITH_DHCID,
			    CONFLICT_NO_CHECK_WITH_DHCID,
			    CONFLICT_CHECK_EXISTS_WITH_DHCID,
			    CONFLICT_NO_CHECK_WITHOUT_DHCID,
			    CONFLICT_N_MODES
};

struct config_updates { /* of the DNS */
	bool send, override_no_update, override_client_update, on_renew;
	enum config_conflict_mode mode;
	uint32_t ttl, ttl_min, ttl_max; /* 0: unset */
	double ttl_percent;		/* of the lifetime, a fraction; 0: unset */
};

struct config_names { /* rules for clients' names */
	enum config_replace_name replace;
	const char *generated_prefix, *qualifying_suffix;
	const char *char_set, *char_replacement;
	const uint8_t *bad; /* 256 bits: octets that match char_set, or may begin a match */
	const struct expr_regex *char_regex; /* NULL: char_set is for one octet, and bad decides */
	struct config_updates updates;
};

struct config_ddns {
	bool enabled;			   /* enable-updates */
	const char *server_ip, *sender_ip; /* IPv4 or IPv6; sender_ip "" : any */
	uint16_t server_port, sender_port; /* sender_port 0: any */
	uint32_t max_queue_size;
};
