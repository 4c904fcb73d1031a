/* SPDX-License-Identifier: MPL-2.0 */
/*
 * tcp_connection in the engine: a flow's transport state, and changes of its streams by dissectors
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

/* Puts `with` in the place of n octets at off of the view. 0; -EROFS: pass-through; -EPERM: its
 * length may not change; -ERANGE; -USHER_E_LIMIT. */
int gate_stream_edit(struct gate_view *v, uint32_t off, uint32_t n, struct span with) must_check;
struct tcp_conn *gate_tcp(const struct flow *f);

/* --- Life ------------------------------------------------------------------------------------- */

/* Takes a connection from the table, cleared. NULL: there is none left. */
struct tcp_conn *gate_tcp_take(struct gate *g) must_check;
/* Ends the followers of a flow's streams. */
void gate_tcp_streams_end(struct gate_walk *w, struct flow *f);
/* Ends a flow's connection: held frames get their verdict. */
void gate_tcp_end(struct gate_walk *w, struct flow *f);
/* Ends the current packet's flow, which was dropped. kept: the packet is held, so its verdict
 * belongs to the copy. Returns how the walk ends. */
int tcp_finish(struct gate_walk *w, bool kept) must_check;

/* --- Functions of dissectors.def -------------------------------------------------------------- */

void send_tcp(struct gate *g, struct gate_packet *p);
int gate_tcp_init(struct gate *g, const struct gate_opts *o) must_check;
void gate_tcp_fini(struct gate *g);
void gate_tcp_tick(struct gate *g, int64_t now_ns);

/* Octets and buffers in use by connections. */
struct tcp_memory {
	uint64_t unacknowledged; /* octets that are remembered until they are acknowledged */
	uint32_t buffers;	 /* of streams with pending or changed data */
};
struct tcp_memory gate_tcp_memory(const struct gate *g);
void gate_tcp_drain(struct gate *g);
void tcp_flow_end(struct gate_walk *w, struct flow *f);
