/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Hooks inside the server: the registry of callouts, built with a configuration and immutable
 * afterwards, the loader of libraries, and the one place that calls callouts. LuaJIT and built-in
 * libraries register the same way as a dlopened one.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"
#include "hook/hook_access.h"
#include "hook/hook_cost.h"
#include "usher/hook.h"
#include "wire/dhcp4.h"

#include <stdatomic.h>

struct arena;
struct clock_src;
struct config;
struct config_error;
struct config_hook_library;
struct config_subnet;
struct control_command;
struct control_requester;
struct expr_ctx;
struct host_source;
struct json;
struct lease_bounds;
struct lease_db;
struct log;
struct packet;

enum hook_point {
#define HOOK(symbol, name, lot, drop) HOOK_##symbol,
#include "hook/hooks.def"
#undef HOOK
	HOOK_N_POINTS,
	HOOK_NONE = HOOK_N_POINTS
};

/* Parking lots: each bounds the packets that the callouts of one hook point park. */
enum hook_lot {
	HOOK_LOT_NONE,
	HOOK_LOT_SUBNET4_SELECT,
	HOOK_LOT_LEASES4_COMMITTED,
	HOOK_LOT_LEASE4_OFFER,
	HOOK_LOT_N
};

enum { HOOK_MAX_LIBS = 16 };

const char *hook_point_name(enum hook_point p);
/* Returns the lot of packets that callouts of a point park; HOOK_LOT_NONE: they may not. */
enum hook_lot hook_point_lot(enum hook_point p);
bool hook_point_parks(enum hook_point p);

/*
 * A parked packet. refs counts the handles callouts took, plus one that the pipeline holds while
 * the callouts run; giving back the last one resumes the packet through resume().
 */
struct usher_call;

struct hook_parked {
	_Atomic int refs;
	_Atomic bool dropped;
	_Atomic bool in_use;
	/* Called in the worker before a packet that subnet4_select parked continues, with a call of
	 * that point: for built-in libraries, which set it before they give the handle back. The
	 * next step is read as that of a callout; it cannot park. NULL: nothing is to be done. */
	void (*then)(struct usher_call *call, void *ctx);
	void *then_ctx;
	void (*resume)(struct hook_parked *p);
};

/* The link of a packet's interface: for probes of the addresses on it. */
struct hook_link {
	int ifindex;
	uint8_t mac[6];
	uint32_t addr; /* of the server, in the subnet */
};

/* Use of the network by libraries, beside the answers to packets. */
enum hook_network {
	HOOK_NETWORK_FULL,
	HOOK_NETWORK_SILENT, /* as if nobody answered; nothing is sent (scenarios) */
	HOOK_NETWORK_NONE,   /* it is not used, and nothing waits for it (replay of a capture) */
	HOOK_NETWORK_CHECK,  /* the configuration is only checked: no library takes an address */
};

/* Returns whether libraries may write files and run programs. A check and a replay may not: they
 * may run beside the server that has these files. */
static inline bool hook_network_acts(enum hook_network n)
{
	return n == HOOK_NETWORK_FULL || n == HOOK_NETWORK_SILENT;
}

/* Data that a built-in library keeps with a configuration, from dhcp4_srv_configured on. fini is
 * called with the end of the configuration, before the library is unloaded. NULL: there is none. */
struct hook_config_data {
	void *data;
	void (*fini)(void *data);
};

/* Arguments of one hook point, filled by the pipeline; NULL or zero where the point has none. */
struct usher_call {
	enum hook_point point;
	enum usher_next_step status;
	struct dhcp4_msg *query, *response;
	struct span raw;  /* result of usher_raw; replaced by usher_set_raw */
	size_t query_len; /* octets of the query as received */
	size_t raw_cap;	  /* how much a replacement may hold; 0: may not be replaced */
	bool raw_replaced;
	const char *iface;
	uint32_t src, dst;
	unsigned worker;	     /* its number */
	int64_t received_ns;	     /* when its batch was read, monotonic; 0: unknown */
	const struct packet *packet; /* for ports, link layer and interface; NULL: none */
	uint32_t subnet_id;
	bool subnet_set; /* usher_set_subnet_id was called with a known subnet */
	struct lease *lease;
	const struct lease *deleted;
	bool fake_allocation;
	/* for built-in libraries */
	unsigned drop;		      /* with DROP: a row of drop.def; 0: that of the hook point */
	bool reserved;		      /* lease4_offer: the address is that of a reservation */
	bool offer_stored;	      /* lease4_offer: the lease is stored (offer-lifetime) */
	const struct lease *previous; /* then the record in whose place; NULL: none */
	/* Describes the link, if the client is on it, and it is that of the subnet. */
	bool (*link)(void *ctx, struct hook_link *ret);
	const struct lease_bounds *bounds; /* at lease4_select: of the assignment; in arena */
	bool edit; /* at dhcp4_srv_configured: commands edited the configuration, and other
		      libraries are not called */
	struct config_error *refusal; /* at dhcp4_srv_configured: set before DROP; NULL elsewhere */
	bool remove_lease;	      /* lease4_expire: nothing of the lease will be kept */
	struct span host_id;	      /* host4_identifier: in arena */
	bool address_in_use;
	struct arena *arena; /* the packet's */
	const struct config *cfg;
	void **packet_data;		      /* one a library, or NULL */
	struct hook_config_data *config_data; /* one a library, of the configuration; or NULL */
	const struct usher_lib *lib;	      /* whose callout runs */
	/* classes of the packet */
	bool (*class_has)(void *ctx, const char *name);
	int (*class_add)(void *ctx, const char *name);
	/* Returns class i of the packet. *ret_id: its number in the configuration, -1: none. NULL:
	 * there are no more. */
	const char *(*class_at)(void *ctx, uint32_t i, int *ret_id);
	/* decodes raw into query */
	int (*unpack)(void *ctx);
	void *ctx;
	/* command_processed, and commands of libraries */
	const struct control_requester *command_from;
	const char *command;
	const struct json *command_args;
	struct json *answer;	    /* in arena; a callout may replace it */
	struct hook_parked *parked; /* NULL: parking is not possible */
	bool took_handle;
	/* for built-in libraries */
	const struct hook_services *services; /* NULL: without a packet */
	bool answered;			      /* hook_answer() began a response */
	bool refused; /* a library was not called, because callouts of it hang */
};

/* Tokens of hook_services.enter() without a meaning for leave(); others are odd. */
enum { HOOK_NOT_WATCHED = 0, HOOK_REFUSED = 2 };

/* Functions of the server's core for a call with a packet; ctx is that of the call. */
struct hook_services {
	/*
	 * Called before a callout of an external library. hanging: the number of calls of the
	 * library that hang. Returns a token for leave(), HOOK_NOT_WATCHED, or HOOK_REFUSED: the
	 * library must not be called.
	 */
	uint64_t (*enter)(void *ctx, _Atomic unsigned *hanging);
	/* Called when the callout has returned. Does not return itself if it came too late: then
	 * the exchange is another thread's. */
	void (*leave)(void *ctx, _Atomic unsigned *hanging, uint64_t token);
	/* Begins a response of this type to the decoded query, see hook_answer(). */
	struct dhcp4_msg *(*answer)(void *ctx, enum dhcp4_type type);
	/* Returns whether an address is a server identifier of this server. */
	bool (*is_server_id)(void *ctx, uint32_t id);
	/* Reads the user-context that the table has for a lease into the packet's memory; NULL:
	 * none. 0, -ENOSPC (hook_keep_context()). */
	int (*stored_context)(void *ctx, const struct lease *l, const char **ret);
	/* Stores the user-context of the exchange's lease, see usher_lease4_update(). */
	int (*update_lease)(void *ctx);
};

struct hook_registry;

/* How a registry begins: bit p is set where point p has a callout. Only written before packets
 * run. */
struct hook_points {
	uint64_t any;
	const struct host_source *hosts; /* NULL: none */
};
_Static_assert(HOOK_N_POINTS < 64, "a bit a point, and one for none");

struct hook_registry_opts;

/*
 * A library that is built into the program: "library" names it, without a slash. It registers
 * callouts as any other does, and may have more access than the ABI gives.
 */
struct hook_builtin {
	const char *name;
	/* Reports each mistake in the parameters, without any effect. log: may be NULL. Itself
	 * NULL: load does it. */
	void (*check)(const struct config *cfg, const struct config_hook_library *conf,
		      struct log *log, void (*problem)(void *ctx, const struct config_error *e),
		      void *ctx);
	/* 0, or negative with *err, as for any mistake in a configuration. Then unload is not
	 * called. */
	int (*load)(struct usher_lib *lib, const struct hook_registry_opts *o,
		    const struct config_hook_library *conf, struct config_error *err);
	/* Called when another registry has taken over. Packets may still arrive for a moment, but
	 * no packet may be parked any more, and parked ones must be resumed: they hold this
	 * registry. NULL: no action is needed. */
	void (*retire)(struct usher_lib *lib);
	void (*unload)(struct usher_lib *lib);
	/* Calls fn for each state of a script, with the library's name and number already set in
	 * *m. NULL: the library runs no scripts. Any thread. */
	void (*memory)(struct usher_lib *lib, struct hook_memory *m, hook_memory_fn *fn, void *ctx);
	/* As hook_access_check() and hook_access_hides(). NULL: all requests are accepted. */
	enum hook_access (*check_request)(struct usher_lib *lib, const struct hook_asked *asked);
	bool (*hides_command)(struct usher_lib *lib, const struct hook_asked *asked);
	/* Calls fn for each statistic of the library. NULL: it has none. Any thread. */
	void (*statistics)(struct usher_lib *lib, hook_statistic_fn *fn, void *ctx);
	/* Returns the nth value that names a file which the library runs or writes, or NULL, and in
	 * ret_dir the directory of such files, an enum config_dir_kind. Itself NULL: there are no
	 * such files. */
	const struct json *(*file)(const struct config_hook_library *conf, unsigned nth,
				   int *ret_dir);
};

struct hook_registry_opts {
	const struct config *cfg;
	struct log *log;
	const struct hook_builtin *builtins; /* ends with an empty name; NULL: none */
	const struct clock_src *clock;
	struct lease_db *db; /* of the server; NULL: there is none */
	enum hook_network network;
	const char *config_file; /* built-in libraries' relative paths begin at its directory */
	unsigned n_threads;	 /* how many workers call callouts at the same time */
	/* The registry that is in effect: its counters continue. NULL: none */
	struct hook_registry *before;
	bool (*is_command)(const char *name); /* a command of the program; NULL: it has none */
	/* Called for each library that cannot be loaded; may be NULL. */
	void (*problem)(void *ctx, const struct config_error *e);
	void *ctx;
};

/* Loads the libraries of a configuration. 0, or -USHER_E_HOOK with *err naming the first library
 * that cannot be loaded and the reason; then nothing stays loaded. All objects are opened before
 * any registers. */
int hook_registry_new(const struct hook_registry_opts *o, struct hook_registry **ret,
		      struct config_error *err) must_check;
/*
 * Checks that each library of a configuration is a file that could be loaded, without running code
 * of any. Calls problem for each that is not. How many those are. log: of the server, or NULL.
 */
size_t hook_libraries_check(const struct config *cfg, const struct hook_builtin *builtins,
			    struct log *log,
			    void (*problem)(void *ctx, const struct config_error *e), void *ctx);
/* Returns the built-in library of that name, or NULL. */
const struct hook_builtin *hook_builtin_find(const struct hook_builtin *builtins, const char *name);
/* Returns whether every reload has to load the libraries again: a built-in one reads files of its
 * own, and expressions are compiled with the options of their configuration. */
bool hook_registry_reloads(const struct hook_registry *r);
/* Returns whether the registry has a library that is not built in. */
bool hook_registry_external(const struct hook_registry *r);
/* Called when another registry is in effect: notifies the built-in libraries. */
void hook_registry_retire(struct hook_registry *r);
struct hook_registry *hook_registry_ref(struct hook_registry *r);
/* Releases a reference; the last one unloads the libraries. */
void hook_registry_unref(struct hook_registry *r);

/* Returns whether a point has a callout; r may be NULL. Check it before filling a call. */
static inline bool hook_any(const struct hook_registry *r, enum hook_point p)
{
	return r && ((const struct hook_points *)(const void *)r)->any >> p & 1;
}

/* Returns the source of reservations beside the configuration (host_source.h); NULL: there is none.
 */
static inline const struct host_source *hook_hosts(const struct hook_registry *r)
{
	return r ? ((const struct hook_points *)(const void *)r)->hosts : NULL;
}

static inline bool hook_any_at_all(const struct hook_registry *r)
{
	return r && ((const struct hook_points *)(const void *)r)->any;
}

/* Runs all callouts of call->point in library order; returns the final status (never PARK where the
 * point may not park or no handle was taken: then CONTINUE). Failures are logged and counted. */
enum usher_next_step hook_call(struct hook_registry *r, struct usher_call *call);
/*
 * Begins a response of a built-in library's own, at buffer4_receive: with the query's op, xid and
 * giaddr, and option 53. The query must be decoded. It is sent as it is: no stage before SEND_CHECK
 * and no callout sees it. NULL: another hook point, or memory is out.
 */
struct dhcp4_msg *hook_answer(struct usher_call *call, enum dhcp4_type type);
/* Copies a user-context into a packet's memory. NULL: it is longer than LEASE_CONTEXT_MAX, or than
 * the memory that the packet can spare. */
const char *hook_keep_context(struct arena *a, const char *text);
/* Drops the packet under a row of drop.def, which counts it. */
void hook_drop(struct usher_call *call, unsigned drop);
/* Adds a row of a built-in library to the commands, as usher_register_command(). Its function may
 * have a part in the background thread. */
int hook_register_row(struct usher_lib *lib, const struct control_command *row) must_check;
/* Callouts that failed since the start. */
uint64_t hook_failures(const struct hook_registry *r);
/* Returns the losses of all libraries since the start (struct hook_cost). */
uint64_t hook_lost(const struct hook_registry *r);
/* Counts records or runs that a library gave up. Any thread. */
void hook_count_lost(usher_lib *lib, uint64_t n);
/* Returns the library that this one, which is being loaded, will replace: it has the same place
 * among those of its name in the configuration before. NULL: there is none. */
usher_lib *hook_lib_before(const usher_lib *lib);
/* Returns the facts of a call that expressions on one of its messages read. */
struct expr_ctx hook_expr_ctx(usher_call *call, const usher_msg *msg);
/* Returns the clock of the server that a library runs in. */
const struct clock_src *hook_lib_clock(const usher_lib *lib);
/* Returns the log for messages of a library's own. */
struct log *hook_lib_log(const usher_lib *lib);
/* Returns the commands of the libraries, as rows of the management plane. They live as long as the
 * registry, which is their owner. */
const struct control_command *hook_registry_commands(struct hook_registry *r, size_t *ret_n);
/* Checks the name and the description of arguments of a command that a library is about to
 * register. 0, or -EINVAL, -EEXIST with the reason in why[n]. */
int hook_command_check(struct usher_lib *lib, const char *name, const char *args, char *why,
		       size_t n) must_check;
/* Adds a callout from inside the program (scripts, tests). 0, -ENOENT, -ENOMEM. */
int hook_register_builtin(struct hook_registry *r, const char *name, enum hook_point p,
			  usher_callout fn, void *ctx) must_check;
