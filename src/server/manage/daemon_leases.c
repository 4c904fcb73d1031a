/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The lease file, or the database of the leases, at start. Up to LOAD_WAIT_NS the server waits for
 * it; a bigger one is loaded in the background. Until it is complete no lease may be promised,
 * changed or listed: PROCESS drops all but INFORM (LEASES_LOADING), the commands that need leases
 * are refused, and no lease is reclaimed.
 */
#include "server/manage/daemon_impl.h"

#include "base/error.h"
#include "base/log.h"
#include "config/config.h"
#include "database/database_load.h"
#include "lease/journal/journal.h"
#include "lease/postgresql/pg_store.h"
#include "runtime/loop.h"
#include "server/view/lease_check.h"
#include "server/core/snapshot.h"
#include "server/view/stat_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const int64_t load_wait_ns = 200 * NS_PER_MS;

const char *daemon_env_dir(const char *ours, const char *kea, const char *fallback)
{
	const char *dir = getenv(ours);

	if (!dir || !dir[0])
		dir = getenv(kea);
	return dir && dir[0] ? dir : fallback;
}

const char *daemon_lease_path(const struct config *cfg, struct arena *arena)
{
	if (cfg->lease_file && cfg->lease_file[0])
		return cfg->lease_file;
	return arena_printf(arena, "%s/kea-leases4.csv", config_dir(CONFIG_DIR_DATA));
}

/*
 * Locks the name of the lease file, so that a second server does not begin to read it; the journal
 * locks the inode, which may have other names. Returns 0; -EADDRINUSE: another server has it;
 * another -errno.
 */
static int take_lock(struct server_daemon *d, const char *path, struct arena *a)
{
	char *lock = arena_printf(a, "%s.lock", path);
	struct stat st;

	if (!lock)
		return -ENOMEM;
	d->lock_fd = open(lock, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (d->lock_fd >= 0)
		d->lock_made = strdup(lock);
	else
		d->lock_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW,
				  0640);
	if (d->lock_fd < 0 || fstat(d->lock_fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		int r = d->lock_fd < 0 ? -errno : -EINVAL;

		log_msg(d->srv.log, LOG_DHCP4_INIT_FAIL,
			"%s cannot be opened, so the lease file cannot be locked: %s", lock,
			usher_strerror(r));
		return r;
	}
	if (flock(d->lock_fd, LOCK_EX | LOCK_NB) == 0) {
		if (fstat(d->lock_fd, &st) == 0 && st.st_nlink > 0)
			return 0;
		/* a refused start has just removed the file: other servers would not see this
		 * lock */
		(void)close(d->lock_fd);
		free(d->lock_made);
		d->lock_made = NULL;
		return take_lock(d, path, a);
	}
	/* the other server keeps its lock */
	free(d->lock_made);
	d->lock_made = NULL;
	log_msg(d->srv.log, LOG_DHCP4_INIT_FAIL, "lease file %s is in use by another usher-server",
		path);
	return -EADDRINUSE;
}

static const char *failure_reason(int r, const struct journal_load_stats *st)
{
	if (r == -EADDRINUSE)
		return "another server has it open";
	if (r == -EBUSY)
		return "kea-lfc is cleaning it up; start again when it has ended";
	if (r == -EMLINK)
		return "it is a symbolic link, and there are files of a clean-up beside the link: move them beside its target";
	if (r == -ENOENT)
		return "the target of the symbolic link or the directory does not exist";
	return st->first_bad_why[0] ? st->first_bad_why : usher_strerror(r);
}

/* Logs the result of loading; r as journal_opened() returned it. */
static void report_load(struct server_daemon *d, const char *path, int r,
			const struct journal_load_stats *st)
{
	if (r != 1)
		d->loaded = *st;
	if (r < 0)
		log_msg(d->srv.log, LOG_DHCP4_INIT_FAIL, "lease file %s cannot be opened: %s: %s",
			path, usher_strerror(r), failure_reason(r, st));
	else if (r == 0)
		log_msg(d->srv.log, LOG_DHCPSRV_MEMFILE_DB, "%s: %llu leases from %llu rows",
			path[0] ? path : "(not persistent)", (unsigned long long)st->leases,
			(unsigned long long)st->rows);
	else
		log_msg(d->srv.log, LOG_USHER_LEASES_LOADING,
			"%s is still being loaded; only messages that need no lease are answered",
			path);
}

/* --- PostgreSQL --------------------------------------------------------------------------------- */

/* Called from the store's thread when its policy ends the server. */
static void end_for_database(void *ctx)
{
	static const uint64_t one = 1;
	const struct server_daemon *d = ctx;
	ssize_t ignored = write(d->leases_gone_fd, &one, sizeof(one));

	(void)ignored;
}

static void on_gone(void *ctx, uint32_t events)
{
	(void)events;
	daemon_shutdown(ctx, 1);
}

static void report_database(struct server_daemon *d, int r, const struct pg_load_stats *st)
{
	if (r < 0)
		log_msg(d->srv.log, LOG_DHCP4_INIT_FAIL, "lease database %s cannot be used: %s",
			st->place, st->why);
	else if (r == 0)
		log_msg(d->srv.log, LOG_PGSQL_LB_DB, "database %s: %llu leases", st->place,
			(unsigned long long)st->leases);
	else
		log_msg(d->srv.log, LOG_USHER_LEASES_LOADING,
			"database %s is still being loaded; only messages that need no lease are answered",
			st->place);
}

/* Opens the database of the leases. A server without retry-on-startup waits until it is known
 * whether the database can be used. */
static int open_database(struct server_daemon *d, const struct config *cfg)
{
	struct pg_load_stats st = {0};
	struct pg_store_opts o = {
		.config = cfg->lease_database,
		.pq = database_load(st.why, sizeof(st.why)),
		.max_delay_us = cfg->max_delay_us,
		.clock = &d->srv.clock,
		.log = d->srv.log,
		.give_up = end_for_database,
		.ctx = d,
	};
	int r = o.pq ? 0 : -USHER_E_UNSUPPORTED;

	if (r == 0) {
		d->leases_gone_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		r = d->leases_gone_fd < 0 ? -errno : 0;
	}
	if (r == 0)
		r = loop_add(d->loop, d->leases_gone_fd, EPOLLIN, on_gone, d, &d->gone_source);
	if (r == 0)
		r = pg_store_open(&o, d->srv.db, &d->srv.store);
	if (r == 0)
		r = pg_store_opened(d->srv.store, load_wait_ns, &st);
	else if (!st.why[0])
		(void)snprintf(st.why, sizeof(st.why), "%s", usher_strerror(r));
	report_database(d, r, &st);
	d->leases_pending = r == 1;
	return r < 0 ? r : 0;
}

/* --- the lease file ------------------------------------------------------------------------------ */

static int open_file(struct server_daemon *d, const struct config *cfg)
{
	static const enum lease_durability durability[] = {
		[DURABILITY_COMMIT] = LEASE_SYNC_COMMIT,
		[DURABILITY_INTERVAL] = LEASE_SYNC_INTERVAL,
		[DURABILITY_NONE] = LEASE_SYNC_NONE,
	};
	struct journal_load_stats st = {0};
	struct journal_opts o = {
		.persist = cfg->persist,
		.threads = true,
		.background = true,
		.kea_wait_ms = 30000,
		.max_row_errors = cfg->max_row_errors,
		.durability = durability[cfg->durability],
		.interval_ms = cfg->sync_interval_ms,
		.max_delay_us = cfg->max_delay_us,
		.clock = &d->srv.clock,
		.log = d->srv.log,
	};
	struct arena a;
	int r = 0;

	arena_init(&a);
	o.path = daemon_lease_path(cfg, &a);
	if (o.persist)
		r = take_lock(d, o.path, &a);
	if (r < 0) {
		arena_fini(&a);
		return r;
	}
	r = journal_open(&o, d->srv.db, &d->srv.store, &st);
	if (r == 0)
		r = journal_opened(d->srv.store, load_wait_ns, &st);
	report_load(d, o.persist ? o.path : "", r, &st);
	d->leases_pending = r == 1;
	arena_fini(&a);
	return r < 0 ? r : 0;
}

int daemon_open_leases(struct server_daemon *d, const struct config *cfg)
{
	return cfg->lease_database ? open_database(d, cfg) : open_file(d, cfg);
}

void daemon_leases_unlock(struct server_daemon *d)
{
	if (d->lock_made && !d->started)
		(void)unlink(d->lock_made);
	free(d->lock_made);
	if (d->lock_fd >= 0)
		(void)close(d->lock_fd);
	if (d->leases_gone_fd >= 0)
		(void)close(d->leases_gone_fd);
	d->lock_made = NULL;
	d->lock_fd = d->leases_gone_fd = -1;
}

void daemon_watch_leases_end(struct server_daemon *d)
{
	loop_remove(d->leases_source);
	d->leases_source = NULL;
	if (d->leases_fd < 0)
		return;
	if (d->srv.store)
		lease_store_unnotify(d->srv.store, d->leases_fd);
	(void)close(d->leases_fd);
	d->leases_fd = -1;
}

static void on_moved(void *ctx, uint32_t events)
{
	struct server_daemon *d = ctx;
	struct journal_load_stats st = {0};
	struct pg_load_stats db = {0};
	bool file = !lease_store_place(d->srv.store);
	struct snapshot *s;
	int r = file ? journal_opened(d->srv.store, 0, &st) : pg_store_opened(d->srv.store, 0, &db);

	(void)events;
	if (r == 1)
		return;
	d->leases_pending = false;
	if (file)
		report_load(d, lease_store_path(d->srv.store), r, &st);
	else
		report_database(d, r, &db);
	daemon_watch_leases_end(d);
	if (r < 0) {
		daemon_shutdown(d, 1);
		return;
	}
	s = server_snapshot(&d->srv);
	(void)lease_check(&d->srv, s->cfg);
	snapshot_unref(s);
	stat_walk_configured(&d->srv, clock_wall_ns(&d->srv.clock));
}

int daemon_watch_leases(struct server_daemon *d)
{
	int r;

	/* pending leases may be there by now; on_moved() reports and checks them */
	if (!d->leases_pending)
		return 0;
	d->leases_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = d->leases_fd < 0 ? -errno : lease_store_notify(d->srv.store, d->leases_fd);
	if (r == 0)
		r = loop_add(d->loop, d->leases_fd, EPOLLIN, on_moved, d, &d->leases_source);
	/* it may have ended before the loop watched it */
	if (r == 0 && lease_store_opening(d->srv.store) != 1)
		on_moved(d, EPOLLIN);
	return r;
}
