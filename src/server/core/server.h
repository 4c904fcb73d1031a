/* SPDX-License-Identifier: MPL-2.0 */
/*
 * struct server: shared by all workers and the management thread. The current configuration and
 * interface table are published under `lock` with a generation number that workers compare once a
 * batch; everything else is either immutable, atomic or has its own lock.
 */
#pragma once

#include "base/clock.h"
#include "base/hash.h"
#include "hook/hook.h"
#include "server/core/stats.h"

#include <pthread.h>
#include <stdatomic.h>

struct config;
struct ddns;
struct exchange;
struct iface_table;
struct lease_db;
struct lease_store;
struct log;
struct same_client;
struct samples;
struct snapshot;
struct tracer;
struct worker;

enum { SERVER_MAX_WORKERS = 64 };

/* The origins of dhcp-disable, each of which may disable the service. */
enum service_origin {
	SERVICE_OFF_USER = 1,
	SERVICE_OFF_HA_LOCAL = 2,
	SERVICE_OFF_HA_REMOTE = 4,
	SERVICE_OFF_DB = 8,
};

struct server {
	struct clock_src clock;
	struct virtual_clock *replay_clock; /* follows the packets' timestamps; NULL: real time */
	struct log *log;
	struct hash_key hash_key;
	struct lease_db *db;
	struct lease_store *store; /* NULL: none (everything is durable) */
	struct ddns *ddns;	   /* NULL: the DNS is not updated */
	struct same_client *same_client;
	struct tracer *tracer;
	uint16_t server_port, client_port;
	const struct hook_builtin *builtins; /* hook libraries in the program; NULL: none */
	enum hook_network network;
	const char *config_file;	      /* borrowed; NULL: none */
	bool (*is_command)(const char *name); /* as in server_opts */

	pthread_mutex_t lock; /* of the three below */
	struct snapshot *snap;
	struct snapshot *retired; /* the management thread's */
	struct iface_table *ifaces;
	struct subnet_stats *subnet_stats; /* list, by id; never shrinks */
	_Atomic uint64_t generation;	   /* moves when snap or ifaces does */

	_Atomic unsigned disabled;	/* enum service_origin bits; 0: serving */
	_Atomic int parked[HOOK_LOT_N]; /* packets that callouts parked, by lot */

	struct worker_watch *watch; /* over callouts; NULL: none (replay) */
	_Atomic unsigned hanging;   /* callouts that do not return */

	struct worker *workers[SERVER_MAX_WORKERS];
	struct stats *worker_stats[SERVER_MAX_WORKERS];
	unsigned n_workers;
	uint8_t drop_cause[DROP_N]; /* behind stats.cause of every worker */
	struct stats mgmt_stats;    /* counted outside of workers */
	struct samples *samples;    /* histories of statistics; the management thread's */
	_Atomic bool sample_wanted; /* a worker that handled packets writes to sample_fd, once */
	int sample_fd;
	int64_t started_ns, reloaded_ns; /* wall clock */
};

struct server_opts {
	struct clock_src clock;
	struct log *log;
	uint64_t seed;			   /* 0: from the system */
	uint16_t server_port, client_port; /* 0: 67, 68 */
	uint32_t offer_hold_s;
	const struct hook_builtin *builtins; /* borrowed; ends with an empty name. NULL: none */
	enum hook_network network;	     /* for hook libraries */
	const char *config_file; /* borrowed; relative paths begin at its directory. NULL: at the
				    working directory */
	/* Returns whether a name is a command of the program, which no hook library may take; NULL:
	 * there is none. */
	bool (*is_command)(const char *name);
};

int server_init(struct server *srv, const struct server_opts *o) must_check;
/* Frees everything but the workers, which workers_free() ended before. */
void server_fini(struct server *srv);
/* Releases the current and the retired snapshots, and so unloads the hook libraries. Called when no
 * packet is processed any more. */
void server_drop_snapshots(struct server *srv);

/* Returns the number of workers that a configuration asks for. */
unsigned server_worker_count(const struct config *cfg);
/* Publishes; takes the reference. */
void server_publish_snapshot(struct server *srv, struct snapshot *s);
/* Frees earlier snapshots once no worker has them. Freeing a large one takes milliseconds, so
 * packets must not wait for it: the management thread calls this at intervals. */
void server_free_retired(struct server *srv);
void server_publish_ifaces(struct server *srv, struct iface_table *t);
/* Returns a reference to the current snapshot; the function below returns one to the interface
 * table. */
struct snapshot *server_snapshot(struct server *srv);
struct iface_table *server_ifaces(struct server *srv);
/* Finds the counters of n subnets by their ascending ids, and creates missing ones. Returns 0 or
 * -ENOMEM. */
int server_subnet_stats(struct server *srv, const uint32_t *ids, size_t n,
			struct subnet_stats **ret) must_check;
/* Sums over the workers since the start. */
uint64_t server_metric(struct server *srv, enum metric m);
uint64_t server_drop_count(struct server *srv, enum drop d);
/* Wakes the management thread to take samples of statistics, if it waits for that. Any thread. */
void server_sample_soon(struct server *srv);
/* Reclaims leases and ends holds: one run of expired-leases-processing. Returns true when more
 * leases are due than the limits allow. */
bool server_reclaim(struct server *srv, bool remove, uint32_t max_leases, uint32_t max_ms);
void server_flush_reclaimed(struct server *srv);
