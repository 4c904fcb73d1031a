/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The store's table, and its start and end.
 */
#include "lease/postgresql/pg_impl.h"

#include "base/error.h"
#include "lease/lease_load.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct pg_store *store_of(struct lease_store *s)
{
	return container_of(s, struct pg_store, store);
}

static const struct pg_store *of_const(const struct lease_store *s)
{
	return (const struct pg_store *)(const void *)s;
}
_Static_assert(__builtin_offsetof(struct pg_store, store) == 0, "of_const relies on it");

static void pg_wake(struct lease_store *s)
{
	static const uint64_t one = 1;
	ssize_t ignored = write(store_of(s)->wake, &one, sizeof(one));

	(void)ignored;
}

static uint64_t pg_append(struct lease_store *s, const struct lease *l, bool deleted)
{
	struct pg_store *p = store_of(s);
	uint64_t seq;
	bool full;

	(void)pthread_mutex_lock(&p->mu);
	seq = ++p->seq;
	s->appended = seq;
	p->stats.rows++;
	if (p->pending_rows++ == 0)
		p->pending_ns = clock_mono_ns(&clock_system);
	pg_row_put(&p->pending, l, deleted, seq, p->was.replaces ? &p->was : NULL, p->was_data);
	p->was.replaces = false;
	full = (p->pending_rows == PG_BATCH_ROWS && s->gathering) ||
	       p->pending.len > PG_PENDING_MAX;
	(void)pthread_mutex_unlock(&p->mu);
	if (full)
		pg_wake(s);
	return seq;
}

static void pg_replaces(struct lease_store *s, const struct lease *old)
{
	struct pg_store *p = store_of(s);

	(void)pthread_mutex_lock(&p->mu);
	p->was.replaces = true;
	p->was.was_hw_len = (uint8_t)old->hw_len;
	p->was.was_cid_len = (uint8_t)old->client_id_len;
	memcpy(p->was_data, old->hw, old->hw_len);
	memcpy(p->was_data + old->hw_len, old->client_id, old->client_id_len);
	(void)pthread_mutex_unlock(&p->mu);
}

static void wait_moved(struct pg_store *p, int64_t ns)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	ns += ts.tv_nsec;
	ts.tv_sec += (time_t)(ns / NS_PER_S);
	ts.tv_nsec = (long)(ns % NS_PER_S);
	(void)pthread_cond_timedwait(&p->moved, &p->mu, &ts);
}

static int pg_wait(struct lease_store *s, uint64_t seq, int64_t timeout_ns)
{
	struct pg_store *p = store_of(s);
	int64_t end = clock_mono_ns(&clock_system) + timeout_ns;
	int64_t left = timeout_ns;
	int r = 0;

	(void)pthread_mutex_lock(&p->mu);
	while (s->durable < seq && s->up && left > 0) {
		wait_moved(p, left);
		left = end - clock_mono_ns(&clock_system);
	}
	if (s->durable < seq)
		r = s->up ? -ETIMEDOUT : -USHER_E_STORE_DOWN;
	(void)pthread_mutex_unlock(&p->mu);
	return r;
}

static void pg_commit_now(struct lease_store *s)
{
	pg_wake(s);
}

/* Refuses: the database keeps one row an address, so there is nothing to clean up. */
static int pg_cleanup(struct lease_store *s)
{
	(void)s;
	return -USHER_E_UNSUPPORTED;
}

static void pg_stats(const struct lease_store *s, struct lease_store_stats *ret)
{
	const struct pg_store *p = of_const(s);
	pthread_mutex_t *mu = (pthread_mutex_t *)(uintptr_t)&p->mu;

	(void)pthread_mutex_lock(mu);
	*ret = p->stats;
	ret->pending = p->seq - s->durable;
	ret->durability = LEASE_SYNC_COMMIT;
	ret->persist = true;
	ret->refused = p->refused;
	(void)pthread_mutex_unlock(mu);
}

static const char *pg_path(const struct lease_store *s)
{
	(void)s;
	return "";
}

static const char *pg_place(const struct lease_store *s)
{
	return of_const(s)->load.place;
}

static void free_store(struct pg_store *p)
{
	lease_rows_free(p->loaded);
	for (unsigned i = 0; i < PG_BATCHES; i++)
		buf_fini(&p->batch[i].rows);
	buf_fini(&p->pending);
	buf_fini(&p->taken);
	buf_fini(&p->values);
	if (p->wake >= 0)
		(void)close(p->wake);
	(void)pthread_mutex_destroy(&p->mu);
	(void)pthread_cond_destroy(&p->moved);
	lease_store_fini(&p->store);
	if (p->texts)
		explicit_bzero(p->texts, p->texts_len);
	free(p->texts);
	free(p);
}

static void pg_close(struct lease_store *s)
{
	struct pg_store *p = store_of(s);

	lease_db_attach(p->db, NULL);
	(void)pthread_mutex_lock(&p->mu);
	p->stop = true;
	(void)pthread_mutex_unlock(&p->mu);
	pg_wake(s);
	(void)pthread_join(p->thread, NULL);
	lease_db_attach(p->db, NULL); /* loading may have ended meanwhile */
	free_store(p);
}

static const struct lease_store_ops pg_ops = {
	.name = "postgresql",
	.append = pg_append,
	.replaces = pg_replaces,
	.wake = pg_wake,
	.wait = pg_wait,
	.commit_now = pg_commit_now,
	.cleanup = pg_cleanup,
	.stats = pg_stats,
	.path = pg_path,
	.place = pg_place,
	.owns = NULL, /* the database decides */
	.close = pg_close,
};

/* --- start -------------------------------------------------------------------------------------- */

/* Copies the texts of the configuration, which a reload frees. */
static int copy_config(struct pg_store *p, const struct config_database *c)
{
	const char **texts[] = {&p->config.name,	  &p->config.host,
				&p->config.user,	  &p->config.password,
				&p->config.password_file, &p->config.trust_anchor,
				&p->config.cert_file,	  &p->config.key_file,
				&p->config.ssl_mode};
	char *out;

	p->config = *c;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		p->texts_len += strlen(*texts[i]) + 1;
	p->texts = out = malloc(p->texts_len);
	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		size_t len = strlen(*texts[i]) + 1;

		memcpy(out, *texts[i], len);
		*texts[i] = out;
		out += len;
	}
	p->o.config = &p->config;
	return 0;
}

static int prepare_store(struct pg_store *p)
{
	int r = copy_config(p, p->o.config);

	p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r == 0 && p->wake < 0)
		r = -errno;
	if (r == 0)
		r = lease_rows_new(&p->loaded);
	return r;
}

int pg_store_open(const struct pg_store_opts *o, struct lease_db *db, struct lease_store **ret)
{
	struct pg_store *p = calloc(1, sizeof(*p));
	pthread_condattr_t attr;
	int r;

	if (!p)
		return -ENOMEM;
	p->o = *o;
	p->db = db;
	p->load_from = -1;
	lease_store_init(&p->store, &pg_ops);
	p->store.opening = 1;
	p->store.confirms = o->config->on_fail != ON_FAIL_STOP_RETRY_EXIT;
	(void)pthread_mutex_init(&p->mu, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&p->moved, &attr);
	(void)pthread_condattr_destroy(&attr);
	buf_init(&p->pending);
	buf_init(&p->taken);
	buf_init(&p->values);
	for (unsigned i = 0; i < PG_BATCHES; i++)
		buf_init(&p->batch[i].rows);
	database_place(o->config, p->load.place, sizeof(p->load.place));
	r = prepare_store(p);
	if (r == 0)
		r = -pthread_create(&p->thread, NULL, pg_thread, p);
	if (r < 0) {
		free_store(p);
		return r;
	}
	*ret = &p->store;
	return 0;
}

int pg_store_opened(struct lease_store *s, int64_t timeout_ns, struct pg_load_stats *ret)
{
	struct pg_store *p = store_of(s);
	int64_t end = clock_mono_ns(&clock_system) + timeout_ns;
	int64_t left = timeout_ns;
	int r;

	(void)pthread_mutex_lock(&p->mu);
	while (s->opening == 1 && left > 0) {
		wait_moved(p, left);
		left = end - clock_mono_ns(&clock_system);
	}
	r = s->opening;
	*ret = p->load;
	(void)pthread_mutex_unlock(&p->mu);
	return r;
}
