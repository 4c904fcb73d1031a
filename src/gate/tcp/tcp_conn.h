/* SPDX-License-Identifier: MPL-2.0 */
/*
 * tcp_connection in the engine: a flow's transport state, and the view of streams for dissectors
 * and rules.
 */
#pragma once

#include "gate/engine/dissect.h"
#include "gate/tcp/tcp_history.h"
#include "gate/tcp/tcp_stream.h"
#include "gate/tcp/tcp_track.h"

/* Octets that a capture file lacks, as long as segments behind them wait. */
struct tcp_gap {
	uint32_t packets; /* of the connection since then */
	int64_t since_ns;
};

struct tcp_conn {
	struct tcp_conn *next; /* free ones */
	struct tcp_track track;
	struct tcp_stream stream[2];   /* by enum gate_direction */
	struct tcp_history history[2]; /* of streams that somebody looks at */
	uint32_t shown[2];	       /* pending octets that listeners of receive_data have seen */
	void *script[2];	       /* the follower of each (dissect.h); NULL: none */
	int64_t shown_ns[2];	       /* when something new was shown */
	struct gate_view *showing[2];  /* all that is pending, while it is shown */
	uint32_t stamp[2]; /* the last time stamp of each direction (RFC 7323), if stamped; of those
			      inspected */
	bool stamped[2];
	uint32_t early_ack[2]; /* up to here the gate has acknowledged, if acked_early (early_ack.h)
				*/
	bool acked_early[2];
	bool inspected;	       /* somebody wants its data: segments are put in order */
	struct tcp_gap gap[2]; /* of a recording (tcp_gap.h) */
};

/*
 * The octets of one direction that arrived in order and were not released, shown to a dissector or
 * rule. Valid during the call; `octets` moves when gate_stream_edit() is used.
 */
struct gate_view {
	struct flow *flow;
	enum gate_direction direction;
	const uint8_t *octets;
	uint32_t n;
	uint32_t out; /* receiver's sequence number of octets[0]; unset when `whole` is not NULL */
	bool end;     /* no more will come */
	bool fixed;   /* its length may not change */
	struct gate_view *whole; /* it is a part of that; NULL: it is all there is */
	uint32_t base;		 /* offset in it */
};

/* Shows a dissector the present octets. Returns how many may be forwarded (of view->n as it is
 * then). A dissector that ends the flow sets flow->dropped. */
typedef uint32_t (*gate_stream_fn)(struct gate *g, struct gate_view *v);

/* Puts `with` in the place of n octets at off of the view. 0; -EROFS: pass-through; -EPERM: its
 * length may not change; -ERANGE; -USHER_E_LIMIT. */
int gate_stream_edit(struct gate *g, struct gate_view *v, uint32_t off, uint32_t n,
		     struct span with) must_check;
/* RST to both ends: the connection is over for them too. */
void gate_tcp_reset(struct gate *g, struct flow *f);
/* Sends a RST to the receiver of direction d. */
void gate_tcp_reset_to(struct gate *g, struct flow *f, enum gate_direction d);
struct tcp_conn *gate_tcp(const struct flow *f);

/* The connections' own memory; of gate_new and gate_free. */
int gate_tcp_new(struct gate *g, uint32_t max_flows, uint32_t max_streams) must_check;
void gate_tcp_free(struct gate *g);
/* Those who follow its streams see the end. */
void gate_tcp_streams_end(struct gate *g, struct flow *f);
/* Ends a flow: held frames get their verdict. */
void gate_tcp_end(struct gate *g, struct flow *f);
