/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Refusing a row, for stores that share leases. The table has the holder's row before any thread
 * can see that the other one was refused.
 */
#include "lease/lease_apply.h"
#include "lease/lease_store_backend.h"

#include <errno.h>
#include <stdlib.h>

int lease_store_refuse(struct lease_store *s, struct lease_db *db, uint64_t seq,
		       const struct lease *holder, uint64_t holder_seq)
{
	struct lease_refusals *all = s->refusals;
	struct lease_refusal *place;
	int r;

	if (!all)
		all = calloc(1, sizeof(*all));
	if (!all)
		return -ENOMEM;
	s->refusals = all;
	r = lease_db_apply(db, holder, false, holder_seq);
	if (r < 0)
		return r;
	(void)pthread_mutex_lock(&s->mu);
	place = &all->last[all->n % LEASE_REFUSALS];
	/* those that wait for the forgotten row must not take it for a durable one */
	if (all->n++ >= LEASE_REFUSALS)
		s->epoch++;
	place->seq = seq;
	place->holder = *holder;
	place->holder.user_context = NULL;
	(void)pthread_mutex_unlock(&s->mu);
	return 0;
}
