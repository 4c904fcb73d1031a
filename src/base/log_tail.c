/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A ring of lines, each in memory of its own; and a row of lines, one behind the other, each behind
 * a header that has its time and its message.
 */
#include "base/log_tail.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct log_tail {
	pthread_mutex_t lock; /* of the members below */
	unsigned size;
	uint64_t next; /* number of the next line */
	char *lines[];
};

struct log_tail *log_tail_new(unsigned n)
{
	struct log_tail *t = calloc(1, sizeof(*t) + n * sizeof(t->lines[0]));

	if (!t)
		return NULL;
	(void)pthread_mutex_init(&t->lock, NULL);
	t->size = n;
	return t;
}

void log_tail_free(struct log_tail *t)
{
	if (!t)
		return;
	for (unsigned i = 0; i < t->size; i++)
		free(t->lines[i]);
	(void)pthread_mutex_destroy(&t->lock);
	free(t);
}

void log_tail_add(struct log_tail *t, const char *line, size_t n)
{
	char *copy = strndup(line, n), **place;

	if (!copy)
		return;
	(void)pthread_mutex_lock(&t->lock);
	place = &t->lines[t->next++ % t->size];
	free(*place);
	*place = copy;
	(void)pthread_mutex_unlock(&t->lock);
}

uint64_t log_tail_read(struct log_tail *t, uint64_t from, void (*fn)(void *ctx, const char *line),
		       void *ctx)
{
	uint64_t first, next;

	(void)pthread_mutex_lock(&t->lock);
	next = t->next;
	first = next > t->size ? next - t->size : 0;
	for (uint64_t i = from > first ? from : first; i < next; i++)
		fn(ctx, t->lines[i % t->size]);
	(void)pthread_mutex_unlock(&t->lock);
	return next;
}

/* --- lines that wait --------------------------------------------------------------------------- */

enum { HELD_MAX = 1 << 20 };

bool log_held_add(struct buf *lines, const struct held_line *h, const char *line)
{
	if (lines->len > HELD_MAX)
		return false;
	buf_add(lines, h, sizeof(*h));
	buf_add(lines, line, h->n);
	return !lines->failed;
}

bool log_held_next(const struct buf *lines, size_t *at, struct held_line *ret, char *line)
{
	if (lines->failed || *at + sizeof(*ret) > lines->len)
		return false;
	memcpy(ret, lines->p + *at, sizeof(*ret));
	memcpy(line, lines->p + *at + sizeof(*ret), ret->n);
	*at += sizeof(*ret) + ret->n;
	return true;
}
