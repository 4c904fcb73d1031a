/* SPDX-License-Identifier: MPL-2.0 */
/*
 * lease_query: answers questions of relays about leases (RFC 4388). Only the requesters of the
 * parameters may ask. This file has the parameters and the life of the library; the rest is in
 * library/lease_query/.
 */
#include "library/lease_query/lease_query.h"
#include "library/lease_query_read.h"
#include "library/library.h"

#include "base/clock.h"
#include "base/error.h"
#include "config/config.h"
#include "control/command.h"
#include "hook/hook.h"
#include "lease/context/relay_upgrade.h"
#include "runtime/background.h"
#include "wire/dhcp4.h"

#include <errno.h>

struct lease_query {
	struct arena arena;
	struct lease_query_params params;
	const struct clock_src *clock;
	struct lease_db *db;
	struct log *log;
	enum relay_check checks; /* of extended-info4-upgrade */
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

static int start_queries(usher_lib *lib, void *record)
{
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

	return r < 0 ? r : usher_register(lib, "buffer4_receive", answer_query, record);
}

const struct library library_lease_query = {.name = "libdhcp_lease_query.so",
					    .size = sizeof(struct lease_query),
					    .parse = parse_queries,
					    .attach = attach_queries,
					    .start = start_queries};
