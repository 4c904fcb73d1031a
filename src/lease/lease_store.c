/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Lease stores for their users: every call goes to the implementation's table; the numbers that
 * every store publishes are read from its head.
 */
#include "lease/lease_store_backend.h"

#include "base/error.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

void lease_store_init(struct lease_store *s, const struct lease_store_ops *ops)
{
	s->ops = ops;
	(void)pthread_mutex_init(&s->mu, NULL);
}

void lease_store_fini(struct lease_store *s)
{
	free(s->refusals);
	(void)pthread_mutex_destroy(&s->mu);
}

uint64_t lease_store_append(struct lease_store *s, const struct lease *l, bool deleted)
{
	return s->ops->append(s, l, deleted);
}

void lease_store_replaces(struct lease_store *s, const struct lease *old)
{
	s->ops->replaces(s, old);
}

bool lease_store_asks_replaced(const struct lease_store *s)
{
	return s && s->ops->replaces;
}

void lease_store_kick(struct lease_store *s)
{
	if (s->idle && s->appended != s->durable && atomic_exchange(&s->idle, false))
		s->ops->wake(s);
}

void lease_store_flush(struct lease_store *s)
{
	if (s->appended == s->durable)
		return;
	s->hurry = true;
	if (s->idle || s->gathering)
		s->ops->wake(s);
}

uint64_t lease_store_durable(const struct lease_store *s)
{
	return s->durable;
}

/* Finds the refusal of row seq; NULL: it was not refused. */
static const struct lease_refusal *find_refusal(const struct lease_refusals *all, uint64_t seq)
{
	for (size_t i = 0; i < all->n && i < LEASE_REFUSALS; i++)
		if (all->last[i].seq == seq)
			return &all->last[i];
	return NULL;
}

bool lease_store_refused(const struct lease_store *s, uint64_t seq, struct lease *ret_holder)
{
	pthread_mutex_t *mu = (pthread_mutex_t *)(uintptr_t)&s->mu;
	const struct lease_refusals *all = s->refusals;
	const struct lease_refusal *found;

	if (!all)
		return false;
	(void)pthread_mutex_lock(mu);
	found = find_refusal(all, seq);
	if (found)
		*ret_holder = found->holder;
	(void)pthread_mutex_unlock(mu);
	return found != NULL;
}

enum lease_outcome lease_store_outcome(const struct lease_store *s, uint64_t seq, uint64_t epoch)
{
	struct lease holder uninit;

	if (s->epoch != epoch)
		return LEASE_ROW_UNAVAILABLE;
	if (s->durable < seq)
		return s->up ? LEASE_ROW_PENDING : LEASE_ROW_UNAVAILABLE;
	return lease_store_refused(s, seq, &holder) ? LEASE_ROW_REFUSED : LEASE_ROW_DURABLE;
}

bool lease_store_owns(const struct lease_store *s, uint32_t addr)
{
	return !s->ops->owns || s->ops->owns(s, addr);
}

bool lease_store_up(const struct lease_store *s)
{
	return s->up;
}

bool lease_store_confirms(const struct lease_store *s)
{
	return s->confirms;
}

int lease_store_opening(const struct lease_store *s)
{
	return s->opening;
}

uint64_t lease_store_epoch(const struct lease_store *s)
{
	return s->epoch;
}

int lease_store_notify(struct lease_store *s, int eventfd)
{
	int r = -USHER_E_LIMIT;

	(void)pthread_mutex_lock(&s->mu);
	if (s->n_notify < ARRAY_LEN(s->notify)) {
		s->notify[s->n_notify++] = eventfd;
		r = 0;
	}
	(void)pthread_mutex_unlock(&s->mu);
	return r;
}

void lease_store_unnotify(struct lease_store *s, int eventfd)
{
	(void)pthread_mutex_lock(&s->mu);
	for (unsigned i = 0; i < s->n_notify; i++)
		if (s->notify[i] == eventfd)
			s->notify[i--] = s->notify[--s->n_notify];
	(void)pthread_mutex_unlock(&s->mu);
}

void lease_store_moved(struct lease_store *s)
{
	static const uint64_t one = 1;

	(void)pthread_mutex_lock(&s->mu);
	for (unsigned i = 0; i < s->n_notify; i++) {
		/* the reader of a full counter is awake already */
		ssize_t ignored = write(s->notify[i], &one, sizeof(one));

		(void)ignored;
	}
	(void)pthread_mutex_unlock(&s->mu);
}

int lease_store_wait(struct lease_store *s, uint64_t seq, int64_t timeout_ns)
{
	struct lease holder uninit;
	int r = 0;

	if (s->durable < seq) {
		lease_store_flush(s);
		r = s->ops->wait(s, seq, timeout_ns);
	}
	return r == 0 && lease_store_refused(s, seq, &holder) ? -USHER_E_IN_USE : r;
}

void lease_store_commit_now(struct lease_store *s)
{
	s->ops->commit_now(s);
}

const struct buckets_shape lease_commit_ns_shape = {.first = 32000, .n = 17};
const struct buckets_shape lease_commit_rows_shape = {.first = 1, .n = 11};

void lease_store_stats(const struct lease_store *s, struct lease_store_stats *ret)
{
	s->ops->stats(s, ret);
}

const char *lease_store_path(const struct lease_store *s)
{
	return s->ops->path(s);
}

const char *lease_store_place(const struct lease_store *s)
{
	return s->ops->place ? s->ops->place(s) : NULL;
}

int lease_store_cleanup(struct lease_store *s)
{
	return s->ops->cleanup(s);
}

void lease_store_close(struct lease_store *s)
{
	if (s)
		s->ops->close(s);
}
