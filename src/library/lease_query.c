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
#include "hook/hook.h"
#include "wire/dhcp4.h"

struct lease_query {
	struct arena arena;
	struct lease_query_params params;
	const struct clock_src *clock;
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
	return lease_query_answer(call, &q->params.requesters, clock_wall_s(q->clock));
}

static void attach_queries(void *record, const struct hook_registry_opts *o)
{
	struct lease_query *q = record;

	q->clock = o->clock ? o->clock : &clock_system;
}

static int start_queries(usher_lib *lib, void *record)
{
	return usher_register(lib, "buffer4_receive", answer_query, record);
}

const struct library library_lease_query = {.name = "libdhcp_lease_query.so",
					    .size = sizeof(struct lease_query),
					    .parse = parse_queries,
					    .attach = attach_queries,
					    .start = start_queries};
