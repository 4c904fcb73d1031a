/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Inside of loading: the state that the parts of a load share. The order is: check against the
 * schema and normalise (config_check.c), fill in defaults and inheritance (config_effective.c),
 * build the typed objects (config_build_*.c), index (config_index.c), hash the resulting tree.
 * Every function returns 0 or a negative result with the error filled in. Lives on the stack of
 * config_load_json.
 */
#pragma once

#include "base/error.h"
#include "config/config.h"
#include "config/config_map.h"
#include "config/schema/config_schema.h"

struct load {
	struct config *c;
	struct arena *a;       /* of the objects */
	struct arena *scratch; /* of parts that are needed while loading only */
	const struct config_load_opts *o;
	struct config_error *err; /* the first problem */
	size_t n_problems;
	struct json *dhcp4;		   /* the effective map while it is being made */
	enum schema_ctx checked;	   /* the kind of the map whose member is being checked */
	const char *last_file, *last_copy; /* names of files, copied once */
	const struct json **default_of;	   /* parsed defaults by row; NULL: not yet */
	uint64_t *warned;		   /* rows warned about */
	const char *char_set;		   /* the last hostname-char-set, and its octets */
	const uint8_t *char_set_bits;
	const struct expr_regex *char_set_regex;

	bool defs_unsure;    /* definitions may be missing: the text that has them was refused */
	bool classes_unsure; /* names of classes may be missing: their text was refused */
	struct option_defs *defs;
	const struct option_def *own_defs; /* of the class being built */
	size_t n_own_defs;
	const char *last_space; /* the space whose container was last looked up, and the result */
	uint8_t last_outer;

	struct config_map class_ids;
	const char **class_names;
	bool *class_late;
	uint32_t *class_defined; /* 1 + index in classes */
	uint32_t n_names, cap_names;
	bool names_fixed;  /* an edit: the table of names is shared, and must not grow */
	bool name_missing; /* a new name was mentioned nevertheless */
	bool names_free;   /* then it gets a number that no class has */

	struct config_map host_ids, host_addrs;
	uint32_t n_hosts;
	struct config_host *hosts;
	const struct config_pool **pools;
	const struct config_subnet **pool_subnets;
	uint32_t n_pools;
};

/*
 * --- errors (config_report.c) ---
 * A problem is reported and loading continues with the next value, so that one run finds all of
 * them. Functions that reported one return -USHER_E_CONFIG; only a result for which load_fatal()
 * holds ends the load.
 */
/* Reports a problem at a value, unless the value stands in for one that was refused.
 * -USHER_E_CONFIG. */
int load_fail(struct load *l, const struct json *at, const char *fmt, ...) printf_like(3, 4);
/* Reports a problem at the key of a value. -USHER_E_CONFIG. */
int load_fail_key(struct load *l, const struct json *m, const char *fmt, ...) printf_like(3, 4);
/* Reports a problem that another module described. -USHER_E_CONFIG. */
int load_report(struct load *l, const struct config_error *e);
static inline bool load_fatal(int r)
{
	return r < 0 && r != -USHER_E_CONFIG;
}
/* Returns the first fatal one of two results, else the first bad one. */
static inline int load_both(int a, int b)
{
	return load_fatal(a) || (a < 0 && !load_fatal(b)) ? a : b;
}
int load_no_memory(struct load *l);
void load_warn(struct load *l, const struct json *at, const char *fmt, ...) printf_like(3, 4);
/* Returns a place as text, for "first given at …". In the arena; never NULL. */
const char *load_place(struct load *l, const struct json *at);

/* Prepares the tables of defaults and warnings, in scratch. */
int load_begin(struct load *l) must_check;

/* --- the tree --------------------------------------------------------------------------------- */
/* Gives a new node the places of a node of the input. NULL in gives NULL out. */
struct json *load_keep_place(struct load *l, struct json *v, const struct json *from);
/* Copies a node of the input with all below it, and their places. NULL: out of memory. */
struct json *load_keep(struct load *l, const struct json *in);
/* Appends v under a key that outlives the tree. */
int load_put(struct load *l, struct json *map, const char *key, struct json *v) must_check;
/* Returns the parsed default of a row; shared, so copy it. NULL: it has none. */
const struct json *load_default(struct load *l, const struct schema_key *k);
int load_normalise(struct load *l, const struct json *root) must_check;
int load_fill(struct load *l) must_check;
/* Checks a map of a kind against the schema. *ret: its normal form. */
int load_check_map(struct load *l, enum schema_ctx ctx, const struct json *in, struct json **ret)
	must_check;
/* Fills in the values that a subnet inherits from the map around it. */
int load_fill_subnet(struct load *l, struct json *subnet, const struct json *outer) must_check;

/* --- keys of earlier versions of Kea, whose place or form differs (config_old.c) ---------------- */

/* Replaces reservation-mode of Kea 2.2, one word, by the later three keys. */
int load_reservation_mode(struct load *l, const struct json *in, struct json *out) must_check;
/* Moves keys that Kea 2.2 had in a map of Dhcp4 into Dhcp4 itself, as in later versions; a value in
 * Dhcp4 takes precedence. */
int load_move_keys(struct load *l, struct json *out) must_check;
/* Replaces ddns-use-conflict-resolution of Kea 2.2 to 2.4 by ddns-conflict-resolution-mode. */
int load_conflict_resolution(struct load *l, const struct json *in, struct json *out) must_check;
/* Refuses a map that stood beside "Dhcp4" in Kea 1.x, or belongs to another program's file. */
int load_refuse_beside(struct load *l, const struct json *m);

/* --- names of files --------------------------------------------------------------------------- */
/* Puts the directory of its kind before a name without one. NULL when memory is out. */
const char *load_file_name(struct load *l, enum config_dir_kind kind, const char *name);

/* --- values of the effective tree, present and of the right type ------------------------------ */

const char *load_str(const struct json *map, const char *key, const char *dflt);
uint32_t load_u32(const struct json *map, const char *key, uint32_t dflt);
bool load_bool(const struct json *map, const char *key);
double load_real(const struct json *map, const char *key);
uint32_t load_addr(const struct json *map, const char *key);
size_t load_count(const struct json *map, const char *key);

/* --- parts ------------------------------------------------------------------------------------ */

int load_defs(struct load *l) must_check;
int load_class_defs(struct load *l, const struct json *node, struct config_class *cls) must_check;
int load_options(struct load *l, const struct json *map, struct config_options *ret) must_check;
int load_classes(struct load *l) must_check;
/* Returns the number of a class name, a new one if the name is new; negative: out of memory. */
int load_class_id(struct load *l, const char *name) must_check;
int load_class_list(struct load *l, const struct json *map, const char *key,
		    struct config_class_list *ret) must_check;
/* Gives numbers to the names of classes in config_load_opts.changes. */
int load_change_names(struct load *l) must_check;
int load_globals(struct load *l) must_check;
/* Loads the values that a scope inherits. outer: those of the scope around, or NULL. */
int load_params(struct load *l, const struct json *map, const struct config_params *outer,
		struct config_params *ret) must_check;
/* Loads the handling of clients' names in a scope; outer: of the scope around, or NULL. */
int load_names(struct load *l, const struct json *map, const struct config_names *outer,
	       struct config_names *ret) must_check;
/* Loads the updates of the DNS in a scope over those of the scope around, and the map dhcp-ddns. */
int load_updates(struct load *l, const struct json *map, struct config_updates *p) must_check;
int load_ddns(struct load *l) must_check;
/* Loads valid-lifetime with its bounds, of a scope that has all three, or (classes) some. */
int load_triplet(struct load *l, const struct json *map, struct config_triplet *ret) must_check;
/* Loads next-server, server-hostname, boot-file-name of a class or host. */
int load_boot_fields(struct load *l, const struct json *map, bool *ret_has, uint32_t *ret_next,
		     const char **ret_host, const char **ret_file) must_check;
/* Returns the value of one of Usher's own keys, from Dhcp4's user-context.usher or (with a warning)
 * from its earlier place. */
const struct json *load_usher_value(struct load *l, const char *key);
/* Loads lease-database, and the keys of Usher beside it. */
int load_lease_db(struct load *l) must_check;
/* Loads the keys of a PostgreSQL database. */
struct config_database;
int load_database(struct load *l, const struct json *m, const struct config_database **ret)
	must_check;
int load_services(struct load *l) must_check;
int load_sockets(struct load *l) must_check;
/* Fills in the defaults of control sockets, which depend on their type. */
int load_fill_sockets(struct load *l) must_check;
int load_subnets(struct load *l) must_check;
/* Builds a subnet from its normal form. network: the one around it, or NULL. */
int load_subnet(struct load *l, const struct json *node, const struct config_network *network,
		struct config_subnet *s) must_check;
int load_pools(struct load *l, struct config_subnet *s) must_check;
/* Builds a reservation from its normal form. s: its subnet, or NULL. */
int load_host(struct load *l, const struct json *node, const struct config_subnet *s,
	      struct config_host *h) must_check;
/* Adds a reservation to the look-ups by identifier and by address. */
int load_host_index(struct load *l, const struct config_host *h, uint32_t index) must_check;
int load_hosts(struct load *l) must_check;
int load_index(struct load *l) must_check;
/* Makes the look-ups of subnets by prefix, relay and interface. Reports equal prefixes. */
int load_index_subnets(struct load *l, struct config_index *x) must_check;

/* The key of a reservation in its index, at most HOST_KEY_MAX octets. */
enum { HOST_ID_MAX = 255, HOST_KEY_MAX = HOST_ID_MAX + 5 };
struct span load_host_key(uint32_t subnet_id, enum config_host_id type, struct span id,
			  uint8_t out[HOST_KEY_MAX]);
struct span load_addr_key(uint32_t a, uint32_t b, uint8_t out[8]);

/* Look-ups that must not be visible outside of config/. */
struct config_index {
	struct config_map class_ids, host_ids, host_addrs, prefixes;
	uint64_t prefix_lens; /* bit n: some subnet has length n */
	struct index_relay *relays;
	size_t n_relays;
	struct index_iface *ifaces;
	size_t n_ifaces;
};
