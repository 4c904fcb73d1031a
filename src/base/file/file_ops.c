/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The kernel's file calls behind struct file_ops.
 */
#include "base/file/file_ops.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int sys_open(void *ctx, const char *path, int flags, mode_t mode)
{
	int fd = open(path, flags | O_CLOEXEC, mode);

	(void)ctx;
	return fd < 0 ? -errno : fd;
}

static ssize_t sys_write(void *ctx, int fd, const void *p, size_t n)
{
	ssize_t r;

	(void)ctx;
	do
		r = write(fd, p, n);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

static ssize_t sys_write_at(void *ctx, int fd, const void *p, size_t n, off_t at)
{
	ssize_t r;

	(void)ctx;
	do
		r = pwrite(fd, p, n, at);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

static ssize_t sys_read(void *ctx, int fd, void *p, size_t n)
{
	ssize_t r;

	(void)ctx;
	do
		r = read(fd, p, n);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

static int sys_fdatasync(void *ctx, int fd)
{
	(void)ctx;
	return fdatasync(fd) < 0 ? -errno : 0;
}

static int sys_write_out(void *ctx, int fd, off_t from, off_t n)
{
	unsigned how = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
		       SYNC_FILE_RANGE_WAIT_AFTER;

	(void)ctx;
	return sync_file_range(fd, from, n, how) < 0 ? -errno : 0;
}

static int sys_ftruncate(void *ctx, int fd, off_t len)
{
	(void)ctx;
	return ftruncate(fd, len) < 0 ? -errno : 0;
}

static int64_t sys_size(void *ctx, int fd)
{
	struct stat st;

	(void)ctx;
	return fstat(fd, &st) < 0 ? -errno : (int64_t)st.st_size;
}

static int sys_close(void *ctx, int fd)
{
	(void)ctx;
	return close(fd) < 0 ? -errno : 0;
}

static int sys_rename(void *ctx, const char *from, const char *to)
{
	(void)ctx;
	return rename(from, to) < 0 ? -errno : 0;
}

static int sys_unlink(void *ctx, const char *path)
{
	(void)ctx;
	return unlink(path) < 0 ? -errno : 0;
}

static int sys_sync_dir(void *ctx, const char *path)
{
	auto_free char *dir = strdup(path);
	auto_close int fd = -1;
	char *slash;

	(void)ctx;
	if (!dir)
		return -ENOMEM;
	slash = strrchr(dir, '/');
	if (slash == dir)
		slash[1] = '\0';
	else if (slash)
		*slash = '\0';
	fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return fsync(fd) < 0 ? -errno : 0;
}

static void info_fill(const struct stat *st, struct file_info *ret)
{
	*ret = (struct file_info){.dev = st->st_dev,
				  .ino = st->st_ino,
				  .nlink = st->st_nlink,
				  .size = st->st_size,
				  .regular = S_ISREG(st->st_mode),
				  .symlink = S_ISLNK(st->st_mode),
				  .fifo = S_ISFIFO(st->st_mode)};
}

static int sys_stat(void *ctx, const char *path, struct file_info *ret)
{
	struct stat st;

	(void)ctx;
	if (lstat(path, &st) < 0)
		return -errno;
	info_fill(&st, ret);
	return 0;
}

static int sys_fstat(void *ctx, int fd, struct file_info *ret)
{
	struct stat st;

	(void)ctx;
	if (fstat(fd, &st) < 0)
		return -errno;
	info_fill(&st, ret);
	return 0;
}

static int sys_lock(void *ctx, int fd)
{
	(void)ctx;
	return flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
}

static int64_t sys_room(void *ctx, const char *path)
{
	auto_free char *dir = strdup(path);
	struct statvfs st;
	char *slash;

	(void)ctx;
	if (!dir)
		return -ENOMEM;
	slash = strrchr(dir, '/');
	if (slash)
		slash[slash == dir] = '\0';
	if (statvfs(slash ? dir : ".", &st) < 0)
		return -errno;
	return (int64_t)(st.f_bavail * st.f_frsize);
}

static int sys_resolve(void *ctx, const char *path, char *ret, size_t cap)
{
	auto_free char *real = realpath(path, NULL);

	(void)ctx;
	if (!real)
		return -errno;
	return snprintf(ret, cap, "%s", real) < (int)cap ? 0 : -ENAMETOOLONG;
}

const struct file_ops file_ops_system = {
	.open = sys_open,
	.write = sys_write,
	.read = sys_read,
	.fdatasync = sys_fdatasync,
	.write_at = sys_write_at,
	.write_out = sys_write_out,
	.ftruncate = sys_ftruncate,
	.size = sys_size,
	.close = sys_close,
	.rename = sys_rename,
	.unlink = sys_unlink,
	.sync_dir = sys_sync_dir,
	.stat = sys_stat,
	.fstat = sys_fstat,
	.lock = sys_lock,
	.room = sys_room,
	.resolve = sys_resolve,
};
