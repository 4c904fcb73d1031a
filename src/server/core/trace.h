/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The packet trace: for one client (or every packet, with -d) the stages that it passed, their
 * findings, and the reason of its end. Finished traces are kept in a small ring for the command
 * packet-trace-get. A finding with an id of its own is a log message besides, where its logger has
 * severity DEBUG. While neither is requested, it costs one test of a pointer.
 */
#pragma once

#include "base/attr.h"
#include "base/log.h"
#include "base/span.h"
#include "packet/packet.h"

struct dhcp4_msg;
struct exchange;
/* A dropped packet. stage: the number of its row in stages.def. */
struct traced_drop {
	int64_t wall_ns;
	unsigned stage;
	const char *text;
};

struct json;
struct arena;
struct trace;
struct tracer;

int tracer_new(struct tracer **ret) must_check;
void tracer_free(struct tracer *t);

/* Traces clients with this hardware address or client identifier (both empty: every packet), at
 * most `packets` of them. */
void tracer_start(struct tracer *t, struct span hw, struct span client_id, unsigned packets);
void tracer_stop(struct tracer *t);
/* Returns the kept traces, oldest first, as a JSON list. Clears the ring if clear is set. */
struct json *tracer_get(struct tracer *t, struct arena *a, bool clear);

/* Called once the client is known: starts the exchange's trace if one was requested. */
void trace_begin(struct exchange *x);
/*
 * Adds a finding of the running stage to the trace, and logs it under id; LOG_DHCP4_PACKET_TRACE:
 * it is in the trace only. Test x->trace first, as the macro does, because evaluating the arguments
 * may be costly.
 */
void trace_note(struct exchange *x, enum log_id id, const char *fmt, ...) printf_like(3, 4);
/* Adds the options of the query (LOG_DHCP4_QUERY_DATA) or of the response
 * (LOG_DHCP4_RESPONSE_DATA), each with its name and its value. */
void trace_options(struct exchange *x, enum log_id id, const struct dhcp4_msg *m);
/* Adds a finding with the id LOG_<id>. */
#define FINDING(x, id, ...)                                     \
	do {                                                    \
		if (unlikely((x)->trace != NULL))               \
			trace_note((x), LOG_##id, __VA_ARGS__); \
	} while (0)
/* Adds a finding that has no id of its own. */
#define TRACE(x, ...) FINDING(x, DHCP4_PACKET_TRACE, __VA_ARGS__)
/*
 * Keeps the last packets that are dropped until the time until_ns (monotonic), eight for each
 * reason, with a trace where the client was known and fewer than 200 packets a second are traced.
 */
void tracer_watch_drops(struct tracer *t, int64_t until_ns);
/* Calls fn for each kept packet dropped for this reason, oldest first. */
void tracer_each_drop(struct tracer *t, enum drop d,
		      void (*fn)(void *ctx, const struct traced_drop *p), void *ctx);
/* Called for an exchange that is dropped, before trace_end(). */
void trace_drop(struct exchange *x, enum drop d);
/* Called when the exchange ends: logs the trace and keeps it. */
void trace_end(struct exchange *x, const char *outcome);
