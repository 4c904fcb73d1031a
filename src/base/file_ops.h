/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The file calls that durable data goes through, as a table: the kernel's own by default; tests
 * put a recorder or a failing disk in its place. Every call returns >= 0 or -errno.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct file_ops {
	int (*open)(void *ctx, const char *path, int flags, mode_t mode);
	ssize_t (*write)(void *ctx, int fd, const void *p, size_t n);
	ssize_t (*read)(void *ctx, int fd, void *p, size_t n);
	int (*fdatasync)(void *ctx, int fd);
	/* Has these octets written by now, without making anything durable: a later fdatasync has
	 * less to do at once. */
	int (*write_out)(void *ctx, int fd, off_t from, off_t n);
	int (*ftruncate)(void *ctx, int fd, off_t len);
	int64_t (*size)(void *ctx, int fd);
	int (*close)(void *ctx, int fd);
	int (*rename)(void *ctx, const char *from, const char *to);
	int (*unlink)(void *ctx, const char *path);
	/* Makes renames and creations in the directory of path durable. */
	int (*sync_dir)(void *ctx, const char *path);
	void *ctx;
};

extern const struct file_ops file_ops_system;
