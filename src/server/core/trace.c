/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Packet traces. A trace is text in the packet's arena until the exchange ends; then it is logged
 * and copied into a ring of the last TRACE_RING ones. While no trace is requested, packets read
 * `armed` only.
 */
#include "server/core/trace.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/json/json.h"
#include "server/core/exchange.h"
#include "server/core/server.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { TRACE_TEXT = 3072, TRACE_RING = 128, STAMP_CAP = 48 };

struct trace {
	size_t n;
	bool noted; /* the text holds more than the time */
	char text[TRACE_TEXT];
};

struct tracer {
	_Atomic unsigned armed; /* packets still to be traced */
	pthread_mutex_t lock;
	uint8_t hw[16], client_id[255];
	size_t hw_len, client_id_len;
	char *ring[TRACE_RING];
	unsigned head, count;
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

void trace_begin(struct exchange *x)
{
	if (x->trace || !(log_on(exchange_log(x), LOG_DHCP4_PACKET_TRACE) ||
			  is_wanted(exchange_server(x)->tracer, x)))
		return;
	x->trace = arena_alloc(&x->pkt.arena, sizeof(*x->trace));
	if (!x->trace)
		return;
	x->trace->noted = false;
	x->trace->n = stamp_put(x, x->trace->text);
}

void trace_note(struct exchange *x, const char *fmt, ...)
{
	struct trace *t = x->trace;
	va_list ap;
	int n;

	if (t->n && t->noted)
		t->n += (size_t)snprintf(t->text + t->n, TRACE_TEXT - t->n, "; ");
	if (t->n >= TRACE_TEXT - 1) {
		t->n = TRACE_TEXT - 1;
		return;
	}
	t->noted = true;
	va_start(ap, fmt);
	n = vsnprintf(t->text + t->n, TRACE_TEXT - t->n, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->n += (size_t)n;
	if (t->n >= TRACE_TEXT)
		t->n = TRACE_TEXT - 1;
}

void trace_end(struct exchange *x, const char *outcome)
{
	struct tracer *t = exchange_server(x)->tracer;
	char *copy;

	if (!x->trace)
		return;
	trace_note(x, "=> %s", outcome);
	log_msg(exchange_log(x), LOG_DHCP4_PACKET_TRACE, "%s", x->trace->text);
	copy = strdup(x->trace->text);
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
