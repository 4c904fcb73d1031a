/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The kernel's file calls behind struct file_ops.
 */
#include "base/file_ops.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
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
	unsigned how = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;

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

const struct file_ops file_ops_system = {
	.open = sys_open,
	.write = sys_write,
	.read = sys_read,
	.fdatasync = sys_fdatasync,
	.write_out = sys_write_out,
	.ftruncate = sys_ftruncate,
	.size = sys_size,
	.close = sys_close,
	.rename = sys_rename,
	.unlink = sys_unlink,
	.sync_dir = sys_sync_dir,
};
