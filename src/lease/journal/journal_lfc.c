/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Clean-up with Kea's file names, and recovery, which is a clean-up of a live file that cannot be
 * trusted. Reading order at start: .completed, else .2 and .1; then the live file.
 *
 * Why every crash point is safe. The snapshot is taken from the table after the live file was put
 * aside, so the new live file has every row since; replaying some of them over a newer snapshot
 * ends in the same state. .1 goes, durably, before .completed becomes .2, because .1 over a newer
 * .2 would restore rows that the snapshot left out. The live file is never put aside while
 * .completed exists, because .1 is not read beside it.
 */
#include "lease/journal/journal_files.h"

#include "lease/lease_csv.h"

#include <errno.h>
#include <fcntl.h>

enum {
	/* copied out under the table's lock: some two microseconds */
	CHUNK_LEASES = 24,
	/*
	 * Written out at once. One sync of a whole snapshot was measured to stall commits by 75 to
	 * 138 ms; a sync per piece commits the file system's journal each time, which commits wait
	 * for.
	 */
	SIZE_BYTES = 512 << 10,
};

static int sync_dir(struct journal *j)
{
	return j->files->sync_dir(j->files->ctx, j->path);
}

static int unlink_maybe(struct journal *j, const char *suffix)
{
	char name[PATH_CAP];
	int r = j->files->unlink(j->files->ctx, journal_name(j, suffix, name));

	return r == -ENOENT ? 0 : r;
}

cold_fn static int rename_to(struct journal *j, const char *from, const char *to)
{
	char a[PATH_CAP];
	char b[PATH_CAP];

	return j->files->rename(j->files->ctx, journal_name(j, from, a), journal_name(j, to, b));
}

int journal_create(struct journal *j, const char *suffix)
{
	const struct file_ops *f = j->files;
	char name[PATH_CAP];
	int r = journal_clear(j, suffix);
	int fd;

	if (r < 0)
		return r;
	fd = f->open(f->ctx, journal_name(j, suffix, name),
		     O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW, 0640);
	if (fd < 0)
		return fd;
	r = journal_write_all(j, fd, lease_csv_head(), LEASE_CSV_HEAD_LEN);
	if (r == 0)
		r = f->fdatasync(f->ctx, fd);
	if (r >= 0)
		return fd;
	(void)f->close(f->ctx, fd);
	(void)unlink_maybe(j, suffix);
	return r;
}

int journal_rotate(struct journal *j, int next_fd)
{
	/* rows that the interval allows to be lost must not stay unsynced for longer */
	int r = j->fd >= 0 && !j->need_fresh ? journal_sync(j) : 0;
	int old = j->fd;

	/* first, so that no rename of an earlier clean-up is undone behind this one */
	if (r >= 0)
		r = sync_dir(j);

	if (r >= 0)
		r = rename_to(j, "", ".1");
	if (r == -ENOENT)
		r = 0;
	/* between the two, so that no crash can keep the second rename without the first */
	if (r >= 0)
		r = sync_dir(j);
	if (r >= 0)
		r = rename_to(j, ".next", "");
	if (r < 0) {
		j->names_in_doubt = true;
		(void)j->files->close(j->files->ctx, next_fd);
		return r;
	}
	j->fd = next_fd;
	j->good = LEASE_CSV_HEAD_LEN;
	journal_tail_synced(j);
	r = journal_adopt(j);
	if (old >= 0)
		(void)j->files->close(j->files->ctx, old);
	if (r >= 0)
		r = sync_dir(j);
	j->names_in_doubt = r < 0;
	return r;
}

int journal_finish(struct journal *j)
{
	char name[PATH_CAP];
	int fd = j->files->open(j->files->ctx, journal_name(j, ".completed", name), O_RDONLY, 0);
	int r;

	/* the old files go only when the new one is seen: an error is no sign that it is there */
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	(void)j->files->close(j->files->ctx, fd);
	r = sync_dir(j);
	if (r >= 0)
		r = unlink_maybe(j, ".1");
	if (r >= 0)
		r = sync_dir(j);
	if (r >= 0)
		r = rename_to(j, ".completed", ".2");
	if (r >= 0)
		r = sync_dir(j);
	return r < 0 ? r : 0;
}

void lfc_abort(struct journal *j)
{
	if (j->lfc.fd >= 0)
		(void)j->files->close(j->files->ctx, j->lfc.fd);
	j->lfc.fd = -1;
	if (j->lfc.stage == LFC_COPY)
		(void)unlink_maybe(j, ".output");
	buf_fini(&j->lfc.buf);
	j->lfc.stage = LFC_IDLE;
}

static int out_flush(struct journal *j, bool sync)
{
	struct lfc *l = &j->lfc;
	const struct file_ops *f = j->files;
	off_t n = (off_t)l->buf.len;
	int r = l->buf.failed ? -ENOMEM : journal_write_all(j, l->fd, l->buf.p, l->buf.len);

	buf_reset(&l->buf);
	if (r == 0)
		r = f->write_out(f->ctx, l->fd, l->written, n);
	l->written += n;
	if (r >= 0 && sync)
		r = f->fdatasync(f->ctx, l->fd);
	return r < 0 ? r : 0;
}

static int out_open(struct journal *j)
{
	int fd = journal_create(j, ".output");

	if (fd < 0)
		return fd;
	buf_init(&j->lfc.buf);
	j->lfc.fd = fd;
	j->lfc.from = 0;
	j->lfc.written = LEASE_CSV_HEAD_LEN;
	j->lfc.stage = LFC_COPY;
	return 1;
}

/* Copies some leases more; at the end .output becomes .completed. */
static int out_copy(struct journal *j)
{
	struct lfc *l = &j->lfc;
	struct lease page[CHUNK_LEASES] uninit;
	struct arena arena;
	size_t n;
	int r = 1;

	arena_init(&arena);
	n = lease_db_page(j->db, l->from, NULL, &arena, page, CHUNK_LEASES);
	for (size_t i = 0; i < n; i++)
		lease_csv_format(&page[i], false, &l->buf);
	if (n)
		l->from = page[n - 1].addr;
	arena_fini(&arena);
	if (n < CHUNK_LEASES || l->buf.len >= SIZE_BYTES || l->buf.failed)
		r = out_flush(j, n < CHUNK_LEASES);
	if (r < 0 || n == CHUNK_LEASES)
		return r < 0 ? r : 1;
	r = j->files->close(j->files->ctx, l->fd);
	l->fd = -1;
	if (r >= 0)
		r = rename_to(j, ".output", ".completed");
	/* from here on a start reads the new file, and the old ones are not needed */
	if (r >= 0)
		r = sync_dir(j);
	if (r < 0)
		return r;
	l->stage = LFC_SHRINK;
	l->old = 0;
	return 1;
}

/*
 * Shortens an old file by a piece. To remove a file of 600 MB in one call held the file system, and
 * with it the committer, for 115 ms. So old files lose their end piece by piece before they are
 * removed. A failure here is left to the removal.
 */
static void old_shrink(struct journal *j)
{
	static const char *const old[] = {".1", ".2"};
	const struct file_ops *f = j->files;
	struct lfc *l = &j->lfc;
	char name[PATH_CAP];

	if (l->fd < 0 && l->old < ARRAY_LEN(old)) {
		const char *suffix = old[l->old++];

		/* other names of the file keep their content, and so does the target of a link */
		l->fd = journal_may_shrink(j, suffix)
				? f->open(f->ctx, journal_name(j, suffix, name),
					  O_WRONLY | O_NOFOLLOW, 0)
				: -ENOENT;
		l->old_left = l->fd < 0 ? 0 : f->size(f->ctx, l->fd);
	}
	if (l->fd >= 0) {
		l->old_left = l->old_left > SHRINK_BYTES ? l->old_left - SHRINK_BYTES : 0;
		if (f->ftruncate(f->ctx, l->fd, l->old_left) < 0 || l->old_left == 0) {
			(void)f->close(f->ctx, l->fd);
			l->fd = -1;
		}
	}
	if (l->fd < 0 && l->old == ARRAY_LEN(old))
		l->stage = LFC_FINISH;
}

/* Begins a clean-up. The rotation belongs to the committer: it takes place between two groups. */
static int lfc_begin(struct journal *j)
{
	int r = 0;

	/* an earlier clean-up that broke off behind its rename is ended first */
	if (journal_exists(j, ".completed"))
		r = journal_finish(j);
	if (r < 0)
		return r;
	j->lfc.stage = journal_exists(j, ".1") ? LFC_OPEN : LFC_ROTATE;
	return 1;
}

int lfc_step(struct journal *j)
{
	int r = 0;

	switch (j->lfc.stage) {
	case LFC_BEGIN:
		r = lfc_begin(j);
		break;
	case LFC_OPEN:
		r = out_open(j);
		break;
	case LFC_COPY:
		r = out_copy(j);
		break;
	case LFC_SHRINK:
		old_shrink(j);
		r = 1;
		break;
	case LFC_FINISH:
		r = journal_finish(j);
		buf_fini(&j->lfc.buf);
		if (r == 0)
			j->lfc.stage = LFC_IDLE;
		break;
	case LFC_ROTATE: /* the committer's */
	case LFC_IDLE:
		break;
	}
	if (r < 0)
		lfc_abort(j);
	return r;
}

int journal_snapshot(struct journal *j)
{
	int r;

	j->lfc.stage = LFC_OPEN;
	do
		r = lfc_step(j);
	while (r > 0);
	return r;
}

/* Checks the room for a new copy: a header and the rows of the table. */
static int check_room(struct journal *j)
{
	enum { ROW_BYTES = 100, SPARE_BYTES = 64 << 10 };
	const struct file_ops *f = j->files;
	int64_t room = f->room ? f->room(f->ctx, j->path) : INT64_MAX;

	if (room < 0)
		return (int)room;
	return (uint64_t)room < lease_db_size(j->db) * ROW_BYTES + SPARE_BYTES ? -ENOSPC : 0;
}

bool journal_has_room(struct journal *j)
{
	return check_room(j) == 0;
}

/* Recovers by a copy of the table first, which a start after a crash reads; then by a new live
 * file. */
static int recover_changed(struct journal *j)
{
	int r = journal_snapshot(j);
	int fd;

	if (r == 0)
		r = journal_make_way(j);
	if (r < 0)
		return r;
	fd = journal_create(j, ".next");
	if (fd < 0)
		return fd;
	r = journal_rotate(j, fd);
	if (r == 0)
		j->changed = false;
	return r;
}

int journal_recover(struct journal *j)
{
	int fd;
	int r = check_room(j);

	if (r < 0)
		return r;
	if (j->changed)
		return recover_changed(j);
	if (j->fd >= 0)
		(void)j->files->close(j->files->ctx, j->fd);
	j->fd = -1;
	/*
	 * Rows of the old live file over this snapshot are older than it, but nothing newer was
	 * acknowledged while the store is down, so they only bring back acknowledged leases.
	 */
	if (journal_exists(j, ".1") || journal_exists(j, ".completed"))
		r = journal_snapshot(j);
	if (r < 0)
		return r;
	fd = journal_create(j, ".next");
	if (fd < 0)
		return fd;
	r = journal_rotate(j, fd);
	return r < 0 ? r : journal_snapshot(j);
}
