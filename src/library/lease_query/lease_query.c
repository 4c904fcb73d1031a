/* SPDX-License-Identifier: MPL-2.0 */
/*
 * lease_query: answers queries of relays about leases, over UDP (RFC 4388) and, as bulk queries,
 * over TCP (RFC 6926). Only the requesters of the parameters may ask. This file has the life of the
 * library and its command; the answers are in library/lease_query/.
 */
#include "library/lease_query/lease_query_read.h"
#include "library/common/library.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/ip.h"
#include "config/config.h"
#include "control/command.h"
#include "hook/hook_lib.h"
#include "lease/context/relay_upgrade.h"
#include "runtime/background.h"
#include "wire/dhcp4.h"

#include <errno.h>
#include <stdlib.h>

struct lease_query {
	struct arena arena;
	struct lease_query_params params;
	const struct clock_src *clock;
	struct lease_db *db;
	struct log *log;
	enum hook_network network;
	struct bulk_server *server; /* NULL: no configuration with bulk queries is in effect */
	enum relay_check checks;    /* of extended-info4-upgrade */
};

static void parse_queries(struct library_problems *p, const struct config *cfg,
			  const struct json *parameters, void *record)
{
	struct lease_query *q = record;

	(void)cfg;
	lease_query_read(p, parameters, &q->arena, &q->params);
}

/* Called at buffer4_receive. A message that cannot be decoded is left to the server, which counts
 * it. */
static int answer_query(struct usher_call *call, void *record)
{
	struct lease_query *q = record;

	if (call->status == USHER_DROP)
		return 0;
	if (call->status == USHER_CONTINUE && usher_unpack(call) < 0)
		return 0;
	call->status = USHER_SKIP;
	if (dhcp4_msg_type(call->query) != DHCP4_LEASEQUERY || call->query->op != DHCP4_BOOTREQUEST)
		return 0;
	return lease_query_answer(call, &q->params.requesters, q->db, clock_wall_s(q->clock));
}

static void attach_queries(void *record, const struct hook_registry_opts *o)
{
	struct lease_query *q = record;

	q->clock = o->clock ? o->clock : &clock_system;
	q->db = o->db;
	q->log = o->log;
	q->network = o->network;
	q->checks = (enum relay_check)o->cfg->context_checks;
	if (q->checks == RELAY_CHECK_NONE)
		q->checks = RELAY_CHECK_FIX;
}

/* --- extended-info4-upgrade -------------------------------------------------------------------- */

static bool is_ending(void *background)
{
	return background_is_ending(background);
}

/* Runs in the background thread: upgrades the contexts of all leases. */
static void upgrade_leases(struct control_call *c)
{
	struct lease_query *q = c->ctx;
	struct relay_upgrade u = {.db = q->db,
				  .log = q->log,
				  .how = q->checks,
				  .ended = is_ending,
				  .ctx = (void *)(uintptr_t)c->background};
	int64_t *n = arena_new(c->arena, int64_t);

	if (n)
		*n = relay_upgrade_all(&u);
	c->result = n;
}

static struct json *answer_upgrade(struct control_call *c)
{
	const int64_t *n = c->result;

	int64_t r = n ? *n : -ENOMEM;

	if (r < 0)
		return control_answer(c->arena, CONTROL_ERROR, "the leases cannot be upgraded: %s",
				      r == -EBUSY ? "the lease file is still being loaded"
						  : usher_strerror((int)r));
	return control_answer(c->arena, CONTROL_OK, "Upgraded %lld lease%s", (long long)r,
			      r == 1 ? "" : "s");
}

/* --- Life ------------------------------------------------------------------------------------- */

static void adopt_server(void *record, void *before)
{
	struct lease_query *q = record, *old = before;

	if (q->params.bulk.enabled)
		q->server = bulk_server_ref(old->server);
}

static int open_bulk(struct lease_query *q)
{
	const struct bulk_params *b = &q->params.bulk;
	struct bulk_server_opts o = {.ip = b->ip,
				     .port = b->port,
				     .log = q->log,
				     .db = q->db,
				     .clock = q->clock};

	if (bulk_server_is_at(q->server, b->ip, b->port))
		return 0;
	bulk_server_unref(q->server);
	q->server = NULL;
	return bulk_server_open(&o, &q->server);
}

static void end_use(void *use)
{
	bulk_server_leave(use);
	free(use);
}

static void refuse_bulk(const struct lease_query *q, struct usher_call *call, int e)
{
	const struct bulk_params *b = &q->params.bulk;
	char ip[IP_TEXT_LEN];

	(void)config_error_set(call->refusal, NULL, -USHER_E_HOOK,
			       "hook library %s: bulk queries: cannot listen at %s, TCP port %u: "
			       "%s%s",
			       library_lease_query.name, ip_text(b->ip, ip), b->port,
			       usher_strerror(e),
			       e == -EACCES ? " (it needs the capability CAP_NET_BIND_SERVICE)"
					    : "");
	call->status = USHER_DROP;
}

/* Called at dhcp4_srv_configured: puts the parameters into effect for bulk queries. */
static int configure_bulk(struct usher_call *call, void *record)
{
	struct lease_query *q = record;
	struct bulk_use *u;
	int r;

	if (q->network != HOOK_NETWORK_FULL || !q->db || !call->config_data)
		return 0;
	r = open_bulk(q);
	if (r < 0) {
		refuse_bulk(q, call, r);
		return 0;
	}
	u = calloc(1, sizeof(*u));
	if (!u) {
		call->status = USHER_DROP;
		return -ENOMEM;
	}
	u->params = q->params.bulk;
	u->requesters = &q->params.requesters;
	u->cfg = call->cfg;
	u->lib = call->lib;
	bulk_server_use(q->server, u);
	call->config_data[call->lib->index] = (struct hook_config_data){u, end_use};
	return 0;
}

static int start_queries(usher_lib *lib, void *record)
{
	struct lease_query *q = record;
	struct control_command upgrade = {
		.name = "extended-info4-upgrade",
		.work = upgrade_leases,
		.fn = answer_upgrade,
		.args = "",
		.help = "brings the relay's information in all leases to its present form",
		.access = CONTROL_WRITE,
		.ctx = record,
	};
	int r = hook_register_row(lib, &upgrade);

	if (r == 0)
		r = usher_register(lib, "buffer4_receive", answer_query, record);
	if (r == 0 && q->params.bulk.enabled)
		r = usher_register(lib, "dhcp4_srv_configured", configure_bulk, record);
	if (r < 0)
		bulk_server_unref(q->server);
	return r;
}

static void stop_queries(void *record)
{
	struct lease_query *q = record;

	bulk_server_unref(q->server);
}

const struct library library_lease_query = {.name = "libdhcp_lease_query.so",
					    .size = sizeof(struct lease_query),
					    .parse = parse_queries,
					    .attach = attach_queries,
					    .adopt = adopt_server,
					    .start = start_queries,
					    .stop = stop_queries};
