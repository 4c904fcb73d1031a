/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Replay. One worker without a thread, one packet at a time, a virtual clock that the packets'
 * times move; housekeeping runs when its time comes on that clock. The interface is one that
 * accepts every destination, named as the configuration's first.
 */
#include "server/run/replay.h"

#include "base/error.h"
#include "base/ip.h"
#include "base/log.h"
#include "capture/capture.h"
#include "config/config.h"
#include "lease/journal/journal.h"
#include "lease/lease_db.h"
#include "runtime/iface.h"
#include "server/manage/daemon.h"
#include "server/core/snapshot.h"
#include "server/worker/worker.h"

#include <stdio.h>
#include <string.h>

enum { REPLAY_SEED = 0x75736872, REPLAY_SLOTS = 256 };

struct replay {
	const struct replay_opts *o;
	struct virtual_clock clock;
	struct server srv;
	struct capture *capture;
	int64_t next_reclaim, next_flush; /* on the virtual wall clock */
};

/* Returns the source address of answers to broadcast queries: the configured one, or the first
 * host address of the first subnet. */
static uint32_t replay_addr(const struct config *cfg)
{
	if (cfg->n_interfaces && cfg->interfaces[0].addr)
		return cfg->interfaces[0].addr;
	return cfg->n_subnets ? cfg->subnets[0].prefix + 1 : 0;
}

static int replay_ifaces(struct replay *r, const struct config *cfg)
{
	const char *name = cfg->n_interfaces && strcmp(cfg->interfaces[0].name, "*") != 0
				   ? cfg->interfaces[0].name
				   : "replay0";
	struct iface i = {.ifindex = 0,
			  .arp_type = 1,
			  .up = true,
			  .running = true,
			  .accept_any = true,
			  .n_addrs = 1,
			  .addrs = {{replay_addr(cfg), 24}}};
	struct iface_table *t;

	(void)snprintf(i.name, sizeof(i.name), "%s", name);
	t = iface_table_new(&i, 1);
	if (!t)
		return -USHER_E_NOMEM;
	server_publish_ifaces(&r->srv, t);
	return 0;
}

static int replay_setup(struct replay *r, struct config *cfg, struct config_error *err)
{
	struct journal_opts jo = {.path = "",
				  .persist = false,
				  .clock = &r->srv.clock,
				  .log = r->srv.log};
	struct worker_opts wo = {.n_slots = REPLAY_SLOTS};
	struct journal_load_stats st;
	struct snapshot *s = NULL;
	int e = journal_open(&jo, r->srv.db, &r->srv.store, &st);

	if (e == 0)
		e = snapshot_build(&r->srv, cfg, NULL, &s, NULL, err);
	if (e < 0) {
		config_free(cfg);
		return e;
	}
	e = replay_ifaces(r, cfg);
	server_publish_snapshot(&r->srv, s);
	if (e == 0)
		e = worker_add(&r->srv, &wo);
	return e;
}

/* Runs the timers that are due on the virtual clock. */
static void replay_housekeeping(struct replay *r, const struct config *cfg)
{
	int64_t now = r->clock.wall;

	lease_db_expire_holds(r->srv.db);
	if (cfg->reclaim_timer_wait_s && now >= r->next_reclaim) {
		server_reclaim(&r->srv, cfg->hold_reclaimed_s == 0, 0, 0);
		r->next_reclaim = now + cfg->reclaim_timer_wait_s * NS_PER_S;
	}
	if (cfg->flush_reclaimed_timer_wait_s && now >= r->next_flush) {
		server_flush_reclaimed(&r->srv);
		r->next_flush = now + cfg->flush_reclaimed_timer_wait_s * NS_PER_S;
	}
}

static int replay_packets(struct replay *r)
{
	struct snapshot *s = server_snapshot(&r->srv);
	int n;

	do {
		n = worker_receive(r->srv.workers[0], r->capture);
		(void)worker_run_once(r->srv.workers[0]);
		replay_housekeeping(r, s->cfg);
	} while (n > 0 || (n == 0 && !capture_ended(r->capture)));
	snapshot_unref(s);
	return n;
}

static void report_counts(struct server *srv)
{
	(void)fprintf(stderr, "replayed %llu packets: %llu OFFER, %llu ACK, %llu NAK sent\n",
		      (unsigned long long)server_metric(srv, METRIC_RECEIVED),
		      (unsigned long long)server_metric(srv, METRIC_OFFER_SENT),
		      (unsigned long long)server_metric(srv, METRIC_ACK_SENT),
		      (unsigned long long)server_metric(srv, METRIC_NAK_SENT));
	for (unsigned d = 1; d < DROP_N; d++)
		if (server_drop_count(srv, (enum drop)d))
			(void)fprintf(stderr, "  %llu: %s\n",
				      (unsigned long long)server_drop_count(srv, (enum drop)d),
				      drop_info((enum drop)d)->sentence);
}

static int replay_all(struct replay *r, struct config *cfg, struct config_error *err)
{
	int e = replay_setup(r, cfg, err);

	if (e < 0)
		return e;
	e = capture_pcap_open(r->o->in, r->o->out, &r->capture);
	if (e < 0)
		return config_error_set(err, NULL, e, "capture %s: %s", r->o->in,
					usher_strerror(e));
	e = replay_packets(r);
	if (e < 0)
		(void)config_error_set(err, NULL, e, "capture %s: %s", r->o->in, usher_strerror(e));
	else
		report_counts(&r->srv);
	capture_close(r->capture);
	return e;
}

int replay_run(const struct replay_opts *o)
{
	struct config_load_opts lo = {.ignore_unknown_hooks = o->ignore_unknown_hooks};
	struct config_error err = {0};
	struct replay r = {.o = o};
	struct server_opts so = {.seed = REPLAY_SEED,
				 .server_port = o->server_port,
				 .client_port = o->client_port,
				 .builtins = o->builtins,
				 .network = HOOK_NETWORK_NONE,
				 .config_file = o->config_file};
	struct config *cfg;
	struct buf b;
	int e;

	virtual_clock_init(&r.clock, 0);
	so.clock = r.clock.src;
	so.log = log_new(&r.clock.src, "kea-dhcp4");
	e = so.log ? config_load_file(o->config_file, &lo, &cfg, &err) : -USHER_E_NOMEM;
	if (e == 0 &&
	    log_configure(so.log,
			  (struct log_rule[]){{.logger = "kea-dhcp4", .severity = LOG_SEV_NONE}}, 1,
			  o->debug) == 0) {
		so.offer_hold_s = cfg->offer_hold_s;
		e = server_init(&r.srv, &so);
		r.srv.replay_clock = &r.clock;
		if (e == 0) {
			e = replay_all(&r, cfg, &err);
			workers_free(&r.srv);
			server_fini(&r.srv);
		}
	}
	if (e < 0) {
		buf_init(&b);
		config_error_text(&err, &b);
		(void)fprintf(stderr, "usher-server: %s\n", b.p ? b.p : usher_strerror(e));
		buf_fini(&b);
	}
	log_free(so.log);
	return e < 0 ? 1 : 0;
}
