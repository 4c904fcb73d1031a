/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A ring of lines behind one mutex, which is held for a copy only. Each line is a header and its
 * octets, both wrapped at the end of the ring. The thread takes as many lines as its chunk holds
 * and writes them without the lock. The object is freed by the last of its two users.
 */
#include "base/log_queue.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 16 << 10, HANG_MS = 100 };

struct line_head {
	uint16_t len;
	uint8_t severity;
};

struct log_queue {
	log_queue_fn fn;
	void *ctx;
	void (*fini)(void *ctx);
	bool apart;
	pthread_t thread;
	pthread_mutex_t mu;
	pthread_cond_t filled, emptied;
	char *ring;
	size_t at, used; /* of the ring */
	bool writing, waiting, closed, ended, left;
	int64_t writing_since_ns;
	uint64_t lost;
	char chunk[CHUNK_BYTES];
};

static void ring_put(struct log_queue *q, const void *p, size_t n)
{
	size_t to = (q->at + q->used) % LOG_QUEUE_BYTES;
	size_t first = n < LOG_QUEUE_BYTES - to ? n : LOG_QUEUE_BYTES - to;

	memcpy(q->ring + to, p, first);
	memcpy(q->ring, (const char *)p + first, n - first);
	q->used += n;
}

static void ring_peek(const struct log_queue *q, size_t skip, void *p, size_t n)
{
	size_t from = (q->at + skip) % LOG_QUEUE_BYTES;
	size_t first = n < LOG_QUEUE_BYTES - from ? n : LOG_QUEUE_BYTES - from;

	memcpy(p, q->ring + from, first);
	memcpy((char *)p + first, q->ring, n - first);
}

static void ring_drop(struct log_queue *q, size_t n)
{
	q->at = (q->at + n) % LOG_QUEUE_BYTES;
	q->used -= n;
}

/* Moves as many lines to the chunk as one call takes. Returns their octets. Called with mu held. */
static size_t take_lines(struct log_queue *q, uint8_t *ret_severity)
{
	size_t n = 0;

	while (q->used) {
		struct line_head h;

		ring_peek(q, 0, &h, sizeof(h));
		if (n && (q->apart || n + h.len > CHUNK_BYTES))
			break;
		*ret_severity = h.severity;
		ring_peek(q, sizeof(h), q->chunk + n, h.len);
		ring_drop(q, sizeof(h) + h.len);
		n += h.len;
	}
	return n;
}

static uint64_t count_lines(const char *p, size_t n)
{
	uint64_t lines = 0;

	for (size_t i = 0; i < n; i++)
		lines += p[i] == '\n';
	return lines;
}

/* Writes one chunk of lines; releases mu meanwhile. Called with mu held. */
static void write_some(struct log_queue *q)
{
	uint8_t severity = 0;
	size_t n = take_lines(q, &severity);
	bool ok;

	q->writing = true;
	q->writing_since_ns = clock_mono_ns(&clock_system);
	(void)pthread_mutex_unlock(&q->mu);
	ok = q->fn(q->ctx, severity, q->chunk, n);
	(void)pthread_mutex_lock(&q->mu);
	q->writing = false;
	if (!ok)
		q->lost += count_lines(q->chunk, n);
	if (!q->used)
		(void)pthread_cond_broadcast(&q->emptied);
}

static void queue_free(struct log_queue *q)
{
	(void)pthread_mutex_destroy(&q->mu);
	(void)pthread_cond_destroy(&q->filled);
	(void)pthread_cond_destroy(&q->emptied);
	free(q->ring);
	free(q);
}

static void *write_lines(void *ctx)
{
	struct log_queue *q = ctx;
	bool left;

	(void)pthread_mutex_lock(&q->mu);
	while (q->used || !q->closed) {
		if (q->used) {
			write_some(q);
			continue;
		}
		q->waiting = true;
		(void)pthread_cond_wait(&q->filled, &q->mu);
		q->waiting = false;
	}
	(void)pthread_mutex_unlock(&q->mu);
	if (q->fini)
		q->fini(q->ctx);
	(void)pthread_mutex_lock(&q->mu);
	q->ended = true;
	left = q->left;
	(void)pthread_cond_broadcast(&q->emptied);
	(void)pthread_mutex_unlock(&q->mu);
	if (left)
		queue_free(q);
	return NULL;
}

struct log_queue *log_queue_new(bool apart, log_queue_fn fn, void *ctx)
{
	struct log_queue *q = calloc(1, sizeof(*q));
	pthread_condattr_t attr;

	if (!q)
		return NULL;
	q->fn = fn;
	q->ctx = ctx;
	q->apart = apart;
	q->ring = malloc(LOG_QUEUE_BYTES);
	(void)pthread_mutex_init(&q->mu, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&q->filled, &attr);
	(void)pthread_cond_init(&q->emptied, &attr);
	(void)pthread_condattr_destroy(&attr);
	if (!q->ring || pthread_create(&q->thread, NULL, write_lines, q) != 0) {
		queue_free(q);
		return NULL;
	}
	(void)pthread_detach(q->thread);
	return q;
}

bool log_queue_put(struct log_queue *q, uint8_t severity, const char *line, size_t n)
{
	struct line_head h = {(uint16_t)n, severity};
	bool fits;

	(void)pthread_mutex_lock(&q->mu);
	fits = n < CHUNK_BYTES && q->used + sizeof(h) + n <= LOG_QUEUE_BYTES;
	if (fits) {
		ring_put(q, &h, sizeof(h));
		ring_put(q, line, n);
		if (q->waiting)
			(void)pthread_cond_signal(&q->filled);
	}
	(void)pthread_mutex_unlock(&q->mu);
	return fits;
}

static bool is_hanging(const struct log_queue *q)
{
	return q->writing &&
	       clock_mono_ns(&clock_system) - q->writing_since_ns > HANG_MS * NS_PER_MS;
}

static void wait_emptied(struct log_queue *q, int64_t end_ns)
{
	struct timespec ts = {.tv_sec = (time_t)(end_ns / NS_PER_S),
			      .tv_nsec = (long)(end_ns % NS_PER_S)};

	(void)pthread_cond_timedwait(&q->emptied, &q->mu, &ts);
}

void log_queue_flush(struct log_queue *q, int64_t timeout_ns)
{
	int64_t end = clock_mono_ns(&clock_system) + timeout_ns;

	(void)pthread_mutex_lock(&q->mu);
	while ((q->used || q->writing) && !is_hanging(q) && clock_mono_ns(&clock_system) < end) {
		int64_t slice = clock_mono_ns(&clock_system) + HANG_MS * NS_PER_MS / 4;

		wait_emptied(q, slice < end ? slice : end);
	}
	(void)pthread_mutex_unlock(&q->mu);
}

uint64_t log_queue_lost(struct log_queue *q)
{
	uint64_t n;

	(void)pthread_mutex_lock(&q->mu);
	n = q->lost;
	q->lost = 0;
	(void)pthread_mutex_unlock(&q->mu);
	return n;
}

void log_queue_close(struct log_queue *q, void (*fini)(void *ctx), int64_t timeout_ns)
{
	int64_t end = clock_mono_ns(&clock_system) + timeout_ns;
	bool ended;

	(void)pthread_mutex_lock(&q->mu);
	q->fini = fini;
	q->closed = true;
	(void)pthread_cond_signal(&q->filled);
	while (!q->ended && clock_mono_ns(&clock_system) < end)
		wait_emptied(q, end);
	ended = q->ended;
	q->left = true;
	(void)pthread_mutex_unlock(&q->mu);
	if (ended)
		queue_free(q);
}
