/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Tracks a TCP connection by its segments (RFC 9293 3.3 to 3.10): its state,
 * and whether a segment fits. Numbers are those the sender of each direction uses. Pure: no
 * packets, no clocks, no memory.
 */
#pragma once

#include "gate/engine/gate_packet.h"
#include "wire/tcp.h"

enum tcp_state {
	TCP_SYN_SENT,	  /* SYN seen */
	TCP_SYN_RECEIVED, /* and its answer */
	TCP_ESTABLISHED,  /* and the answer to that */
	TCP_FIN_WAIT,	  /* one side has sent all it had */
	TCP_CLOSING,	  /* both have */
	TCP_TIME_WAIT,	  /* and both FINs are acknowledged */
	TCP_RESET,
	TCP_N_STATES
};

/* Returns the name of a state as in Haka: "syn_sent", "established", … */
const char *tcp_state_name(enum tcp_state s);

struct tcp_half {
	bool begun; /* its first sequence number is known */
	bool fin;   /* FIN seen, at fin_seq */
	bool fin_acked;
	bool heard;	/* `acked` is the receiver's word, or nothing was sent before it */
	uint8_t wscale; /* scale of its window; 0xff: none offered */
	bool sack;	/* it takes selective acknowledgements */
	uint16_t mss;	/* longest segment it takes; 0: not said */
	uint16_t wnd;	/* of its last segment, as it stood there */
	uint32_t isn;
	uint32_t next;	     /* behind the last octet (and SYN, FIN) that came in order */
	uint32_t last;	     /* behind the furthest number seen */
	uint32_t octets;     /* behind the furthest octet of data seen */
	uint32_t acked;	     /* by the other side */
	uint32_t right;	     /* behind the furthest octet the other side has room for */
	uint32_t max_window; /* the largest the other side ever advertised */
	uint32_t fin_seq;
};

struct tcp_track {
	enum tcp_state state;
	bool midstream; /* the handshake was not seen */
	bool recorded;	/* in a capture file, which may lack segments or hold them out of order:
			   numbers may lag behind */
	struct tcp_half half[2]; /* by enum gate_direction of the sender */
};

/* The place of a segment in its connection. */
enum tcp_segment {
	TCP_SEG_OK,	   /* data in order, an acknowledgement, a handshake: nothing to be done */
	TCP_SEG_AHEAD,	   /* data that others come before */
	TCP_SEG_AGAIN,	   /* nothing new in it: retransmission, keep-alive */
	TCP_SEG_OVERLAP,   /* new data behind some that was there already */
	TCP_SEG_RESTART,   /* a SYN for a connection that is over: a new one may begin */
	TCP_SEG_BAD_FLAGS, /* no combination that a host sends */
	TCP_SEG_BAD_HANDSHAKE,
	TCP_SEG_OUT_OF_WINDOW,
	TCP_SEG_BAD_ACK,   /* acknowledges data that was never sent */
	TCP_SEG_BAD_RESET, /* RST whose number is not in the window (RFC 5961) */
};

/* Begins a connection with its first segment. TCP_SEG_OK: a SYN; else midstream: true, and the
 * numbers are guessed from the segment. */
enum tcp_segment tcp_track_begin(struct tcp_track *t, const struct tcp_hdr *h, uint32_t len);
/* Returns the place of a segment; changes nothing. len: octets of data. */
enum tcp_segment tcp_track_check(const struct tcp_track *t, enum gate_direction d,
				 const struct tcp_hdr *h, uint32_t len);
/* Returns whether a segment is a SYN that acknowledges the other end's SYN. */
bool tcp_track_is_answer(const struct tcp_track *t, enum gate_direction d, const struct tcp_hdr *h);
/* Takes a segment that is forwarded or held: state and numbers move. in_order: its data is in
 * sequence. */
void tcp_track_take(struct tcp_track *t, enum gate_direction d, const struct tcp_hdr *h,
		    uint32_t len, bool in_order);
/* Returns the window of d for an acknowledgement of `ack`: its end stays where d put it last. */
uint16_t tcp_track_window(const struct tcp_track *t, enum gate_direction d, uint32_t ack);
/* Called when held data has come into order: up to seq. */
void tcp_track_next(struct tcp_track *t, enum gate_direction d, uint32_t seq);

/* Finds an option of a header: its data, or p == NULL. Malformed options end the search. */
struct span tcp_option(const struct tcp_hdr *h, uint8_t kind);
enum {
	TCP_OPT_MSS = 2,
	TCP_OPT_WSCALE = 3,
	TCP_OPT_SACK_PERMITTED = 4,
	TCP_OPT_SACK = 5,
	TCP_OPT_TIMESTAMPS = 8
};
