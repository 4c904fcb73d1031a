/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Daytime: state of a flow is where its last question came from, which takes no memory.
 */
#include "example_daytime.h"

#include "gate/engine/plugin.h"
#include "wire/ipv4.h"

enum { DAYTIME_PORT = 13, LINE_MAX_LEN = 128 };

/* A line, which may end with CR LF, of printable ASCII. */
static bool is_line(struct rd *r)
{
	size_t n = rd_left(r);

	if (n == 0 || n > LINE_MAX_LEN)
		return false;
	while (rd_left(r)) {
		uint8_t c = rd_u8(r);

		if ((c < ' ' || c > '~') && !(rd_left(r) < 2 && (c == '\r' || c == '\n')))
			return false;
	}
	return true;
}

static void begin(void *ctx, struct gate_walk *w, struct flow *f)
{
	(void)ctx, (void)w;
	f->state = NULL; /* nothing was asked yet */
}

static int receive(void *ctx, struct gate_walk *w)
{
	struct daytime *d = ctx;
	const struct gate_packet *p = w->p;
	struct rd r = gate_rd(p, p->p.app);

	if (p->direction == GATE_UP) {
		d->asked++;
		p->flow->state = d;
		return GATE_ACCEPT;
	}
	if (p->flow->state == d && is_line(&r)) {
		d->answered++;
		p->flow->state = NULL; /* one answer a question */
		return GATE_ACCEPT;
	}
	d->refused++;
	return gate_undecided(w, GATE_DROP_SCRIPT_PARSE);
}

int daytime_register(struct daytime *d, struct gate *g)
{
	struct gate_plugin plugin = {
		.name = "daytime",
		.proto = IPV4_PROTO_UDP,
		.port = DAYTIME_PORT,
		.begin = begin,
		.receive = receive,
		.ctx = d,
	};

	return gate_plugin_add(g, &plugin);
}
