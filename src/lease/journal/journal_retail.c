/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Repairs the live file behind its last row that is certainly on disk (journal_tail.c keeps the
 * rows that are not). Acknowledged rows are never cut off before another place has them: a process
 * that ends meanwhile finds them in the page cache, and a machine that ends finds the octets that
 * its disk took. No way needs room for more than those rows.
 */
#include "lease/journal/journal_files.h"

#include <errno.h>
#include <fcntl.h>

static bool names_are_taken(struct journal *j)
{
	return journal_exists(j, ".1") || journal_exists(j, ".completed");
}

/* --- rows without an answer to a client ------------------------------------------------------- */

/*
 * Makes a new live file for the group. When a clean-up has not ended and the names are taken, the
 * group goes over its own place instead: pages that are written again are written out again.
 */
static int retail_group(struct journal *j)
{
	const struct file_ops *f = j->files;
	int fd;
	int r = f->ftruncate(f->ctx, j->fd, j->good);

	if (names_are_taken(j))
		return r < 0 ? r : 0;
	fd = journal_create(j, ".next");
	if (fd < 0)
		return r < 0 ? r : 0;
	return journal_rotate(j, fd);
}

/* --- rows that were acknowledged -------------------------------------------------------------- */

/* Writes the rows over the octets that are already there, through a descriptor that does not
 * append. */
static int rewrite_in_place(struct journal *j)
{
	const struct file_ops *f = j->files;
	struct file_info info;
	size_t done = 0;
	int fd = f->open(f->ctx, j->path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	int r = fd < 0 ? fd : 0;

	if (r == 0 && f->fstat)
		r = f->fstat(f->ctx, fd, &info);
	if (r == 0 && f->fstat && (info.ino != j->live.ino || info.dev != j->live.dev)) {
		j->changed = j->need_fresh = true;
		r = -EAGAIN;
	}
	while (r >= 0 && done < j->batch.len) {
		ssize_t w = f->write_at(f->ctx, fd, j->batch.p + done, j->batch.len - done,
					j->good + (off_t)done);

		r = w < 0 ? (int)w : w == 0 ? -EIO : 0;
		done += w > 0 ? (size_t)w : 0;
	}
	if (r >= 0)
		r = f->ftruncate(f->ctx, fd, j->good + (off_t)j->batch.len);
	if (r >= 0)
		r = f->fdatasync(f->ctx, fd);
	if (fd >= 0)
		(void)f->close(f->ctx, fd);
	return r < 0 ? r : 0;
}

/* Writes the rows to a new live file before it takes the name. The doubtful ones are cut off the
 * old one then. */
static int rewrite_beside(struct journal *j)
{
	const struct file_ops *f = j->files;
	char name[PATH_CAP];
	off_t sure = j->good;
	int fd = journal_create(j, ".next");
	int r = fd < 0 ? fd : journal_write_all(j, fd, j->batch.p, j->batch.len);

	if (fd >= 0 && r == 0)
		r = f->fdatasync(f->ctx, fd);
	if (r < 0) {
		if (fd >= 0) {
			(void)f->close(f->ctx, fd);
			(void)f->unlink(f->ctx, journal_name(j, ".next", name));
		}
		return r;
	}
	r = journal_rotate(j, fd);
	if (r < 0)
		return r;
	fd = journal_may_shrink(j, ".1")
		     ? f->open(f->ctx, journal_name(j, ".1", name), O_WRONLY | O_NOFOLLOW, 0)
		     : -ENOENT;
	if (fd >= 0) {
		(void)!f->ftruncate(f->ctx, fd, sure);
		(void)f->close(f->ctx, fd);
	}
	return 0;
}

static int retail_acknowledged(struct journal *j)
{
	int r = names_are_taken(j) ? -EEXIST : rewrite_beside(j);

	if (r < 0 && !j->need_fresh && !j->names_in_doubt)
		r = rewrite_in_place(j);
	if (r < 0)
		return r;
	(void)pthread_mutex_lock(&j->mu);
	j->stats.syncs++;
	(void)pthread_mutex_unlock(&j->mu);
	r = journal_watch(j, j->good + (off_t)j->batch.len);
	return r < 0 ? r : 1;
}

int journal_retail(struct journal *j)
{
	if (j->o.durability == LEASE_SYNC_INTERVAL)
		return retail_acknowledged(j);
	return retail_group(j);
}

/* --- names ------------------------------------------------------------------------------------ */

int journal_settle_names(struct journal *j)
{
	const struct file_ops *f = j->files;
	char one[PATH_CAP];
	struct file_info named;
	int r = f->stat ? f->stat(f->ctx, j->path, &named) : -ENOSYS;

	if (r == -ENOENT) {
		r = f->stat(f->ctx, journal_name(j, ".1", one), &named);
		if (r >= 0 && named.ino == j->live.ino && named.dev == j->live.dev)
			r = f->rename(f->ctx, one, j->path);
		else
			j->changed = j->need_fresh = true;
	} else if (r >= 0 && (named.ino != j->live.ino || named.dev != j->live.dev)) {
		j->changed = j->need_fresh = true;
	}
	if (r >= 0)
		r = f->sync_dir(f->ctx, j->path);
	if (r >= 0)
		j->names_in_doubt = false;
	return r < 0 && !j->changed ? r : 0;
}
