/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Packet traces. A trace is a text until the exchange ends; then it is logged and copied into a
 * ring of the last TRACE_RING ones. While no trace is requested, packets read `armed` only.
 */
#include "server/core/trace.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "config/json/json.h"
#include "server/core/exchange.h"
#include "server/core/server.h"
#include "wire/option_def.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* WATCH_RATE: packets a second that are traced because drops are watched. DROP_RING: kept ones of a
 * reason. HEAD_SHOWN: octets of a packet without a trace. */
enum {
	TRACE_TEXT = 12288,
	TRACE_RING = 128,
	STAMP_CAP = 48,
	FINDING_CAP = 1536,
	WATCH_RATE = 200,
	DROP_RING = 8,
	HEAD_SHOWN = 64
};

struct trace {
	size_t n;
	bool noted;   /* the text holds more than the time */
	bool wanted;  /* it is kept, and logged as a whole */
	bool watched; /* the text is written because drops are watched */
	char text[TRACE_TEXT];
};

struct tracer {
	_Atomic unsigned armed; /* packets still to be traced */
	pthread_mutex_t lock;
	uint8_t hw[16], client_id[255];
	size_t hw_len, client_id_len;
	char *ring[TRACE_RING];
	unsigned head, count;
	_Atomic int64_t watch_until_ns; /* of drops; 0: never watched */
	_Atomic int64_t watch_second;
	_Atomic unsigned watch_n; /* traced in this second */
	struct traced_drop drops[DROP_N][DROP_RING];
	unsigned n_drops[DROP_N]; /* since the start */
};

int tracer_new(struct tracer **ret)
{
	struct tracer *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	(void)pthread_mutex_init(&t->lock, NULL);
	*ret = t;
	return 0;
}

static void ring_clear(struct tracer *t)
{
	for (unsigned i = 0; i < TRACE_RING; i++) {
		free(t->ring[i]);
		t->ring[i] = NULL;
	}
	t->head = 0;
	t->count = 0;
}

void tracer_free(struct tracer *t)
{
	if (!t)
		return;
	ring_clear(t);
	for (unsigned d = 0; d < DROP_N; d++)
		for (unsigned i = 0; i < DROP_RING; i++)
			free((char *)(uintptr_t)t->drops[d][i].text);
	(void)pthread_mutex_destroy(&t->lock);
	free(t);
}

void tracer_start(struct tracer *t, struct span hw, struct span client_id, unsigned packets)
{
	(void)pthread_mutex_lock(&t->lock);
	t->hw_len = hw.n < sizeof(t->hw) ? hw.n : sizeof(t->hw);
	t->client_id_len = client_id.n < sizeof(t->client_id) ? client_id.n : sizeof(t->client_id);
	if (t->hw_len)
		memcpy(t->hw, hw.p, t->hw_len);
	if (t->client_id_len)
		memcpy(t->client_id, client_id.p, t->client_id_len);
	(void)pthread_mutex_unlock(&t->lock);
	t->armed = packets;
}

void tracer_stop(struct tracer *t)
{
	t->armed = 0;
}

struct json *tracer_get(struct tracer *t, struct arena *a, bool clear)
{
	struct json *list = json_list(a);

	(void)pthread_mutex_lock(&t->lock);
	for (unsigned i = 0; i < t->count; i++) {
		unsigned at = (t->head + TRACE_RING - t->count + i) % TRACE_RING;

		(void)json_add(a, list, NULL, json_str(a, t->ring[at]));
	}
	if (clear)
		ring_clear(t);
	(void)pthread_mutex_unlock(&t->lock);
	return list;
}

static bool is_wanted(struct tracer *t, const struct exchange *x)
{
	bool yes;

	if (!atomic_load_explicit(&t->armed, memory_order_relaxed))
		return false;
	(void)pthread_mutex_lock(&t->lock);
	yes = (!t->hw_len && !t->client_id_len) ||
	      (t->hw_len && span_eq(x->hw, span_of(t->hw, t->hw_len))) ||
	      (t->client_id_len && span_eq(x->client_id, span_of(t->client_id, t->client_id_len)));
	if (yes && t->armed)
		t->armed--;
	(void)pthread_mutex_unlock(&t->lock);
	return yes;
}

/* Writes the current time as ISO 8601, "2026-11-20T12:00:00.123+01:00 ". Returns its length. */
static size_t stamp_put(struct exchange *x, char *out)
{
	int64_t now = clock_wall_ns(&exchange_server(x)->clock);
	time_t s = (time_t)(now / NS_PER_S);
	struct tm tm = {0};
	char zone[8] = "";
	size_t n;

	(void)localtime_r(&s, &tm);
	n = strftime(out, STAMP_CAP, "%Y-%m-%dT%H:%M:%S", &tm);
	(void)strftime(zone, sizeof(zone), "%z", &tm);
	n += (size_t)snprintf(out + n, STAMP_CAP - n, ".%03d%.3s:%.2s ",
			      (int)(now % NS_PER_S / NS_PER_MS), zone, zone[0] ? zone + 3 : "");
	return n;
}

/* Returns whether this packet is traced because drops are watched. */
static bool is_watched(struct exchange *x)
{
	struct tracer *t = exchange_server(x)->tracer;
	int64_t until_ns = atomic_load_explicit(&t->watch_until_ns, memory_order_relaxed), now_ns;

	if (likely(!until_ns))
		return false;
	now_ns = clock_mono_ns(&exchange_server(x)->clock);
	if (now_ns > until_ns)
		return false;
	if (t->watch_second != now_ns / NS_PER_S) {
		t->watch_second = now_ns / NS_PER_S;
		t->watch_n = 0;
	}
	return atomic_fetch_add_explicit(&t->watch_n, 1, memory_order_relaxed) < WATCH_RATE;
}

void trace_begin(struct exchange *x)
{
	bool wanted;

	if (x->trace)
		return;
	bool debugs = log_debugs(exchange_log(x)), watched;

	wanted = (debugs && log_on(exchange_log(x), LOG_DHCP4_PACKET_TRACE)) ||
		 is_wanted(exchange_server(x)->tracer, x);
	watched = !wanted && is_watched(x);
	if (!debugs && !wanted && !watched)
		return;
	x->trace = malloc(sizeof(*x->trace));
	if (!x->trace)
		return;
	x->trace->noted = false;
	x->trace->wanted = wanted;
	x->trace->watched = watched;
	x->trace->n = wanted || watched ? stamp_put(x, x->trace->text) : 0;
}

static void append(struct trace *t, const char *fmt, va_list ap)
{
	int n;

	if (t->n && t->noted)
		t->n += (size_t)snprintf(t->text + t->n, TRACE_TEXT - t->n, "; ");
	if (t->n >= TRACE_TEXT - 1) {
		t->n = TRACE_TEXT - 1;
		return;
	}
	t->noted = true;
	n = vsnprintf(t->text + t->n, TRACE_TEXT - t->n, fmt, ap);
	if (n > 0)
		t->n += (size_t)n;
	if (t->n >= TRACE_TEXT)
		t->n = TRACE_TEXT - 1;
}

static void log_finding(struct exchange *x, enum log_id id, const char *fmt, va_list ap)
{
	char text[FINDING_CAP];

	(void)vsnprintf(text, sizeof(text), fmt, ap);
	log_msg(exchange_log(x), id, "%s: %s", exchange_label(x), text);
}

void trace_note(struct exchange *x, enum log_id id, const char *fmt, ...)
{
	va_list ap;

	if (x->trace->wanted || x->trace->watched) {
		va_start(ap, fmt);
		append(x->trace, fmt, ap);
		va_end(ap);
	}
	if (id != LOG_DHCP4_PACKET_TRACE && log_on(exchange_log(x), id)) {
		va_start(ap, fmt);
		log_finding(x, id, fmt, ap);
		va_end(ap);
	}
}

void tracer_watch_drops(struct tracer *t, int64_t until_ns)
{
	t->watch_until_ns = until_ns;
}

void tracer_each_drop(struct tracer *t, enum drop d,
		      void (*fn)(void *ctx, const struct traced_drop *p), void *ctx)
{
	unsigned n;

	(void)pthread_mutex_lock(&t->lock);
	n = t->n_drops[d];
	for (unsigned i = n > DROP_RING ? n - DROP_RING : 0; i < n; i++)
		fn(ctx, &t->drops[d][i % DROP_RING]);
	(void)pthread_mutex_unlock(&t->lock);
}

/* Writes a text for a packet that was dropped before its client was known. NULL: memory is out. */
static char *describe_packet(const struct exchange *x)
{
	struct buf b;

	buf_init(&b);
	buf_printf(
		&b,
		"no trace: the packet was dropped before its client was known, or too many are traced; %zu octets: ",
		(size_t)x->pkt.len);
	buf_hex(&b, span_of(x->pkt.data, x->pkt.len < HEAD_SHOWN ? x->pkt.len : HEAD_SHOWN), ' ');
	return buf_take(&b);
}

void trace_drop(struct exchange *x, enum drop d)
{
	struct tracer *t = exchange_server(x)->tracer;
	int64_t until_ns = atomic_load_explicit(&t->watch_until_ns, memory_order_relaxed);
	struct traced_drop *p;
	char *text;

	if (likely(!until_ns) || clock_mono_ns(&exchange_server(x)->clock) > until_ns)
		return;
	if (x->trace && x->trace->watched)
		trace_note(x, LOG_DHCP4_PACKET_TRACE, "=> %s", drop_info(d)->sentence);
	text = x->trace && (x->trace->wanted || x->trace->watched) ? strdup(x->trace->text)
								   : describe_packet(x);
	if (!text)
		return;
	(void)pthread_mutex_lock(&t->lock);
	p = &t->drops[d][t->n_drops[d]++ % DROP_RING];
	free((char *)(uintptr_t)p->text);
	*p = (struct traced_drop){.wall_ns = clock_wall_ns(&exchange_server(x)->clock),
				  .stage = x->stage ? x->stage - 1 : 0,
				  .text = text};
	(void)pthread_mutex_unlock(&t->lock);
}

/* Logs a trace, and copies it to the ring. */
static void keep_trace(struct exchange *x)
{
	struct tracer *t = exchange_server(x)->tracer;
	char *copy = strdup(x->trace->text);

	log_msg(exchange_log(x), LOG_DHCP4_PACKET_TRACE, "%s", x->trace->text);
	if (!copy)
		return;
	(void)pthread_mutex_lock(&t->lock);
	free(t->ring[t->head]);
	t->ring[t->head] = copy;
	t->head = (t->head + 1) % TRACE_RING;
	if (t->count < TRACE_RING)
		t->count++;
	(void)pthread_mutex_unlock(&t->lock);
}

void trace_end(struct exchange *x, const char *outcome)
{
	if (!x->trace)
		return;
	if (x->trace->wanted) {
		trace_note(x, LOG_DHCP4_PACKET_TRACE, "=> %s", outcome);
		keep_trace(x);
	}
	free(x->trace);
	x->trace = NULL;
}

void trace_options(struct exchange *x, enum log_id id, const struct dhcp4_msg *m)
{
	const char *side = id == LOG_DHCP4_QUERY_DATA ? "query" : "response";

	if (!x->trace->wanted && !x->trace->watched && !log_on(exchange_log(x), id))
		return;
	for (unsigned i = 0; i < m->n_opts; i++) {
		const struct dhcp4_option *o = &m->opts[i];
		const struct option_def *def = option_defs_by_code(x->cfg->defs, "dhcp4", o->code);
		struct buf text;

		buf_init(&text);
		if (def)
			option_text(def, o->data, &text);
		else
			buf_hex(&text, o->data, ':');
		trace_note(x, id, "%s option %u %s: %s", side, o->code, def ? def->name : "unknown",
			   text.p && !text.failed ? text.p : "");
		buf_fini(&text);
	}
}
