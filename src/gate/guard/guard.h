/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The DHCP guard: a set of listeners that make a switch of the gate safe for those on it. Servers
 * answer from trusted ports only, requests go to trusted ports only and at a limited rate, and the
 * answers that passed define the address of each client and its port. doc/guard.md. One gate, one
 * thread.
 */
#pragma once

#include "gate/guard/bindings.h"
#include "gate/guard/rate.h"

#include "base/file/file_ops.h"
#include "capture/frames.h"
#include "gate/engine/gate_packet.h"

struct gate;
struct guard;
struct log;

enum guard_role {
	GUARD_UNTRUSTED, /* clients: the default */
	GUARD_TRUSTED,	 /* servers, and everybody behind them; nothing is checked but answers */
	GUARD_RELAY,	 /* relay agents: requests with giaddr and option 82; no servers */
	GUARD_SHARED,	 /* clients and servers: listed servers are trusted by their addresses */
};

/* Treatment of option 82 in a request of a client's port. */
enum guard_agent_policy { GUARD_AGENT_DROP, GUARD_AGENT_KEEP, GUARD_AGENT_REPLACE };

enum { GUARD_NAME_LEN = 64, GUARD_MAX_SERVERS = 32, GUARD_PATH_LEN = 4096 };

struct guard_port_opts {
	char name[GUARD_NAME_LEN];
	enum guard_role role;
	uint32_t max_clients;	    /* 0: as guard_opts has it */
	struct guard_rate requests; /* burst 0: as guard_opts has it */
};

/* A binding by configuration. port "": any. */
struct guard_fixed {
	uint8_t mac[6];
	uint32_t vlan;
	uint32_t address;
	char port[GUARD_NAME_LEN];
};

enum guard_severity { GUARD_LOW, GUARD_MEDIUM, GUARD_HIGH };

struct guard_alert {
	enum gate_drop what; /* its name and sentence: gate_drop_info() */
	enum guard_severity severity;
	const uint8_t *mac;	/* [6] the frame's source */
	uint32_t ip, server_id; /* 0: none */
	uint16_t port;
	uint32_t vlan; /* gate_packet.vlans: the outer identity, the inner one << 12 */
	const char *port_name, *text;
	int64_t time_ns, first_ns; /* now; the first time */
	uint64_t count;		   /* so far */
	bool passed;		   /* pass-through: it was forwarded in spite of the alert */
};
typedef void (*guard_alert_fn)(void *ctx, const struct guard_alert *a);

struct guard_opts {
	struct guard_port_opts ports[FRAMES_MAX_PORTS];
	unsigned n_ports;
	uint32_t server_ips[GUARD_MAX_SERVERS]; /* none: any on a trusted port */
	unsigned n_server_ips;
	uint8_t server_macs[GUARD_MAX_SERVERS][6];
	unsigned n_server_macs;
	const struct guard_fixed *fixed; /* borrowed until guard_attach */
	uint32_t n_fixed;
	uint32_t max_clients; /* of a port */
	uint32_t max_bindings, max_buckets;
	struct guard_rate requests, client_requests, arp,
		alerts;	    /* of a port, a client, a port, a port */
	bool check_mac;	    /* chaddr is the Ethernet source */
	bool allow_relayed; /* giaddr from clients' ports */
	enum guard_agent_policy agent;
	bool add_agent;			/* add option 82 to requests, and take it from answers */
	char remote_id[GUARD_NAME_LEN]; /* "": the hardware address of the first trusted port */
	bool check_arp, check_source, allow_link_local;
	int64_t in_use_ns;  /* so long after its last packet a client cannot turn up at another port
			     */
	int64_t pending_ns; /* how long an answer is waited for */
	int64_t alert_ns;   /* at least so long between two alerts of the same */
	char file[GUARD_PATH_LEN]; /* of bindings; "": none */
	int64_t save_ns;
	char server[GUARD_PATH_LEN]; /* control socket of the server whose leases are bindings; "":
					none */
	int64_t server_ns;	     /* how often they are read */
	uint32_t server_vlan;	     /* where they are */
	bool refuse_damaged; /* a damaged file is an error; else it is put aside, and no binding is
				known */
	const struct file_ops *files; /* NULL: the system's */
	struct hash_key hash_key;
	guard_alert_fn alert; /* NULL: no alerts */
	void *alert_ctx;
	struct log *log;
};

void guard_opts_default(struct guard_opts *o);
int guard_new(const struct guard_opts *o, struct guard **ret) must_check;
void guard_free(struct guard *gd);
/*
 * Takes its place in a gate with a source: ports get their roles, and the file is read. 0; -ENODEV:
 * a port that the source has not; an error of the file; -errno. err: which, and why.
 */
int guard_attach(struct guard *gd, struct gate *g, int64_t now_ns, char *err, size_t err_cap)
	must_check;
/* Called when time passes: expires bindings, and has them saved by a thread of their own when that
 * is due. */
void guard_tick(struct guard *gd, int64_t now_ns);
/* Saves the bindings now, and waits for it. 0, -errno; without a file nothing is done. */
int guard_save(struct guard *gd, int64_t now_ns) must_check;

enum guard_counter {
#define COUNTER(symbol, name, sentence) GUARD_COUNT_##symbol,
#include "gate/guard/counter.def"
#undef COUNTER
	GUARD_N_COUNTERS
};

struct guard_counters {
	uint64_t n[GUARD_N_COUNTERS];
	uint64_t alerts[GATE_DROP_N]; /* that were raised, by the drop they report */
	uint32_t bindings;	      /* now, fixed ones too */
};
void guard_counters(const struct guard *gd, struct guard_counters *ret);
const char *guard_counter_name(enum guard_counter c);
/* Returns whether a drop is a kind of alert (alert.def). */
bool guard_alerts_of(enum gate_drop d);
/* Returns the binding of an address, for reading only. */
const struct guard_binding *guard_find(const struct guard *gd, uint32_t vlan, uint32_t address);
/* Returns the end of a binding on the wall clock, in nanoseconds since 1970; INT64_MAX: never. */
int64_t guard_end_on_wall(const struct guard *gd, const struct guard_binding *b);
/* Walks over all, as guard_bindings_each(). */
const struct guard_binding *guard_each(const struct guard *gd, uint32_t *at);
/* Returns the name of a binding's port; "any": it has none. */
const char *guard_port_name(const struct guard *gd, uint16_t port);
