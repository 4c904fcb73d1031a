/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The journal's files as objects that others can touch: our inode, files set aside, files that
 * may be removed. Nothing is overwritten or removed that was not written by a lease journal (ours
 * or Kea's); it gets a new name instead: <name>.aside-1 and so on.
 */
#include "lease/journal/journal_files.h"

#include "base/error.h"
#include "base/log.h"
#include "lease/lease_csv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ASIDE_MAX = 10000 };

const char *journal_name(const struct journal *j, const char *suffix, char out[PATH_CAP])
{
	(void)snprintf(out, PATH_CAP, "%s%s", j->path, suffix);
	return out;
}

bool journal_exists(const struct journal *j, const char *suffix)
{
	char name[PATH_CAP];
	int fd = j->files->open(j->files->ctx, journal_name(j, suffix, name), O_RDONLY, 0);

	if (fd >= 0)
		(void)j->files->close(j->files->ctx, fd);
	/* a file that cannot be examined counts as present, to be safe */
	return fd != -ENOENT;
}

int journal_write_all(struct journal *j, int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t w = j->files->write(j->files->ctx, fd, p, n);

		if (w <= 0)
			return w < 0 ? (int)w : -EIO;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

/* Describes a file; if there are no such file calls, as a regular one. */
static int describe(const struct journal *j, const char *name, struct file_info *ret)
{
	*ret = (struct file_info){.nlink = 1, .regular = true};
	return j->files->stat ? j->files->stat(j->files->ctx, name, ret) : 0;
}

int journal_set_aside(struct journal *j, const char *suffix, const char *why)
{
	const struct file_ops *f = j->files;
	char from[PATH_CAP];
	char to[PATH_CAP + 32];
	struct file_info info;
	int r = -EEXIST;

	(void)journal_name(j, suffix, from);
	for (int n = 1; n < ASIDE_MAX; n++) {
		(void)snprintf(to, sizeof(to), "%s.aside-%d", from, n);
		r = f->stat(f->ctx, to, &info);
		if (r < 0)
			break;
		r = -EEXIST;
	}
	if (r == -ENOENT)
		r = f->rename(f->ctx, from, to);
	if (r >= 0)
		r = f->sync_dir(f->ctx, to);
	if (r >= 0)
		log_msg(j->o.log, LOG_DHCPSRV_MEMFILE_FILE_SET_ASIDE, "%s is %s: it is kept as %s",
			from, why, to);
	return r < 0 ? r : 0;
}

/* Returns whether a lease journal can have written the file, or begun to write it. */
static bool is_ours(struct journal *j, const char *name)
{
	const struct file_ops *f = j->files;
	char head[LEASE_CSV_HEAD_LEN];
	size_t n = 0;
	ssize_t got;
	int fd = f->open(f->ctx, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);

	if (fd < 0)
		return false;
	while (n < sizeof(head) && (got = f->read(f->ctx, fd, head + n, sizeof(head) - n)) > 0)
		n += (size_t)got;
	(void)f->close(f->ctx, fd);
	return journal_torn_header(head, n) ||
	       (memchr(head, '\n', n) &&
		lease_csv_header(head, (size_t)((char *)memchr(head, '\n', n) - head)) > 0);
}

bool journal_torn_header(const char *p, size_t n)
{
	const char *full = lease_csv_head();
	size_t i = 0;

	while (i < n && i < LEASE_CSV_HEAD_LEN && p[i] == full[i])
		i++;
	/* a prefix of it, or nothing, and then only zeroes, as a power cut leaves them */
	while (i < n && p[i] == '\0')
		i++;
	return i == n;
}

int journal_clear(struct journal *j, const char *suffix)
{
	const struct file_ops *f = j->files;
	char name[PATH_CAP];
	struct file_info info;
	int r = describe(j, journal_name(j, suffix, name), &info);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	if (!info.symlink && !(info.regular && is_ours(j, name)))
		return journal_set_aside(j, suffix, "no file of a clean-up");
	r = f->unlink(f->ctx, name);
	return r == -ENOENT ? 0 : r;
}

int journal_check_kind(struct journal *j, const char *suffix)
{
	char name[PATH_CAP];
	struct file_info info;
	int r = describe(j, journal_name(j, suffix, name), &info);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	/* a file that is only read may be a pipe */
	return info.regular || info.symlink || (info.fifo && suffix[0]) ? info.fifo
									: -USHER_E_FOREIGN;
}

bool journal_may_shrink(struct journal *j, const char *suffix)
{
	char name[PATH_CAP];
	struct file_info info;

	return describe(j, journal_name(j, suffix, name), &info) == 0 && info.regular &&
	       info.nlink == 1;
}

/* --- the live file ---------------------------------------------------------------------------- */

int journal_adopt(struct journal *j)
{
	const struct file_ops *f = j->files;
	int r = f->lock ? f->lock(f->ctx, j->fd) : 0;

	if (r == -EWOULDBLOCK)
		return -EADDRINUSE;
	if (!f->fstat)
		return 0;
	r = f->fstat(f->ctx, j->fd, &j->live);
	if (r == 0 && !j->live.regular)
		r = -USHER_E_FOREIGN;
	return r;
}

int journal_watch(struct journal *j, off_t expected)
{
	const struct file_ops *f = j->files;
	struct file_info open, named;
	int r;

	if (!f->fstat || j->fd < 0)
		return 0;
	r = f->fstat(f->ctx, j->fd, &open);
	if (r == 0)
		r = f->stat(f->ctx, j->path, &named);
	if (r < 0 && r != -ENOENT)
		return 0; /* unknown: nothing is concluded from it */
	if (r == 0 && open.size == (int64_t)expected && named.ino == j->live.ino &&
	    named.dev == j->live.dev)
		return 0;
	j->changed = true;
	return -USHER_E_CHANGED;
}

/* Renames any file under the live file's name, except another server's live file. */
int journal_make_way(struct journal *j)
{
	const struct file_ops *f = j->files;
	struct file_info named;
	int r = f->stat(f->ctx, j->path, &named);
	int fd;

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	if (named.regular && (named.ino != j->live.ino || named.dev != j->live.dev)) {
		fd = f->open(f->ctx, j->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
		r = fd < 0 ? fd : f->lock(f->ctx, fd);
		if (fd >= 0)
			(void)f->close(f->ctx, fd);
		if (r == -EWOULDBLOCK)
			return -EADDRINUSE;
	}
	return journal_set_aside(j, "", "not the lease file that the server wrote");
}

/* --- before anything is read ------------------------------------------------------------------ */

int journal_resolve(struct journal *j)
{
	static const char *const companions[] = {".completed", ".2", ".1"};
	const struct file_ops *f = j->files;
	struct file_info info;
	char real[PATH_CAP];
	int r;

	if (!f->resolve || f->stat(f->ctx, j->path, &info) < 0 || !info.symlink)
		return 0;
	r = f->resolve(f->ctx, j->path, real, sizeof(real) - 16);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(companions); i++)
		if (journal_exists(j, companions[i]))
			return -EMLINK; /* leases of the link's name and of the target's: which are
					   they? */
	free(j->path);
	j->path = strdup(real);
	return j->path ? 0 : -ENOMEM;
}

/* Reads .completed and returns whether it is whole. Kea does not sync it, so a power cut can leave
 * any part of it. */
bool journal_completed_whole(struct journal *j)
{
	const struct file_ops *f = j->files;
	char name[PATH_CAP];
	char buf[4096];
	char head[LEASE_CSV_HEAD_LEN];
	size_t head_len = 0;
	char last = '\0';
	bool nul = false;
	ssize_t n = 0;
	int fd = f->open(f->ctx, journal_name(j, ".completed", name), O_RDONLY | O_NONBLOCK, 0);

	if (fd < 0)
		return true; /* the loader reports its error */
	while ((n = f->read(f->ctx, fd, buf, sizeof(buf))) > 0) {
		size_t take = sizeof(head) - head_len < (size_t)n ? sizeof(head) - head_len
								  : (size_t)n;

		memcpy(head + head_len, buf, take);
		head_len += take;
		last = buf[n - 1];
		nul = nul || memchr(buf, '\0', (size_t)n);
	}
	(void)f->close(f->ctx, fd);
	return n == 0 && last == '\n' && !nul && memchr(head, '\n', head_len);
}
