/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Declarations that the files of bind_* share.
 */
#pragma once

#include "gate/lua/bind.h"
#include "gate/net/created.h"
#include "script/buffer/buffer.h"
#include "script/values/dhcp.h"
#include "script/rules/event.h"

enum { BIND_POLICIES = 32 };

struct bind_stream;
struct flow;
struct gate_view;

/* One listener of the engine: an event of this state. */
struct hearing {
	struct gate_bind *bind;
	enum gate_event event;
	unsigned id; /* the state's */
	bool listens;
};

/* The octets of a packet as a buffer. */
struct bind_packet {
	struct script_buffer b;
	uint32_t generation; /* of the packet that the handles are of */
	uint32_t data_generation;
	int data_ref; /* the table packet.data; 0: none was made */
};

struct gate_bind {
	struct gate *g;
	struct script *script;
	struct gate_walk *walk; /* during which a script runs; never NULL */
	struct gate_walk idle;	/* between packets */
	struct hearing events[EVENT_N];
	struct script_dhcp dhcp; /* the current message */
	unsigned policies[BIND_POLICIES];
	/* bind_buffer.c */
	struct bind_packet
		packets[1 + CREATED_MAX]; /* the current one, and those that rules made */
	struct script_buffer shown;
	uint32_t shown_generation;
	struct gate_view *view; /* NULL: nothing is shown */
};

/* The objects of an event: the context of its conditions. */
struct bind_occasion {
	struct gate_bind *bind;
	struct gate_walk
		*walk; /* without a packet: a flow ends, or no packet of it is in progress */
	struct flow *f;
	enum gate_event event;
	struct bind_stream *stream; /* that coroutines follow; NULL: there is none */
};

/* Of every event; of dhcp's. */
extern const struct script_filter_field bind_when[], bind_when_dhcp[];

struct script_dhcp *bind_dhcp(struct gate_bind *b);
int bind_dhcp_open(struct gate_bind *b, struct script *s) must_check;

/* Registers the modules for require('protocol/...'). */
int bind_modules(struct script *s) must_check;
/* Opens the other modules. Called in a protected call. */
int bind_open_modules(lua_State *L);

/* A stream that coroutines follow. */
struct bind_stream {
	struct script_buffer b;
	struct gate_bind *bind;
	struct flow *f; /* NULL: it is over */
	enum gate_direction d;
	enum gate_event event; /* by which rules see it */
	int ref;	       /* of the table that keeps it alive */
	/* a connection's */
	bool shown;	/* to the listeners of receive_data, now */
	bool remembers; /* pending data was released early, because its sender waits for a reply:
			   copies are kept for coroutines */
	uint64_t at;	/* position of the first octet that is pending */
	uint32_t out,
		end; /* the receiver's number of that, and of the one behind the last there was */
	/* a body's */
	struct gate_view *body; /* octets of the current packet */
	/* earlier octets, kept_n from b.base on, and a copy of the octets behind them */
	uint8_t *kept;
	uint32_t kept_n, kept_cap;
};

/* Returns the bindings of a state. */
struct gate_bind *bind_of(lua_State *L);

/* Returns the state's numbers of the policies. */
unsigned *bind_policy_ids(struct gate_bind *b);
int bind_policies_define(struct gate_bind *b, struct script_error *err) must_check;
/* Called after a rule file: the engine asks policies that have entries. */
void bind_policies_begin(struct gate_bind *b, struct gate *g);

/* Makes the state with its timers, which the engine fires; bind_script_free() ends both. script may
 * be NULL. */
int bind_script_new(struct gate *g, const struct script_opts *so, struct script **ret) must_check;
void bind_script_free(struct gate *g, struct script *script);

/* --- bind_buffer.c ---------------------------------------------------------------------------- */

void bind_buffers_init(struct gate_bind *b);
void bind_buffers_fini(struct gate_bind *b);
/* Begins to show a stream's data to listeners that do not follow it, for one raise. */
void bind_view_begin(struct gate_bind *b, struct gate_view *v);
void bind_view_end(struct gate_bind *b);
void bind_push_view(lua_State *L);

/* --- bind_stream.c: streams that coroutines follow -------------------------------------------- */

int bind_streams_open(struct gate_bind *b, struct script_error *err) must_check;
void bind_streams_close(struct gate_bind *b);
struct bind_stream *bind_stream_new(struct gate_bind *b, const struct script_buffer_ops *ops,
				    const struct gate_view *v, enum gate_event event,
				    struct script_error *err);
/* Returns the stream of the shown data, made at the first time, until bind_stream_deliver(). NULL:
 * no memory. */
struct bind_stream *bind_stream_begin(struct gate_bind *b, struct gate_view *v,
				      struct script_error *err);
void bind_stream_deliver(struct bind_stream *st);
/* Pushes a blocking iterator at the first octet of the shown data; or a sub of it. */
void bind_push_stream(lua_State *L, struct bind_stream *st, const struct gate_view *part,
		      bool blocking);
/* Returns the pending octets that marks allow to be forwarded; while they are shown. */
uint32_t bind_stream_go(struct bind_stream *st);
/* Called when the hold buffer is full: resumes the coroutines that hold data with an error. False:
 * the packet is dropped. */
bool bind_stream_full(struct bind_stream *st, struct gate_walk *w);

/* --- bind_body.c: the same for bodies of HTTP ------------------------------------------------- */

struct bind_stream *bind_body_begin(struct gate_bind *b, struct gate_view *v, enum gate_event event,
				    struct script_error *err);
/* Delivers a body's octets to the coroutines that follow it. False: the packet is dropped. */
bool bind_body_deliver(struct bind_stream *st, struct gate_walk *w);
void bind_body_fini(struct bind_stream *st);
/* Makes room for n octets to be remembered. */
bool bind_body_reserve(struct bind_stream *st, size_t n);

/* --- bind_state.c, bind_raise.c --------------------------------------------------------------- */

/* Sets the walk during which scripts run. Returns the one before, to be set again afterwards. */
struct gate_walk *bind_enter(struct gate_bind *b, struct gate_walk *w);
/* Returns the packet in progress if it belongs to the flow; NULL: there is none. */
struct gate_packet *bind_packet_of(const struct gate_bind *b, const struct flow *f);
/* Resumes the coroutines of a stream without new data: it ends, or the hold buffer is full. False:
 * the packet is dropped. */
bool bind_resume(struct bind_stream *st, struct gate_walk *w);
/* Handles the result of a raise (SCRIPT_RAISE_*). Returns false if the walk stops. Without a packet
 * the caller drops the flow. */
bool bind_outcome(struct gate_walk *w, const struct flow *f, unsigned result);
/* Decides on packet and flow where rules fail: false (drop), or true under fail_open. `why` is
 * logged. */
bool bind_fault(struct gate_bind *b, struct gate_walk *w, struct flow *f, const char *why);
