/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The guard from inside: declarations that its files share. Judges are called from the listeners of
 * guard.c; they return true, or false when the packet is dropped.
 */
#pragma once

#include "gate/app/dissect_dhcp.h"
#include "gate/guard/guard.h"
#include "gate/guard/pending.h"

struct guard_server;
struct guard_store;

struct guard_port {
	enum guard_role role;
	char name[GUARD_NAME_LEN];
	uint32_t max_clients;
	uint32_t n_bindings, n_fresh; /* of clients; clients that ask and have none */
	struct guard_rate requests;
	int64_t requests_paid_ns, arp_paid_ns, alerts_paid_ns;
};

struct guard_offenders;

struct guard {
	struct guard_opts o;
	struct gate *gate;
	struct guard_port ports[FRAMES_MAX_PORTS];
	unsigned n_ports;
	uint32_t to_servers; /* ports (a bit each) that requests may leave by */
	struct guard_bindings *bindings;
	struct guard_pendings *pendings;
	struct guard_buckets *buckets;
	struct guard_offenders *offenders;
	struct guard_store *store;   /* NULL: no file */
	struct guard_server *server; /* NULL: none is asked */
	uint8_t remote_id[GUARD_NAME_LEN];
	size_t remote_id_len;
	uint32_t judged, seen_frame,
		seen_ipv4;  /* generations of the packets whose message, frame, datagram was */
	uint32_t server_id; /* of the current message, for alerts */
	/* The wall clock less the gate's time, which never steps: ends of bindings are in the
	 * gate's time, and in the wall clock's on disk, in the server's list and for people. */
	int64_t ahead_ns;
	uint64_t changes; /* of bindings since the last save */
	uint64_t n[GUARD_N_COUNTERS];
	uint64_t alerts[GATE_DROP_N]; /* that were raised, by kind */
};

/* Converts the end of a lease from the wall clock to the gate's time. An end that no number holds
 * is none: INT64_MAX. */
static inline int64_t guard_from_wall(const struct guard *gd, int64_t wall_ns)
{
	int64_t r;

	return wall_ns == INT64_MAX || __builtin_sub_overflow(wall_ns, gd->ahead_ns, &r) ? INT64_MAX
											 : r;
}

static inline void guard_count(struct guard *gd, enum guard_counter c)
{
	gd->n[c]++;
}

/* Returns the port that a packet came in by. guard_role_of() returns its role for this packet: a
 * listed server at a shared port is trusted. */
struct guard_port *guard_port_of(struct guard *gd, const struct gate_packet *p);
enum guard_role guard_role_of(struct guard *gd, const struct gate_packet *p);
bool guard_is_server_mac(const struct guard *gd, const uint8_t mac[6]);
bool guard_is_server_ip(const struct guard *gd, uint32_t ip);

/* Drops the packet and raises the alert. Returns false. */
bool guard_refuse(struct guard *gd, struct gate_packet *p, enum gate_drop why);
/* Called when a table is full: drops the packet and raises the alert. Returns true under fail_open,
 * where the packet is forwarded. */
bool guard_no_room(struct guard *gd, struct gate_walk *w, enum gate_drop why);

int guard_listen(struct guard *gd) must_check; /* guard_listen.c */
/* Removes bindings and pending requests whose time is over. */
void guard_expire(struct guard *gd, int64_t now_ns);

bool guard_judge_frame(struct guard *gd, struct gate_packet *p); /* guard_source.c */
bool guard_judge_ipv4(struct guard *gd, struct gate_packet *p);
bool guard_judge_fragment(struct guard *gd, struct gate_packet *p, bool leaving);
bool guard_is_message(const struct gate_packet *p);
bool guard_judge_request(struct guard *gd, struct gate_walk *w); /* guard_request.c */
bool guard_judge_reply(struct guard *gd, struct gate_packet *p); /* guard_reply.c */

/* Adds option 82 to a message (guard_agent.c). */
void guard_agent_add(struct guard *gd, struct gate_packet *p);
void guard_agent_remove(struct guard *gd, struct gate_packet *p);

/* Removes a binding; changes its port. The count of its port is kept with it. */
void guard_unbind(struct guard *gd, struct guard_binding *b);
void guard_set_port(struct guard *gd, struct guard_binding *b, uint16_t port);
/* Returns whether a binding is of this sender, at this port. */
bool guard_binding_fits(const struct guard_binding *b, const uint8_t mac[6], uint16_t port);

int guard_offenders_new(uint32_t max, struct guard_offenders **ret) must_check; /* guard_alert.c */
void guard_offenders_free(struct guard_offenders *t);
void guard_alert(struct guard *gd, const struct gate_packet *p, enum gate_drop why);

/* Opens and handles the file (guard_store.c). */
int guard_store_new(struct guard *gd, struct guard_store **ret) must_check;
void guard_store_free(struct guard_store *s);
int guard_store_load(struct guard *gd, int64_t now_ns, char *err, size_t err_cap) must_check;
void guard_store_tick(struct guard *gd, int64_t now_ns);
int guard_store_save(struct guard *gd, int64_t now_ns) must_check;

/* Makes and handles the server's list of leases (guard_server.c). */
int guard_server_new(struct guard *gd, struct guard_server **ret) must_check;
void guard_server_free(struct guard_server *s);
/* Reads it once, and waits for that; then a thread does, now and then. 0, -errno of the thread. */
int guard_server_start(struct guard *gd, int64_t now_ns) must_check;
void guard_server_tick(struct guard *gd, int64_t now_ns);
void guard_server_counters(struct guard_server *s, uint64_t *ret_reads, uint64_t *ret_failures);
