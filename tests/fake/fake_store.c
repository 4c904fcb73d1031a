/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The fake store: the least that the contract of lease_store.h asks for.
 */
#include "fake_store.h"

#include "base/error.h"
#include "lease/lease_apply.h"

#include <errno.h>

static struct fake_store *fake_of(struct lease_store *s)
{
	return container_of(s, struct fake_store, store);
}

static uint64_t fake_append(struct lease_store *s, const struct lease *l, bool deleted)
{
	(void)l, (void)deleted;
	s->appended = ++fake_of(s)->seq;
	return s->appended;
}

static void fake_wake(struct lease_store *s)
{
	fake_of(s)->wakes++;
}

static int fake_wait(struct lease_store *s, uint64_t seq, int64_t timeout_ns)
{
	(void)timeout_ns;
	if (s->durable >= seq)
		return 0;
	return s->up ? -ETIMEDOUT : -USHER_E_STORE_DOWN;
}

static bool fake_owns(const struct lease_store *s, uint32_t addr)
{
	const struct fake_store *f = (const struct fake_store *)(const void *)s;

	return addr >= f->first && addr <= f->last;
}

static const struct lease_store_ops fake_ops = {
	.name = "fake",
	.append = fake_append,
	.wake = fake_wake,
	.wait = fake_wait,
	.owns = fake_owns,
};

void fake_store_init(struct fake_store *f, struct lease_db *db)
{
	*f = (struct fake_store){.db = db, .last = UINT32_MAX};
	lease_store_init(&f->store, &fake_ops);
	f->store.idle = true;
	f->store.up = true;
	lease_db_attach(db, &f->store);
}

void fake_store_fini(struct fake_store *f)
{
	lease_db_attach(f->db, NULL);
	lease_store_fini(&f->store);
}

void fake_store_decide(struct fake_store *f)
{
	f->store.durable = f->seq;
	lease_store_moved(&f->store);
}

int fake_store_refuse(struct fake_store *f, uint64_t seq, const struct lease *holder)
{
	return lease_store_refuse(&f->store, f->db, seq, holder, ++f->seq);
}

void fake_store_down(struct fake_store *f)
{
	f->store.epoch++;
	f->store.up = false;
	lease_store_moved(&f->store);
}

void fake_store_up(struct fake_store *f)
{
	f->store.up = true;
	fake_store_decide(f);
}

int fake_store_deliver(struct fake_store *f, const struct lease *l, bool deleted)
{
	return lease_db_apply(f->db, l, deleted, ++f->seq);
}

void fake_store_own(struct fake_store *f, uint32_t first, uint32_t last)
{
	f->first = first;
	f->last = last;
	lease_db_blocks_moved(f->db, 0, UINT32_MAX);
}
