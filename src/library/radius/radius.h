/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The parts of the library radius: parameters (radius_read.c, radius_read_attribute.c), the access
 * service (radius_access.c, radius_reselect.c), requests (radius_client.c, radius_sign.c), life
 * (radius.c).
 */
#pragma once

#include "base/arena.h"
#include "config/config.h"
#include "hook/hook.h"
#include "library/host_cache/host_cache.h"
#include "library/radius/radius_client.h"
#include "library/radius/radius_dictionary.h"
#include "library/radius/radius_session.h"

struct expr;
struct library_problems;
struct usher_call;

/* --- Parameters ------------------------------------------------------------------------------- */

/* An attribute of requests: a value, or an expression. */
struct radius_extra {
	uint32_t vendor; /* 0: none */
	uint8_t type;
	struct span value;
	const struct expr *expr; /* NULL: value */
};

/* A number in the place of subnet ids. */
struct radius_port {
	uint32_t subnet_id; /* 0: of all others */
	uint32_t port;
};

struct radius_params {
	enum config_host_id id_type;
	bool canonical_mac, pop0, printable, extract_duid;
	bool reselect_pool, reselect_address;
	struct radius_service access;
	struct radius_extra *extras;
	size_t n_extras;
	struct radius_service accounting;
	struct radius_extra *account_extras; /* without expressions */
	size_t n_account_extras;
	bool peer_updates;
	const char *session_history; /* NULL: none */
	uint32_t max_pending;	     /* 0: none */
	struct radius_port *ports;
	size_t n_ports;
};

/* Reads the library's parameters, and reports mistakes. */
void radius_read_params(struct library_problems *p, const struct config *cfg,
			const struct json *map, struct arena *arena, struct radius_params *ret);
/* Reads one of "attributes". Returns false after a mistake. */
bool radius_read_attribute(struct library_problems *p, const struct config *cfg,
			   const struct radius_dictionary *d, const struct json *map,
			   struct arena *arena, struct radius_extra *ret);

/* --- Access ----------------------------------------------------------------------------------- */

struct radius_access;

struct radius {
	struct arena arena;
	struct radius_params params;
	struct radius_client *client;
	struct host_cache *cache;
	struct log *log;
	struct usher_lib *lib;
	enum hook_network network;
	struct radius_sessions *sessions;
	_Atomic unsigned n_accounting; /* requests in progress */
	pthread_mutex_t mu;	       /* of all below */
	struct radius_access *pending;
	size_t n_pending;
};

/* Called at subnet4_select. */
int radius_select(struct usher_call *call, void *radius);

/* Returns the subnet to serve a client from whose server named a pool: subnet itself, if one of its
 * pools is for the class. NULL: there is none. */
const struct config_subnet *radius_reselect_pool(const struct usher_call *call,
						 const struct config_subnet *subnet,
						 const char *pool);
/* Returns the subnet of an address, as above. */
const struct config_subnet *radius_reselect_address(const struct usher_call *call,
						    const struct config_subnet *subnet,
						    uint32_t addr);

/* Returns a client's identifier of the configured type; empty: it has none. */
struct span radius_lease_id(const struct radius_params *p, struct span hw, struct span client_id);
/* Returns octets in hexadecimal digits, or the User-Name of a client identifier. NULL: memory is
 * out. */
const char *radius_hex_text(struct arena *a, struct span s, char sep);
const char *radius_client_name(const struct radius_params *p, struct arena *a, struct span id);
/* Returns the NAS-Port of a subnet. */
uint32_t radius_nas_port(const struct radius_params *p, uint32_t subnet_id);

/* --- Accounting ------------------------------------------------------------------------------- */

/* Called at lease4_select; lease4_renew; lease4_release, lease4_decline and lease4_expire;
 * command_processed. */
int radius_account_select(struct usher_call *call, void *radius);
int radius_account_renew(struct usher_call *call, void *radius);
int radius_account_end(struct usher_call *call, void *radius);
int radius_account_command(struct usher_call *call, void *radius);
