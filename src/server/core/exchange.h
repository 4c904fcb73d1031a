/* SPDX-License-Identifier: MPL-2.0 */
/*
 * struct exchange: one query and its response on their way through the pipeline, in one slot of a
 * worker. Everything derived lives in the packet's arena and is gone when the slot is reset. A
 * parked exchange keeps its slot; the worker continues with another.
 */
#pragma once

#include "base/log.h"
#include "hook/hook.h"
#include "lease/lease.h"
#include "packet/packet.h"
#include "server/core/stage.h"
#include "server/core/stats.h"
#include "wire/dhcp4.h"

struct capture;
struct capture_tx;
struct config;
struct config_host;
struct config_pool;
struct config_subnet;
struct held_host;
struct host_source;
struct iface;
struct iface_table;
struct lease_bounds;
struct name_change;
struct server;
struct snap_hold;
struct snapshot;
struct stage_services;
struct trace;
struct worker;

/*
 * Packets that an interface drops unanswered while packets come faster than they can be answered,
 * so that clients which have a lease keep it: nothing; all but REQUEST, RELEASE and DECLINE; also
 * REQUESTs without a ciaddr.
 */
enum shed { SHED_NOTHING, SHED_NEW, SHED_UNBOUND };

/* CANDIDATES: subnets of a shared network; a packet's arena has room for so many beside the
 * rest. */
enum { EXCHANGE_OUT_LEN = 1500, EXCHANGE_CLASS_WORDS_MIN = 1, EXCHANGE_CANDIDATES_MAX = 512 };
/* Scopes of option values besides classes: reservation, pool, subnet, network, global. */
enum { EXCHANGE_FIXED_SCOPES = 5 };

/* Which of the four forms a REQUEST has (RFC 2131 table 4). */
enum request_state { REQUEST_SELECTING, REQUEST_INIT_REBOOT, REQUEST_RENEWING, REQUEST_REBINDING };

struct exchange {
	/* the slot's: */
	struct hook_parked parked; /* first: hook_parked.resume casts back */
	struct worker *w;	   /* the owner; its code is above the stages, see services.h */
	unsigned worker_index;
	struct server *srv;
	struct stats *stats; /* the worker's counters */
	const struct stage_services *services;
	struct packet pkt;
	uint8_t *out; /* EXCHANGE_OUT_LEN octets */
	void *big;    /* memory of an arena that needs more than the slot has; NULL: none */
	bool fresh;   /* free, and nothing was put into it since the last reset */
	struct exchange *returned_next; /* in the list of those whose callouts hung, and returned */

	/* zero when a packet comes in: everything from here to query */
	struct capture *capture;    /* it came in by; borrowed from the worker */
	int port_ifindex;	    /* the worker port it came in by; -1: none (replay) */
	int64_t received_ns;	    /* when its batch was read, monotonic; 0: replay */
	struct iface_table *ifaces; /* the worker's, renewed when the exchange resumes */
	const struct iface *iface;  /* in ifaces; NULL: unknown */
	enum shed shed;		    /* the kinds of messages that its interface drops */
	struct snapshot *snap;	    /* held while parked */
	struct snap_hold *hold;	    /* of snap, while parked */
	const struct config *cfg;

	uint8_t stage;	   /* row to run next */
	uint8_t begun;	   /* the row that it began with, or resumed with */
	uint8_t parked_at; /* the row that parked it last */
	bool skip_next;	   /* pkt4_send set SKIP: the next stage's function is left out */
	enum drop drop;
	enum hook_lot lot; /* the parking lot that counts it */

	/* query */
	struct span raw; /* the message's bytes: the packet's, or those of a callout */
	bool unpacked;
	enum dhcp4_type type;
	uint32_t local_addr;   /* server identifier and source address of the answer */
	struct span client_id; /* option 61 if it can be an identity */
	struct span hw;	       /* chaddr[0..hlen) */
	struct span rai;       /* option 82 */
	bool rai_stashed;      /* it is that of the lease (stash-agent-options) */
	bool server_id_seen;

	/* classes: bit set over the configuration's names, and the order they came in */
	uint64_t *class_bits;
	uint64_t *class_may; /* CLASSIFY's own: which classes are to be evaluated */
	uint32_t *class_order;
	uint32_t n_class_order;
	const char **extra_classes; /* names the configuration never mentions (VENDOR_CLASS_x) */
	uint32_t n_extra_classes;

	/* same-client guard */
	struct client_guard *guard; /* held; NULL: none */

	/* subnet and client */
	const struct config_subnet *subnet;
	const struct config_pool *pool; /* of the lease; NULL: reservation outside pools */
	const struct config_host *host; /* reservation that applies */
	struct held_host *held;		/* reservations of the host source, until the end */
	bool known; /* it has a reservation in one of the subnets, or a global one */
	struct candidate *candidates; /* permitted subnets of the network, the selected one first */
	uint32_t n_candidates;
	struct span flex_id;

	/* result */
	bool has_response;
	enum drop silent;	/* why there will be no response, when there is none */
	struct lease *lease;	/* in the arena: granted or offered */
	struct lease *own;	/* in the arena: the client's record that the offer repeats */
	struct lease *deleted;	/* in the arena: the replaced lease */
	struct lease *previous; /* in the arena: the record that a stored offer replaced */
	bool offer_stored;	/* the offer is a lease (offer-lifetime) */
	const struct lease_bounds *bounds; /* in the arena: limits of its assignment; NULL: none */
	uint32_t lifetime;		   /* passed on to the client */
	bool answered;			   /* the response is a library's own (hook_answer) */
	bool fake_allocation;		   /* an OFFER: nothing was stored */
	bool lease_reused;		   /* lease caching: no row was written */
	bool committed_hook;		   /* leases4_committed or lease4_offer is due */
	uint64_t wait_seq;		   /* must be durable before the answer */
	uint64_t wait_epoch;
	bool waiting;	    /* for durability */
	bool commit_parked; /* by leases4_committed or lease4_offer: COMMIT continues behind it */
	const char *nak_reason;
	const char *hostname;	 /* for the lease, options 12 and 81; NULL: none */
	bool v6_only;		 /* answered with option 108 in the place of an address */
	bool named;		 /* hostname and answer_fqdn are worked out (client_name) */
	bool answer_fqdn;	 /* the name came in option 81, or is answered in it */
	bool name_generated;	 /* from the address */
	bool fqdn_fwd, fqdn_rev; /* the server updates A, and PTR */
	uint8_t fqdn_flags;	 /* of the answer's option 81: S, O and N */
	struct name_change *name_changes; /* in the arena: to be sent when the lease is on disk */

	/* answer */
	uint32_t dst;
	uint16_t dst_port;
	bool to_mac;
	uint8_t dst_mac[6];
	int out_ifindex;
	size_t out_len;

	bool late;    /* a callout did not return in time: another thread may be in it */
	bool refused; /* a library was not called, because callouts of it hang */
	void *hook_data[HOOK_MAX_LIBS];
	struct trace *trace;   /* NULL: no trace is requested */
	struct exchange *next; /* in one list at a time: free, waiting, resumed */

	struct dhcp4_msg query;	   /* whole once unpacked */
	struct dhcp4_msg response; /* whole once has_response */
};

/* Sets the reason of a drop, for `return exchange_drop(x, DROP_…)`. */
static inline enum verdict exchange_drop(struct exchange *x, enum drop d)
{
	x->drop = d;
	return VERDICT_DROP;
}

/* Prepares the exchange for a new packet. */
void exchange_reset(struct exchange *x);
/* Keeps a reservation of the host source until the end of the exchange. Returns it, or NULL: the
 * arena is full, and it was released. */
const struct config_host *exchange_hold_host(struct exchange *x, const struct host_source *from,
					     const struct config_host *h) must_check;
void exchange_release_hosts(struct exchange *x);
/* Prefetches the members that FILL and PACK read: the exchange will be resumed soon. */
static inline void exchange_expect(const struct exchange *x)
{
	for (const uint8_t *p = (const uint8_t *)x; p < (const uint8_t *)(x + 1); p += 64)
		__builtin_prefetch(p);
}
/* Leaves the parking lot that counts the exchange. */
void exchange_leave_lot(struct exchange *x);
static inline struct server *exchange_server(const struct exchange *x)
{
	return x->srv;
}
struct log *exchange_log(const struct exchange *x);
/* Returns whether an address is this server's identifier: an address of this machine, or one that
 * the configuration gives out as option 54. */
bool exchange_is_server_id(const struct exchange *x, uint32_t id);
/* Returns the name of the receiving interface; "" if unknown. */
const char *exchange_iface_name(const struct exchange *x);
/* Decodes exchange.raw into the query. 0, or negative when it cannot be read. */
int exchange_unpack(struct exchange *x) must_check;
/* Returns the identity for the lease table; client_id is left out where match-client-id is off. */
struct lease_client exchange_client(const struct exchange *x, const struct config_subnet *s);
/* Returns the label of log lines, in the packet's arena: "hwtype=1 aa:bb:…, cid=[…], tid=0x…". */
const char *exchange_label(struct exchange *x);

/* A log line about the exchange; nothing is formatted where it would not be written. */
#define EXCHANGE_LOG(x, id, fmt, ...)                                                 \
	do {                                                                          \
		if (unlikely(log_wants(exchange_log(x), (id))))                       \
			log_msg(exchange_log(x), (id), "%s: " fmt, exchange_label(x), \
				__VA_ARGS__);                                         \
	} while (0)

/* A subnet the client may get an address of, and its reservation there. */
struct candidate {
	const struct config_subnet *subnet;
	const struct config_host *host;
};

/* Returns whether the exchange belongs to a class. */
bool exchange_has_class(const struct exchange *x, uint32_t id);
/* Returns exchange_has_class() of a built-in class: their ids come first. */
static inline bool exchange_has_builtin(const struct exchange *x, unsigned id)
{
	return x->class_bits && x->class_bits[0] >> id & 1;
}

bool exchange_has_class_name(const struct exchange *x, const char *name);
void exchange_add_class(struct exchange *x, uint32_t id);
void exchange_add_class_name(struct exchange *x, const char *name);
void exchange_remove_class(struct exchange *x, uint32_t id);

/* Returns whether the guard (any-of list, empty: all) is open for this packet. */
struct config_class_list;
bool exchange_class_ok(const struct exchange *x, const struct config_class_list *guard);

/* Increments a counter of the subnet and the global one of its name. */
void exchange_count(struct exchange *x, const struct config_subnet *s, enum subnet_metric m);
