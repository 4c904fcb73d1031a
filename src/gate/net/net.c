/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The network floor's memory, and its functions for the engine.
 */
#include "gate/net/net.h"

#include "gate/net/created.h"
#include "gate/net/defrag.h"
#include "gate/net/fragment.h"

/* --- Memory ----------------------------------------------------------------------------------- */

static void lose_fragment(void *ctx, struct held *h)
{
	struct gate *g = ctx;

	g->counters.failed_open += g->fail_open && h->owed;
	gate_release(g, h, g->fail_open ? GATE_ACCEPT : GATE_DROP, GATE_DROP_FRAGMENT_TIMEOUT);
	(void)frames_flush(g->frames);
}

int net_init(struct gate *g, const struct gate_opts *o)
{
	int r = created_new(g);

	return r < 0 ? r : defrag_new(&o->defrag, g->held, lose_fragment, g, &g->defrag);
}

void net_fini(struct gate *g)
{
	defrag_free(g->defrag);
	created_free(g);
}

void net_tick(struct gate *g, int64_t now_ns)
{
	defrag_expire(g->defrag, now_ns);
}

void net_drain(struct gate *g)
{
	defrag_expire(g->defrag, INT64_MAX);
}

/* --- Functions for the engine ------------------------------------------------------------------- */

const struct gate_net_ops gate_net_ops = {
	.expect_flows = net_expect_flows,
	.checksum = net_checksum,
	.release_fragments = fragment_release_all,
	.release_longer = fragment_release_longer,
	.next_injected = created_next,
};
