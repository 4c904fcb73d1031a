/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The typed, immutable configuration: Kea's Dhcp4 map, checked, with defaults and inheritance
 * applied (pool < subnet < shared network < global). Built whole or not at all; pointers into it
 * stay valid as long as the config. Names are Kea's keys. One that is made by an edit
 * (edit/config_edit.h) shares the memory of unchanged parts with the one before.
 */
#pragma once

#include "base/arena.h"
#include "base/log.h"
#include "base/span.h"
#include "config/schema/config_names.h"
#include "config/expr.h"
#include "config/json/json.h"
#include "wire/option_def.h"

/* --- classes ---------------------------------------------------------------------------------- */

/*
 * Every class name the configuration mentions has a number below n_class_names: the built-in ones
 * first, then in order of mention. A packet's membership is a bit set over them.
 */
enum config_class_id {
	CLASS_ALL,
	CLASS_KNOWN,
	CLASS_UNKNOWN,
	CLASS_DROP,
	CLASS_REJECT,
	CLASS_BOOTP,
	CLASS_SKIP_DDNS,
	CLASS_STASH_AGENT_OPTIONS,
	CLASS_N_BUILTIN
};

/* The number of a name that the configuration never mentions: no packet is in that class. */
enum { CONFIG_NO_CLASS = INT32_MAX };

struct config_class_list {
	const uint32_t *ids; /* any-of for guards; in order for evaluate-additional-classes */
	size_t n;
};

/* --- options ---------------------------------------------------------------------------------- */

struct config_option {
	uint32_t code;
	const char *space;	      /* interned: compare pointers with config's or strcmp */
	uint32_t vendor_id;	      /* of space "vendor-N"; else 0 */
	const struct option_def *def; /* may be NULL (code only) */
	struct span data;	      /* encoded; may exceed 255 octets */
	bool always_send, never_send;
	bool more;     /* the one behind it in the scope has its space and code, too */
	bool no_value; /* hides the option of outer scopes and is not sent */
	uint8_t outer; /* top-level code it is sent in: its own, or its container's; 0: none */
	struct config_class_list classes; /* only for members of one of them; empty: all */
};

/* Option codes 0 to 255. */
struct code_set {
	uint64_t bits[4];
};

static inline bool code_set_has(const struct code_set *s, uint8_t code)
{
	return s->bits[code / 64] >> (code % 64) & 1;
}

static inline void code_set_add(struct code_set *s, uint8_t code)
{
	s->bits[code / 64] |= 1ULL << (code % 64);
}

/* How deep option spaces may stand in one another. */
enum { OPTION_DEPTH_MAX = 8 };

struct config_options {
	const struct config_option
		*items; /* sorted by space, then code; equals as they were written */
	size_t n;
	const struct config_option *top; /* those of space dhcp4, among items */
	size_t n_top;
	struct code_set codes; /* of top */
	bool always;	       /* one of items is always-send */
};

/* Definitions by space and code or name: the operator's first, then the standard ones. */
struct class_index;
struct option_defs;
const struct option_def *option_defs_by_code(const struct option_defs *d, const char *space,
					     uint32_t code);
const struct option_def *option_defs_by_name(const struct option_defs *d, const char *space,
					     const char *name);

/* --- values a scope inherits ------------------------------------------------------------------ */

enum config_allocator { ALLOCATOR_ITERATIVE, ALLOCATOR_RANDOM, ALLOCATOR_FLQ };

struct config_triplet { /* seconds */
	uint32_t value, min, max;
	bool set; /* of a class: given at all? */
};

struct config_params {
	struct config_triplet valid_lifetime;
	bool has_renew_timer, has_rebind_timer;
	uint32_t renew_timer, rebind_timer;
	bool calculate_tee_times;
	double t1_percent, t2_percent;
	uint32_t offer_lifetime; /* 0: none */
	double cache_threshold;	 /* 0: off */
	bool has_cache_max_age;
	uint32_t cache_max_age;
	bool store_extended_info;
	bool authoritative;
	bool match_client_id;
	uint32_t next_server;
	const char *server_hostname; /* "" when unset */
	const char *boot_file_name;
	enum config_allocator allocator;
	double adaptive_lease_time_threshold; /* 1.0: off */
	bool reservations_global, reservations_in_subnet, reservations_out_of_pool;
	struct config_names names;
};

/* --- topology --------------------------------------------------------------------------------- */

enum config_host_id {
	HOST_ID_HW_ADDRESS,
	HOST_ID_DUID,
	HOST_ID_CIRCUIT_ID,
	HOST_ID_CLIENT_ID,
	HOST_ID_FLEX_ID,
	HOST_ID_N
};

/* Keys of identifiers. */
extern const char *const config_host_id_names[HOST_ID_N];
/* Returns the type with this key; HOST_ID_N: there is none. */
enum config_host_id config_host_id_find(const char *name);
/* Reads an identifier: text in single quotes, or hexadecimal digits. It may be empty. false: it is
 * neither, or memory is out. */
bool config_host_id_parse(struct arena *a, const char *text, struct span *ret);
/* Returns an identifier as Kea's answers have it, with colons for hw-address and duid. NULL: memory
 * is out. */
char *config_host_id_text(struct arena *a, enum config_host_id type, struct span id);

struct config_host {
	uint32_t subnet_id; /* 0: global */
	uint32_t host_id;   /* ascending in the table: from 1, and on with edits */
	enum config_host_id id_type;
	struct span id;
	uint32_t addr;	      /* 0: none */
	const char *hostname; /* "" : none */
	struct config_options options;
	struct config_class_list classes;
	bool has_next_server;
	uint32_t next_server;
	const char *server_hostname, *boot_file_name; /* NULL: not given */
	bool stored; /* of the file of reservations (host_cmds), not of the configuration */
	const struct json *node;
};

struct config_pool {
	uint32_t first, last;
	uint32_t pool_id;
	uint32_t index; /* among all pools of the configuration */
	struct config_options options;
	struct config_class_list classes;    /* guard */
	struct config_class_list additional; /* evaluate-additional-classes */
	const struct config_names *names;    /* NULL: those of the subnet */
	const struct json *node;
};

struct config_network;

struct config_subnet {
	uint32_t id;
	uint32_t index;	 /* in config.subnets */
	uint32_t order;	 /* among the subnets of its list in the text */
	uint32_t prefix; /* network address */
	uint8_t prefix_len;
	const char *text;		      /* "192.0.2.0/24" */
	bool refused;			      /* while loading: its prefix is not known */
	const struct config_network *network; /* NULL: alone */
	const char *interface;		      /* "" : any (network's inherited) */
	const uint32_t *relays;		      /* own relay.ip-addresses */
	size_t n_relays;
	struct config_class_list classes, additional;
	const struct config_pool *pools;
	size_t n_pools;
	struct config_params params;
	struct config_options options;
	const struct json *node;
};

struct config_network {
	const char *name;
	const char *interface;
	const uint32_t *relays;
	size_t n_relays;
	struct config_class_list classes, additional;
	const struct config_subnet *const *subnets; /* by id */
	size_t n_subnets;
	struct config_params params;
	struct config_options options;
	const struct json *node;
};

struct config_class {
	const char *name;
	uint32_t id;
	const struct expr *test;	  /* NULL: set by others only */
	const struct expr *template_test; /* string: SPAWN_<name>_<value> */
	bool only_additional;		  /* only-in-additional-list */
	bool late;			  /* depends on KNOWN or UNKNOWN */
	struct config_options options;
	const struct option_def *defs; /* own option-def (43, 224-254) */
	size_t n_defs;
	bool has_next_server;
	uint32_t next_server;
	const char *server_hostname, *boot_file_name; /* NULL: not given */
	struct config_triplet valid_lifetime;
	bool has_offer_lifetime;
	uint32_t offer_lifetime;
	const struct json *node;
};

/* --- the rest --------------------------------------------------------------------------------- */

struct config_interface {
	const char *name; /* "*" : all */
	uint32_t addr;	  /* 0: any */
	struct json_pos pos;
};

/* A user of a control socket over HTTP: name and password, or the files that have them. */
struct config_http_user {
	const char *user, *user_file, *password, *password_file; /* NULL: not given */
	bool read_only;						 /* user-context usher.access */
	const struct json *node;
};

struct config_http_header {
	const char *name, *value;
};

struct config_control_socket {
	const char *type;    /* "unix", "http", "https" */
	const char *path;    /* of a unix socket; NULL: HTTP, with the members below */
	const char *address; /* literal */
	uint16_t port;
	const char *realm;
	const struct config_http_user *users;
	size_t n_users;
	const struct config_http_header *headers;
	size_t n_headers;
	const char *trust, *cert, *key; /* names of files; all or none, NULL: no TLS */
	bool cert_required;
	bool agent; /* user-context usher.control-agent: answers as Kea's control agent of 2.x does
		     */
	const struct json *node;
};

struct config_logger {
	const char *name;
	enum log_severity severity;
	int debuglevel;
	const struct log_output *outputs;
	size_t n_outputs;
	struct json_pos pos;
};

struct config_hook_library {
	const char *library;	       /* a file, or a library of this server by its name */
	const struct json *parameters; /* NULL: none */
	struct json_pos pos;
};

enum config_durability { DURABILITY_COMMIT, DURABILITY_INTERVAL, DURABILITY_NONE };
/* as enum relay_check */
enum config_context_checks {
	CONTEXT_CHECKS_NONE,
	CONTEXT_CHECKS_FIX,
	CONTEXT_CHECKS_STRICT,
	CONTEXT_CHECKS_PEDANTIC
};
enum config_lease_checks { CHECKS_NONE, CHECKS_WARN, CHECKS_FIX, CHECKS_FIX_DEL, CHECKS_DEL };

struct config_memory;

struct config {
	_Atomic int refs;
	struct config_memory *memory;
	bool edited;		  /* by commands: hook libraries stay as they are */
	const char *file;	  /* it was read from; "" : config-set */
	const struct json *dhcp4; /* the map as it was loaded, before edits, with every default */

	/* interfaces-config */
	const struct config_interface *interfaces;
	size_t n_interfaces;
	bool socket_udp;  /* dhcp-socket-type udp */
	bool use_routing; /* outbound-interface */
	bool udp_offload; /* user-context usher.udp-offload */
	bool re_detect;
	uint32_t metrics_max_series; /* user-context usher.metrics-max-series, 500000 */
	uint32_t sockets_max_retries, sockets_retry_wait_ms;
	bool sockets_require_all;

	const struct config_control_socket *control_sockets;
	size_t n_control_sockets;
	const struct config_hook_library *hooks;
	size_t n_hooks;
	unsigned command_libraries; /* bits of enum kea_command_library */
	const struct config_logger *loggers;
	size_t n_loggers;

	/* multi-threading */
	bool multi_threading;
	uint32_t thread_pool_size; /* 0: cores */
	uint32_t packet_queue_size;
	uint32_t parked_packet_limit; /* 0: none */
	uint32_t sample_count;	      /* of a statistic; 0: those of the last sample_age_s */
	uint32_t sample_age_s;

	const struct config_database *lease_database; /* NULL: a lease file */
	bool persist;
	const char *lease_file; /* "" : the default path */
	uint32_t lfc_interval;
	uint32_t max_row_errors;
	enum config_durability durability; /* user-context usher.durability */
	uint32_t sync_interval_ms;	   /* user-context usher.interval-ms */
	uint32_t max_delay_us;		   /* user-context usher.max-delay-us */
	uint32_t callout_deadline_ms;	   /* user-context usher.callout-deadline-ms, 1000 */
	uint32_t offer_hold_s;		   /* user-context usher.offer-hold-time, 10 */

	/* expired-leases-processing */
	uint32_t reclaim_timer_wait_s, flush_reclaimed_timer_wait_s, hold_reclaimed_s;
	uint32_t max_reclaim_leases, max_reclaim_ms, unwarned_reclaim_cycles;
	enum config_lease_checks lease_checks;
	enum config_context_checks context_checks;

	/* global behaviour */
	uint32_t decline_probation_s;
	bool echo_client_id;
	bool lenient_option_parsing, ignore_server_id, ignore_rai_link_selection,
		exclude_first_last_24;
	bool early_global_reservations_lookup, ip_reservations_unique, reservations_lookup_first;
	bool stash_agent_options;
	const uint8_t *host_ids; /* enum config_host_id, in order of look-up */
	size_t n_host_ids;
	uint32_t host_id_types; /* bit t: a reservation has an identifier of type t */
	const char *server_tag;
	struct config_ddns ddns; /* dhcp-ddns */

	struct config_params params; /* global values */
	struct config_options options;
	const struct option_defs *defs;
	struct code_set option_codes; /* top-level codes of any scope, and of before an edit */
	struct code_set containers;   /* top-level codes that may hold sub-options from any scope */

	const char *const *class_names; /* by class id */
	uint32_t n_class_names;
	const struct config_class *classes; /* in order of definition */
	size_t n_classes;
	const struct class_index *class_index;
	bool names_vendor_classes;		       /* one of class_names is VENDOR_CLASS_x */
	const struct config_class *const *class_by_id; /* NULL where a name has no definition */

	const struct config_subnet *subnets; /* by id, ascending */
	size_t n_subnets;
	const struct config_network *networks;
	size_t n_networks;
	const struct config_pool *const *pools;		 /* all, by index */
	const struct config_subnet *const *pool_subnets; /* the subnet of each */
	size_t n_pools;
	const struct config_host *hosts;
	size_t n_hosts;

	struct config_index *index; /* hashes behind the look-ups below */
};

/* A change of a configuration, for config_edit() (edit/config_edit.h). */
enum config_change_kind {
	CHANGE_PUT_SUBNET,    /* node, of the list subnet4: adds it, or replaces that of its id */
	CHANGE_DELETE_SUBNET, /* id; its reservations are removed with it */
	CHANGE_PUT_HOST,      /* node, of the list reservations of subnet id; replaces that of its
				 identifier */
	CHANGE_DELETE_HOST,   /* index */
};

struct config_change {
	enum config_change_kind kind;
	uint32_t id;	/* of the subnet; 0: a global reservation */
	uint32_t index; /* in hosts of the configuration before */
	bool stored;	/* the reservation is one of the file of reservations */
	const struct json *node;
};

struct config_load_opts {
	/* Called for each warning (trailing comma, a key without effect, …); may be NULL. */
	void (*warn)(void *ctx, const struct config_error *w);
	/* Called for each problem; may be NULL. Loading continues to find all of them, also without
	 * a callback. */
	void (*problem)(void *ctx, const struct config_error *e);
	/*
	 * Called with a configuration that is refused, as far as it could be built, so that its
	 * other parts can be checked in this run; may be NULL. Problems found so go to the caller's
	 * own list.
	 */
	void (*refused)(void *ctx, const struct config *cfg);
	void *ctx;
	uint32_t pipe_wait_ms; /* the longest time that a FIFO may take to be read to its end; 0:
				  any */
	/* NULL, or asked while a FIFO is being read: true ends the load. */
	bool (*ended)(void *ctx);
	/* Changes that will follow (config_edit.h): the names of classes in them get numbers. */
	const struct config_change *changes;
	size_t n_changes;
	size_t n_before; /* config_load_json(): problems of the text; the configuration is refused,
			    but checked */
	bool ignore_unknown_hooks; /* Kea's libraries that are not built in: a warning instead of a
				      problem */
};

/* Loads a configuration from a file. 0, or negative with *err, the first problem; then nothing is
 * kept. */
int config_load_file(const char *path, const struct config_load_opts *o, struct config **ret,
		     struct config_error *err) must_check;
int config_load_json(const struct json *root, const struct config_load_opts *o, struct config **ret,
		     struct config_error *err) must_check;
/* Takes a reference. Any thread. */
struct config *config_ref(struct config *c);
/* Gives a reference back; the last one frees the configuration. */
void config_free(struct config *c);

/*
 * Returns {"Dhcp4": …} with every default filled in: config-get's answer. An edited configuration
 * makes it when it is asked for the first time. NULL: memory is out. Any thread.
 */
const struct json *config_effective(const struct config *c);
/* Returns the SHA-256 of its text, in hexadecimal; "" : memory is out. */
const char *config_hash(const struct config *c);

/* The directories of names without one. The environment moves them: $USHER_x, else Kea's $KEA_x. */
enum config_dir_kind {
	CONFIG_DIR_DATA,
	CONFIG_DIR_SOCKETS,
	CONFIG_DIR_LOGS,
	CONFIG_DIR_HOOKS,
	CONFIG_DIR_SCRIPTS,   /* that hook libraries run */
	CONFIG_DIR_LEGAL_LOG, /* by default that of the logs */
};
const char *config_dir(enum config_dir_kind kind);
/* Returns the path of a file: a name without a slash lies in its directory, another one is the
 * path. NULL: memory is out. */
const char *config_file_name(struct arena *a, enum config_dir_kind kind, const char *name)
	must_check;

/* Returns the next subnet whose prefix contains addr, in order of id: start with prev == NULL; NULL
 * at the end. */
const struct config_subnet *config_subnet_containing(const struct config *c, uint32_t addr,
						     const struct config_subnet *prev);
/* Returns the next subnet that answers to a relay: its own relay list has giaddr, or it has no own
 * list and the network's list has it. Starts with prev == NULL; NULL at the end. */
const struct config_subnet *config_subnet_by_relay(const struct config *c, uint32_t giaddr,
						   const struct config_subnet *prev);
const struct config_subnet *config_subnet_by_interface(const struct config *c, const char *ifname,
						       const struct config_subnet *prev);
const struct config_subnet *config_subnet_by_id(const struct config *c, uint32_t id);
/* Returns the reservation of an identifier in a subnet (0: global). NULL: none. */
const struct config_host *config_host_by_id(const struct config *c, uint32_t subnet_id,
					    enum config_host_id type, struct span id);
const struct config_host *config_host_by_addr(const struct config *c, uint32_t subnet_id,
					      uint32_t addr);
/* Returns the class id of a name; -USHER_E_NOTFOUND if the configuration never mentions it. */
int config_class_by_name(const struct config *c, const char *name) must_check;
/* Returns the first option of a scope with this code (others of it follow in items), or NULL. */
const struct config_option *config_option_find(const struct config_options *o, const char *space,
					       uint32_t code);
/* Returns the first option of space dhcp4 with this code, or NULL. */
const struct config_option *config_option_top(const struct config_options *o, uint8_t code);
/* Returns the next option of the space and code of prev, or NULL. */
static inline const struct config_option *config_option_next(const struct config_option *prev)
{
	return prev->more ? prev + 1 : NULL;
}
