/* SPDX-License-Identifier: MPL-2.0 */
/*
 * ping_check: before an address is offered that its client did not have a moment ago, asks whether
 * another host has it. The packet is parked meanwhile; an address that answers is declined by the
 * server, and the client's next DISCOVER gets another one.
 *
 * The engine is made with the first configuration that checks addresses, so that a configuration
 * which is only tested opens no socket, and ends with the library.
 */
#include "library/common/library.h"
#include "library/ping/ping_check.h"

#include "base/error.h"
#include "base/ip.h"
#include "base/log.h"
#include "config/config.h"
#include "hook/hook_lib.h"
#include "lease/lease_db.h"
#include "packet/packet.h"

#include <errno.h>
#include <stdlib.h>

struct ping_check {
	struct arena arena;
	struct ping_params params;
	enum hook_network network;
	const struct clock_src *clock;
	struct lease_db *db;
	struct ping_engine *engine; /* NULL: no subnet is checked yet */
	struct log *log;	    /* of the engine */
};

static void parse_checks(struct library_problems *p, const struct config *cfg,
			 const struct json *parameters, void *record)
{
	struct ping_check *k = record;
	struct ping_table t = {.subnets = NULL};

	k->params = ping_read_library(p, parameters);
	/* only for mistakes: the table of a configuration is made with it */
	arena_init(&t.arena);
	ping_read_subnets(p, cfg, &k->params, &t);
	arena_fini(&t.arena);
}

/* --- Decision --------------------------------------------------------------------------------- */

static const struct ping_params *find_params(const struct usher_call *call,
					     const struct config_subnet **ret_subnet)
{
	const struct ping_table *t = call->config_data ? call->config_data[call->lib->index].data
						       : NULL;
	const struct config_subnet *s = t && call->lease
						? config_subnet_by_id(call->cfg,
								      call->lease->subnet_id)
						: NULL;

	*ret_subnet = s;
	return s ? &t->subnets[s->index] : NULL;
}

/* Reads the lease that was stored at the address before this packet. */
static bool find_previous(const struct usher_call *call, const struct ping_check *k,
			  struct lease *ret)
{
	if (!call->offer_stored)
		return lease_db_stored(k->db, call->lease->addr, ret) == 0;
	if (call->previous)
		*ret = *call->previous;
	return call->previous != NULL;
}

/* Returns whether the client had the address a moment ago: its lease runs, or is younger than
 * ping-cltt-secs. */
static bool is_fresh(const struct usher_call *call, const struct ping_check *k,
		     const struct config_subnet *s, const struct ping_params *p)
{
	struct lease_client who = {s->params.match_client_id ? lease_client_id(call->lease)
							     : SPAN_NULL,
				   lease_hw(call->lease)};
	int64_t now = clock_wall_s(k->clock);
	struct lease old uninit;

	if (!find_previous(call, k, &old) || old.state == LEASE_DECLINED ||
	    !lease_is_of(&old, &who))
		return false;
	return (old.state == LEASE_ASSIGNED && lease_expire(&old) >= now) ||
	       now - old.cltt < p->cltt_s;
}

static void drop_duplicate(struct usher_call *call)
{
	char ip[IP_TEXT_LEN];

	hook_drop(call, DROP_PING_CHECK);
	if (log_wants(call->lib->log, LOG_PING_CHECK_DUPLICATE_CHECK))
		log_msg(call->lib->log, LOG_PING_CHECK_DUPLICATE_CHECK,
			"Ping check already in progress for %s", ip_text(call->lease->addr, ip));
}

/* Called at lease4_offer. */
static int check_offer(struct usher_call *call, void *ping_check)
{
	struct ping_check *k = ping_check;
	const struct config_subnet *s;
	const struct ping_params *p = find_params(call, &s);
	struct hook_link link;
	bool near;

	if (!call->lease &&
	    log_wants(call->lib->log, LOG_PING_CHECK_CHANNEL_NO_LEASE_OR_LEASE_REUSED))
		log_msg(call->lib->log, LOG_PING_CHECK_CHANNEL_NO_LEASE_OR_LEASE_REUSED,
			"Ping check skipped: no lease");
	if (call->status == USHER_DROP || call->status == USHER_SKIP || !p || !p->enable ||
	    !k->engine || call->reserved || is_fresh(call, k, s, p))
		return 0;
	near = p->arp && call->link && call->link(call->ctx, &link);
	switch (ping_engine_check(k->engine, call, call->lease->addr, p, near ? &link : NULL)) {
	case PING_BEGUN:
		call->status = USHER_PARK;
		break;
	case PING_BUSY:
		drop_duplicate(call);
		break;
	case PING_DOWN:
		break;
	}
	return 0;
}

/* --- Life ------------------------------------------------------------------------------------- */

static void refuse_checks(void *refusal, const struct config_error *e)
{
	struct config_error *r = refusal;

	if (!r->text[0])
		*r = *e;
}

static int begin_engine(struct ping_check *k, struct log *log)
{
	struct ping_channel *channel;
	int r = k->network == HOOK_NETWORK_FULL ? ping_channel_open(&channel)
						: ping_channel_silent(&channel);

	if (r == 0) {
		log_msg(log, LOG_PING_CHECK_CHANNEL_SOCKET_OPENED, "the ICMP socket is open");
		r = ping_engine_new(channel, log, &k->engine);
	}
	k->log = log;
	if (r == 0)
		log_msg(log, LOG_PING_CHECK_MGR_STARTED,
			"ping channel operations are running, number of threads 1");
	return r;
}

static void free_table(void *table)
{
	struct ping_table *t = table;

	arena_fini(&t->arena);
	free(t);
}

/* Makes the table of the configuration. NULL: it is refused. */
static struct ping_table *make_table(const struct usher_call *call, const struct ping_check *k,
				     struct library_problems *p)
{
	struct ping_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	arena_init(&t->arena);
	ping_read_subnets(p, call->cfg, &k->params, t);
	if (!p->n)
		return t;
	free_table(t);
	return NULL;
}

/* Called at dhcp4_srv_configured. */
static int configure_checks(struct usher_call *call, void *ping_check)
{
	struct library_problems p = {.library = library_ping_check.name,
				     .fn = refuse_checks,
				     .ctx = call->refusal};
	struct ping_check *k = ping_check;
	struct ping_table *t = make_table(call, k, &p);
	int r = 0;

	if (!t) {
		call->status = USHER_DROP;
		return p.n ? 0 : -ENOMEM;
	}
	call->config_data[call->lib->index] = (struct hook_config_data){t, free_table};
	if (t->enabled && !k->engine && k->network != HOOK_NETWORK_NONE)
		r = begin_engine(k, call->lib->log);
	if (r < 0) {
		library_problem(&p, NULL, "the raw socket cannot be opened: %s%s",
				usher_strerror(r),
				r == -EPERM ? " (it needs the capability CAP_NET_RAW)" : "");
		log_msg(call->lib->log, LOG_PING_CHECK_DHCP4_SRV_CONFIGURED_FAILED,
			"the raw socket cannot be opened: %s", usher_strerror(r));
		call->status = USHER_DROP;
	}
	return 0;
}

static void attach_checks(void *record, const struct hook_registry_opts *o)
{
	struct ping_check *k = record;

	k->clock = o->clock ? o->clock : &clock_system;
	k->db = o->db;
	k->network = o->network;
}

static int start_checks(usher_lib *lib, void *record)
{
	int r = usher_register(lib, "dhcp4_srv_configured", configure_checks, record);

	return r < 0 ? r : usher_register(lib, "lease4_offer", check_offer, record);
}

static void stop_checks(void *record)
{
	struct ping_check *k = record;

	if (!k->engine)
		return;
	log_msg(k->log, LOG_PING_CHECK_MGR_STOPPING, "ping channel operations are stopping");
	ping_engine_free(k->engine);
	log_msg(k->log, LOG_PING_CHECK_CHANNEL_SOCKET_CLOSED, "the ICMP socket is closed");
	log_msg(k->log, LOG_PING_CHECK_MGR_STOPPED, "channel operations have stopped");
}

static const struct library_log messages = {LOG_PING_CHECK_LOAD_OK, LOG_PING_CHECK_LOAD_ERROR,
					    LOG_PING_CHECK_UNLOAD};

const struct library library_ping_check = {.name = "libdhcp_ping_check.so",
					   .size = sizeof(struct ping_check),
					   .log = &messages,
					   .parse = parse_checks,
					   .attach = attach_checks,
					   .start = start_checks,
					   .stop = stop_checks};
